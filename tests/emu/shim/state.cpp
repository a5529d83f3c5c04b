// Options, faults and errors.
#include <stdlib.h>

#include <map>

#include "shim.h"

static cudaError_t last, lost;
static bool launched;

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
    static std::map<std::string, long> calls;
    const std::string fault = shim_option("fault");
    const size_t colon = fault.find(':');
    if (fault.substr(0, colon) != kind)
        return false;
    if (colon == std::string::npos)
        return true;
    return ++calls[kind] == strtol(fault.c_str() + colon + 1, nullptr, 10);
}

void
shim_launched(void)
{
    launched = true;
}

bool
shim_allocation_fails(void)
{
    return shim_fault_due("alloc") || (launched && shim_fault_due("late"));
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
    case cudaErrorStreamCaptureUnsupported:
        return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
        return "cudaErrorStreamCaptureInvalidated";
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
    case cudaErrorStreamCaptureUnsupported:
        return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
        return "operation failed due to a previous error during capture";
    default:
        return "unknown error";
    }
}
