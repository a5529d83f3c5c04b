// What the device can do at most, as it states itself: its multiprocessors, clocks and memory bus.
#include "runtime/peak.h"

#include "runtime/cuda/device.h"

// cudaDeviceAttr
enum { CLOCK_KHZ = 13, MULTIPROCESSORS = 16, MEMORY_CLOCK_KHZ = 36, MEMORY_BUS_BITS = 37 };

// Multiply-adds a cycle of a multiprocessor in f32, and transfers a cycle of memory.
enum { MULTIPLIES = 128, TRANSFERS = 2, FLOPS = 2, BITS = 8 };

int
rx_peak_measure(const struct rx_plan *plan, int threads, struct rx_peak *peak,
                struct rx_error *error)
{
    (void)plan, (void)threads;
    static const int which[] = {CLOCK_KHZ, MULTIPROCESSORS, MEMORY_CLOCK_KHZ, MEMORY_BUS_BITS};
    int value[sizeof which / sizeof which[0]] = {0};
    struct rx_device d;
    int status = rx_device_open(&d, error);
    for (int i = 0; i < 4 && status == RX_OK; i++)
        status = rx_device_check(&d, d.attribute(&value[i], which[i], 0), "the device", error);
    if (status != RX_OK)
        return status;
    peak->gflops = 1e-6 * value[0] * value[1] * MULTIPLIES * FLOPS;
    peak->gbytes_per_s = 1e-6 * value[2] * TRANSFERS * value[3] / BITS;
    return RX_OK;
}
