// The text of a graph, for --dump and for the tests of the passes.
#include "gen/ir/graph.h"

static void
print_tensor(const struct rx_graph *g, int id, struct rx_text *text)
{
    static const char *const kind[] = {
        [RX_TENSOR_MAP] = "map",
        [RX_TENSOR_PARAM] = "param",
        [RX_TENSOR_GRAD] = "grad",
        [RX_TENSOR_COEF] = "coef",
        [RX_TENSOR_PARTIAL] = "partial",
        [RX_TENSOR_LABELS] = "labels",
        [RX_TENSOR_LOSSES] = "losses",
        [RX_TENSOR_INDEX] = "index",
        [RX_TENSOR_MOMENTUM] = "momentum",
        [RX_TENSOR_WEIGHTS_PARTIAL] = "weights_partial",
        [RX_TENSOR_WEIGHTS_DGRAD] = "weights_dgrad",
        [RX_TENSOR_WEIGHTS_NARROW] = "weights_narrow",
        [RX_TENSOR_FLAT] = "flat",
    };
    const struct rx_tensor *t = &g->tensor[id];
    rx_text_printf(text, "%%%d:%s", id, kind[t->kind]);
    if (t->kind == RX_TENSOR_MAP)
        rx_text_printf(text, "[%dx%dx%d]", t->h, t->w, t->c);
    else if (t->kind == RX_TENSOR_COEF || t->kind == RX_TENSOR_PARTIAL)
        rx_text_printf(text, "[%dx%d]", t->rows, t->c);
    else if (t->kind == RX_TENSOR_PARAM || t->kind == RX_TENSOR_GRAD ||
             t->kind == RX_TENSOR_MOMENTUM)
        rx_text_printf(text, "[%s]", g->param[t->param].name);
    if (t->base >= 0)
        rx_text_printf(text, "@%%%d+%d", t->base, t->channel);
}

static void
print_geometry(const struct rx_node *n, struct rx_text *text)
{
    const struct rx_geometry *q = &n->geometry;
    if (n->op == RX_OP_SLICE)
        rx_text_printf(text, " from %d", q->c);
    else if (q->r > 0)
        rx_text_printf(text, " f%dx%d s%d p%d g%d", q->r, q->s, q->stride, q->pad, q->groups);
}

void
rx_graph_print(const struct rx_graph *g, struct rx_text *text)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct rx_node *n = &g->node[i];
        for (int j = 0; j < n->n_out; j++) {
            rx_text_add(text, j > 0 ? ", " : "");
            print_tensor(g, n->out[j], text);
        }
        rx_text_printf(text, " = %s", rx_op_text(n->op));
        print_geometry(n, text);
        for (int j = 0; j < n->n_in; j++)
            rx_text_printf(text, "%s%%%d", j > 0 ? ", " : " ", n->in[j]);
        rx_text_printf(text, "  ; %s\n", n->name);
    }
}
