// Options, faults and errors.
#include <stdlib.h>
#include <string.h>

#include "shim.h"

static cudaError_t last, lost;

std::string
shim_option(const char *name)
{
    const char *all = getenv("RXGEN_EMU");
    const std::string options = all != nullptr ? std::string(",") + all + "," : "";
    const std::string key = std::string(",") + name + "=";
    const size_t at = options.find(key);
    if (at == std::string::npos)
        return "";
    const size_t from = at + key.size();
    return options.substr(from, options.find(',', from) - from);
}

long
shim_option_number(const char *name, long otherwise)
{
    const std::string text = shim_option(name);
    return text.empty() ? otherwise : strtol(text.c_str(), nullptr, 10);
}

bool
shim_fault_due(const char *kind)
{
    static long calls_of_alloc, calls_of_launch, calls_of_lost;
    const std::string fault = shim_option("fault");
    const size_t colon = fault.find(':');
    if (fault.substr(0, colon) != kind)
        return false;
    if (colon == std::string::npos)
        return true;
    long *calls = strcmp(kind, "alloc") == 0    ? &calls_of_alloc
                  : strcmp(kind, "launch") == 0 ? &calls_of_launch
                                                : &calls_of_lost;
    return ++*calls == strtol(fault.c_str() + colon + 1, nullptr, 10);
}

cudaError_t
shim_result(cudaError_t error)
{
    if (lost != cudaSuccess)
        error = lost;
    if (error != cudaSuccess)
        last = error;
    return error;
}

void
shim_lose_device(cudaError_t error)
{
    lost = error;
}

cudaError_t
shim_device_state(void)
{
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaGetLastError(void)
{
    const cudaError_t error = last;
    last = cudaSuccess;
    return error;
}

API cudaError_t
cudaPeekAtLastError(void)
{
    return last;
}

API const char *
cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorNoKernelImageForDevice:
        return "cudaErrorNoKernelImageForDevice";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    case cudaErrorLaunchOutOfResources:
        return "cudaErrorLaunchOutOfResources";
    default:
        return "cudaErrorUnknown";
    }
}

API const char *
cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInsufficientDriver:
        return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorNoKernelImageForDevice:
        return "no kernel image is available for execution on the device";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    case cudaErrorLaunchOutOfResources:
        return "too many resources requested for launch";
    default:
        return "unknown error";
    }
}
