// The memory planner: gives buffers whose lifetimes do not overlap the same bytes.
#ifndef RX_BASE_PLANNER_H
#define RX_BASE_PLANNER_H

#include <stddef.h>
#include <stdint.h>

struct rx_interval {
    int64_t bytes;    // in: size
    int first, last;  // in: steps between which it is alive, both included
    int64_t offset;   // out: where it lies, a multiple of RX_PLANNER_ALIGN
};

enum { RX_PLANNER_ALIGN = 64 };  // a cache line, and the widest vector

// Assigns an offset to each and returns the bytes that all of them need together. Deterministic:
// largest first, each at the lowest place that no overlapping one holds.
int64_t
rx_planner_place(struct rx_interval *interval, size_t n);

#endif
