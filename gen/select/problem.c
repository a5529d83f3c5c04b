// A problem as text: canonical (its key), as a formula for people, and the work that it asks for.
#include "gen/select/problem.h"

#include <string.h>

#include "runtime/plan.h"
#include "runtime/weights.h"

static const char *
domain_text(enum rx_domain domain)
{
    static const char *const text[] = {"none", "in", "out"};
    return text[domain];
}

static const char *
access_text(int access)
{
    static const char *const text[] = {"none", "read", "write", "read_write"};
    return text[access & (RX_READ | RX_WRITE)];
}

static void
print_chain(const char *name, const struct rx_chain *chain, struct rx_text *text)
{
    rx_text_printf(text, "%s steps=%d result=%d\n", name, chain->n, chain->result);
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        rx_text_printf(text, "  %d %s a=%d b=%d operand=%d row=%d\n", i, rx_step_op_text(s->op),
                       s->a, s->b, s->operand, s->row);
    }
}

void
rx_problem_print(const struct rx_problem *p, struct rx_text *text)
{
    const struct rx_geometry *g = &p->geometry;
    rx_text_printf(text, "problem %s hyper_row=%d", rx_problem_op_text(p->op), p->hyper_row);
    rx_text_add(text, p->products == RX_BF16 ? " products=bf16\n" : "\n");
    rx_text_printf(
        text, "geometry h=%d w=%d c=%d oh=%d ow=%d k=%d groups=%d r=%d s=%d stride=%d pad=%d\n",
        g->h, g->w, g->c, g->oh, g->ow, g->k, g->groups, g->r, g->s, g->stride, g->pad);
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        rx_text_printf(text, "operand %d %s %s %s %s %s rows=%d c=%lld pitch=%d\n", i, o->name,
                       rx_operand_kind_text(o->kind), rx_dtype_text(o->dtype),
                       domain_text(o->domain), access_text(o->access), o->rows, (long long)o->c,
                       o->pitch);
    }
    print_chain("prologue0", &p->prologue[0], text);
    print_chain("prologue1", &p->prologue[1], text);
    print_chain("epilogue", &p->epilogue, text);
}

static double
map_pixels(const struct rx_geometry *g, enum rx_domain domain)
{
    return domain == RX_DOMAIN_IN ? (double)g->h * g->w : (double)g->oh * g->ow;
}

// Bytes of one operand, read or written once; those that grow with the batch go to `image`.
static double
operand_bytes(const struct rx_problem *p, const struct rx_operand *o, double *image)
{
    const struct rx_geometry *g = &p->geometry;
    const struct rx_geometry transposed = rx_weights_transposed(g);
    const double element = (double)rx_dtype_bytes(o->dtype), c = (double)o->c;
    switch (o->kind) {
    case RX_OPERAND_MAP:
        *image += map_pixels(g, o->domain) * c * element;
        return 0;
    case RX_OPERAND_INDEX:
        *image += map_pixels(g, RX_DOMAIN_OUT) * c * element;
        return 0;
    case RX_OPERAND_LABELS:
    case RX_OPERAND_LOSS:
        *image += element;
        return 0;
    case RX_OPERAND_COEF:
    case RX_OPERAND_PARTIAL:
        return o->rows * c * element;
    case RX_OPERAND_VECTOR:
        return c * element;
    case RX_OPERAND_WEIGHTS_DGRAD:
        if (o->dtype != RX_F32)
            return c * element;
        return (double)rx_weights_count(&transposed) * element;
    case RX_OPERAND_WEIGHTS_PARTIAL:
        return (p->op == RX_PROBLEM_CONV_WGRAD ? (double)rx_weights_count(g) : c) * element;
    case RX_OPERAND_WEIGHTS:
        return (o->dtype != RX_F32 ? c : (double)rx_weights_count(g)) * element;
    case RX_OPERAND_HYPER:
    default:
        return RX_HYPER_N * element;
    }
}

// Elements of the first vector: how long the flat operations are.
static double
vector_elements(const struct rx_problem *p)
{
    const int i = rx_problem_find(p, RX_OPERAND_VECTOR, 0);
    return i < 0 ? 0 : (double)p->operand[i].c;
}

static void
anchor_flops(const struct rx_problem *p, struct rx_work *work)
{
    const struct rx_geometry *g = &p->geometry;
    const double in = (double)g->h * g->w * g->c, out = (double)g->oh * g->ow * g->k;
    switch (p->op) {
    case RX_PROBLEM_CONV_FWD:
    case RX_PROBLEM_CONV_DGRAD:
    case RX_PROBLEM_CONV_WGRAD:
        work->flops_image = 2.0 * out * g->r * g->s * (g->c / g->groups);
        break;
    case RX_PROBLEM_MAXPOOL:
    case RX_PROBLEM_MAXPOOL_GRAD:
        work->flops_image = out * g->r * g->s;
        break;
    case RX_PROBLEM_GAP:
    case RX_PROBLEM_GAP_GRAD:
        work->flops_image = in;
        break;
    case RX_PROBLEM_LOSS:
        work->flops_image = 8.0 * out;
        break;
    case RX_PROBLEM_BIAS_GRAD:
        work->flops_image = out;
        break;
    case RX_PROBLEM_BN_COEF:
    case RX_PROBLEM_BN_FOLD:
    case RX_PROBLEM_BN_GRAD_COEF:
    case RX_PROBLEM_SGD:
    case RX_PROBLEM_UPDATE:
        work->flops_fixed = 8.0 * vector_elements(p);
        break;
    case RX_PROBLEM_REDUCE:
        work->flops_fixed = vector_elements(p);
        break;
    case RX_PROBLEM_MAP:
    case RX_PROBLEM_TRANSPOSE:
    case RX_PROBLEM_PACK:
    case RX_PROBLEM_N_OPS:
        break;
    }
}

int
rx_problem_per_multiply(const struct rx_problem *p)
{
    return p->products == RX_BF16 ? 2 : 1;
}

struct rx_work
rx_problem_work(const struct rx_problem *p)
{
    struct rx_work work = {0};
    anchor_flops(p, &work);
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        double image = 0;
        const double fixed = operand_bytes(p, o, &image);
        const int times = (o->access & RX_READ ? 1 : 0) + (o->access & RX_WRITE ? 1 : 0);
        work.bytes_fixed += times * fixed;
        work.bytes_image += times * image;
    }
    return work;
}
