// What runs on the device: the plan's kernels, and the stream that they are launched into.
#ifndef RX_CUDA_POOL_H
#define RX_CUDA_POOL_H

#include "runtime/cuda/device.h"
#include "runtime/plan.h"

struct rx_pool {
    const struct rx_device *device;
    const struct rx_plan *plan;
    void *stream;
    void **library, **kernel;  // of each kernel of the plan
};

// Loads the kernels from the folder kernels/ beside the program: the cubins as they are where they
// were made for this device by the NVRTC that is there, else what NVRTC makes of the sources now.
int
rx_pool_open(const struct rx_device *device, const struct rx_plan *plan, struct rx_pool *pool,
             struct rx_error *error);
void
rx_pool_close(struct rx_pool *pool);

// Launches a kernel on n images; `parts` is how many parts its sums have. Returns a cudaError_t.
int
rx_pool_launch(const struct rx_pool *pool, int kernel, int n, int parts, void *const *operands,
               int n_operands);

#endif
