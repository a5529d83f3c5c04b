// Device memory and shared memory as the emulator knows them.
#include <string.h>

#include "machine.h"

void
emu_map(void *p, size_t bytes, const char *name)
{
    const uintptr_t at = (uintptr_t)p;
    allocation a{at, bytes, name, {}};
    a.pages.resize(bytes / PAGE + 2);
    m.allocations[at] = std::move(a);
    m.recent = nullptr;
}

void
emu_unmap(void *p)
{
    m.allocations.erase((uintptr_t)p);
    m.recent = nullptr;
}

allocation *
find_allocation(uintptr_t address)
{
    if (m.recent != nullptr && address - m.recent->at < m.recent->bytes)
        return m.recent;
    auto next = m.allocations.upper_bound(address);
    if (next == m.allocations.begin())
        return nullptr;
    allocation *a = &std::prev(next)->second;
    m.recent = a;
    return address - a->at < a->bytes ? a : nullptr;
}

page *
page_of(allocation *a, uintptr_t address)
{
    std::unique_ptr<page> &p = a->pages[(address - a->at) / PAGE];
    if (p == nullptr) {
        p = std::make_unique<page>();
        p->cells.word.resize(PAGE / WORD);
    }
    if (p->launch != m.launch_number) {
        memset(p->read, 0, sizeof p->read);
        memset(p->written, 0, sizeof p->written);
        p->launch = m.launch_number;
    }
    return p.get();
}

long
shared_offset(uintptr_t address, unsigned bytes)
{
    const uintptr_t dynamic = (uintptr_t)m.dynamic_shared,
                    fixed = (uintptr_t)m.launch->fixed_shared;
    if (address - dynamic < EMU_SHARED_MAX)
        return address - dynamic + bytes <= m.launch->dynamic_shared ? (long)(address - dynamic)
                                                                     : -1;
    if (address - fixed < m.launch->fixed_bytes && address - fixed + bytes <= m.launch->fixed_bytes)
        return (long)(m.launch->dynamic_shared + WORD - 1) / WORD * WORD + (long)(address - fixed);
    return -1;
}
