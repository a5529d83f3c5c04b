// How the work of a kernel is cut for a number of threads: units (pixels, rows ...) times parts of
// its channels.
#ifndef RX_GRID_H
#define RX_GRID_H

#include "runtime/kernel.h"

struct rx_grid {
    int64_t tasks;  // units * parts
    int parts;
};

// Kernels whose channels can be cut have columns > 1. A cut reads the inputs once more, so there is
// one only where units alone would leave threads idle: small maps of few images. The answer depends
// on these three numbers alone.
struct rx_grid
rx_grid_cut(int64_t units, int columns, int threads);

// One thread's share.
struct rx_call
rx_grid_share(const struct rx_grid *grid, int n, int thread, int n_threads, void *scratch);

#endif
