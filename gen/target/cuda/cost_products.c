// What kernels that multiply ask of a device. Instructions are counted from what their templates
// say, a vector of channels at a time.
#include <math.h>

#include "gen/select/problem.h"
#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/few.h"
#include "gen/target/cuda/few_wgrad.h"
#include "gen/target/cuda/grouped.h"
#include "gen/target/cuda/grouped_wgrad.h"
#include "runtime/weights.h"

enum { WARP = 32, MMA_DEPTH = 32, PRODUCT_DEPTH = 16, TAPS_A_FRAGMENT = 16 };
enum { BARRIER_CYCLES = 40 };
enum { FILTER_ADDRESS = 40, ROW_ADDRESS = 16, ADDRESS = 6, PACK = 6, STAGE = 20 };  // instructions
enum { FRAGMENT_BYTES = 512 };  // of an ldmatrix of a warp

// Fitted to one H100: cycles of a warp's tile of 16 rows of a grouped product, for fragments, the
// exchange of results between lanes and sums, that no other instruction of the warp hides.
static const double grouped_tile_cycles = 3200;

// Cycles that a block's warps take for so many instructions each, if no other block is in the way:
// a quarter of a multiprocessor issues one a cycle.
static double
cycles(const struct rx_kernel *k, double instructions)
{
    const double warps_a_quarter = k->block / (double)WARP / 4;
    return instructions * (warps_a_quarter > 1 ? warps_a_quarter : 1);
}

static int
pointwise(const struct rx_geometry *g)
{
    return g->r * g->s == 1 && g->stride == 1;
}

// Instructions that bring a vector of a prologue's map to shared memory.
static double
stage_vector(const struct rx_problem *p, int prologue, int lanes)
{
    const int address = pointwise(&p->geometry) || prologue == 1 ? ADDRESS : FILTER_ADDRESS;
    return address + PACK + rx_cuda_chain_instructions(p, &p->prologue[prologue], lanes);
}

// What a block's tile of outputs asks for when its sums are done.
static void
add_outputs(const struct rx_kernel *k, double tiles, struct rx_cuda_work *w)
{
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const double elements = (double)c->tile_pixels * c->tile_w;
    const double vectors = elements / c->lanes / k->block;
    const double each = ADDRESS + rx_cuda_chain_instructions(p, &p->epilogue, c->lanes);
    const double fold = k->parts > 0 && rx_cuda_is_mma(c) ? c->tile_n * c->lanes * 9.0 : 0;
    w->block_cycles += tiles * cycles(k, vectors * each + fold);
    w->issued += (double)w->blocks * tiles * (vectors * each + fold) * k->block / WARP;
    w->cache_bytes += (double)w->blocks * tiles * elements * rx_cuda_chain_bytes(p, &p->epilogue);
    if (rx_cuda_chain_loads(&p->epilogue) > 0)
        w->waits += tiles;
}

// Adds rounds of a block: each thread's instructions, and what all of the block's threads load from
// the cache and move through shared memory.
static void
add_rounds(const struct rx_kernel *k, double rounds, double instructions, double loaded,
           double moved, struct rx_cuda_work *w)
{
    w->rounds += rounds;
    w->round_cycles = cycles(k, instructions) + BARRIER_CYCLES;
    w->issued += (double)w->blocks * rounds * instructions * k->block / WARP;
    w->cache_bytes += (double)w->blocks * rounds * loaded;
    w->port_bytes += (double)w->blocks * rounds * (loaded + moved);
}

// Rounds of a block: stages of its tiles, or of a weight gradient of its pixels.
static double
stages(const struct rx_cuda_share *s, int depth)
{
    const struct rx_geometry *g = &s->kernel->problem->geometry;
    const int back = s->kernel->problem->op == RX_PROBLEM_CONV_DGRAD;
    if (s->kernel->problem->op == RX_PROBLEM_CONV_WGRAD)
        return ceil((double)s->images * g->oh * g->ow / s->parts / depth);
    return s->tiles * ceil((double)g->r * g->s * (back ? g->k : g->c) / g->groups / depth);
}

void
rx_cuda_work_mma(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const int wgrad = p->op == RX_PROBLEM_CONV_WGRAD, m = c->tile_m, n = c->tile_n;
    const double a = (double)c->tile_pixels * MMA_DEPTH, b = (double)c->tile_w * MMA_DEPTH;
    const double ksteps = MMA_DEPTH / TAPS_A_FRAGMENT, fragments = ksteps * (m + 2 * n);
    const double products = ksteps * 4 * m * n, rounds = stages(s, MMA_DEPTH);
    const double of_b = wgrad ? stage_vector(p, 1, c->lanes) : ADDRESS + 2;
    const double instructions =
        (a * stage_vector(p, 0, c->lanes) + b * of_b) / c->lanes / k->block + fragments + products +
        STAGE;
    const double bytes = a * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                         b * (wgrad ? rx_cuda_chain_bytes(p, &p->prologue[1]) : 2);
    const double warps = k->block / (double)WARP;
    w->ahead = k->stages > 1 ? k->stages - 1 : 1;
    add_rounds(k, rounds, instructions, bytes, (a + b) * 2 + warps * fragments * FRAGMENT_BYTES, w);
    w->mma += (double)w->blocks * rounds * warps * products;
    if (!wgrad)
        add_outputs(k, s->tiles, w);
}

void
rx_cuda_work_tile(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const int wgrad = p->op == RX_PROBLEM_CONV_WGRAD;
    const double a = (double)c->tile_pixels * PRODUCT_DEPTH, b = (double)c->tile_w * PRODUCT_DEPTH;
    const double width = (double)c->tile_n * c->lanes, rounds = stages(s, PRODUCT_DEPTH);
    const double of_b = wgrad ? stage_vector(p, 1, c->lanes) / c->lanes : (ADDRESS + 2) / 4.0;
    const double products = PRODUCT_DEPTH * c->tile_m * width;
    const double loads = PRODUCT_DEPTH * (c->tile_m + width) / 4;
    const double staging =
        (a * (stage_vector(p, 0, c->lanes) / c->lanes + 1) + b * of_b) / k->block;
    const double bytes = a * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                         b * (wgrad ? rx_cuda_chain_bytes(p, &p->prologue[1]) : 4);
    add_rounds(k, rounds, staging + products + loads + STAGE, bytes,
               (a + b) * 4 + loads * k->block * 16, w);
    w->multiply_adds += (double)w->blocks * rounds * products * k->block / WARP;
    if (!wgrad)
        add_outputs(k, s->tiles, w);
}

// Vectors of input rows and of gradients that a segment stages.
static void
row_vectors(const struct rx_problem *p, const struct rx_config *c, double *inputs, double *outputs)
{
    const struct rx_geometry *g = &p->geometry;
    const double width = (c->tile_pixels - 1.0) * g->stride + g->s;
    const int fresh = g->groups > 1 && g->r > g->stride ? g->stride : g->r;
    const double channels = (double)c->tile_w * g->c / g->k;
    *inputs = fresh * width * (g->groups > 1 ? channels : g->c) / c->lanes;
    *outputs = (double)c->tile_pixels * c->tile_w / c->lanes;
}

void
rx_cuda_work_row(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { UNROLLED = 4 };
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const struct rx_geometry *g = &p->geometry;
    double inputs, outputs;
    row_vectors(p, c, &inputs, &outputs);
    const int phases = k->block / rx_cuda_row_phase(p, c);
    const double row = (rx_cuda_row_floats(p, c) - (double)c->tile_m * c->lanes) / c->lanes;
    const double steps = ceil((double)c->tile_pixels / (c->tile_m * phases));
    const double products = steps * c->tile_m * row * c->lanes;
    const double loads =
        steps * (c->tile_m + row / c->lanes * (1 + (c->tile_m - 1.0) * g->stride / g->s));
    const double segments = ceil((double)g->ow / c->tile_pixels);
    const double rounds = ceil((double)s->images * g->oh * segments / s->parts);
    const double staging =
        (inputs * stage_vector(p, 0, c->lanes) + outputs * stage_vector(p, 1, c->lanes)) / k->block;
    const double bytes = c->lanes * (inputs * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                                     outputs * rx_cuda_chain_bytes(p, &p->prologue[1]));
    add_rounds(k, rounds, staging + products + loads + STAGE, bytes,
               (inputs + outputs) * 16 + loads * k->block * 16, w);
    w->round_cycles += BARRIER_CYCLES;
    w->waits +=
        rounds * (ceil(inputs / k->block / UNROLLED) + ceil(outputs / k->block / UNROLLED) - 1);
    w->multiply_adds += (double)w->blocks * rounds * products * k->block / WARP;
}

// A strip has two rounds more than steps: the first rows come before any product, and a product's
// rows one round before it.
void
rx_cuda_work_grouped(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { PUT = 8, EXCHANGE = 12, COLUMNS = 4, HALVES = 2, A_PRODUCT = 2 };
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const int lanes = k->config.lanes;
    const struct rx_cuda_grouped_step step = rx_cuda_grouped_step(p, &k->config);
    const double all = step.steps + 2, loading = (step.steps + 1) / all,
                 working = step.steps / all;  // shares of the rounds
    const double loads = loading * step.loads, tiles = working * step.tiles;
    const double products = tiles * step.products * COLUMNS, warps = k->block / (double)WARP;
    const double put = ROW_ADDRESS + PUT + rx_cuda_chain_instructions(p, &p->prologue[0], lanes);
    const double out = EXCHANGE + ADDRESS + rx_cuda_chain_instructions(p, &p->epilogue, lanes);
    const double elements = (double)k->block * lanes;
    add_rounds(k, s->tiles * all, loads * put + products * A_PRODUCT + tiles * HALVES * out,
               elements * (loads * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                           tiles * HALVES * rx_cuda_chain_bytes(p, &p->epilogue)),
               elements * loads * 2 + warps * products * FRAGMENT_BYTES, w);
    w->mma += (double)w->blocks * s->tiles * all * warps * products;
    w->round_cycles += tiles * grouped_tile_cycles;
    if (rx_cuda_chain_loads(&p->epilogue) > 0)
        w->waits += s->tiles * step.steps * step.tiles;
}

// Of weight gradients both maps are loaded, and nothing is stored before the end.
void
rx_cuda_work_grouped_wgrad(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { PUT = 8, PIXEL = 24, SUMS_A_LANE = 4 };
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const int lanes = k->config.lanes;
    const struct rx_cuda_grouped_wgrad_step step = rx_cuda_grouped_wgrad_step(p, &k->config);
    const double all = step.rounds, working = step.multiplying / all;
    const double inputs = step.loading / all * step.inputs, gradients = working * step.gradients;
    const double tiles = working * step.tiles, warps = k->block / (double)WARP;
    const double address = 2 * ROW_ADDRESS + PUT + PACK;
    const double x = address + rx_cuda_chain_instructions(p, &p->prologue[0], lanes);
    const double u = address + rx_cuda_chain_instructions(p, &p->prologue[1], lanes);
    const double elements = (double)k->block * lanes;
    add_rounds(
        k, s->tiles * all,
        inputs * x + gradients * u + tiles * (PIXEL + step.fragments + step.products),
        elements * (inputs * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                    gradients * rx_cuda_chain_bytes(p, &p->prologue[1])),
        elements * (inputs + gradients) * 2 + warps * tiles * step.fragments * FRAGMENT_BYTES, w);
    w->mma += (double)w->blocks * s->tiles * all * warps * tiles * step.products;
    const double sums = (double)step.products * SUMS_A_LANE;
    w->block_cycles += k->config.tile_n * (cycles(k, 2 * sums) + 2 * BARRIER_CYCLES);
}

// The same of dense convolutions of few inputs: a strip's rounds, of which some only load.
void
rx_cuda_work_few(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { PUT = 8, WINDOWS = 48, WORDS = 8, ROWS = 4, SLICE = 32, COLUMNS = 4, HALVES = 2 };
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;
    const struct rx_cuda_few_step step = rx_cuda_few_step(p, c);
    const double all = step.rounds, slices = (double)c->tile_w / SLICE;
    const double loads = step.loading / all * step.loads;
    const double tiles = step.multiplying / all * step.tiles;
    const double fold = k->parts > 0 ? slices * c->lanes * 9.0 : 0;
    const double out = ADDRESS + rx_cuda_chain_instructions(p, &p->epilogue, c->lanes);
    const double words = (double)step.products * WORDS, factors = step.products * slices * 2;
    const double products = step.products * slices * COLUMNS * HALVES;
    const double tile =
        WINDOWS + words * (2 * step.reads - 1) + factors + products + slices * ROWS * out + fold;
    const double warps = k->block / (double)WARP;
    add_rounds(k, s->tiles * all, loads * (ROW_ADDRESS + PUT + 2 * step.together) + tiles * tile,
               k->block * loads * step.together * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                   warps * tiles * WARP * slices * ROWS * c->lanes *
                       rx_cuda_chain_bytes(p, &p->epilogue),
               k->block * loads * step.together * 2 +
                   warps * tiles * (words * step.reads * WARP * 4 + factors * FRAGMENT_BYTES),
               w);
    w->mma += (double)w->blocks * s->tiles * all * warps * tiles * products;
    if (rx_cuda_chain_loads(&p->epilogue) > 0)
        w->waits += s->tiles * step.multiplying * step.tiles;
}

// The same of its weight gradient: nothing is stored before the end.
void
rx_cuda_work_few_wgrad(const struct rx_cuda_share *s, struct rx_cuda_work *w)
{
    enum { PUT = 8, INPUT = 8, COPY = 4, TILE_ADDRESS = 16, OUTPUT = 8 };
    const struct rx_kernel *k = s->kernel;
    const struct rx_problem *p = k->problem;
    const int lanes = k->config.lanes;
    const struct rx_cuda_few_wgrad_step step = rx_cuda_few_wgrad_step(p, &k->config);
    const double all = step.rounds, loading = step.loading / all, working = step.multiplying / all;
    const double inputs = loading * step.inputs * step.together;
    const double gradients = loading * step.gradients, tiles = working * step.tiles;
    const double x = INPUT + step.copies * COPY;
    const double u =
        2 * ROW_ADDRESS + PUT + PACK + rx_cuda_chain_instructions(p, &p->prologue[1], lanes);
    const double warps = k->block / (double)WARP, threads = k->block;
    add_rounds(k, s->tiles * all,
               loading * step.inputs * ROW_ADDRESS + inputs * x + gradients * u +
                   tiles * (TILE_ADDRESS + step.fragments + step.products),
               threads * (inputs * rx_cuda_chain_bytes(p, &p->prologue[0]) +
                          gradients * lanes * rx_cuda_chain_bytes(p, &p->prologue[1])),
               threads * (inputs * step.copies * 2 + gradients * lanes * 2) +
                   warps * tiles * step.fragments * FRAGMENT_BYTES,
               w);
    w->mma += (double)w->blocks * s->tiles * all * warps * tiles * step.products;
    w->block_cycles += cycles(k, step.products * 4.0 * OUTPUT);
}
