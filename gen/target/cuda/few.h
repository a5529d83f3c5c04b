// Dense convolutions of few inputs on tensor cores: a block has tile_w outputs of a strip of
// tile_pixels rows, goes down it in steps of tile_m rows, with tile_n warps for different pixels.
#ifndef RX_TARGET_CUDA_FEW_H
#define RX_TARGET_CUDA_FEW_H

#include "gen/target/target.h"

int
rx_cuda_is_few(const struct rx_config *config);

// Why the problem, or a config of a problem that is right, will not do; NULL where it does.
const char *
rx_cuda_few_problem(const struct rx_problem *problem);
const char *
rx_cuda_few_config(const struct rx_machine *machine, const struct rx_problem *problem,
                   const struct rx_config *config);

// Blocks side by side, strips of an image, blocks that a multiprocessor runs at once.
int
rx_cuda_few_columns(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_few_strips(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_few_resident(const struct rx_machine *machine, const struct rx_problem *problem,
                     const struct rx_config *config);

// Bytes of shared memory of a block.
int
rx_cuda_few_shared(const struct rx_problem *problem, const struct rx_config *config);

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
