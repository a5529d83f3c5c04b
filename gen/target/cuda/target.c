// The CUDA target: kernels that NVRTC compiles to cubins, launched by the CUDA runtime.
#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"

const struct rx_language rx_cuda_language = {
    .folder = "cuda",
    .suffix = ".cu",
    .header_suffix = ".cuh",
    .shared_header = "rx_ptx.cuh",
    .object_suffix = ".cubin",
    .runtime = "librxcuda.a",
    .style = RX_CALL_LAUNCH,
};

const struct rx_target rx_target_cuda = {
    .name = "cuda",
    .language = &rx_cuda_language,
    .n_devices = RX_CUDA_DEVICES,
    .device = rx_cuda_devices,
    .device_of = rx_cuda_device_of,
    .predict = rx_cuda_predict,
    .machine = rx_cuda_machine,
    .applicable = rx_cuda_applicable,
    .candidates = rx_cuda_candidates,
    .describe = rx_cuda_describe,
};
