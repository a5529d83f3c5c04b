// What a compiled CUDA kernel takes of a multiprocessor, read from its cubin.
#ifndef RX_PLAN_CUBIN_H
#define RX_PLAN_CUBIN_H

#include <stddef.h>

struct rx_cubin {
    int registers;           // of a thread
    long long shared_bytes;  // of a block
    long long
        frame_bytes;  // of a thread: registers that were spilled, arrays with computed indices
};

// Reads the cubin of one kernel; 0 where it is none (an emulated device's is a shared library).
int
rx_cubin_read(const void *bytes, size_t n, struct rx_cubin *cubin);

#endif
