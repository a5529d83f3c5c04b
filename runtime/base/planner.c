// The memory planner: greedy by size over a list of placed intervals sorted by offset.
#include "runtime/base/planner.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static int64_t
align(int64_t bytes)
{
    return (bytes + RX_PLANNER_ALIGN - 1) & ~(int64_t)(RX_PLANNER_ALIGN - 1);
}

static int
larger_first(const void *a, const void *b)
{
    const struct rx_interval *p = *(struct rx_interval *const *)a;
    const struct rx_interval *q = *(struct rx_interval *const *)b;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? 1 : -1;
    return p < q ? -1 : p > q;
}

static int
overlaps(const struct rx_interval *a, const struct rx_interval *b)
{
    return a->first <= b->last && b->first <= a->last;
}

// The lowest offset at which `v` fits among the placed ones, which are sorted by offset.
static int64_t
lowest_gap(struct rx_interval *const *placed, size_t n, const struct rx_interval *v)
{
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const struct rx_interval *p = placed[i];
        if (!overlaps(p, v))
            continue;
        if (p->offset >= at + align(v->bytes))
            break;
        if (p->offset + align(p->bytes) > at)
            at = p->offset + align(p->bytes);
    }
    return at;
}

int64_t
rx_planner_place(struct rx_interval *interval, size_t n)
{
    struct rx_interval **order = rx_memory_alloc(n * sizeof *order);
    struct rx_interval **placed = rx_memory_alloc(n * sizeof *placed);
    for (size_t i = 0; i < n; i++)
        order[i] = &interval[i];
    qsort(order, n, sizeof *order, larger_first);
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        struct rx_interval *v = order[i];
        v->offset = lowest_gap(placed, i, v);
        size_t at = i;
        while (at > 0 && placed[at - 1]->offset > v->offset)
            at--;
        memmove(&placed[at + 1], &placed[at], (i - at) * sizeof *placed);
        placed[at] = v;
        if (v->offset + align(v->bytes) > total)
            total = v->offset + align(v->bytes);
    }
    free(placed);
    free(order);
    return total;
}
