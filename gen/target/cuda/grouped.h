// Grouped 3x3 convolutions on tensor cores: a block has tile_w channels of a strip of tile_pixels
// rows, goes down it in steps of tile_m rows, with tile_n warps for different pixels.
#ifndef RX_TARGET_CUDA_GROUPED_H
#define RX_TARGET_CUDA_GROUPED_H

#include "gen/target/target.h"

int
rx_cuda_is_grouped(const struct rx_config *config);

// Why the problem, or a config of a problem that is right, will not do; NULL where it does.
const char *
rx_cuda_grouped_problem(const struct rx_problem *problem);
const char *
rx_cuda_grouped_config(const struct rx_problem *problem, const struct rx_config *config);

// Threads of a block, blocks side by side, strips of an image.
int
rx_cuda_grouped_block(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_grouped_columns(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_grouped_strips(const struct rx_problem *problem, const struct rx_config *config);

// Blocks that a multiprocessor runs at once.
int
rx_cuda_grouped_resident(const struct rx_problem *problem, const struct rx_config *config);

// Bytes of shared memory of a block, as the template has them.
int
rx_cuda_grouped_shared(const struct rx_problem *problem, const struct rx_config *config);

// A step down a strip: how many there are, and a thread's loads, a warp's tiles of 16 rows, and the
// products of 16 values that each of them takes one after the other.
struct rx_cuda_grouped_step {
    int steps, loads, tiles, products;
};
struct rx_cuda_grouped_step
rx_cuda_grouped_step(const struct rx_problem *problem, const struct rx_config *config);

#endif
