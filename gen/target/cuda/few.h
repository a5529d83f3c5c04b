// Dense convolutions of few inputs on tensor cores, which walk down strips (strips.h).
#ifndef RX_TARGET_CUDA_FEW_H
#define RX_TARGET_CUDA_FEW_H

#include "gen/target/cuda/strips.h"

extern const struct rx_cuda_strips rx_cuda_few_fwd;

// A strip's rounds, how many of them load and how many multiply; of such a round a thread's loads,
// the inputs of each, a warp's tiles of 32 pixels, and the products of 16 values that each of them
// takes one after the other, from so many words or halves of words.
struct rx_cuda_few_step {
    int rounds, loading, multiplying;
    int loads, together, tiles, products, reads;
};
struct rx_cuda_few_step
rx_cuda_few_step(const struct rx_problem *problem, const struct rx_config *config);

#endif
