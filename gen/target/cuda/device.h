// The devices that times are predicted for: what one multiprocessor has and what all of them share.
#ifndef RX_TARGET_CUDA_DEVICE_H
#define RX_TARGET_CUDA_DEVICE_H

#include "gen/target/target.h"

struct rx_target_device_data {
    int multiprocessors;
    double clock_hz;
    double memory_bytes_per_s;  // of the vendor; what kernels reach is a share of it
    double cache_bytes_per_s;   // L2 to all multiprocessors
    int64_t cache_bytes;
    int shared_bytes;     // of a multiprocessor, for blocks
    int threads, blocks;  // that it holds at most
    int mma_cycles;       // from one m16n8k16 of bf16 to the next, of a quarter of a multiprocessor
    int multiply_adds;    // f32, a cycle and multiprocessor
};

enum { RX_CUDA_DEVICES = 4 };
extern const struct rx_target_device rx_cuda_devices[RX_CUDA_DEVICES];

// The number of an architecture's device, or of the one that is most like it where the table has
// none.
int
rx_cuda_device_of(const char *arch);

#endif
