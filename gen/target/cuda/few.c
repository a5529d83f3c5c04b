// Dense convolutions of few inputs on tensor cores (conv_fwd.few.mma): rules, tiles, launches.
#include "gen/target/cuda/few.h"

#include <string.h>

#include "gen/target/cuda/cuda.h"

enum { WARP = 32, VECTOR = 8, SLICE = 32, TILE = 32, VECTOR_BYTES = 16 };
enum { WARPS_MAX = 8, THREADS_MAX = 384, ROWS_MAX = 16, HELD_MAX = 16 };  // floats on their way
enum { OUTPUTS_MAX = 64 };   // of a block: sums of a thread
enum { PRODUCTS_MAX = 64 };  // one after the other, which are unrolled
enum { SUMS_A_LANE = 3 };    // statistics of a channel

// The template's constants of these names.
struct ring {
    int row, step, together, left, lead, begin, row_chunks, ksteps;
    int batch, halo, before, steps, rows, again, pitch;
};

static int
larger(int a, int b)
{
    return a > b ? a : b;
}

static int
round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

// How a row of the map lies in the ring.
static void
set_row(const struct rx_geometry *g, struct ring *r)
{
    r->row = g->s * g->c;
    r->step = g->stride * g->c;
    r->together = g->w * g->c % 4 == 0 ? 4 : 1;
    r->left = round_up(g->pad * g->c, r->together);
    r->lead = r->step % 2 == 0 ? (r->left - g->pad * g->c) % 2 : 0;
    r->begin = r->left - g->pad * g->c - r->lead;
    r->row_chunks = (r->lead + r->row + VECTOR - 1) / VECTOR;
    const int needed = r->begin + (g->ow - 1) * r->step + r->row_chunks * VECTOR;
    r->pitch = round_up(larger(r->left + g->w * g->c, needed), VECTOR);
}

static struct ring
ring_of(const struct rx_geometry *g, const struct rx_config *c)
{
    struct ring r = {0};
    set_row(g, &r);
    r.ksteps = (g->r * r.row_chunks + 1) / 2;
    r.batch = c->tile_m * g->stride;
    r.halo = g->r > g->stride ? g->r - g->stride : 0;
    r.before = (r.halo + r.batch - 1) / r.batch;
    r.steps = (c->tile_pixels + c->tile_m - 1) / c->tile_m;
    r.rows = (r.steps > 1 ? 2 : 1) * r.batch + r.halo;
    r.again = r.steps > 1 ? g->r - 1 : 0;
    return r;
}

static int
block_of(const struct rx_problem *p, const struct rx_config *c)
{
    (void)p;
    return WARP * c->tile_n;
}

static int
columns(const struct rx_problem *p, const struct rx_config *c)
{
    return (p->geometry.k + c->tile_w - 1) / c->tile_w;
}

static int
strips(const struct rx_problem *p, const struct rx_config *c)
{
    return (p->geometry.oh + c->tile_pixels - 1) / c->tile_pixels;
}

static int
shared_bytes(const struct rx_problem *p, const struct rx_config *c)
{
    const struct ring r = ring_of(&p->geometry, c);
    const int factors = c->tile_w / SLICE * r.ksteps * 2 * WARP * VECTOR_BYTES;
    const int held = (r.rows + r.again) * r.pitch * 2;
    const int summed = SUMS_A_LANE * c->tile_n * SLICE * (int)sizeof(float);
    return larger(factors + held, summed);
}

// Maps that are written are bf16 in whole vectors.
static int
outputs_fit(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP && o->domain == RX_DOMAIN_OUT &&
            (o->dtype != RX_BF16 || o->pitch % VECTOR != 0))
            return 0;
    }
    return p->geometry.k % VECTOR == 0;
}

static const char *
why_no_problem(const struct rx_problem *p)
{
    const struct rx_chain *chain = &p->prologue[0];
    const struct rx_operand *x = &p->operand[chain->step[0].operand];
    if (p->geometry.groups != 1 || p->products != RX_F32)
        return "takes dense filters whose weights are f32";
    if (chain->n != 1 || chain->step[0].op != RX_STEP_LOAD || x->pitch != p->geometry.c)
        return "takes inputs as they lie in memory";
    return outputs_fit(p) ? NULL : "takes bf16 outputs in whole vectors of 8 channels";
}

static const char *
why_no_config(const struct rx_problem *p, const struct rx_config *c)
{
    if (c->lanes != VECTOR || c->tile_w < SLICE || c->tile_w > OUTPUTS_MAX ||
        c->tile_w % SLICE != 0)
        return "a block has 32 or 64 outputs, in vectors of 8";
    if (c->tile_pixels > p->geometry.oh || c->tile_m < 1 || c->tile_m > ROWS_MAX)
        return "more rows than the map has, or than a step";
    if (c->tile_n < 1 || c->tile_n > WARPS_MAX)
        return "1 to 8 warps";
    const struct rx_cuda_few_step step = rx_cuda_few_step(p, c);
    if (step.loads * step.together > HELD_MAX || step.products > PRODUCTS_MAX)
        return "too many loads or products of a thread";
    return NULL;
}

struct rx_cuda_few_step
rx_cuda_few_step(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const struct ring r = ring_of(g, c);
    const int threads = block_of(p, c), items = r.batch * (g->w * g->c / r.together);
    const int tiles = (c->tile_m * g->ow + TILE - 1) / TILE;
    return (struct rx_cuda_few_step){
        .rounds = r.before + r.steps + 1,
        .loading = r.before + r.steps,
        .multiplying = r.steps,
        .loads = (items + threads - 1) / threads,
        .together = r.together,
        .tiles = (tiles + c->tile_n - 1) / c->tile_n,
        .products = r.ksteps,
        .reads = r.step % 2 == 0 ? 1 : 2,
    };
}

const struct rx_cuda_strips rx_cuda_few_fwd = {
    .skeleton = "conv_fwd.few.mma",
    .threads = THREADS_MAX,
    .problem = why_no_problem,
    .config = why_no_config,
    .block = block_of,
    .columns = columns,
    .strips = strips,
    .shared = shared_bytes,
    .work = rx_cuda_work_few,
};
