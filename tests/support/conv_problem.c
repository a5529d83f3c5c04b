// Builds convolution problems, chain by chain.
#include "tests/support/conv_problem.h"

#include <stdio.h>

#include "runtime/weights.h"
#include "tests/support/kernel_case.h"

// A chain under construction and the map it runs over.
struct builder {
    struct rx_problem *problem;
    struct rx_chain *chain;
    enum rx_domain domain;
    int channels, view;
};

static int
map(struct builder *b, int access)
{
    char name[RX_NAME_CHARS];
    snprintf(name, sizeof name, "%c%d", access == RX_READ ? 'x' : 'y', b->problem->n_operands);
    const int i =
        rx_case_operand(b->problem, RX_OPERAND_MAP, b->domain, access, b->channels, 0, name);
    b->problem->operand[i].pitch += b->view;
    return i;
}

static int
rows_of(struct builder *b, enum rx_operand_kind kind, int access, int rows, const char *stem)
{
    char name[RX_NAME_CHARS];
    snprintf(name, sizeof name, "%s%d", stem, b->problem->n_operands);
    return rx_case_operand(b->problem, kind, RX_DOMAIN_NONE, access, b->channels, rows, name);
}

static int
coefs(struct builder *b, int rows)
{
    return rows_of(b, RX_OPERAND_COEF, RX_READ, rows, "coef");
}

static int
step(struct builder *b, enum rx_step_op op, int x, int y)
{
    return rx_case_step(b->chain, op, x, y, -1, 0);
}

static int
load(struct builder *b)
{
    return rx_case_step(b->chain, RX_STEP_LOAD, -1, -1, map(b, RX_READ), 0);
}

static int
coef(struct builder *b, int operand, int row)
{
    return rx_case_step(b->chain, RX_STEP_COEF, -1, -1, operand, row);
}

static int
store(struct builder *b, int value)
{
    return rx_case_step(b->chain, RX_STEP_STORE, value, -1, map(b, RX_WRITE), 0);
}

static int
scale_shift(struct builder *b, int value, int coef_operand)
{
    const int scaled = step(b, RX_STEP_MUL, value, coef(b, coef_operand, RX_COEF_SCALE));
    return step(b, RX_STEP_ADD, scaled, coef(b, coef_operand, RX_COEF_SHIFT));
}

static int
deviation(struct builder *b, int value, int coef_operand)
{
    return step(b, RX_STEP_SUB, value, coef(b, coef_operand, RX_COEF_MEAN));
}

static void
stats(struct builder *b, int value)
{
    const int to = rows_of(b, RX_OPERAND_PARTIAL, RX_WRITE, RX_STATS_ROWS, "stats");
    rx_case_step(b->chain, RX_STEP_STATS, value, -1, to, 0);
}

static int
bn_grad(struct builder *b, int dz)
{
    const int y = load(b), grad = coefs(b, RX_GRAD_COEF_ROWS), forward = coefs(b, RX_COEF_ROWS);
    const int slope = step(b, RX_STEP_MUL, dz, coef(b, grad, RX_GRAD_COEF_A));
    const int spread =
        step(b, RX_STEP_MUL, deviation(b, y, forward), coef(b, grad, RX_GRAD_COEF_B));
    const int sum = step(b, RX_STEP_ADD, slope, spread);
    return step(b, RX_STEP_ADD, sum, coef(b, grad, RX_GRAD_COEF_C));
}

static void
build_prologue(struct builder *b, enum rx_conv_prologue kind)
{
    int value = load(b);
    if (kind == RX_CONV_BN_GRAD)
        value = bn_grad(b, value);
    if (kind == RX_CONV_BN_RELU || kind == RX_CONV_JOIN)
        value = scale_shift(b, value, coefs(b, RX_COEF_ROWS));
    if (kind == RX_CONV_JOIN)
        value = step(b, RX_STEP_ADD, value, load(b));
    if (kind == RX_CONV_BN_RELU || kind == RX_CONV_JOIN)
        value = step(b, RX_STEP_RELU, value, -1);
    if (kind == RX_CONV_JOIN)
        store(b, value);
    b->chain->result = value;
}

static int
bias(struct builder *b, int value)
{
    char name[RX_NAME_CHARS];
    snprintf(name, sizeof name, "v%d", b->problem->n_operands);
    const int vector = rx_case_operand(b->problem, RX_OPERAND_VECTOR, RX_DOMAIN_NONE, RX_READ,
                                       b->channels, 0, name);
    return step(b, RX_STEP_ADD, value, coef(b, vector, 0));
}

// The gradient where the ReLU of a batch norm's output was on, and the sums that its own gradient
// needs.
static void
masked(struct builder *b, int value, int mask, int y, int forward)
{
    value = store(b, step(b, RX_STEP_MASK, value, mask));
    const int to = rows_of(b, RX_OPERAND_PARTIAL, RX_WRITE, RX_SUMS_ROWS, "sums");
    rx_case_step(b->chain, RX_STEP_SUMS, value, deviation(b, y, forward), to, 0);
}

static int
far_away(struct builder *b, int value)
{
    enum { DOUBLINGS = 11 };
    int offset = coef(b, coefs(b, RX_COEF_ROWS), RX_COEF_SCALE);
    for (int i = 0; i < DOUBLINGS; i++)
        offset = step(b, RX_STEP_ADD, offset, offset);
    return step(b, RX_STEP_ADD, value, offset);
}

static void
build_epilogue(struct builder *b, enum rx_conv_epilogue kind)
{
    int value = step(b, RX_STEP_ACC, -1, -1);
    if (kind == RX_CONV_MASK || kind == RX_CONV_ADD_MASK) {
        const int y = load(b), forward = coefs(b, RX_COEF_ROWS);
        if (kind == RX_CONV_ADD_MASK)
            value = step(b, RX_STEP_ADD, value, load(b));
        const int mask = kind == RX_CONV_ADD_MASK ? load(b) : scale_shift(b, y, forward);
        masked(b, value, mask, y, forward);
        return;
    }
    if (kind == RX_CONV_EVAL) {
        value = scale_shift(b, value, coefs(b, RX_COEF_ROWS));
        value = step(b, RX_STEP_RELU, step(b, RX_STEP_ADD, value, load(b)), -1);
    }
    value = kind == RX_CONV_BIAS ? bias(b, value) : value;
    value = kind == RX_CONV_FAR ? far_away(b, value) : value;
    value = store(b, value);
    if (kind == RX_CONV_STATS || kind == RX_CONV_FAR)
        stats(b, value);
}

static struct builder
builder(struct rx_problem *problem, struct rx_chain *chain, enum rx_domain domain, int view)
{
    const struct rx_geometry *g = &problem->geometry;
    return (struct builder){problem, chain, domain, domain == RX_DOMAIN_IN ? g->c : g->k, view};
}

static void
add_weights(struct rx_problem *p, enum rx_operand_kind kind, int access, const char *name)
{
    const struct rx_geometry transposed = rx_weights_transposed(&p->geometry);
    const int dgrad = kind == RX_OPERAND_WEIGHTS_DGRAD;
    rx_case_operand(p, kind, RX_DOMAIN_NONE, access,
                    rx_weights_count(dgrad ? &transposed : &p->geometry), 0, name);
}

struct rx_problem
rx_conv_problem(const struct rx_conv_spec *spec)
{
    struct rx_problem p = {.op = spec->op, .geometry = spec->geometry};
    struct builder b = builder(&p, &p.prologue[0], rx_problem_prologue_domain(p.op, 0), spec->view);
    build_prologue(&b, spec->prologue0);
    if (p.op == RX_PROBLEM_CONV_WGRAD) {
        b = builder(&p, &p.prologue[1], rx_problem_prologue_domain(p.op, 1), spec->view);
        build_prologue(&b, spec->prologue1);
        add_weights(&p, RX_OPERAND_WEIGHTS_PARTIAL, RX_WRITE, "dw");
        return p;
    }
    if (p.op == RX_PROBLEM_CONV_DGRAD)
        add_weights(&p, RX_OPERAND_WEIGHTS_DGRAD, RX_READ, "wt");
    else
        add_weights(&p, RX_OPERAND_WEIGHTS, RX_READ, "w");
    b = builder(&p, &p.epilogue, rx_problem_epilogue_domain(p.op), spec->view);
    build_epilogue(&b, spec->epilogue);
    return p;
}
