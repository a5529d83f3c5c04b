// The machine's memory. Linux hands out more than it has and kills later, so what is available is
// asked first.
#include "runtime/cpu/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/amx.h"

static const double MB = 1e6;

// What this machine lacks of what kernels for `arch` use; NULL: nothing.
static const char *
lacking(const char *arch)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int v4 = strncmp(arch, "x86-64-v4", 9) == 0, amx = strcmp(arch, "x86-64-v4+amx") == 0;
    if (strcmp(arch, "x86-64-v3") == 0 &&
        !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return "AVX2";
    if (v4 && !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")))
        return "AVX-512";
    if ((amx || strcmp(arch, "x86-64-v4+bf16") == 0) && !__builtin_cpu_supports("avx512bf16"))
        return "AVX512_BF16";
    if (amx && !rx_amx_request())
        return "AMX, or a kernel that allows it";
#else
    (void)arch;
#endif
    return NULL;
}

int
rx_device_check(const char *arch, struct rx_error *error)
{
    const char *const what = lacking(arch);
    return what == NULL || getenv("RXGEN_ANY_MACHINE") != NULL
               ? RX_OK
               : rx_error_refused(error,
                                  "kernels for %s: this machine has no %s: build the "
                                  "network on it, or with another --arch",
                                  arch, what);
}

// A number of kB behind a name in /proc/meminfo, in bytes; -1: not there.
static int64_t
meminfo(const char *name)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL)
        return -1;
    char line[256], key[64];
    long long kb, found = -1;
    while (found < 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%63[^:]: %lld", key, &kb) == 2 && strcmp(key, name) == 0)
            found = kb * 1024;
    fclose(file);
    return found;
}

// The limit of the control group, version 2 or 1, as its own namespace shows it.
static int64_t
group_limit(void)
{
    static const char *const path[] = {"/sys/fs/cgroup/memory.max",
                                       "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(path[i], "re");
        if (file == NULL)
            continue;
        long long bytes;
        const int n = fscanf(file, "%lld", &bytes);
        fclose(file);
        if (n == 1)
            return bytes;
    }
    return INT64_MAX;
}

int64_t
rx_device_available(void)
{
    const int64_t free_bytes = meminfo("MemAvailable"), swap = meminfo("SwapFree");
    const int64_t machine = free_bytes < 0 ? INT64_MAX : free_bytes + (swap > 0 ? swap : 0);
    const int64_t group = group_limit();
    return machine < group ? machine : group;
}

int
rx_device_alloc(int64_t bytes, void **block, struct rx_error *error)
{
    const int64_t available = rx_device_available();
    if (bytes > available)
        return rx_error_refused(error,
                                "memory: %.0f MB are needed, %.0f MB are available: a smaller "
                                "--batch takes less",
                                (double)bytes / MB, (double)available / MB);
    void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return rx_error_refused(error,
                                "memory: %.0f MB cannot be had: a smaller --batch takes less",
                                (double)bytes / MB);
    // Large pages save most of the page walks; a kernel without them is none the worse.
    (void)madvise(p, (size_t)bytes, MADV_HUGEPAGE);
    *block = p;
    return RX_OK;
}

void
rx_device_free(void *block, int64_t bytes)
{
    if (block != NULL)
        munmap(block, (size_t)bytes);
}
