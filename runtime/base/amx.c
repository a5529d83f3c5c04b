// Permission to use AMX: the processor's word, then the kernel's.
#include "runtime/base/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux, Documentation/arch/x86/xstate.rst; Intel's manual, CPUID leaf 7 and XCR0.
enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
enum { FEATURES = 7, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };

int
rx_amx_request(void)
{
    unsigned a, b, c, d = 0;
    if (!__get_cpuid_count(FEATURES, 0, &a, &b, &c, &d))
        return 0;
    return (d & AMX_BF16) && (d & AMX_TILE) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#else
int
rx_amx_request(void)
{
    return 0;
}
#endif
