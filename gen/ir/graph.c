// The graph's arrays: tensors, parameters and nodes.
#include "gen/ir/graph.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

const char *
rx_op_text(enum rx_op op)
{
    static const char *const text[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) text,
#include "gen/ir/ops.def"
#undef X
    };
    return text[op];
}

int
rx_op_is_pointwise(enum rx_op op)
{
    static const int pointwise[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) pointwise,
#include "gen/ir/ops.def"
#undef X
    };
    return pointwise[op];
}

static int
n_outputs(enum rx_op op)
{
    static const int n[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) n_out,
#include "gen/ir/ops.def"
#undef X
    };
    return n[op];
}

void
rx_graph_open(struct rx_graph *g, const char *name)
{
    *g = (struct rx_graph){.form = "c",
                           .dtype = RX_F32,
                           .input = -1,
                           .labels = -1,
                           .logits = -1,
                           .loss = -1,
                           .dlogits = -1,
                           .hyper = -1};
    g->name = rx_arena_text(&g->arena, name);
}

void
rx_graph_close(struct rx_graph *g)
{
    free(g->tensor);
    free(g->node);
    free(g->param);
    rx_arena_close(&g->arena);
    *g = (struct rx_graph){0};
}

// Makes room for one more element of an array that doubles.
static void *
reserve(void *array, int n, int *capacity, size_t size)
{
    if (n < *capacity)
        return array;
    *capacity = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
    return rx_memory_grow(array, (size_t)*capacity * size);
}

int
rx_graph_add_tensor(struct rx_graph *g, const struct rx_tensor *like, const char *name)
{
    g->tensor = reserve(g->tensor, g->n_tensors, &g->tensor_capacity, sizeof *g->tensor);
    struct rx_tensor *t = &g->tensor[g->n_tensors];
    *t = *like;
    t->id = g->n_tensors;
    t->name = rx_arena_text(&g->arena, name);
    t->base = -1;
    t->channel = 0;
    t->producer = -1;
    return g->n_tensors++;
}

int
rx_graph_add_param(struct rx_graph *g, const struct rx_param *param)
{
    g->param = reserve(g->param, g->n_params, &g->param_capacity, sizeof *g->param);
    struct rx_param *p = &g->param[g->n_params];
    *p = *param;
    p->name = rx_arena_text(&g->arena, param->name);
    p->gradient = -1;
    const struct rx_tensor like = {
        .kind = RX_TENSOR_PARAM, .dtype = RX_F32, .c = (int)p->slice_count, .param = g->n_params};
    p->tensor = rx_graph_add_tensor(g, &like, p->name);
    g->n_params++;
    return p->tensor;
}

static struct rx_node *
append(struct rx_graph *g)
{
    g->node = reserve(g->node, g->n_nodes, &g->node_capacity, sizeof *g->node);
    return &g->node[g->n_nodes++];
}

int
rx_graph_emit(struct rx_graph *g, const struct rx_node *node, const int *in, int n_in)
{
    struct rx_node *n = append(g);
    *n = *node;
    n->n_in = n_in;
    n->in = rx_arena_alloc(&g->arena, (size_t)n_in * sizeof *n->in);
    if (n_in > 0)
        memcpy(n->in, in, (size_t)n_in * sizeof *n->in);
    n->n_out = n_outputs(n->op);
    n->out = rx_arena_alloc(&g->arena, (size_t)n->n_out * sizeof *n->out);
    for (int i = 0; i < n->n_out; i++) {
        const struct rx_tensor like = rx_shape_of(g, n, i);
        n->out[i] = rx_graph_add_tensor(g, &like, n->name);
        g->tensor[n->out[i]].producer = g->n_nodes - 1;
    }
    return n->out[0];
}

struct rx_node *
rx_graph_take(struct rx_graph *g, int *n_nodes)
{
    const size_t bytes = (size_t)g->n_nodes * sizeof *g->node;
    struct rx_node *taken = rx_arena_alloc(&g->arena, bytes);
    memcpy(taken, g->node, bytes);
    *n_nodes = g->n_nodes;
    g->n_nodes = 0;
    return taken;
}

void
rx_graph_keep(struct rx_graph *g, const struct rx_node *node)
{
    struct rx_node *n = append(g);
    *n = *node;
    for (int i = 0; i < n->n_out; i++)
        g->tensor[n->out[i]].producer = g->n_nodes - 1;
}

int *
rx_graph_uses(struct rx_graph *g)
{
    int *uses = rx_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof *uses);
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in; j++)
            uses[g->node[i].in[j]]++;
    return uses;
}

static int
is_trained(enum rx_param_kind kind)
{
    return kind != RX_PARAM_RUNNING_MEAN && kind != RX_PARAM_RUNNING_VAR;
}

int64_t
rx_graph_param_count(const struct rx_graph *g)
{
    int64_t total = 0;
    for (int i = 0; i < g->n_params; i++) {
        const struct rx_param *p = &g->param[i];
        if (!is_trained(p->kind))
            continue;
        int64_t count = 1;
        for (int d = 0; d < p->rank; d++)
            count *= d == p->slice_dim ? p->slice_count : p->file_shape[d];
        total += count;
    }
    return total;
}

int64_t
rx_graph_macs(const struct rx_graph *g)
{
    int64_t total = 0;
    for (int i = 0; i < g->n_nodes; i++)
        total += g->node[i].backward ? 0 : rx_node_macs(&g->node[i]);
    return total;
}

int64_t
rx_graph_conv_outputs(const struct rx_graph *g)
{
    int64_t total = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct rx_node *n = &g->node[i];
        if (n->op == RX_OP_CONV && !n->fc)
            total += (int64_t)n->geometry.oh * n->geometry.ow * n->geometry.k;
    }
    return total;
}
