// The weight gradient of dense convolutions of few inputs on tensor cores, which walks down strips
// (strips.h): its tile_n warps have different taps of all pixels.
#ifndef RX_TARGET_CUDA_FEW_WGRAD_H
#define RX_TARGET_CUDA_FEW_WGRAD_H

#include "gen/target/cuda/strips.h"

extern const struct rx_cuda_strips rx_cuda_few_wgrad;

// A strip's rounds, how many of them load and how many multiply; of such a round a thread's loads
// of inputs, of how many each, how many places each of these goes to, its loads of gradients; tiles
// of 16 pixels, and of each of these a warp's fragments and products.
struct rx_cuda_few_wgrad_step {
    int rounds, loading, multiplying;
    int inputs, together, copies, gradients, tiles, fragments, products;
};
struct rx_cuda_few_wgrad_step
rx_cuda_few_wgrad_step(const struct rx_problem *problem, const struct rx_config *config);

// Chunks of 8 taps of the filter, which warps share.
int
rx_cuda_few_wgrad_chunks(const struct rx_problem *problem);

#endif
