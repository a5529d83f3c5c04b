// Counters of memory traffic: the k-th execution of a site by the lanes of a warp is one request.
#include <algorithm>
#include <utility>

#include "machine.h"

enum { BANKS = 32, BANK = 4 };

// Passes over the banks that these lanes' bytes take: as many as the most different words in one.
static unsigned
passes(const uintptr_t *address, unsigned n, unsigned bytes)
{
    uintptr_t words[BANKS][WARP];
    unsigned count[BANKS] = {0}, most = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned b = 0; b < bytes; b += BANK) {
            const uintptr_t word = (address[i] + b) / BANK;
            const unsigned bank = word % BANKS;
            if (std::find(words[bank], words[bank] + count[bank], word) !=
                words[bank] + count[bank])
                continue;
            words[bank][count[bank]++] = word;
            most = std::max(most, count[bank]);
        }
    return most;
}

// Wide accesses go a half or a quarter of a warp at a time; one that repeats the first is free.
static void
count_wavefronts(const uintptr_t *address, unsigned n, unsigned bytes)
{
    const unsigned part = bytes == 16 ? WARP / 4 : bytes == 8 ? WARP / 2 : WARP;
    for (unsigned i = 0; i < n; i += part) {
        const unsigned lanes = std::min(part, n - i);
        if (i > 0 && lanes == part && std::equal(address, address + part, address + i))
            continue;
        m.counters.wavefronts += passes(address + i, lanes, bytes);
        m.counters.wavefronts_ideal++;
    }
}

static void
mark_sector(uintptr_t address, access access)
{
    allocation *a = find_allocation(address);
    if (a == nullptr)
        return;
    page *p = page_of(a, address);
    bool *seen = (access == STORE ? p->written : p->read) + (address - a->at) % PAGE / SECTOR;
    if (*seen)
        return;
    *seen = true;
    (access == STORE ? m.counters.sectors_written : m.counters.sectors_read)++;
}

static void
count_sectors(const uintptr_t *address, unsigned n, access access)
{
    uintptr_t sectors[WARP];
    unsigned different = 0;
    for (unsigned i = 0; i < n; i++) {
        const uintptr_t sector = address[i] / SECTOR;
        if (std::find(sectors, sectors + different, sector) != sectors + different)
            continue;
        sectors[different++] = sector;
        mark_sector(address[i], access);
    }
    (access == STORE ? m.counters.sectors_written_requested : m.counters.sectors_read_requested) +=
        different;
}

static void
count(const request *r, const uintptr_t *address, unsigned n)
{
    if (r->space == SHARED) {
        (r->access == STORE ? m.counters.shared_stores : m.counters.shared_loads)++;
        count_wavefronts(address, n, r->bytes);
    } else {
        (r->access == STORE ? m.counters.global_stores : m.counters.global_loads)++;
        count_sectors(address, n, r->access);
    }
}

void
count_request(uintptr_t site, space space, access access, uintptr_t address, unsigned bytes)
{
    if (m.counting)
        m.current->log.push_back({site, address, bytes, space, access});
}

void
count_rows(const uintptr_t *address)
{
    if (m.counting)
        count_wavefronts(address, WARP, 16);
}

// Lanes that went the same way logged the same sites in the same order.
static bool
uniform(const thread *t, unsigned lanes)
{
    for (unsigned lane = 1; lane < lanes; lane++) {
        if (t[lane].log.size() != t[0].log.size())
            return false;
        for (size_t i = 0; i < t[0].log.size(); i++)
            if (t[lane].log[i].site != t[0].log[i].site)
                return false;
    }
    return true;
}

static void
count_uniform(const thread *t, unsigned lanes)
{
    for (size_t i = 0; i < t[0].log.size(); i++) {
        uintptr_t address[WARP];
        for (unsigned lane = 0; lane < lanes; lane++)
            address[lane] = t[lane].log[i].address;
        count(&t[0].log[i], address, lanes);
    }
}

static void
count_diverged(const thread *t, unsigned lanes)
{
    std::map<std::pair<uintptr_t, unsigned>, std::vector<request>> requests;
    for (unsigned lane = 0; lane < lanes; lane++) {
        std::unordered_map<uintptr_t, unsigned> executions;
        for (const request &r : t[lane].log)
            requests[{r.site, executions[r.site]++}].push_back(r);
    }
    for (const auto &r : requests) {
        uintptr_t address[WARP];
        unsigned n = 0;
        for (const request &lane : r.second)
            address[n++] = lane.address;
        count(&r.second[0], address, n);
    }
}

void
count_warp(warp *w)
{
    thread *t = m.threads + w->first;
    if (!m.counting)
        return;
    if (uniform(t, w->lanes))
        count_uniform(t, w->lanes);
    else
        count_diverged(t, w->lanes);
    for (unsigned lane = 0; lane < w->lanes; lane++)
        t[lane].log.clear();
}
