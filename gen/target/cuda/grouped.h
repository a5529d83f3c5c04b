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

// Loads of an image that follow one another on a multiprocessor, which waits for each.
double
rx_cuda_grouped_turns(const struct rx_problem *problem, const struct rx_config *config);

// Multiplies of whole products for each one that is needed; reads of a row for each one needed.
double
rx_cuda_grouped_waste(const struct rx_problem *problem, const struct rx_config *config);
double
rx_cuda_grouped_reread(const struct rx_problem *problem, const struct rx_config *config);

#endif
