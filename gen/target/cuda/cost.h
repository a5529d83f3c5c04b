// What a launch asks of a device, and how long that takes: docs/cuda-model.md.
#ifndef RX_TARGET_CUDA_COST_H
#define RX_TARGET_CUDA_COST_H

#include "gen/target/cuda/device.h"

// The work of one launch. Instructions are those of warps, bytes those of all blocks.
struct rx_cuda_work {
    double
        memory_bytes;    // operands once, maps that no cache holds until they are read again, parts
    double cache_bytes;  // all that blocks load and store
    double port_bytes;   // of loads and stores of shared memory, and of the L1 cache
    double mma;          // products on tensor cores
    double multiply_adds;  // others
    double issued;         // all instructions
    int64_t blocks;        // of the launch
    // A block's rounds follow one another: each waits for what it loads, unless `ahead` rounds are
    // on their way at once.
    double rounds, ahead;
    double round_cycles;  // of a round beside the waiting
    double waits;         // of a block beside its rounds
    double block_cycles;  // of a block beside its rounds and waits
};

void
rx_cuda_work(const struct rx_kernel *kernel, const struct rx_load *load, struct rx_cuda_work *work);

// Parts of the work of each family of skeletons; `tiles` is how many a block does.
struct rx_cuda_share {
    const struct rx_kernel *kernel;
    int images, parts;
    double tiles;
};
void
rx_cuda_work_mma(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_tile(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_row(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_grouped(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_grouped_wgrad(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_few(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_few_wgrad(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_pixels(const struct rx_cuda_share *share, struct rx_cuda_work *work);
void
rx_cuda_work_flat(const struct rx_cuda_share *share, struct rx_cuda_work *work);

// Instructions of a chain for a vector of so many lanes; bytes of an element of the maps that it
// loads and stores; how many maps it loads.
double
rx_cuda_chain_instructions(const struct rx_problem *problem, const struct rx_chain *chain,
                           int lanes);
double
rx_cuda_chain_bytes(const struct rx_problem *problem, const struct rx_chain *chain);
int
rx_cuda_chain_loads(const struct rx_chain *chain);

// What is assumed of a kernel that was not compiled: registers as its launch bounds and its sums
// have them, shared memory as its template declares it.
void
rx_cuda_assume(const struct rx_kernel *kernel, struct rx_resources *resources);

// Blocks of so many threads that a multiprocessor runs at once.
int
rx_cuda_occupancy(const struct rx_target_device *device, int block,
                  const struct rx_resources *resources);

void
rx_cuda_predict(const struct rx_kernel *kernel, const struct rx_load *load,
                struct rx_prediction *prediction);

#endif
