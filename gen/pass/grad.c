// needs: the forward graph on primitives; gives: the loss and the backward graph on primitives,
// every trained parameter's gradient; breaks: nothing.
//
// One rule a primitive (the gradient column of gen/ir/ops.def). Nodes are visited backwards; a
// tensor that several nodes read gets the sum of their contributions.
#include "gen/pass/pass.h"

struct grad {
    struct rx_graph *g;
    int *of;  // [n_tensors of the forward graph] gradient so far, -1
};

typedef void
grad_rule(struct grad *d, const struct rx_node *n, int dy);

static struct rx_node
node_like(const struct rx_node *n, enum rx_op op)
{
    struct rx_node like = *n;
    like.op = op;
    like.backward = 1;
    like.param = -1;
    return like;
}

static void
contribute(struct grad *d, const struct rx_node *n, int x, int dx)
{
    if (d->of[x] < 0) {
        d->of[x] = dx;
        return;
    }
    const struct rx_node add = node_like(n, RX_OP_ADD);
    const int in[] = {d->of[x], dx};
    d->of[x] = rx_graph_emit(d->g, &add, in, 2);
}

static void
set_gradient(struct grad *d, int param_tensor, int gradient)
{
    d->g->param[d->g->tensor[param_tensor].param].gradient = gradient;
}

static void
grad_conv(struct grad *d, const struct rx_node *n, int dy)
{
    struct rx_node node = node_like(n, RX_OP_CONV_WGRAD);
    node.param = d->g->tensor[n->in[1]].param;
    const int product[] = {n->in[0], dy};
    set_gradient(d, n->in[1], rx_graph_emit(d->g, &node, product, 2));
    if (n->in[0] == d->g->input)
        return;
    node = node_like(n, RX_OP_CONV_DGRAD);
    const int in[] = {dy, n->in[1]};
    const int dx = rx_graph_emit(d->g, &node, in, 2);
    contribute(d, n, n->in[0], dx);
}

static void
grad_bn(struct grad *d, const struct rx_node *n, int dy)
{
    struct rx_node node = node_like(n, RX_OP_BN_GRAD);
    node.param = d->g->tensor[n->in[1]].param;
    const int in[] = {dy, n->in[0], n->out[0]};
    const int dx = rx_graph_emit(d->g, &node, in, 3);
    set_gradient(d, n->in[1], dx + 1);
    set_gradient(d, n->in[2], dx + 2);
    contribute(d, n, n->in[0], dx);
}

static void
grad_relu(struct grad *d, const struct rx_node *n, int dy)
{
    const struct rx_node node = node_like(n, RX_OP_RELU_GRAD);
    const int in[] = {dy, n->out[0]};
    contribute(d, n, n->in[0], rx_graph_emit(d->g, &node, in, 2));
}

static void
grad_add(struct grad *d, const struct rx_node *n, int dy)
{
    contribute(d, n, n->in[0], dy);
    contribute(d, n, n->in[1], dy);
}

static void
grad_bias(struct grad *d, const struct rx_node *n, int dy)
{
    struct rx_node node = node_like(n, RX_OP_BIAS_GRAD);
    node.param = d->g->tensor[n->in[1]].param;
    set_gradient(d, n->in[1], rx_graph_emit(d->g, &node, &dy, 1));
    contribute(d, n, n->in[0], dy);
}

static void
grad_maxpool(struct grad *d, const struct rx_node *n, int dy)
{
    const struct rx_node node = node_like(n, RX_OP_MAXPOOL_GRAD);
    const int in[] = {dy, n->out[0]};
    contribute(d, n, n->in[0], rx_graph_emit(d->g, &node, in, 2));
}

static void
grad_gap(struct grad *d, const struct rx_node *n, int dy)
{
    const struct rx_node node = node_like(n, RX_OP_GAP_GRAD);
    contribute(d, n, n->in[0], rx_graph_emit(d->g, &node, &dy, 1));
}

static void
grad_concat(struct grad *d, const struct rx_node *n, int dy)
{
    int first = 0;
    for (int i = 0; i < n->n_in; i++) {
        struct rx_node node = node_like(n, RX_OP_SLICE);
        node.geometry = (struct rx_geometry){.c = first, .k = d->g->tensor[n->in[i]].c};
        contribute(d, n, n->in[i], rx_graph_emit(d->g, &node, &dy, 1));
        first += node.geometry.k;
    }
}

// The loss makes its input's gradient itself.
static void
grad_loss(struct grad *d, const struct rx_node *n, int dy)
{
    (void)dy;
    contribute(d, n, n->in[0], n->out[0]);
}

static void
grad_none(struct grad *d, const struct rx_node *n, int dy)
{
    (void)d, (void)n, (void)dy;
}

static grad_rule *
rule_of(enum rx_op op)
{
    static grad_rule *const rule[RX_N_OPS] = {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) grad_##grad,
#include "gen/ir/ops.def"
#undef X
    };
    return rule[op];
}

static void
emit_loss(struct rx_graph *g)
{
    const struct rx_tensor labels = {
        .kind = RX_TENSOR_LABELS, .dtype = RX_I32, .c = 1, .param = -1};
    g->labels = rx_graph_add_tensor(g, &labels, "labels");
    struct rx_node node = g->node[g->n_nodes - 1];
    node.op = RX_OP_LOSS;
    node.name = "loss";
    node.fc = 0;
    const int in[] = {g->logits, g->labels};
    g->dlogits = rx_graph_emit(g, &node, in, 2);
    g->loss = g->dlogits + 1;
    g->tensor[g->dlogits].dtype = RX_F32;
}

void
rx_pass_grad(struct rx_graph *g)
{
    emit_loss(g);
    const int n_forward = g->n_nodes;
    struct grad d = {.g = g, .of = rx_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof(int))};
    for (int i = 0; i < g->n_tensors; i++)
        d.of[i] = -1;
    for (int i = n_forward - 1; i >= 0; i--) {
        const struct rx_node n = g->node[i];
        const int dy = n.op == RX_OP_LOSS ? g->dlogits : d.of[n.out[0]];
        if (dy >= 0)
            rule_of(n.op)(&d, &n, dy);
    }
}
