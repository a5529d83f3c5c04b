// Races by happens-before: two accesses are ordered if the same thread made them, if a barrier of
// their block stands between, or if one warp made them and one of its synchronisations stands
// between. The order in which fibers happen to run plays no part.
#include <algorithm>

#include "machine.h"

static bool
ordered(uint32_t epoch, uint32_t warp_epoch, unsigned thread, uint32_t block)
{
    if (block != m.block)
        return false;
    if (thread == m.current->index || epoch != m.epoch)
        return true;
    return thread / WARP == m.current->index / WARP && warp_epoch != m.current->warp->epoch;
}

// Whether a write of the current thread has to fear earlier reads. A cell names its last reader
// only; the flags say that others read in the same epoch.
static bool
reads_are_ordered(const cell *c)
{
    if (!(c->read_flags & READ))
        return true;
    if (c->read_flags & READ_BY_BLOCKS ||
        !ordered(c->read_epoch, c->read_warp_epoch, c->reader, c->read_block))
        return false;
    if (c->read_epoch != m.epoch || c->read_block != m.block)
        return true;
    const bool lanes =
        c->read_flags & READ_BY_LANES && c->read_warp_epoch == m.current->warp->epoch;
    return !(c->read_flags & READ_BY_WARPS) && !lanes;
}

static uint8_t
flags_after_read(const cell *c)
{
    uint8_t flags = READ;
    if (!(c->read_flags & READ))
        return flags;
    if (c->read_block != m.block)
        return flags | READ_BY_BLOCKS;
    if (c->read_epoch != m.epoch)
        return flags | (c->read_flags & READ_BY_BLOCKS);
    const bool same_warp = c->reader / WARP == m.current->index / WARP;
    const bool synced = same_warp && c->read_warp_epoch != m.current->warp->epoch;
    flags |= synced ? c->read_flags & (uint8_t)~READ_BY_LANES : c->read_flags;
    if (!same_warp)
        flags |= READ_BY_WARPS;
    else if (c->reader != m.current->index && !synced)
        flags |= READ_BY_LANES;
    return flags;
}

static void
note_read(cell *c)
{
    c->read_flags = flags_after_read(c);
    c->read_epoch = m.epoch;
    c->read_warp_epoch = m.current->warp->epoch;
    c->read_block = m.block;
    c->reader = (uint16_t)m.current->index;
}

static void
note_write(cell *c, how how)
{
    c->write_epoch = m.epoch;
    c->write_warp_epoch = m.current->warp->epoch;
    c->write_block = m.block;
    c->writer = (uint16_t)m.current->index;
    c->write_flags = how == ASYNCHRONOUS ? WRITTEN | IN_FLIGHT : WRITTEN;
    c->read_flags = 0;
}

// What was noted before epoch `first` is of no matter any more.
static void
forget_before(cell *c, uint32_t first)
{
    if (c->write_epoch < first) {
        c->write_flags = 0;
        c->split = false;
    }
    if (c->read_epoch < first)
        c->read_flags = 0;
}

static void
split(cells *in, size_t word)
{
    cell *w = &in->word[word];
    in->byte.resize(in->word.size() * WORD);
    std::fill_n(&in->byte[word * WORD], WORD, *w);
    w->split = true;
    w->write_epoch = m.epoch;
}

// Calls visit(cell) for every cell of bytes [at, at + bytes): a cell a word that is touched as a
// whole, and always was since epoch `first`; else one a byte.
template <class F>
static inline void
for_cells(cells *in, size_t at, size_t bytes, uint32_t first, F visit)
{
    const size_t end = at + bytes;
    while (at < end) {
        cell *word = &in->word[at / WORD];
        forget_before(word, first);
        if (!word->split && (at % WORD != 0 || end - at < WORD))
            split(in, at / WORD);
        if (!word->split) {
            visit(word);
            at += WORD;
            continue;
        }
        do
            visit(&in->byte[at]);
        while (++at % WORD != 0 && at < end);
    }
}

static void
touch(cell *c, uintptr_t address, access access, how how, const void *site)
{
    if (c->write_flags & IN_FLIGHT) {
        if (how == PLAIN)
            report("touches an asynchronous copy before its wait", address, site, c->writer);
    } else if (c->write_flags & WRITTEN &&
               !ordered(c->write_epoch, c->write_warp_epoch, c->writer, c->write_block)) {
        report(access == STORE ? "write after write without a barrier"
                               : "read after write without a barrier",
               address, site, c->writer);
    }
    if (access == LOAD) {
        note_read(c);
        return;
    }
    if (!reads_are_ordered(c))
        report("write after read without a barrier", address, site, c->reader);
    note_write(c, how);
}

void
touch_shared(uintptr_t address, unsigned bytes, access access, how how, const void *site)
{
    const long offset = shared_offset(address, bytes);
    if (offset < 0) {
        report("shared memory out of bounds", address, site, -1);
        return;
    }
    for_cells(&m.shared_cells, (size_t)offset, bytes, m.block_epoch, [=](cell *c) {
        if (access == LOAD && !(c->write_flags & WRITTEN))
            report("reads shared memory that nothing wrote", address, site, -1);
        touch(c, address, access, how, site);
    });
}

void
touch_global(allocation *a, uintptr_t address, unsigned bytes, access access, const void *site)
{
    for (uintptr_t at = address, end = address + bytes, next; at < end; at = next) {
        const uintptr_t in_page = (at - a->at) % PAGE;
        next = std::min(end, at - in_page + PAGE);
        for_cells(&page_of(a, at)->cells, in_page, next - at, m.launch_epoch,
                  [=](cell *c) { touch(c, address, access, PLAIN, site); });
    }
}

void
land_copy(uintptr_t address)
{
    for_cells(&m.shared_cells, (size_t)shared_offset(address, 16), 16, m.block_epoch,
              [](cell *c) { note_write(c, PLAIN); });
}
