// What g++ -fsanitize=thread calls at every load and store of a kernel.
#include <dlfcn.h>

#include "machine.h"

enum { STACKS = 64 * 1024 * EMU_THREADS_MAX };

// A fiber's own stack and registers, and the state that kernels read through emu_self.
static bool
is_private(uintptr_t address)
{
    return address - (uintptr_t)m.stacks < STACKS || address - (uintptr_t)&m < sizeof m;
}

static bool
is_shared(uintptr_t address)
{
    return address - (uintptr_t)m.dynamic_shared < EMU_SHARED_MAX ||
           address - (uintptr_t)m.launch->fixed_shared < m.launch->fixed_bytes;
}

// Constants of the kernel's library.
static bool
is_constant(const void *p, access access)
{
    Dl_info info;
    return access == LOAD && dladdr(p, &info) != 0;
}

static void
see(const void *p, unsigned bytes, access access, const void *site)
{
    const uintptr_t address = (uintptr_t)p;
    if (m.current == nullptr || is_private(address))
        return;
    if (address % bytes != 0)
        report("misaligned", address, site, -1);
    if (is_shared(address)) {
        touch_shared(address, bytes, access, PLAIN, site);
        count_request((uintptr_t)site, SHARED, access, address, bytes);
        return;
    }
    allocation *a = find_allocation(address);
    if (a == nullptr || address + bytes > a->at + a->bytes) {
        if (a != nullptr || !is_constant(p, access))
            report("device memory out of bounds", address, site, -1);
        return;
    }
    touch_global(a, address, bytes, access, site);
    count_request((uintptr_t)site, GLOBAL, access, address, bytes);
}

static void
see_range(char *p, long n, access access, const void *site)
{
    const long step = n == 16 || n == 8 ? n : 4;
    for (long i = 0; i < n; i += step)
        see(p + i, (unsigned)step, access, site);
}

#define HOOKS(n)                                                                                   \
    void __tsan_read##n(void *p)                                                                   \
    {                                                                                              \
        see(p, n, LOAD, __builtin_return_address(0));                                              \
    }                                                                                              \
    void __tsan_write##n(void *p)                                                                  \
    {                                                                                              \
        see(p, n, STORE, __builtin_return_address(0));                                             \
    }                                                                                              \
    void __tsan_unaligned_read##n(void *p)                                                         \
    {                                                                                              \
        see(p, n, LOAD, __builtin_return_address(0));                                              \
    }                                                                                              \
    void __tsan_unaligned_write##n(void *p)                                                        \
    {                                                                                              \
        see(p, n, STORE, __builtin_return_address(0));                                             \
    }

extern "C" {
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *)
{
}

void
__tsan_func_exit(void)
{
}

// Bytes whose alignment the type does not promise: one access where a kernel can make it at once.
void
__tsan_read_range(void *p, long n)
{
    see_range((char *)p, n, LOAD, __builtin_return_address(0));
}

void
__tsan_write_range(void *p, long n)
{
    see_range((char *)p, n, STORE, __builtin_return_address(0));
}
}
