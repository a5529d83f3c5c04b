// What the emulated CUDA libraries share. Work is queued on a stream and runs as late as the API
// allows, so that a host program that forgets to wait reads old data here too.
#ifndef EMU_SHIM_H
#define EMU_SHIM_H

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

typedef std::function<void()> work;

// Queues work on a stream, or in the graph that the stream captures.
__attribute__((visibility("default"))) void
shim_enqueue(cudaStream_t stream, work work);

// The value of NAME in RXGEN_EMU="name=value,name=value"; "" where it is not given.
std::string
shim_option(const char *name);
long
shim_option_number(const char *name, long otherwise);

// Device memory is that of RXGEN_EMU="memory=MEGABYTES". Faults to inject: RXGEN_EMU="fault=KIND:N"
// makes the Nth of that kind fail, N from 1.
//   alloc   allocation N, of the device's or of pinned memory, has none
//   launch  launch N of a kernel or of a graph is refused
//   lost    at kernel N that runs, of a graph too, the device is lost
//   copy    at copy N that runs the device is lost
//   late    whatever is allocated after the first launch has no memory
//   cublas  product N of cuBLAS is refused
//   driver  the driver is too old           none    there is no device
__attribute__((visibility("default"))) bool
shim_fault_due(const char *kind);

// Whether an allocation fails, and that a kernel or a graph was launched: what comes now is late.
bool
shim_allocation_fails(void);
void
shim_launched(void);

// Whether a stream captures, and what a call gets that must not be made meanwhile: it spoils the
// capture.
bool
shim_captures(void);
cudaError_t
shim_forbid_in_capture(void);

// Every call that can fail goes through this: it remembers the error, and a lost device.
cudaError_t
shim_result(cudaError_t error);
void
shim_lose_device(cudaError_t error);
cudaError_t
shim_device_state(void);

// Waits for everything.
void
shim_drain(void);

bool
shim_on_device(const void *p, size_t bytes);

// Device memory is inaccessible to the host but while an object of this class lives.
struct open_memory {
    open_memory();
    ~open_memory();
};

#endif
