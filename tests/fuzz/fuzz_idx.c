// Fuzzes the IDX reader; the first byte says how many dimensions are asked for.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/data/idx.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    const int fd = memfd_create("input", 0);
    if (fd < 0 || write(fd, bytes + 1, n - 1) != (ssize_t)(n - 1))
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rx_idx idx;
    struct rx_error error = {0};
    if (rx_idx_read(&idx, path, bytes[0] % RX_IDX_RANK_MAX + 1, &error) == RX_OK) {
        volatile uint8_t sink = 0;
        for (int64_t i = 0; i < idx.count; i++)
            sink = (uint8_t)(sink + idx.bytes[i]);
        rx_idx_close(&idx);
    }
    close(fd);
    return 0;
}
