// Grouped 3x3 convolutions on tensor cores (gconv_*.mma): rules, tiles, launches.
#include "gen/target/cuda/grouped.h"

#include <string.h>

#include "gen/target/cuda/cuda.h"
#include "runtime/weights.h"

enum { WARP = 32, VECTOR = 8, MROWS = 16, TAPS = 3, UNIT_BYTES = 16 };
enum { PAIR_GROUP = 4 };
enum { CHANNELS_MAX = 64, LOADS_MAX = 8, WARPS_MAX = 8, ROWS_MAX = 16 };
enum { BLOCK_MAX = 384, AT_ONCE = 512 };  // threads of a block, of all that run at once

// A problem seen from the map that is read: both directions are a convolution.
struct window {
    int group;                 // channels of a group
    int iw, yh, yw;            // width of the map that is read; the map that is written
    int step, apart;           // of the window; between the pixels that it reads
    int pixels, slice, units;  // of a product's row; channels of a warp; 16-byte units of a row
};

static struct window
window_of(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    const int back = p->op == RX_PROBLEM_CONV_DGRAD;
    struct window w = {
        .group = g->c / g->groups,
        .iw = back ? g->ow : g->w,
        .yh = back ? g->h : g->oh,
        .yw = back ? g->w : g->ow,
        .step = back ? 1 : g->stride,
        .apart = back ? g->stride : 1,
    };
    w.pixels = w.group == PAIR_GROUP ? 2 : 1;
    w.slice = w.group == PAIR_GROUP ? 16 : 32;
    w.units = w.group == PAIR_GROUP ? (w.step + TAPS + 1) / 2 : TAPS;
    return w;
}

static int
block_of(const struct rx_problem *p, const struct rx_config *config)
{
    return config->tile_n * WARP * (config->tile_w / window_of(p).slice);
}

static int
columns(const struct rx_problem *p, const struct rx_config *config)
{
    return p->geometry.c / config->tile_w;
}

static int
strips(const struct rx_problem *p, const struct rx_config *config)
{
    return (window_of(p).yh + config->tile_pixels - 1) / config->tile_pixels;
}

// Units of a row of the ring: the template's PITCH.
static int
row_units(const struct window *w)
{
    const int rows = w->yw / w->pixels;
    const int wide = ((rows - 1) * w->step + w->units + w->step - 1) / w->step * w->step;
    return wide + ((rows / w->step - wide) & (8 / w->step - 1));
}

static int
shared_bytes(const struct rx_problem *p, const struct rx_config *c)
{
    const struct window w = window_of(p);
    const int vectors = c->tile_w / VECTOR, planes = vectors * w.pixels;
    const int steps = (c->tile_pixels + c->tile_m - 1) / c->tile_m;
    const int ring = (steps > 1 ? 2 : 1) * c->tile_m * w.step + TAPS - w.step;
    const int spread = w.pixels == 2 ? 4 : 8, rows = ring * row_units(&w);
    const int plane = rows + ((spread / vectors - rows) & (spread - 1));
    const int threads = block_of(p, c);
    const int summed = threads / vectors * (2 * c->tile_w + 1) * (int)sizeof(float);
    const int items = c->tile_m * w.step * w.iw * vectors, loads = (items + threads - 1) / threads;
    const int raw = rx_cuda_chain_loads(&p->prologue[0]) * loads * threads;
    const int held = (planes * plane + raw) * UNIT_BYTES;
    const int chunks = w.pixels == 2 ? TAPS * w.units : TAPS * TAPS * w.group / VECTOR;
    const int weights = c->tile_w / w.slice * ((chunks + 1) / 2) * 2 * WARP * UNIT_BYTES;
    return weights + (rx_cuda_has_sums(p) && summed > held ? summed : held);
}

static int
maps_fit(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP && (o->dtype != RX_BF16 || o->pitch % VECTOR != 0))
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
    if (g->c != g->k || g->groups < 1)
        return "takes as many outputs as inputs";
    const struct window w = window_of(p);
    if (w.group != 4 && w.group != 8 && w.group != 16 && w.group != 32)
        return "takes groups of 4, 8, 16 or 32 channels";
    if (w.yw % w.pixels != 0)
        return "pairs of pixels need an even width";
    return maps_fit(p) ? NULL : "takes bf16 maps in whole vectors of 8 channels";
}

static const char *
why_no_config(const struct rx_problem *p, const struct rx_config *c)
{
    const struct window w = window_of(p);
    if (c->lanes != VECTOR)
        return "vectors of 8 channels";
    if (c->tile_w < w.slice || c->tile_w > CHANNELS_MAX || c->tile_w % w.slice != 0 ||
        (c->tile_w & (c->tile_w - 1)) != 0 || p->geometry.c % c->tile_w != 0)
        return "a block's channels must be a power of two up to 64 that divides all";
    if (c->tile_pixels > w.yh || c->tile_m < 1 || c->tile_m > ROWS_MAX)
        return "more rows than the map has";
    if (c->tile_m * w.step < TAPS - w.step)
        return "a step frees fewer rows than the next one shares with it";
    if (c->tile_n < 1 || c->tile_n > WARPS_MAX)
        return "1 to 8 warps of different pixels";
    const int threads = block_of(p, c);
    const int items = c->tile_m * w.step * w.iw * (c->tile_w / VECTOR);
    if (threads > BLOCK_MAX || (items + threads - 1) / threads > LOADS_MAX)
        return "too many threads, or too many loads of a thread";
    return NULL;
}

struct rx_cuda_grouped_step
rx_cuda_grouped_step(const struct rx_problem *p, const struct rx_config *c)
{
    const struct window w = window_of(p);
    const int threads = block_of(p, c);
    const int items = c->tile_m * w.step * w.iw * (c->tile_w / VECTOR);
    const int chunks = w.pixels == 2 ? TAPS * w.units : TAPS * TAPS * w.group / VECTOR;
    const int tiles = (c->tile_m * (w.yw / w.pixels) + MROWS - 1) / MROWS;
    return (struct rx_cuda_grouped_step){
        .steps = (c->tile_pixels + c->tile_m - 1) / c->tile_m,
        .loads = (items + threads - 1) / threads,
        .tiles = (tiles + c->tile_n - 1) / c->tile_n,
        .products = (chunks + 1) / 2,
    };
}

const struct rx_cuda_strips rx_cuda_grouped_fwd = {
    .skeleton = "gconv_fwd.mma",
    .threads = AT_ONCE,
    .problem = why_no_problem,
    .config = why_no_config,
    .block = block_of,
    .columns = columns,
    .strips = strips,
    .shared = shared_bytes,
    .work = rx_cuda_work_grouped,
};

const struct rx_cuda_strips rx_cuda_grouped_dgrad = {
    .skeleton = "gconv_dgrad.mma",
    .threads = AT_ONCE,
    .problem = why_no_problem,
    .config = why_no_config,
    .block = block_of,
    .columns = columns,
    .strips = strips,
    .shared = shared_bytes,
    .work = rx_cuda_work_grouped,
};
