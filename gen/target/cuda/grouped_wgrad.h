// The weight gradient of grouped 3x3 convolutions on tensor cores: a block has tile_w channels of a
// strip of tile_pixels rows, goes down it in steps of tile_m rows, with tile_n warps for different
// pixels.
#ifndef RX_TARGET_CUDA_GROUPED_WGRAD_H
#define RX_TARGET_CUDA_GROUPED_WGRAD_H

#include "gen/target/target.h"

int
rx_cuda_is_grouped_wgrad(const struct rx_config *config);

// Why the problem, or a config of a problem that is right, will not do; NULL where it does.
const char *
rx_cuda_grouped_wgrad_problem(const struct rx_problem *problem);
const char *
rx_cuda_grouped_wgrad_config(const struct rx_machine *machine, const struct rx_problem *problem,
                             const struct rx_config *config);

// Threads of a block, strips of an image, blocks that a multiprocessor runs at once.
int
rx_cuda_grouped_wgrad_block(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_grouped_wgrad_strips(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_grouped_wgrad_resident(const struct rx_machine *machine, const struct rx_problem *problem,
                               const struct rx_config *config);

// Bytes of shared memory of a block.
int
rx_cuda_grouped_wgrad_shared(const struct rx_problem *problem, const struct rx_config *config);

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
