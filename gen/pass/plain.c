// The regions of anchors without chains: the loss, batch norm's coefficients, the bias gradient.
// Part of `fuse`.
#include "gen/pass/chain.h"

struct rx_geometry
rx_fuse_pointwise(const struct rx_tensor *t)
{
    return (struct rx_geometry){.h = t->h,
                                .w = t->w,
                                .c = t->c,
                                .oh = t->h,
                                .ow = t->w,
                                .k = t->c,
                                .groups = t->c,
                                .r = 1,
                                .s = 1,
                                .stride = 1};
}

int
rx_fuse_program(const struct rx_fuse *f)
{
    return f->mode == RX_MODE_TRAIN ? RX_PROGRAM_TRAIN : RX_PROGRAM_INFER;
}

// The operands of the anchors without chains, in the order that runtime/problem.c lists.
static int
add(struct rx_fuse *f, struct rx_region *r, enum rx_operand_kind kind, int tensor, int access)
{
    int channel;
    const int storage = rx_fuse_storage(f, tensor, &channel);
    const int i = rx_region_operand(r, f->g, kind, storage, channel, access);
    if (kind == RX_OPERAND_MAP)
        r->problem.operand[i].domain = RX_DOMAIN_OUT;
    r->problem.operand[i].c = f->g->tensor[tensor].c;
    return i;
}

static struct rx_region *
emit_plain(struct rx_fuse *f, enum rx_problem_op op, const struct rx_node *n, int program)
{
    struct rx_region *r = rx_regions_add(f->list, op, n, program);
    const struct rx_tensor *t = &f->g->tensor[n->in[0]];
    const int h = n->geometry.h > 0 ? n->geometry.h : 1, w = n->geometry.w > 0 ? n->geometry.w : 1;
    const struct rx_tensor like = {.h = h, .w = w, .c = t->c};
    r->problem.geometry = rx_fuse_pointwise(&like);
    return r;
}

static void
emit_loss(struct rx_fuse *f, const struct rx_node *n)
{
    struct rx_region *r = emit_plain(f, RX_PROBLEM_LOSS, n, rx_fuse_program(f));
    r->problem.geometry =
        rx_fuse_pointwise(&(const struct rx_tensor){.h = 1, .w = 1, .c = f->g->tensor[n->in[0]].c});
    add(f, r, RX_OPERAND_MAP, n->in[0], RX_READ);
    add(f, r, RX_OPERAND_LABELS, n->in[1], RX_READ);
    add(f, r, RX_OPERAND_HYPER, f->g->hyper, RX_READ);
    add(f, r, RX_OPERAND_MAP, n->out[0], RX_WRITE);
    add(f, r, RX_OPERAND_LOSS, n->out[1], RX_WRITE);
}

static void
emit_bn_coef(struct rx_fuse *f, const struct rx_node *n)
{
    struct rx_region *r = emit_plain(f, RX_PROBLEM_BN_COEF, n, rx_fuse_program(f));
    // The statistics hold their count, so one kernel serves maps of any size.
    r->problem.geometry =
        rx_fuse_pointwise(&(const struct rx_tensor){.h = 1, .w = 1, .c = f->g->tensor[n->in[0]].c});
    add(f, r, RX_OPERAND_PARTIAL, n->in[0], RX_READ);
    for (int i = 1; i < 5; i++)
        add(f, r, RX_OPERAND_VECTOR, n->in[i], i < 3 ? RX_READ : RX_READ | RX_WRITE);
    add(f, r, RX_OPERAND_HYPER, f->g->hyper, RX_READ);
    add(f, r, RX_OPERAND_COEF, n->out[0], RX_WRITE);
}

static void
emit_bn_fold(struct rx_fuse *f, const struct rx_node *n)
{
    struct rx_region *r = emit_plain(f, RX_PROBLEM_BN_FOLD, n, RX_PROGRAM_FOLD);
    for (int i = 0; i < 4; i++)
        add(f, r, RX_OPERAND_VECTOR, n->in[i], RX_READ);
    add(f, r, RX_OPERAND_COEF, n->out[0], RX_WRITE);
}

static void
emit_bn_grad_coef(struct rx_fuse *f, const struct rx_node *n)
{
    struct rx_region *r = emit_plain(f, RX_PROBLEM_BN_GRAD_COEF, n, rx_fuse_program(f));
    add(f, r, RX_OPERAND_PARTIAL, n->in[0], RX_READ);
    add(f, r, RX_OPERAND_COEF, n->in[1], RX_READ);
    add(f, r, RX_OPERAND_VECTOR, n->in[2], RX_READ);
    add(f, r, RX_OPERAND_COEF, n->out[0], RX_WRITE);
    add(f, r, RX_OPERAND_VECTOR, n->out[1], RX_WRITE);
    add(f, r, RX_OPERAND_VECTOR, n->out[2], RX_WRITE);
}

static void
emit_bias_grad(struct rx_fuse *f, const struct rx_node *n)
{
    struct rx_region *r = emit_plain(f, RX_PROBLEM_BIAS_GRAD, n, rx_fuse_program(f));
    r->problem.geometry =
        rx_fuse_pointwise(&(const struct rx_tensor){.h = 1, .w = 1, .c = n->geometry.k});
    add(f, r, RX_OPERAND_MAP, n->in[0], RX_READ);
    add(f, r, RX_OPERAND_VECTOR, n->out[0], RX_WRITE);
}

void
rx_fuse_plain(struct rx_fuse *f, const struct rx_node *n)
{
    switch (n->op) {
    case RX_OP_LOSS:
        emit_loss(f, n);
        break;
    case RX_OP_BN_COEF:
        emit_bn_coef(f, n);
        break;
    case RX_OP_BN_FOLD:
        emit_bn_fold(f, n);
        break;
    case RX_OP_BN_GRAD_COEF:
        emit_bn_grad_coef(f, n);
        break;
    case RX_OP_BIAS_GRAD:
        emit_bias_grad(f, n);
        break;
    default:
        break;
    }
}
