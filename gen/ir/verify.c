// The verifier: what every pass must keep. Run between passes.
#include "gen/ir/graph.h"

static int
arity(enum rx_op op)
{
    static const int n[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) n_in,
#include "gen/ir/ops.def"
#undef X
    };
    return n[op];
}

static int
same_shape(const struct rx_tensor *a, const struct rx_tensor *b)
{
    return a->kind == b->kind && a->h == b->h && a->w == b->w && a->c == b->c && a->rows == b->rows;
}

static const char *
verify_inputs(struct rx_graph *g, int i, const char *made)
{
    const struct rx_node *n = &g->node[i];
    if (arity(n->op) >= 0 && n->n_in != arity(n->op))
        return rx_arena_printf(&g->arena, "node %d %s: %d inputs, not %d", i, rx_op_text(n->op),
                               n->n_in, arity(n->op));
    for (int j = 0; j < n->n_in; j++) {
        const struct rx_tensor *t = &g->tensor[n->in[j]];
        const int given = t->kind == RX_TENSOR_PARAM || t->kind == RX_TENSOR_LABELS;
        if (!given && !made[t->id])
            return rx_arena_printf(&g->arena, "node %d %s %s: input %%%d is not made before it", i,
                                   rx_op_text(n->op), n->name, t->id);
    }
    return NULL;
}

static const char *
verify_outputs(struct rx_graph *g, int i, char *made)
{
    const struct rx_node *n = &g->node[i];
    for (int j = 0; j < n->n_out; j++) {
        const struct rx_tensor *t = &g->tensor[n->out[j]];
        const struct rx_tensor rule = rx_shape_of(g, n, j);
        if (!same_shape(t, &rule))
            return rx_arena_printf(&g->arena, "node %d %s %s: output %%%d has not the rule's shape",
                                   i, rx_op_text(n->op), n->name, t->id);
        if (t->producer != i)
            return rx_arena_printf(&g->arena, "node %d %s %s: output %%%d names producer %d", i,
                                   rx_op_text(n->op), n->name, t->id, t->producer);
        made[t->id] = 1;
    }
    return NULL;
}

const char *
rx_graph_verify(struct rx_graph *g)
{
    char *made = rx_arena_alloc(&g->arena, (size_t)g->n_tensors);
    for (int i = 0; i < g->n_nodes; i++) {
        const char *fault = verify_inputs(g, i, made);
        if (fault == NULL)
            fault = verify_outputs(g, i, made);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}
