// The weight gradient of grouped 3x3 convolutions on tensor cores (gconv_wgrad.mma): rules, tiles,
// launches.
#include "gen/target/cuda/grouped_wgrad.h"

#include <string.h>

#include "gen/target/cuda/cost.h"

enum { WARP = 32, VECTOR = 8, TAPS = 3, SLICE = 16, UNIT_BYTES = 16, KTILE = 16 };
enum { GROUP_OF_TWO = 32 };  // whose inputs two warps share
enum { CHANNELS_MAX = 64, WARPS_MAX = 8, ROWS_MAX = 16, THREADS_MAX = 384 };
enum { VECTORS_MAX = 10, VECTORS_WIDE_MAX = 5 };  // of a thread on their way, without spills
enum { SUMS_A_PRODUCT = 4 };

static int
larger(int a, int b)
{
    return a > b ? a : b;
}

static int
group_of(const struct rx_problem *p)
{
    return p->geometry.groups > 0 ? p->geometry.c / p->geometry.groups : 0;
}

static int
is_wide(const struct rx_problem *p)
{
    return group_of(p) >= SLICE;
}

static int
halves(const struct rx_problem *p)
{
    return group_of(p) == GROUP_OF_TWO ? 2 : 1;
}

// Products of a warp's vector of outputs: the template's MTILES.
static int
mtiles(const struct rx_problem *p)
{
    return is_wide(p) ? TAPS * TAPS : (TAPS * TAPS + 1) / 2;
}

static int
block_of(const struct rx_problem *p, const struct rx_config *c)
{
    return c->tile_n * WARP * (c->tile_w / SLICE) * halves(p);
}

static int
columns(const struct rx_problem *p, const struct rx_config *c)
{
    return p->geometry.c / c->tile_w;
}

static int
strips(const struct rx_problem *p, const struct rx_config *c)
{
    return (p->geometry.oh + c->tile_pixels - 1) / c->tile_pixels;
}

// 16-byte units of a row of the ring: the template's PITCH.
static int
row_units(const struct rx_geometry *g)
{
    const int step = g->stride;
    const int wide = ((g->ow - 1) * step + TAPS + step - 1) / step * step;
    return wide + ((g->ow / step - wide) & (VECTOR / step - 1));
}

static int
shared_bytes(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const int vectors = c->tile_w / VECTOR, spread = VECTOR / vectors;
    const int steps = (c->tile_pixels + c->tile_m - 1) / c->tile_m, more = steps > 1;
    const int ring = (more ? 2 : 1) * c->tile_m * g->stride + TAPS - g->stride;
    const int high = (ring + (more ? TAPS - 1 : 0)) * row_units(g);
    const int plane = high + ((spread - high) & (VECTOR - 1));
    const int gradients = (c->tile_m * g->ow + KTILE - 1) / KTILE * KTILE + spread;
    const int owners = c->tile_w / SLICE * halves(p) * WARP;
    const int summed = 2 * mtiles(p) * SUMS_A_PRODUCT * owners * (int)sizeof(float);
    const int held = vectors * (plane + 2 * gradients) * UNIT_BYTES;
    return c->tile_n > 1 ? larger(held, summed) : held;
}

// Maps that are read once a block, and not stored.
static int
maps_fit(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP &&
            (o->dtype != RX_BF16 || o->pitch % VECTOR != 0 || (o->access & RX_WRITE)))
            return 0;
    }
    return 1;
}

static const char *
why_no_problem(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    if (g->r != TAPS || g->s != TAPS || g->pad != 1 || g->stride > 2)
        return "takes filters of 3x3, padding 1, stride 1 or 2";
    if (g->c != g->k)
        return "takes as many outputs as inputs";
    const int group = group_of(p);
    if (group != 4 && group != VECTOR && group != SLICE && group != GROUP_OF_TWO)
        return "takes groups of 4, 8, 16 or 32 channels";
    return maps_fit(p) ? NULL : "reads bf16 maps in whole vectors of 8 channels";
}

static const char *
why_no_config(const struct rx_problem *p, const struct rx_config *c)
{
    if (c->lanes != VECTOR)
        return "vectors of 8 channels";
    if (c->tile_w < larger(SLICE, group_of(p)) || c->tile_w > CHANNELS_MAX ||
        (c->tile_w & (c->tile_w - 1)) != 0 || p->geometry.c % c->tile_w != 0)
        return "a block's channels must be whole groups, a power of two up to 64 that divides all";
    if (c->tile_pixels > p->geometry.oh || c->tile_m < 1 || c->tile_m > ROWS_MAX)
        return "more rows than the map has, or than a step";
    if (c->tile_n < 1 || c->tile_n > WARPS_MAX || block_of(p, c) > THREADS_MAX)
        return "1 to 8 warps of different pixels, 384 threads";
    const struct rx_cuda_grouped_wgrad_step s = rx_cuda_grouped_wgrad_step(p, c);
    const int vectors = s.inputs * rx_cuda_chain_loads(&p->prologue[0]) +
                        s.gradients * rx_cuda_chain_loads(&p->prologue[1]);
    if (vectors > (is_wide(p) ? VECTORS_WIDE_MAX : VECTORS_MAX))
        return "too many loads of a thread";
    return NULL;
}

struct rx_cuda_grouped_wgrad_step
rx_cuda_grouped_wgrad_step(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const int threads = block_of(p, c), vectors = c->tile_w / VECTOR;
    const int batch = c->tile_m * g->stride, halo = TAPS - g->stride;
    const int before = (halo + batch - 1) / batch;
    const int steps = (c->tile_pixels + c->tile_m - 1) / c->tile_m;
    const int pixels = c->tile_m * g->ow, tiles = (pixels + KTILE - 1) / KTILE;
    return (struct rx_cuda_grouped_wgrad_step){
        .rounds = before + steps + 1,
        .loading = before + steps,
        .multiplying = steps,
        .inputs = (batch * g->w * vectors + threads - 1) / threads,
        .gradients = (pixels * vectors + threads - 1) / threads,
        .tiles = (tiles + c->tile_n - 1) / c->tile_n,
        .fragments = (is_wide(p) ? 1 : 2) * mtiles(p) + 1,
        .products = 2 * mtiles(p),
    };
}

const struct rx_cuda_strips rx_cuda_grouped_wgrad = {
    .skeleton = "gconv_wgrad.mma",
    .threads = THREADS_MAX,
    .problem = why_no_problem,
    .config = why_no_config,
    .block = block_of,
    .columns = columns,
    .strips = strips,
    .shared = shared_bytes,
    .work = rx_cuda_work_grouped_wgrad,
};
