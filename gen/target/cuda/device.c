// The table of devices. Each figure is the vendor's, of a data sheet or of the table of compute
// capabilities in the CUDA C++ programming guide, unless its comment says otherwise. What of it is
// an assumption is said in docs/cuda-model.md.
#include "gen/target/cuda/device.h"

#include <string.h>

// H100 SXM5 and H200 SXM: the same chip with other memory. Clock: what an H100 keeps up under load
// (its highest is 1.98 GHz). mma.sync: ptxas lets one begin every 6 cycles for sm_90; only wgmma
// does one in 4. L2: assumption, rounded down from published microbenchmarks.
static const struct rx_target_device_data h100 = {
    .multiprocessors = 132,
    .clock_hz = 1.755e9,
    .memory_bytes_per_s = 3.35e12,
    .cache_bytes_per_s = 5.5e12,
    .cache_bytes = 50 << 20,
    .shared_bytes = 228 << 10,
    .threads = 2048,
    .blocks = 32,
    .mma_cycles = 6,
    .multiply_adds = 128,
};

static const struct rx_target_device_data h200 = {
    .multiprocessors = 132,
    .clock_hz = 1.755e9,
    .memory_bytes_per_s = 4.8e12,
    .cache_bytes_per_s = 5.5e12,
    .cache_bytes = 50 << 20,
    .shared_bytes = 228 << 10,
    .threads = 2048,
    .blocks = 32,
    .mma_cycles = 6,
    .multiply_adds = 128,
};

// A100 SXM4 80 GB. mma: 312 TFLOP/s of bf16 are one in 8 cycles, as ptxas has it. L2: assumption,
// as above.
static const struct rx_target_device_data a100 = {
    .multiprocessors = 108,
    .clock_hz = 1.41e9,
    .memory_bytes_per_s = 2.039e12,
    .cache_bytes_per_s = 4e12,
    .cache_bytes = 40 << 20,
    .shared_bytes = 164 << 10,
    .threads = 2048,
    .blocks = 32,
    .mma_cycles = 8,
    .multiply_adds = 64,
};

// GeForce RTX 4090. mma: 165 TFLOP/s of bf16 with sums in f32, half the rate of sums in f16, are
// one in 32 cycles. L2: assumption, as above.
static const struct rx_target_device_data rtx_4090 = {
    .multiprocessors = 128,
    .clock_hz = 2.52e9,
    .memory_bytes_per_s = 1.008e12,
    .cache_bytes_per_s = 4.5e12,
    .cache_bytes = 72 << 20,
    .shared_bytes = 100 << 10,
    .threads = 1536,
    .blocks = 24,
    .mma_cycles = 32,
    .multiply_adds = 128,
};

enum { H100, H200, A100, RTX_4090 };

const struct rx_target_device rx_cuda_devices[RX_CUDA_DEVICES] = {
    [H100] = {"H100 SXM", "sm_90a", &h100},
    [H200] = {"H200 SXM", "sm_90a", &h200},
    [A100] = {"A100 SXM 80 GB", "sm_80", &a100},
    [RTX_4090] = {"RTX 4090", "sm_89", &rtx_4090},
};

int
rx_cuda_device_of(const char *arch)
{
    static const struct {
        const char *arch;
        int device;
    } nearest[] = {{"sm_80", A100}, {"sm_86", RTX_4090}, {"sm_89", RTX_4090}, {"sm_120", RTX_4090}};
    for (size_t i = 0; i < sizeof nearest / sizeof *nearest; i++)
        if (strcmp(nearest[i].arch, arch) == 0)
            return nearest[i].device;
    return H100;
}
