// How an emitted CPU kernel is called. Copied beside the emitted kernels, so it includes nothing of
// the runtime.
#ifndef RX_KERNEL_H
#define RX_KERNEL_H

#include <stdint.h>

// One call is one thread's share of a kernel: tasks [first, last) of all its tasks. A kernel is
// called on every thread, also on one whose share is empty, because each clears its own partials.
// Where a kernel's channels can be cut, a task is one unit (pixels, rows ...) of one part of the
// channels: task = part * units + unit. Kernels that cannot be cut have one part.
struct rx_call {
    int n;                // images in the batch
    int thread;           // this thread, 0 .. n_threads - 1
    int n_threads;        // threads that share the kernel
    int parts;            // that the channels are cut into, at least 1
    int64_t first, last;  // this thread's tasks
    void *scratch;        // this thread's scratch memory, 64-byte aligned, contents undefined
};

// `t` holds one pointer for each operand of the kernel's problem, in that order.
typedef void
rx_kernel_fn(const struct rx_call *call, void *const *t);

#endif
