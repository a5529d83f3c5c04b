// Opens the CUDA runtime and the first device.
#include "runtime/cuda/device.h"

static const double MB = 1e6;

static int
find_all(struct rx_device *d, struct rx_error *error)
{
    const struct {
        const char *name;
        void *to;
    } table[] = {
        {"cudaGetErrorString", &d->text},
        {"cudaSetDevice", &d->set_device},
        {"cudaDeviceGetAttribute", &d->attribute},
        {"cudaMemGetInfo", &d->memory},
        {"cudaMalloc", &d->alloc},
        {"cudaFree", &d->free},
        {"cudaMallocHost", &d->alloc_host},
        {"cudaFreeHost", &d->free_host},
        {"cudaMemcpyAsync", &d->copy},
        {"cudaMemsetAsync", &d->set},
        {"cudaStreamCreateWithFlags", &d->stream_create},
        {"cudaStreamDestroy", &d->stream_destroy},
        {"cudaStreamSynchronize", &d->synchronize},
        {"cudaEventCreate", &d->event_create},
        {"cudaEventDestroy", &d->event_destroy},
        {"cudaEventRecord", &d->event_record},
        {"cudaEventElapsedTime", &d->event_elapsed},
        {"cudaLibraryLoadData", &d->library_load},
        {"cudaLibraryUnload", &d->library_unload},
        {"cudaLibraryGetKernel", &d->library_kernel},
        {"cudaFuncSetAttribute", &d->set_attribute},
        {"cudaLaunchKernelExC", &d->launch},
        {"cudaStreamBeginCapture", &d->capture_begin},
        {"cudaStreamEndCapture", &d->capture_end},
        {"cudaGraphInstantiate", &d->graph_instantiate},
        {"cudaGraphLaunch", &d->graph_launch},
        {"cudaGraphDestroy", &d->graph_destroy},
        {"cudaGraphExecDestroy", &d->runnable_destroy},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (rx_cuda_find(d->library, table[i].name, table[i].to, error) != RX_OK)
            return error->status;
    return RX_OK;
}

int
rx_device_check(const struct rx_device *d, int code, const char *what, struct rx_error *error)
{
    return code == 0 ? RX_OK : rx_error_refused(error, "CUDA: %s: %s", what, d->text(code));
}

int
rx_device_open(struct rx_device *d, struct rx_error *error)
{
    *d = (struct rx_device){0};
    int status = rx_cuda_device_arch(d->arch, error);
    if (status == RX_OK)
        status = rx_cuda_open("cudart", &d->library, NULL, error);
    if (status == RX_OK)
        status = find_all(d, error);
    return status == RX_OK ? rx_device_check(d, d->set_device(0), "the device", error) : status;
}

int
rx_device_alloc(const struct rx_device *d, int64_t bytes, void **block, struct rx_error *error)
{
    size_t available = 0, total = 0;
    int status = rx_device_check(d, d->memory(&available, &total), "memory", error);
    if (status == RX_OK && (uint64_t)bytes > available)
        status = rx_error_refused(error,
                                  "memory: %.0f MB are needed, the device has %.0f MB: a smaller "
                                  "--batch takes less",
                                  (double)bytes / MB, (double)available / MB);
    if (status == RX_OK && d->alloc(block, (size_t)bytes) != 0)
        status = rx_error_refused(error,
                                  "memory: %.0f MB of the device cannot be had: a smaller --batch "
                                  "takes less",
                                  (double)bytes / MB);
    if (status == RX_OK)
        status = rx_device_check(d, d->set(*block, 0, (size_t)bytes, NULL), "memory", error);
    if (status == RX_OK)
        status = rx_device_check(d, d->synchronize(NULL), "memory", error);
    return status;
}

void
rx_device_free(const struct rx_device *d, void *block)
{
    if (block != NULL)
        d->free(block);
}
