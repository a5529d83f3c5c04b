// Where the tensors of a plan lie in the one block of memory that a session allocates: session
// tensors, then the steps' tensors (the programs share the largest program's bytes, as only one
// runs at a time), then each thread's scratch.
#ifndef RX_PLACEMENT_H
#define RX_PLACEMENT_H

#include <stdint.h>

#include "runtime/plan.h"

// Programs that a session holds, as bits.
enum {
    RX_PLACE_ALL = (1 << RX_PROGRAMS) - 1,
    RX_PLACE_INFER = 1 << RX_PROGRAM_FOLD | 1 << RX_PROGRAM_INFER
};

enum { RX_ABSENT = -1 };  // offset of a tensor that this session does not hold

struct rx_placement {
    int64_t *offset;  // of each tensor, or RX_ABSENT
    int64_t bytes, scratch_offset, scratch_bytes;
};

// The caller frees `offset`. Bytes are INT64_MAX where they cannot be counted.
struct rx_placement
rx_placement_make(const struct rx_plan *plan, int programs, int batch, int threads);
int64_t
rx_placement_bytes(const struct rx_plan *plan, int programs, int batch, int threads);

// How many parts a tensor of parts has.
int
rx_placement_parts(const struct rx_plan_tensor *tensor, int threads);

// Images of a slice of this program, or 0 where it takes all images at once.
int
rx_placement_slice(const struct rx_plan_program *program, int batch, int threads);

// 1 for a tensor of all images that slices read or write a part of, as it is alive before or after
// them.
int
rx_placement_outlives(const struct rx_plan *plan, int program, int tensor);

#endif
