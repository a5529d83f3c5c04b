// The weight gradient of dense convolutions of few inputs on tensor cores (conv_wgrad.few.mma):
// rules, tiles, launches.
#include "gen/target/cuda/few_wgrad.h"

enum { WARP = 32, VECTOR = 8, VECTOR_BYTES = 16, KTILE = 16, MTILE = 16 };
enum { WARPS_MAX = 12, AT_ONCE = 512, ROWS_MAX = 8 };
enum { SUMS_A_PRODUCT = 4, VECTORS_MAX = 16, MAPS_MAX = 2 };
enum { HELD_MAX = 72 };  // registers of sums and of inputs on their way, without spills
enum { OUTPUTS_MIN = 32, OUTPUTS_MAX = 64 };  // of a block

static int
divided(int n, int by)
{
    return (n + by - 1) / by;
}

static int
row_chunks(const struct rx_geometry *g)
{
    return divided(g->s * g->c, VECTOR);
}

int
rx_cuda_few_wgrad_chunks(const struct rx_problem *p)
{
    return p->geometry.r * row_chunks(&p->geometry);
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
    return divided(p->geometry.k, c->tile_w);
}

static int
strips(const struct rx_problem *p, const struct rx_config *c)
{
    return divided(p->geometry.oh, c->tile_pixels);
}

// The template's constants of these names.
struct ring {
    int batch, halo, before, steps, rows, ktiles;
};

static struct ring
ring_of(const struct rx_geometry *g, const struct rx_config *c)
{
    struct ring r = {.batch = c->tile_m * g->stride, .ktiles = divided(g->ow, KTILE)};
    r.halo = g->r > g->stride ? g->r - g->stride : 0;
    r.before = divided(r.halo, r.batch);
    r.steps = divided(c->tile_pixels, c->tile_m);
    r.rows = (r.steps > 1 ? 2 : 1) * r.batch + r.halo;
    return r;
}

static int
shared_bytes(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const struct ring r = ring_of(g, c);
    const int held = r.rows * row_chunks(g) * VECTOR * (r.ktiles * 2 + 1);
    const int gradients = c->tile_m * r.ktiles * KTILE * (c->tile_w / VECTOR);
    const int maps = rx_cuda_chain_loads(&p->prologue[1]);
    return (held + (2 + maps - 1) * gradients) * VECTOR_BYTES;
}

// Gradients are bf16 in whole vectors, and are not stored.
static int
gradients_fit(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP && o->domain == RX_DOMAIN_OUT &&
            (o->dtype != RX_BF16 || o->pitch % VECTOR != 0 || (o->access & RX_WRITE)))
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
    if (rx_cuda_chain_loads(&p->prologue[1]) > MAPS_MAX)
        return "reads at most two maps of gradients";
    return gradients_fit(p) ? NULL : "reads bf16 gradients in whole vectors of 8 channels";
}

static const char *
why_no_config(const struct rx_problem *p, const struct rx_config *c)
{
    if (c->lanes != VECTOR || (c->tile_w != OUTPUTS_MIN && c->tile_w != OUTPUTS_MAX))
        return "a block has 32 or 64 outputs, in vectors of 8";
    if (c->tile_pixels > p->geometry.oh || c->tile_m < 1 || c->tile_m > ROWS_MAX)
        return "more rows than the map has, or than a step";
    if (c->tile_n < 1 || c->tile_n > WARPS_MAX || c->tile_n > rx_cuda_few_wgrad_chunks(p))
        return "1 to 12 warps, no more than there are chunks of 8 taps";
    const struct rx_cuda_few_wgrad_step s = rx_cuda_few_wgrad_step(p, c);
    if (s.products * SUMS_A_PRODUCT + s.inputs * s.together > HELD_MAX || s.gradients > VECTORS_MAX)
        return "too many sums and loads of a thread";
    return NULL;
}

struct rx_cuda_few_wgrad_step
rx_cuda_few_wgrad_step(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const struct ring r = ring_of(g, c);
    const int threads = block_of(p, c), together = g->w * g->c % 4 == 0 ? 4 : 1;
    const int own = divided(rx_cuda_few_wgrad_chunks(p), c->tile_n), mtiles = c->tile_w / MTILE;
    return (struct rx_cuda_few_wgrad_step){
        .rounds = r.before + r.steps + 1,
        .loading = r.before + r.steps,
        .multiplying = r.steps,
        .inputs = divided(r.batch * (g->w * g->c / together), threads),
        .together = together,
        .copies = divided(g->s, g->stride),
        .gradients = divided(c->tile_m * g->ow * (c->tile_w / VECTOR), threads),
        .tiles = c->tile_m * r.ktiles,
        .fragments = mtiles + divided(own, 2),
        .products = mtiles * own,
    };
}

const struct rx_cuda_strips rx_cuda_few_wgrad = {
    .skeleton = "conv_wgrad.few.mma",
    .threads = AT_ONCE,
    .problem = why_no_problem,
    .config = why_no_config,
    .block = block_of,
    .columns = columns,
    .strips = strips,
    .shared = shared_bytes,
    .work = rx_cuda_work_few_wgrad,
};
