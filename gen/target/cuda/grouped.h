// Grouped 3x3 convolutions on tensor cores, which walk down strips (strips.h).
#ifndef RX_TARGET_CUDA_GROUPED_H
#define RX_TARGET_CUDA_GROUPED_H

#include "gen/target/cuda/strips.h"

extern const struct rx_cuda_strips rx_cuda_grouped_fwd, rx_cuda_grouped_dgrad;

// A step down a strip: how many there are, and a thread's loads, a warp's tiles of 16 rows, and the
// products of 16 values that each of them takes one after the other.
struct rx_cuda_grouped_step {
    int steps, loads, tiles, products;
};
struct rx_cuda_grouped_step
rx_cuda_grouped_step(const struct rx_problem *problem, const struct rx_config *config);

#endif
