// What kernels that do not multiply tiles ask of a device: a vector of a pixel, or an element, a
// thread.
#include <math.h>

#include "gen/select/problem.h"
#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"

enum { WARP = 32, ADDRESS = 6, CYCLES_APART = 3 };

// Vectors of the inputs' map that a thread goes through for each of its results.
static double
taps(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    switch (p->op) {
    case RX_PROBLEM_GAP:
        return (double)g->h * g->w;
    case RX_PROBLEM_CONV_FWD:
    case RX_PROBLEM_CONV_DGRAD:
    case RX_PROBLEM_MAXPOOL:
        return (double)g->r * g->s;
    case RX_PROBLEM_MAXPOOL_GRAD:
        return ceil((double)g->r / g->stride) * ceil((double)g->s / g->stride);
    default:
        return 1;
    }
}

// Maximum pooling loads all that it looks at before it looks.
static int
pooling(const struct rx_problem *p)
{
    return p->op == RX_PROBLEM_MAXPOOL || p->op == RX_PROBLEM_MAXPOOL_GRAD;
}

// Multiply-adds of a thread for each vector of results, and vectors of weights that it loads.
static void
products_of(const struct rx_problem *p, const struct rx_config *c, double *products, double *loads)
{
    const struct rx_geometry *g = &p->geometry;
    const double cg = (double)(p->op == RX_PROBLEM_CONV_DGRAD ? g->k : g->c) / g->groups;
    *loads = p->op <= RX_PROBLEM_CONV_DGRAD ? (double)g->r * g->s * cg : 0;
    *products = p->op == RX_PROBLEM_CONV_WGRAD ? cg * c->lanes : *loads * c->lanes;
}

void
rx_cuda_work_pixels(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const struct rx_geometry *g = &p->geometry;
    const int rows = k->block / (c->tile_w / c->lanes);
    double pixels = s->tiles * ceil((double)c->tile_pixels / rows), products, weights;
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        pixels = ceil((double)s->images * g->oh * g->ow / s->parts / rows);
    if (p->op == RX_PROBLEM_GAP && s->images < c->tile_pixels)
        pixels = ceil((double)s->images / rows);
    products_of(p, c, &products, &weights);
    const double inputs = p->op <= RX_PROBLEM_CONV_WGRAD
                              ? taps(p) * ceil((double)g->c / g->groups / c->lanes)
                              : taps(p);
    const double read =
        rx_cuda_chain_bytes(p, &p->prologue[0]) * inputs + rx_cuda_chain_bytes(p, &p->prologue[1]);
    const double moved = read + rx_cuda_chain_bytes(p, &p->epilogue);
    const double instructions =
        inputs * (ADDRESS + rx_cuda_chain_instructions(p, &p->prologue[0], c->lanes)) +
        rx_cuda_chain_instructions(p, &p->prologue[1], c->lanes) +
        rx_cuda_chain_instructions(p, &p->epilogue, c->lanes) + products + weights + ADDRESS;
    const double threads = (double)w->blocks * k->block;
    const double apart = pooling(p) ? 1 : inputs;
    w->rounds = pixels * apart;
    w->round_cycles = instructions / apart * CYCLES_APART;
    w->issued = threads * pixels * instructions / WARP;
    w->cache_bytes = threads * pixels * c->lanes * moved;
    w->port_bytes = threads * pixels * (c->lanes * moved + weights * 16);
    w->multiply_adds = threads * pixels * products / WARP;
}

// One element a thread; sums over parts, some of which are loaded at once.
void
rx_cuda_work_flat(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { INSTRUCTIONS = 30, A_PART = 4, OF_A_VECTOR = 16, OF_COEFFICIENTS = 4, ROWS = 8 };
    const struct rx_kernel *k = s->kernel;
    const enum rx_problem_op op = k->problem->op;
    const int coefficients = op == RX_PROBLEM_BN_COEF || op == RX_PROBLEM_BN_GRAD_COEF;
    const double parts = coefficients ? ceil(s->parts / (double)ROWS) : s->parts;
    const double threads = (double)w->blocks * k->block;
    const double elements =
        op == RX_PROBLEM_LOSS ? ceil((double)k->problem->geometry.k / k->block) : 1;
    w->rounds = 1 + parts / (coefficients ? OF_COEFFICIENTS : OF_A_VECTOR) + 3 * (elements - 1);
    w->round_cycles = INSTRUCTIONS * CYCLES_APART;
    w->issued = threads * (INSTRUCTIONS * elements + A_PART * parts) / WARP;
    w->cache_bytes = w->memory_bytes;
}
