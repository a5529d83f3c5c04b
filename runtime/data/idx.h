// IDX files (the MNIST page's format), plain or gzipped: two zero bytes, the element type, the
// number of dimensions, each dimension as a big-endian 32-bit number, then the elements.
#ifndef RX_DATA_IDX_H
#define RX_DATA_IDX_H

#include <stdint.h>

#include "runtime/base/error.h"

enum { RX_IDX_RANK_MAX = 3 };

struct rx_idx {
    int rank;
    int64_t shape[RX_IDX_RANK_MAX];
    int64_t count;   // elements
    uint8_t *bytes;  // [shape]
};

// Reads a file of unsigned bytes that must have `rank` dimensions. Memory grows with the data that
// are really there, never with what the header claims. RX_USER if anything is wrong.
int
rx_idx_read(struct rx_idx *idx, const char *path, int rank, struct rx_error *error);
void
rx_idx_close(struct rx_idx *idx);

#endif
