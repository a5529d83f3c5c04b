// The device: one, with a Hopper's properties.
#include <string.h>

#include "shim.h"

enum { MAJOR = 9, MINOR = 0, SMS = 132, THREADS = 1024, LANES = 32, REGISTERS = 65536 };
enum { SHARED = 48 * 1024, SHARED_OPTIN = 227 * 1024, SHARED_SM = 228 * 1024 };
enum { L2 = 50 * 1024 * 1024, CLOCK_KHZ = 1755000 };
enum { MEMORY_KHZ = 2619000, MEMORY_BITS = 5120 };

API cudaError_t
cudaGetDeviceCount(int *count)
{
    *count = 0;
    if (shim_fault_due("driver"))
        return shim_result(cudaErrorInsufficientDriver);
    if (shim_fault_due("none"))
        return shim_result(cudaErrorNoDevice);
    *count = 1;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaSetDevice(int device)
{
    return shim_result(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

API cudaError_t
cudaGetDevice(int *device)
{
    *device = 0;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

API cudaError_t
cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

API cudaError_t
cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int)
{
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = MAJOR;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = MINOR;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = (int)shim_option_number("sms", SMS);
        break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = SHARED;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = SHARED_OPTIN;
        break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = SHARED_SM;
        break;
    case cudaDevAttrMaxThreadsPerBlock:
        *value = THREADS;
        break;
    case cudaDevAttrWarpSize:
        *value = LANES;
        break;
    case cudaDevAttrMaxRegistersPerMultiprocessor:
        *value = REGISTERS;
        break;
    case cudaDevAttrL2CacheSize:
        *value = L2;
        break;
    case cudaDevAttrClockRate:
        *value = CLOCK_KHZ;
        break;
    case cudaDevAttrMemoryClockRate:
        *value = MEMORY_KHZ;
        break;
    case cudaDevAttrGlobalMemoryBusWidth:
        *value = MEMORY_BITS;
        break;
    default:
        return shim_result(cudaErrorInvalidValue);
    }
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "rxgen emulator");
    return cudaSetDevice(device);
}
