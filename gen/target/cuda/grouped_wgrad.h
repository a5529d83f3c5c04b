// The weight gradient of grouped 3x3 convolutions on tensor cores, which walks down strips
// (strips.h).
#ifndef RX_TARGET_CUDA_GROUPED_WGRAD_H
#define RX_TARGET_CUDA_GROUPED_WGRAD_H

#include "gen/target/cuda/strips.h"

extern const struct rx_cuda_strips rx_cuda_grouped_wgrad;

// A strip's rounds, in how many of them inputs and gradients are loaded, and how many multiply; of
// such a round a thread's loads of each, a warp's tiles of 16 pixels, and the fragments and
// products of each of these.
struct rx_cuda_grouped_wgrad_step {
    int rounds, loading, multiplying;
    int inputs, gradients, tiles, fragments, products;
};
struct rx_cuda_grouped_wgrad_step
rx_cuda_grouped_wgrad_step(const struct rx_problem *problem, const struct rx_config *config);

#endif
