// Building chains of pointwise steps.
#include "gen/pass/chain.h"

#include <assert.h>

int
rx_fuse_storage(const struct rx_fuse *f, int tensor, int *channel)
{
    *channel = 0;
    for (;;) {
        const struct rx_tensor *t = &f->g->tensor[tensor];
        if (f->alias[tensor] >= 0) {
            tensor = f->alias[tensor];
        } else if (t->base >= 0) {
            *channel += t->channel;
            tensor = t->base;
        } else {
            return tensor;
        }
    }
}

int
rx_chain_can_build(const struct rx_fuse *f, int tensor)
{
    const struct rx_tensor *t = &f->g->tensor[tensor];
    if (t->kind == RX_TENSOR_PARAM || f->ready[tensor])
        return 1;
    if (t->kind != RX_TENSOR_MAP || f->join[tensor])
        return 0;
    const struct rx_node *n = &f->g->node[t->producer];
    if (!rx_op_is_pointwise(n->op))
        return 0;
    for (int i = 0; i < n->n_in; i++)
        if (!rx_chain_can_build(f, n->in[i]))
            return 0;
    return 1;
}

static int
domain_channels(const struct rx_builder *b)
{
    const struct rx_geometry *q = &b->region->problem.geometry;
    return b->domain == RX_DOMAIN_IN ? q->c : q->k;
}

int
rx_chain_operand(struct rx_builder *b, enum rx_operand_kind kind, int tensor, int channel,
                 int access)
{
    struct rx_problem *p = &b->region->problem;
    int first;
    const int storage = rx_fuse_storage(b->f, tensor, &first);
    for (int i = 0; i < p->n_operands; i++) {
        struct rx_operand *o = &p->operand[i];
        if (o->kind == kind && b->region->tensor[i] == storage &&
            b->region->channel[i] == first + channel &&
            (kind != RX_OPERAND_MAP || o->domain == b->domain)) {
            o->access |= access;
            return i;
        }
    }
    if (p->n_operands == RX_OPERANDS_MAX) {
        b->f->too_long = 1;
        return 0;
    }
    const int i = rx_region_operand(b->region, b->f->g, kind, storage, first + channel, access);
    p->operand[i].c = domain_channels(b);
    if (kind == RX_OPERAND_MAP)
        p->operand[i].domain = b->domain;
    return i;
}

int
rx_chain_step(struct rx_builder *b, enum rx_step_op op, int x, int y, int operand, int row)
{
    struct rx_chain *chain = b->chain;
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        if (s->op == op && s->a == x && s->b == y && s->operand == operand && s->row == row)
            return i;
    }
    if (chain->n == RX_CHAIN_MAX) {
        b->f->too_long = 1;
        return 0;
    }
    chain->step[chain->n] =
        (struct rx_step){.op = op, .a = x, .b = y, .operand = operand, .row = row};
    return chain->n++;
}

static int
load(struct rx_builder *b, int tensor, int channel)
{
    const int o = rx_chain_operand(b, RX_OPERAND_MAP, tensor, channel, RX_READ);
    return rx_chain_step(b, RX_STEP_LOAD, -1, -1, o, 0);
}

static int
coef(struct rx_builder *b, int tensor, int channel, int row)
{
    const int o = rx_chain_operand(b, RX_OPERAND_COEF, tensor, channel, RX_READ);
    return rx_chain_step(b, RX_STEP_COEF, -1, -1, o, row);
}

static int
two(struct rx_builder *b, enum rx_step_op op, int x, int y)
{
    return rx_chain_step(b, op, x, y, -1, 0);
}

static int
affine(struct rx_builder *b, const struct rx_node *n, int x, int channel)
{
    const int scale = coef(b, n->in[1], channel, RX_COEF_SCALE);
    const int shift = coef(b, n->in[1], channel, RX_COEF_SHIFT);
    return two(b, RX_STEP_ADD, two(b, RX_STEP_MUL, x, scale), shift);
}

static int
bn_dx(struct rx_builder *b, const struct rx_node *n, int dy, int x, int channel)
{
    const int mean = coef(b, n->in[2], channel, RX_COEF_MEAN);
    const int centred = two(b, RX_STEP_SUB, x, mean);
    const int first = two(b, RX_STEP_MUL, dy, coef(b, n->in[3], channel, RX_GRAD_COEF_A));
    const int second = two(b, RX_STEP_MUL, centred, coef(b, n->in[3], channel, RX_GRAD_COEF_B));
    const int sum = two(b, RX_STEP_ADD, first, second);
    return two(b, RX_STEP_ADD, sum, coef(b, n->in[3], channel, RX_GRAD_COEF_C));
}

// What decides a ReLU's mask: its input where its output is not in memory (they have one sign).
static int
mask_source(const struct rx_builder *b, int y)
{
    const struct rx_node *n = &b->f->g->node[b->f->g->tensor[y].producer];
    return !b->f->ready[y] && n->op == RX_OP_RELU ? n->in[0] : y;
}

static int
bias(struct rx_builder *b, const struct rx_node *n, int x)
{
    const int o = rx_chain_operand(b, RX_OPERAND_VECTOR, n->in[1], 0, RX_READ);
    return two(b, RX_STEP_ADD, x, rx_chain_step(b, RX_STEP_COEF, -1, -1, o, 0));
}

int
rx_chain_apply(struct rx_builder *b, const struct rx_node *n, int have, int value, int channel)
{
    const int x = have == 0 ? value : -1;
    if (n->op == RX_OP_SLICE) {
        assert(have < 0);
        return rx_chain_build(b, n->in[0], channel + n->geometry.c);
    }
    const int first = x >= 0 ? x : rx_chain_build(b, n->in[0], channel);
    if (n->op == RX_OP_RELU)
        return rx_chain_step(b, RX_STEP_RELU, first, -1, -1, 0);
    if (n->op == RX_OP_AFFINE)
        return affine(b, n, first, channel);
    if (n->op == RX_OP_BIAS)
        return bias(b, n, first);
    if (n->op == RX_OP_RELU_GRAD)
        return two(b, RX_STEP_MASK, first, rx_chain_build(b, mask_source(b, n->in[1]), channel));
    const int second = have == 1 ? value : rx_chain_build(b, n->in[1], channel);
    if (n->op == RX_OP_BN_DX)
        return bn_dx(b, n, first, second, channel);
    assert(n->op == RX_OP_ADD);
    return two(b, RX_STEP_ADD, first, second);
}

int
rx_chain_build(struct rx_builder *b, int tensor, int channel)
{
    if (b->f->ready[tensor])
        return load(b, tensor, channel);
    const struct rx_node *n = &b->f->g->node[b->f->g->tensor[tensor].producer];
    return rx_chain_apply(b, n, -1, -1, channel);
}
