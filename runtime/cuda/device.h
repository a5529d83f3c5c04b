// The CUDA device: the calls of the CUDA runtime that are used, declared here so that no toolkit is
// needed to build, and its memory.
#ifndef RX_CUDA_DEVICE_H
#define RX_CUDA_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cuda.h"

struct rx_cuda_dim {  // dim3
    unsigned x, y, z;
};
struct rx_cuda_launch {  // cudaLaunchConfig_t
    struct rx_cuda_dim grid, block;
    size_t shared;
    void *stream, *attributes;
    unsigned n_attributes;
};
enum rx_cuda_copy { RX_CUDA_TO_DEVICE = 1, RX_CUDA_TO_HOST = 2, RX_CUDA_ON_DEVICE = 3 };

// Each call returns a cudaError_t, 0 if all is well.
struct rx_device {
    void *library;
    char arch[RX_CUDA_ARCH_CHARS];
    const char *(*text)(int code);
    int (*set_device)(int device);
    int (*attribute)(int *value, int which, int device);
    int (*memory)(size_t *available, size_t *total);
    int (*alloc)(void **p, size_t bytes);
    int (*free)(void *p);
    int (*alloc_host)(void **p, size_t bytes);
    int (*free_host)(void *p);
    int (*copy)(void *to, const void *from, size_t bytes, int kind, void *stream);
    int (*set)(void *p, int value, size_t bytes, void *stream);
    int (*stream_create)(void **stream, unsigned flags);
    int (*stream_destroy)(void *stream);
    int (*synchronize)(void *stream);
    int (*event_create)(void **event);
    int (*event_destroy)(void *event);
    int (*event_record)(void *event, void *stream);
    int (*event_elapsed)(float *milliseconds, void *from, void *to);
    int (*library_load)(void **library, const void *code, void *, void *, unsigned, void *, void *,
                        unsigned);
    int (*library_unload)(void *library);
    int (*library_kernel)(void **kernel, void *library, const char *name);
    int (*set_attribute)(const void *kernel, int which, int value);
    int (*launch)(const struct rx_cuda_launch *launch, const void *kernel, void **arguments);
    int (*capture_begin)(void *stream, int mode);
    int (*capture_end)(void *stream, void **graph);
    int (*graph_instantiate)(void **runnable, void *graph, unsigned long long flags);
    int (*graph_launch)(void *runnable, void *stream);
    int (*graph_destroy)(void *graph);
    int (*runnable_destroy)(void *runnable);
};

// Opens the libraries and the first device; RX_REFUSED, and why, where none answers.
int
rx_device_open(struct rx_device *device, struct rx_error *error);

// RX_REFUSED with what a call said, RX_OK for 0.
int
rx_device_check(const struct rx_device *device, int code, const char *what, struct rx_error *error);

// Zeroed memory of the device; RX_REFUSED, with both sizes in MB, when there is less than asked
// for.
int
rx_device_alloc(const struct rx_device *device, int64_t bytes, void **block,
                struct rx_error *error);
void
rx_device_free(const struct rx_device *device, void *block);

#endif
