// cp.async: bytes arrive as late as the rules allow, when their group is waited for.
#include <string.h>

#include "machine.h"

enum { COPY = 16 };

extern "C" {
void
emu_copy_async(void *shared, const void *global, int bytes)
{
    const void *site = __builtin_return_address(0);
    const uintptr_t to = (uintptr_t)shared, from = (uintptr_t)global;
    m.counters.copies++;
    if (to % COPY != 0 || from % COPY != 0)
        report("an asynchronous copy is misaligned", to, site, -1);
    touch_shared(to, COPY, STORE, ASYNCHRONOUS, site);
    if (shared_offset(to, COPY) < 0)
        return;
    if (bytes > 0) {
        allocation *a = find_allocation(from);
        if (a == nullptr || from + (unsigned)bytes > a->at + a->bytes) {
            report("an asynchronous copy reads device memory out of bounds", from, site, -1);
            return;
        }
        touch_global(a, from, (unsigned)bytes, LOAD, site);
        count_request((uintptr_t)site, GLOBAL, LOAD, from, COPY);
    }
    count_request((uintptr_t)site + 1, SHARED, STORE, to, COPY);
    m.current->open.push_back({to, global, bytes, site});
}

void
emu_copy_commit(void)
{
    m.current->committed.push_back(std::move(m.current->open));
    m.current->open.clear();
}

void
emu_copy_wait(int pending)
{
    thread *t = m.current;
    while ((int)t->committed.size() > pending) {
        for (const copy &c : t->committed.front()) {
            memset((void *)c.to, 0, COPY);
            memcpy((void *)c.to, c.from, (size_t)c.bytes);
            land_copy(c.to);
        }
        t->committed.erase(t->committed.begin());
    }
}
}
