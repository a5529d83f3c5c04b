// Whether a config can compute a problem. What is refused here would compute something wrong or
// write outside of its memory; what is merely slow is for the estimate to say.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gen/select/units.h"
#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

// Loops over a register tile unroll so often; panels end so much later.
enum { TILE_ROWS_MAX = 16 };
enum { PIXELS_MAX = 1 << 16 };
enum { ANY_LAYOUT = -1 };

struct question {
    const struct rx_problem *problem;
    const struct rx_config *config;
    struct rx_text *why;
};

// Says why not, and answers 0.
__attribute__((format(printf, 2, 3))) static int
no(const struct question *q, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rx_text_printf(q->why, "%s: %s", q->config->skeleton, text);
    return 0;
}

// The vectors of a register tile make whole blocks of the packed weights, or divide one.
static int
fits_blocks(const struct question *q, int channels)
{
    const int width = q->config->tile_n * q->config->lanes;
    const int rounded = (channels + RX_BLOCK - 1) / RX_BLOCK * RX_BLOCK;
    if (RX_BLOCK % width == 0 || (width % RX_BLOCK == 0 && rounded % width == 0))
        return 1;
    return no(q, "%d vectors of %d lanes do not make up the %d channels of a group",
              q->config->tile_n, q->config->lanes, rounded);
}

static int
panel(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    if (c->tile_m < 1 || c->tile_m > TILE_ROWS_MAX || c->tile_n < 1)
        return no(q, "a register tile of %dx%d: 1 to %d rows, 1 vector or more", c->tile_m,
                  c->tile_n, TILE_ROWS_MAX);
    const int odd = q->problem->op == RX_PROBLEM_CONV_DGRAD && g->k / g->groups % 2 != 0;
    if (q->problem->products == RX_BF16 && odd)
        return no(q, "%d outputs of a group, which do not make pairs", g->k / g->groups);
    const int width = c->tile_n * c->lanes, wgrad = q->problem->op == RX_PROBLEM_CONV_WGRAD;
    if (wgrad ? c->tile_w != 0 : c->tile_w < width || c->tile_w % width != 0)
        return no(q, "%d channels go through the epilogue together: %s of a register tile's %d",
                  c->tile_w, wgrad ? "no multiple" : "a multiple", width);
    return fits_blocks(q, (q->problem->op == RX_PROBLEM_CONV_DGRAD ? g->c : g->k) / g->groups);
}

// Products of two by two tiles at most, of 16 rows, lanes and pairs. A data gradient takes the taps
// one by one, so each of them makes whole tiles.
static int
tiles(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int dgrad = q->problem->op == RX_PROBLEM_CONV_DGRAD;
    const int wgrad = q->problem->op == RX_PROBLEM_CONV_WGRAD, width = c->tile_n * c->lanes;
    if (q->problem->products != RX_BF16)
        return no(q, "multiplies bf16, products of f32 are asked for");
    if (g->groups != 1)
        return no(q, "%d groups, there must be one", g->groups);
    if ((c->tile_m != RX_BLOCK && c->tile_m != 2 * RX_BLOCK) || c->tile_n < 1 || c->tile_n > 2)
        return no(q, "%d rows by %d vectors: 16 or 32, 1 or 2", c->tile_m, c->tile_n);
    if (dgrad && g->k % (2 * RX_BLOCK) != 0)
        return no(q, "%d outputs, a multiple of 32 makes whole tiles", g->k);
    if (wgrad ? c->tile_w != 0 : c->tile_w < width || c->tile_w % width != 0)
        return no(q, "%d channels go through the epilogue together: %s of a product's %d",
                  c->tile_w, wgrad ? "no multiple" : "a multiple", width);
    return fits_blocks(q, dgrad ? g->c : g->k);
}

// Tiles of one row, as equal as can be: some of tile_m pixels, the others one stride less.
static int
ring_row(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int dgrad = q->problem->op == RX_PROBLEM_CONV_DGRAD, step = dgrad ? g->stride : 1;
    const int row = dgrad ? (g->w + step - 1) / step : g->ow, m = c->tile_m / step;
    if (g->groups < 2)
        return no(q, "one group, there must be several");
    if (c->tile_m < 1 || c->tile_m > TILE_ROWS_MAX || c->tile_m % step != 0 || m > row)
        return no(q, "a register tile of %d pixels: a multiple of %d to %d", c->tile_m, step,
                  row * step < TILE_ROWS_MAX ? row * step : TILE_ROWS_MAX);
    const int tiles = (row + m - 1) / m;
    if (m != (row + tiles - 1) / tiles)
        return no(q, "%d tiles of a row of %d are %d pixels, not %d", tiles, row * step,
                  (row + tiles - 1) / tiles * step, c->tile_m);
    if (rx_weights_layout(g) == RX_LAYOUT_LANES)
        return c->tile_n == 1 || no(q, "%d vectors of narrow groups, which are one", c->tile_n);
    if (c->tile_n < 1)
        return no(q, "%d vectors: 1 or more", c->tile_n);
    return fits_blocks(q, (dgrad ? g->c : g->k) / g->groups);
}

// Maps of one size, so that a data gradient is a convolution too; whole vectors of a group, or
// whole groups in a vector.
static int
rows_tile(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int m = c->tile_m, tiles = m > 0 ? (g->w + m - 1) / m : 1;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    if (g->groups < 2)
        return no(q, "one group, there must be several");
    if (g->stride != 1 || g->r != g->s || 2 * g->pad + 1 != g->r)
        return no(q, "the maps must have one size, at stride 1");
    if (rx_weights_layout(g) == RX_LAYOUT_LANES ? !rx_units_permuted(g, c->lanes)
                                                : cg % c->lanes != 0 || kg % c->lanes != 0)
        return no(q, "%d and %d channels a group neither fill vectors of %d nor share them", cg, kg,
                  c->lanes);
    if (m < 1 || m > TILE_ROWS_MAX || m > g->w || m != (g->w + tiles - 1) / tiles)
        return no(q, "a register tile of %d pixels in a row of %d: one of equal ones", m, g->w);
    if (c->tile_pixels > g->h)
        return no(q, "strips of %d rows of %d", c->tile_pixels, g->h);
    return c->tile_n >= 1 || no(q, "%d units together: 1 or more", c->tile_n);
}

// Inputs at a time; vectors that hold several groups are spread as a whole.
static int
ring_inputs(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int cg = g->c / g->groups;
    if (g->groups < 2)
        return no(q, "one group, there must be several");
    if (c->tile_m < 1 || c->tile_m > cg || c->tile_m > TILE_ROWS_MAX || c->tile_n < 1)
        return no(q, "%d inputs at a time of %d units: 1 to %d, 1 or more", c->tile_m, c->tile_n,
                  cg < TILE_ROWS_MAX ? cg : TILE_ROWS_MAX);
    if (rx_units_permuted(g, c->lanes) && cg < c->lanes && c->tile_m != cg)
        return no(q, "%d inputs at a time, vectors hold groups of %d", c->tile_m, cg);
    if (rx_weights_layout(g) == RX_LAYOUT_LANES && cg % c->tile_m != 0)
        return no(q, "%d inputs at a time: a divisor of %d", c->tile_m, cg);
    return 1;
}

static int
no_tile(const struct question *q)
{
    if (q->config->tile_m != 0 || q->config->tile_n != 0)
        return no(q, "a register tile of %dx%d where none is used", q->config->tile_m,
                  q->config->tile_n);
    return 1;
}

static int
whole_vectors(const struct question *q)
{
    if (q->config->tile_pixels % q->config->lanes != 0)
        return no(q, "%d channels a task, which are not whole vectors of %d lanes",
                  q->config->tile_pixels, q->config->lanes);
    return no_tile(q);
}

static int
one_unit(const struct question *q)
{
    if (q->config->tile_pixels != 1)
        return no(q, "%d units a task, which is one", q->config->tile_pixels);
    return no_tile(q);
}

// Every skeleton, the operation that it computes, and what it asks of a config. Convolutions ask
// for a layout of the weights too.
static const struct rule {
    const char *skeleton;
    enum rx_problem_op op;
    int layout;  // enum rx_layout or ANY_LAYOUT
    int (*check)(const struct question *q);
    int pairs;  // 1: it multiplies pairs of bf16 too
    int tiles;  // 1: by tiles, which not every machine has
} rules[] = {
    {"conv_fwd", RX_PROBLEM_CONV_FWD, RX_LAYOUT_PANEL, panel, 1, 0},
    {"conv_dgrad", RX_PROBLEM_CONV_DGRAD, RX_LAYOUT_PANEL, panel, 1, 0},
    {"conv_wgrad", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, panel, 1, 0},
    {"conv_fwd.amx", RX_PROBLEM_CONV_FWD, RX_LAYOUT_PANEL, tiles, 1, 1},
    {"conv_dgrad.amx", RX_PROBLEM_CONV_DGRAD, RX_LAYOUT_PANEL, tiles, 1, 1},
    {"conv_wgrad.amx", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, tiles, 1, 1},
    {"gconv_fwd", RX_PROBLEM_CONV_FWD, ANY_LAYOUT, ring_row, 0, 0},
    {"gconv_dgrad", RX_PROBLEM_CONV_DGRAD, ANY_LAYOUT, ring_row, 0, 0},
    {"gconv_fwd.rows", RX_PROBLEM_CONV_FWD, ANY_LAYOUT, rows_tile, 0, 0},
    {"gconv_fwd.rows", RX_PROBLEM_CONV_DGRAD, ANY_LAYOUT, rows_tile, 0, 0},
    {"gconv_wgrad", RX_PROBLEM_CONV_WGRAD, ANY_LAYOUT, ring_inputs, 0, 0},
    {"maxpool", RX_PROBLEM_MAXPOOL, 0, no_tile, 0, 0},
    {"maxpool_grad", RX_PROBLEM_MAXPOOL_GRAD, 0, no_tile, 0, 0},
    {"gap", RX_PROBLEM_GAP, 0, whole_vectors, 0, 0},
    {"gap_grad", RX_PROBLEM_GAP_GRAD, 0, no_tile, 0, 0},
    {"map", RX_PROBLEM_MAP, 0, no_tile, 0, 0},
    {"loss", RX_PROBLEM_LOSS, 0, one_unit, 0, 0},
    {"bn_coef", RX_PROBLEM_BN_COEF, 0, no_tile, 0, 0},
    {"bn_fold", RX_PROBLEM_BN_FOLD, 0, no_tile, 0, 0},
    {"bn_grad_coef", RX_PROBLEM_BN_GRAD_COEF, 0, no_tile, 0, 0},
    {"transpose", RX_PROBLEM_TRANSPOSE, 0, one_unit, 1, 0},
    {"pack", RX_PROBLEM_PACK, 0, no_tile, 0, 0},
    {"reduce", RX_PROBLEM_REDUCE, 0, no_tile, 0, 0},
    {"update", RX_PROBLEM_UPDATE, 0, no_tile, 0, 0},
    {"bias_grad", RX_PROBLEM_BIAS_GRAD, 0, no_tile, 0, 0},
    {"sgd", RX_PROBLEM_SGD, 0, no_tile, 0, 0},
};

// The skeleton's rule for the operation, or else for another one.
static const struct rule *
rule_of(const char *skeleton, enum rx_problem_op op)
{
    const struct rule *other = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].skeleton, skeleton) == 0) {
            other = &rules[i];
            if (other->op == op)
                break;
        }
    return other;
}

int
rx_cpu_applicable(const struct rx_machine *machine, const struct rx_problem *problem,
                  const struct rx_config *config, struct rx_text *why)
{
    const struct question q = {problem, config, why};
    const struct rule *rule = rule_of(config->skeleton, problem->op);
    if (rule == NULL)
        return no(&q, "no such skeleton");
    if (rule->op != problem->op)
        return no(&q, "computes %s, the problem is %s", rx_problem_op_text(rule->op),
                  rx_problem_op_text(problem->op));
    if (problem->op <= RX_PROBLEM_CONV_WGRAD && rule->layout != ANY_LAYOUT &&
        rule->layout != (int)rx_weights_layout(&problem->geometry))
        return no(&q,
                  rule->layout == RX_LAYOUT_LANES
                      ? "groups of at most %d channels only, of which there are several"
                      : "the weights of groups of at most %d channels lie otherwise",
                  RX_LANES_GROUP_MAX);
    if (problem->products == RX_BF16 && !rule->pairs)
        return no(&q, "multiplies f32, products of bf16 are asked for");
    if (rule->tiles && machine->tiles[0] == '\0')
        return no(&q, "multiplies tiles, which %s does not have", machine->arch);
    if (config->lanes != machine->lanes)
        return no(&q, "vectors of %d lanes, the machine's have %d", config->lanes, machine->lanes);
    if (config->tile_pixels < 1 || config->tile_pixels > PIXELS_MAX)
        return no(&q, "%d units a task: 1 to %d", config->tile_pixels, PIXELS_MAX);
    return rule->check(&q);
}
