// Kernels on tensor cores whose blocks walk down strips of rows, with a ring of rows in shared
// memory: a block has tile_w channels of a strip of tile_pixels rows, and goes down it in steps of
// tile_m rows, with tile_n warps for different pixels. Each skeleton says the same of a config.
#ifndef RX_TARGET_CUDA_STRIPS_H
#define RX_TARGET_CUDA_STRIPS_H

#include "gen/target/cuda/cost.h"
#include "gen/target/target.h"

struct rx_cuda_strips {
    const char *skeleton;
    int threads;  // that a multiprocessor has registers for, by the template's launch bounds

    // Why the problem, or a config of a problem that is right, will not do; NULL where it does.
    const char *(*problem)(const struct rx_problem *problem);
    const char *(*config)(const struct rx_problem *problem, const struct rx_config *config);

    // Threads of a block, blocks side by side, strips of an image, bytes of shared memory.
    int (*block)(const struct rx_problem *problem, const struct rx_config *config);
    int (*columns)(const struct rx_problem *problem, const struct rx_config *config);
    int (*strips)(const struct rx_problem *problem, const struct rx_config *config);
    int (*shared)(const struct rx_problem *problem, const struct rx_config *config);

    void (*work)(const struct rx_cuda_share *share, struct rx_cuda_work *work);
};

// What a skeleton has of these; NULL where it is no such kernel.
const struct rx_cuda_strips *
rx_cuda_strips(const struct rx_config *config);

// Blocks that a multiprocessor runs at once.
int
rx_cuda_strips_resident(const struct rx_machine *machine, const struct rx_problem *problem,
                        const struct rx_config *config);

// Why a config of such a skeleton will not do for the problem; NULL where it does.
const char *
rx_cuda_strips_refuse(const struct rx_machine *machine, const struct rx_problem *problem,
                      const struct rx_config *config);

#endif
