// Kernels for every region, shared by equal problems.
#include "gen/plan/network.h"

#include <stdlib.h>
#include <string.h>

#include "gen/select/select.h"

enum { BUCKETS = 4096 };

// Printed problems by hash; chains through `next`.
struct entry {
    struct entry *next;
    int kernel;
};

struct table {
    struct rx_network *net;
    int capacity;
    struct entry *bucket[BUCKETS];
};

static unsigned
bucket_of(const char *text)
{
    unsigned h = 2166136261u;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h % BUCKETS;
}

static struct rx_network_kernel *
add_kernel(struct table *t, const struct rx_region *r, const char *text)
{
    struct rx_network *net = t->net;
    if (net->n_kernels == t->capacity) {
        t->capacity = t->capacity > 0 ? 2 * t->capacity : BUCKETS / 16;
        net->kernel =
            rx_memory_grow(net->kernel, (size_t)t->capacity * sizeof(struct rx_network_kernel *));
    }
    struct rx_network_kernel *k = rx_arena_alloc(&net->arena, sizeof *k);
    k->problem = r->problem;
    k->text = rx_arena_text(&net->arena, text);
    k->label = r->label;
    k->where = r->where;
    struct entry *e = rx_arena_alloc(&net->arena, sizeof *e);
    const unsigned b = bucket_of(text);
    *e = (struct entry){.next = t->bucket[b], .kernel = net->n_kernels};
    t->bucket[b] = e;
    net->kernel[net->n_kernels++] = k;
    return k;
}

static int
find_kernel(const struct table *t, const char *text)
{
    for (const struct entry *e = t->bucket[bucket_of(text)]; e != NULL; e = e->next)
        if (strcmp(t->net->kernel[e->kernel]->text, text) == 0)
            return e->kernel;
    return -1;
}

static int
select_region(struct table *t, const char *templates, struct rx_region *r, struct rx_text *text,
              struct rx_error *error)
{
    struct rx_network *net = t->net;
    rx_text_clear(text);
    rx_problem_print(&r->problem, text);
    r->kernel = find_kernel(t, rx_text_str(text));
    if (r->kernel < 0) {
        r->kernel = net->n_kernels;
        struct rx_network_kernel *k = add_kernel(t, r, rx_text_str(text));
        const int status = rx_select_kernel(net->target, &net->machine, templates, net->toolchain,
                                            &k->problem, &k->kernel, error);
        if (status != RX_OK)
            return status;
    }
    net->kernel[r->kernel]->uses++;
    return RX_OK;
}

int
rx_network_select(struct rx_network *net, const char *templates, struct rx_error *error)
{
    struct table *t = rx_memory_alloc(sizeof *t);
    t->net = net;
    struct rx_text text = {0};
    int status = RX_OK;
    for (int u = 0; u < RX_UNITS; u++)
        for (int i = 0; i < net->unit[u].regions.n && status == RX_OK; i++)
            status = select_region(t, templates, &net->unit[u].regions.region[i], &text, error);
    rx_text_close(&text);
    free(t);
    return status;
}

void
rx_network_close(struct rx_network *net)
{
    for (int u = 0; u < RX_UNITS; u++) {
        rx_regions_close(&net->unit[u].regions);
        rx_graph_close(&net->unit[u].graph);
    }
    free(net->kernel);
    rx_arena_close(&net->arena);
}
