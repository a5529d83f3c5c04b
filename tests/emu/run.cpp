// Runs a launch: block after block, each from barrier to barrier, its warps and lanes in an order
// that the seed decides.
#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "machine.h"

static void
shuffle_order(unsigned char *order, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        order[i] = (unsigned char)i;
    for (unsigned i = n; i > 1; i--)
        std::swap(order[i - 1], order[random_below(i)]);
}

static void
fill(void *p, size_t bytes)
{
    const uint32_t word = EMU_UNWRITTEN;
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word)
        memcpy((char *)p + i, &word, sizeof word);
}

static void
end_of_thread(void)
{
    thread *t = m.current;
    if (!t->open.empty())
        t->committed.push_back(t->open);
    for (const std::vector<copy> &group : t->committed)
        for (const copy &c : group)
            report("a thread ends with copies under way", c.to, c.site, -1);
    t->state = DONE;
    t->warp->done++;
    release_if_complete(t->warp);
    leave();
    abort();
}

static void
body_of_fiber(void)
{
    m.launch->entry(m.launch->args);
    end_of_thread();
}

extern "C" void
emu_barrier(int line)
{
    thread *t = m.current;
    t->state = AT_BARRIER;
    t->line = line;
    t->site = __builtin_return_address(0);
    t->warp->at_barrier++;
    release_if_complete(t->warp);
    leave();
}

static void
start_warp(unsigned index)
{
    warp *w = &m.warps[index];
    *w = warp{};
    w->first = index * WARP;
    w->lanes = std::min<unsigned>(WARP, m.n_threads - w->first);
    w->epoch = 1;
    shuffle_order(w->order, w->lanes);
}

static void
start_thread(unsigned index)
{
    const emu_launch *l = m.launch;
    const unsigned x = l->block[0], y = l->block[1], gx = l->grid[0], gy = l->grid[1];
    thread *t = &m.threads[index];
    t->place.thread = {index % x, index / x % y, index / x / y};
    t->place.block = {m.block % gx, m.block / gx % gy, m.block / gx / gy};
    t->place.block_dim = {x, y, l->block[2]};
    t->place.grid_dim = {gx, gy, l->grid[2]};
    t->index = index;
    t->lane = index % WARP;
    t->warp = &m.warps[index / WARP];
    t->state = READY;
    t->open.clear();
    t->committed.clear();
    t->log.clear();
    prepare_fiber(t, body_of_fiber);
}

// Every warp runs until all its lanes stand at a barrier or have ended.
static void
run_warps(void)
{
    unsigned char order[WARPS_MAX];
    shuffle_order(order, m.n_warps);
    for (unsigned i = 0; i < m.n_warps; i++) {
        warp *w = &m.warps[order[i]];
        if (w->done == w->lanes)
            continue;
        w->position = (unsigned)random_below(w->lanes);
        while (m.threads[w->first + w->order[w->position]].state != READY)
            w->position = (w->position + 1) % w->lanes;
        resume(&m.threads[w->first + w->order[w->position]]);
        m.current = nullptr;
        count_warp(w);
    }
}

// Whether there was a barrier, that is, whether the block goes on.
static bool
pass_barrier(void)
{
    const thread *first = nullptr;
    unsigned ended = 0;
    for (unsigned i = 0; i < m.n_threads; i++) {
        thread *t = &m.threads[i];
        if (t->state == DONE) {
            ended++;
            continue;
        }
        if (first != nullptr && t->line != first->line)
            report("threads wait at different barriers", 0, t->site, (int)first->index);
        first = t;
    }
    if (first == nullptr)
        return false;
    if (ended > 0)
        report("a barrier that some threads ended without", 0, first->site, -1);
    m.counters.barriers++;
    m.epoch++;
    for (unsigned i = 0; i < m.n_warps; i++)
        m.warps[i].at_barrier = 0;
    for (unsigned i = 0; i < m.n_threads; i++)
        if (m.threads[i].state == AT_BARRIER)
            m.threads[i].state = READY;
    return true;
}

static void
run_block(unsigned block)
{
    m.block = block;
    m.block_epoch = ++m.epoch;
    m.counters.blocks++;
    fill(m.dynamic_shared, m.launch->dynamic_shared);
    fill(m.launch->fixed_shared, m.launch->fixed_bytes);
    for (unsigned i = 0; i < m.n_warps; i++)
        start_warp(i);
    for (unsigned i = 0; i < m.n_threads; i++)
        start_thread(i);
    do
        run_warps();
    while (pass_barrier());
}

uint64_t
emu_run(const struct emu_launch *launch, struct emu_counters *counters)
{
    enum { ALIGN = 128 };
    if (m.dynamic_shared == nullptr)
        m.dynamic_shared = (unsigned char *)aligned_alloc(ALIGN, EMU_SHARED_MAX / ALIGN * ALIGN);
    m.launch = launch;
    m.launch_number++;
    m.launch_epoch = m.epoch + 1;
    m.counters = {};
    m.counting = counters != nullptr;
    m.told.clear();
    m.random = launch->seed * 0x9e3779b97f4a7c15u + 0x1234567;
    m.n_threads = launch->block[0] * launch->block[1] * launch->block[2];
    m.n_warps = (m.n_threads + WARP - 1) / WARP;
    m.shared_cells.word.resize((launch->dynamic_shared + launch->fixed_bytes) / WORD + 2);
    m.shared_cells.byte.clear();
    const unsigned blocks = launch->grid[0] * launch->grid[1] * launch->grid[2];
    for (unsigned block = 0; block < blocks; block++)
        run_block(block);
    m.current = nullptr;
    if (counters != nullptr)
        *counters = m.counters;
    return m.counters.faults;
}
