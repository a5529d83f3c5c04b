// needs: bn and bn_grad nodes; gives: statistics, coefficients and pointwise maps in their place;
// breaks: nothing. After it every node is an anchor, a pointwise step or a reduction.
//
// The statistics of a concatenation are taken part by part, each into its range of channels of one
// tensor of partials, because each part is made by another kernel.
#include "gen/pass/pass.h"

struct lower {
    struct rx_graph *g;
    enum rx_mode mode;
    int *coef;   // [n_tensors] of a bn's output: its coefficients
    int *gamma;  // [n_tensors] of a bn's output: its weight
};

static int
emit_part_stats(struct rx_graph *g, const struct rx_node *bn, const struct rx_node *concat)
{
    const int n = concat->n_in;
    int *part = rx_arena_alloc(&g->arena, (size_t)n * sizeof *part);
    struct rx_node node = *bn;
    node.op = RX_OP_BN_STATS;
    for (int i = 0; i < n; i++)
        part[i] = rx_graph_emit(g, &node, &concat->in[i], 1);
    node.op = RX_OP_CONCAT_STATS;
    return rx_graph_emit(g, &node, part, n);
}

static int
emit_stats(struct rx_graph *g, const struct rx_node *bn)
{
    const struct rx_node maker = g->node[g->tensor[bn->in[0]].producer];
    if (maker.op == RX_OP_CONCAT)
        return emit_part_stats(g, bn, &maker);
    struct rx_node node = *bn;
    node.op = RX_OP_BN_STATS;
    return rx_graph_emit(g, &node, bn->in, 1);
}

// The node's own output tensor keeps its number: the readers know it.
static void
emit_as(struct rx_graph *g, const struct rx_node *node, const int *in, int n_in, int out)
{
    rx_graph_emit(g, node, in, n_in);
    g->node[g->n_nodes - 1].out[0] = out;
    g->tensor[out].producer = g->n_nodes - 1;
}

static void
lower_bn(struct lower *l, const struct rx_node *bn)
{
    struct rx_graph *g = l->g;
    struct rx_node node = *bn;
    int coef;
    if (l->mode == RX_MODE_TRAIN) {
        const int in[] = {emit_stats(g, bn), bn->in[1], bn->in[2], bn->in[3], bn->in[4]};
        node.op = RX_OP_BN_COEF;
        node.geometry.h = g->tensor[bn->in[0]].h;
        node.geometry.w = g->tensor[bn->in[0]].w;
        coef = rx_graph_emit(g, &node, in, 5);
    } else {
        node.op = RX_OP_BN_FOLD;
        coef = rx_graph_emit(g, &node, &bn->in[1], 4);
    }
    l->coef[bn->out[0]] = coef;
    l->gamma[bn->out[0]] = bn->in[1];
    node.op = RX_OP_AFFINE;
    const int in[] = {bn->in[0], coef};
    emit_as(g, &node, in, 2, bn->out[0]);
}

static void
lower_bn_grad(struct lower *l, const struct rx_node *n)
{
    struct rx_graph *g = l->g;
    const int dy = n->in[0], x = n->in[1], coef = l->coef[n->in[2]];
    struct rx_node node = *n;
    node.op = RX_OP_BN_SUMS;
    const int sums_in[] = {dy, x, coef};
    const int sums = rx_graph_emit(g, &node, sums_in, 3);
    node.op = RX_OP_BN_GRAD_COEF;
    node.geometry.h = g->tensor[x].h;
    node.geometry.w = g->tensor[x].w;
    const int coef_in[] = {sums, coef, l->gamma[n->in[2]]};
    const int abc = rx_graph_emit(g, &node, coef_in, 3);
    for (int i = 1; i <= 2; i++) {
        g->node[g->n_nodes - 1].out[i] = n->out[i];
        g->tensor[n->out[i]].producer = g->n_nodes - 1;
    }
    node.op = RX_OP_BN_DX;
    const int in[] = {dy, x, coef, abc};
    emit_as(g, &node, in, 4, n->out[0]);
}

void
rx_pass_lower(struct rx_graph *g, enum rx_mode mode)
{
    const size_t bytes = (size_t)g->n_tensors * sizeof(int);
    struct lower l = {.g = g,
                      .mode = mode,
                      .coef = rx_arena_alloc(&g->arena, bytes),
                      .gamma = rx_arena_alloc(&g->arena, bytes)};
    int n_old;
    const struct rx_node *old = rx_graph_take(g, &n_old);
    for (int i = 0; i < n_old; i++) {
        if (old[i].op == RX_OP_BN)
            lower_bn(&l, &old[i]);
        else if (old[i].op == RX_OP_BN_GRAD)
            lower_bn_grad(&l, &old[i]);
        else
            rx_graph_keep(g, &old[i]);
    }
}
