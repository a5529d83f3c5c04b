// The shape and multiply-add rules of the op table.
#include "gen/ir/graph.h"

typedef struct rx_tensor
shape_rule(const struct rx_graph *g, const struct rx_node *n, int i);
typedef int64_t
macs_rule(const struct rx_geometry *g);

static const struct rx_tensor *
input(const struct rx_graph *g, const struct rx_node *n, int i)
{
    return &g->tensor[n->in[i]];
}

static struct rx_tensor
map(const struct rx_graph *g, int h, int w, int c)
{
    return (struct rx_tensor){
        .kind = RX_TENSOR_MAP, .dtype = g->dtype, .h = h, .w = w, .c = c, .param = -1};
}

static struct rx_tensor
rows(enum rx_tensor_kind kind, int n_rows, int c)
{
    const enum rx_dtype dtype = kind == RX_TENSOR_PARTIAL ? RX_F64 : RX_F32;
    return (struct rx_tensor){
        .kind = kind, .dtype = dtype, .h = 1, .w = 1, .rows = n_rows, .c = c, .param = -1};
}

static struct rx_tensor
gradient_of(int param, int c)
{
    return (struct rx_tensor){.kind = RX_TENSOR_GRAD, .dtype = RX_F32, .c = c, .param = param};
}

static struct rx_tensor
shape_given(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    struct rx_tensor t = map(g, n->geometry.h, n->geometry.w, n->geometry.c);
    t.dtype = RX_F32;
    return t;
}

static struct rx_tensor
shape_conv(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    return map(g, n->geometry.oh, n->geometry.ow, n->geometry.k);
}

static struct rx_tensor
shape_dgrad(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    return map(g, n->geometry.h, n->geometry.w, n->geometry.c);
}

static struct rx_tensor
shape_same(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    const struct rx_tensor *x = input(g, n, 0);
    return map(g, x->h, x->w, x->c);
}

static struct rx_tensor
shape_concat(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    const struct rx_tensor *x = input(g, n, 0);
    int c = 0;
    for (int j = 0; j < n->n_in; j++)
        c += input(g, n, j)->c;
    return map(g, x->h, x->w, c);
}

static struct rx_tensor
shape_slice(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    const struct rx_tensor *x = input(g, n, 0);
    return map(g, x->h, x->w, n->geometry.k);
}

static struct rx_tensor
shape_loss(const struct rx_graph *g, const struct rx_node *n, int i)
{
    const struct rx_tensor *x = input(g, n, 0);
    if (i == 0)
        return map(g, 1, 1, x->c);
    return (struct rx_tensor){.kind = RX_TENSOR_LOSSES, .dtype = RX_F32, .c = 1, .param = -1};
}

static struct rx_tensor
shape_gradient(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)g, (void)i;
    return gradient_of(n->param, n->geometry.k);
}

static struct rx_tensor
shape_bn_grad(const struct rx_graph *g, const struct rx_node *n, int i)
{
    const struct rx_tensor *x = input(g, n, 1);
    if (i == 0)
        return map(g, x->h, x->w, x->c);
    return gradient_of(n->param + i - 1, x->c);
}

static struct rx_tensor
shape_stats(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    return rows(RX_TENSOR_PARTIAL, RX_STATS_ROWS, input(g, n, 0)->c);
}

static struct rx_tensor
shape_concat_stats(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    int c = 0;
    for (int j = 0; j < n->n_in; j++)
        c += input(g, n, j)->c;
    return rows(RX_TENSOR_PARTIAL, RX_STATS_ROWS, c);
}

static struct rx_tensor
shape_sums(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    return rows(RX_TENSOR_PARTIAL, RX_SUMS_ROWS, input(g, n, 0)->c);
}

static struct rx_tensor
shape_coef(const struct rx_graph *g, const struct rx_node *n, int i)
{
    (void)i;
    return rows(RX_TENSOR_COEF, RX_COEF_ROWS, input(g, n, 0)->c);
}

static struct rx_tensor
shape_grad_coef(const struct rx_graph *g, const struct rx_node *n, int i)
{
    const int c = input(g, n, 0)->c;
    if (i == 0)
        return rows(RX_TENSOR_COEF, RX_GRAD_COEF_ROWS, c);
    return gradient_of(n->param + i - 1, c);
}

struct rx_tensor
rx_shape_of(const struct rx_graph *g, const struct rx_node *node, int i)
{
    static shape_rule *const rule[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) shape_##shape,
#include "gen/ir/ops.def"
#undef X
    };
    return rule[node->op](g, node, i);
}

static int64_t
macs_none(const struct rx_geometry *g)
{
    (void)g;
    return 0;
}

static int64_t
macs_conv(const struct rx_geometry *g)
{
    return (int64_t)g->oh * g->ow * g->k * (g->c / g->groups) * g->r * g->s;
}

int64_t
rx_node_macs(const struct rx_node *node)
{
    static macs_rule *const rule[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) macs_##macs,
#include "gen/ir/ops.def"
#undef X
    };
    return rule[node->op](&node->geometry);
}
