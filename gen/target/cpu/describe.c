// What the plan must know of a chosen kernel. Tasks and scratch follow the skeletons' own words
// (their `//@ doc` lines).
#include <stdio.h>
#include <string.h>

#include "gen/select/name.h"
#include "gen/select/problem.h"
#include "gen/select/units.h"
#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

static int64_t
round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static int64_t
vector_count(const struct rx_problem *p)
{
    const int i = rx_problem_find(p, RX_OPERAND_VECTOR, 0);
    return i < 0 ? 0 : p->operand[i].c;
}

// conv_*: a packed panel, and a tile of results (wgrad: a panel of gradients).
static int64_t
panel_floats(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int64_t taps = (int64_t)g->r * g->s, cg = g->c / g->groups, kg = g->k / g->groups;
    const int64_t rows = round_up(config->tile_pixels, config->tile_m);
    const int64_t per = rx_problem_per_multiply(p);
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return (config->tile_pixels + per - 1) / per *
               (taps * cg + RX_BLOCK + round_up(kg, RX_BLOCK));
    const int64_t multiplies = taps * (p->op == RX_PROBLEM_CONV_DGRAD ? kg : cg);
    return rows * ((multiplies + per - 1) / per + RX_BLOCK) +
           config->tile_m * (config->tile_w + RX_BLOCK);
}

static int
by_tiles(const struct rx_config *config)
{
    return strstr(config->skeleton, ".amx") != NULL;
}

// The same of tiles, whose rows of taps and of pixels are filled up.
static int64_t
tiles_floats(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD;
    const int64_t taps = (int64_t)g->r * g->s * (dgrad ? g->k : g->c);
    const int64_t depth = round_up((taps + 1) / 2, RX_BLOCK);
    if (p->op == RX_PROBLEM_CONV_WGRAD) {
        const int64_t pairs = round_up(config->tile_pixels, 2 * RX_BLOCK) / 2;
        const int64_t pitch = round_up(taps, 2 * RX_BLOCK), outputs = round_up(g->k, RX_BLOCK);
        return pairs * (pitch + outputs) + outputs + 4 * RX_BLOCK * RX_BLOCK +
               RX_BLOCK * (pitch + 2 * RX_BLOCK) + outputs;
    }
    const int64_t rows = round_up(config->tile_pixels, config->tile_m);
    const int64_t rest = dgrad ? 0 : round_up(g->k, RX_BLOCK) * RX_BLOCK;
    return rows * (depth + RX_BLOCK) + config->tile_m * (config->tile_w + RX_BLOCK) + rest;
}

// gconv_fwd, gconv_dgrad: for each of some units a ring of the rows that a strip sees and the
// narrow groups' weights; a tile of results.
static int64_t
ring_floats(const struct rx_problem *p, const struct rx_config *config, int together)
{
    const struct rx_geometry *g = &p->geometry, roles = rx_units_roles(p);
    const struct rx_units units = rx_units_of(&roles, config->lanes);
    const int64_t strip = config->tile_pixels, st = g->stride, width = (g->w + st - 1) / st;
    const int64_t left = (g->s - 1 - g->pad + (g->s > g->pad ? st - 1 : 0)) / st;
    const int64_t taps = (int64_t)g->r * g->s * (roles.c / g->groups);
    int64_t row = (g->ow - 1) * st + g->s, rows = (strip - 1) * st + g->r, pixels = strip * g->ow;
    if (p->op == RX_PROBLEM_CONV_DGRAD) {
        row = left + width + (st - 1 + g->pad) / st;
        rows = (strip + g->r - 2) / st + 1;
        pixels = strip * g->w + st - 1;
    }
    const int64_t weights = rx_weights_layout(g) == RX_LAYOUT_LANES ? units.out * taps : 0;
    return together * (rows * row * units.column + weights) +
           pixels * config->tile_n * config->lanes;
}

// gconv_fwd.rows: a row of inputs, the rows of sums that it adds to, the weights as they are
// multiplied.
static int64_t
rows_floats(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry, roles = rx_units_roles(p);
    const struct rx_units units = rx_units_of(&roles, config->lanes);
    const int64_t taps = (int64_t)g->r * g->s * (roles.c / g->groups);
    const int64_t slots = round_up(config->tile_pixels + g->r - 1, config->tile_pixels);
    const int64_t row = (int64_t)(g->w + 2 * g->pad) * units.column;
    return config->tile_n * (row + units.out * (slots * g->w + taps)) +
           (int64_t)g->w * config->lanes;
}

int64_t
rx_cpu_ring_bytes(const struct rx_problem *p, const struct rx_config *config)
{
    return ring_floats(p, config, 1) * (int64_t)sizeof(float);
}

static int
units_together(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry roles = rx_units_roles(p);
    return rx_units_of(&roles, config->lanes).together;
}

static int64_t
at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// gconv_wgrad: the rows of inputs and gradients that a step sees, with what is beside the maps.
static int64_t
wgrad_floats(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const struct rx_units units = rx_units_of(g, config->lanes);
    const int64_t rows = config->tile_pixels, st = g->stride, back = (g->s - 1) / st;
    const int64_t end = (int64_t)(g->ow - 1) * st + g->s, map = g->pad + g->w;
    const int64_t u0 = g->pad / st, u1 = round_up(end < map ? end : map, st) / st;
    const int64_t gradients = at_least(back - u0, 0) + g->ow + at_least(u1 - g->ow, 0);
    const int64_t hop = at_least(g->h - (int64_t)(g->oh - 1) * st, st);
    const int64_t inputs = ((rows - 1) * hop + g->r) * (u1 - u0) * st;
    return config->tile_n * (inputs * units.column + RX_BLOCK) +
           rows * gradients * round_up(units.out, config->lanes);
}

int64_t
rx_cpu_scratch_bytes(const struct rx_problem *p, const struct rx_config *config)
{
    const int64_t element = sizeof(float);
    if (by_tiles(config))
        return tiles_floats(p, config) * element;
    if (strncmp(config->skeleton, "conv_", 5) == 0)
        return panel_floats(p, config) * element;
    if (strcmp(config->skeleton, "gconv_wgrad") == 0)
        return wgrad_floats(p, config) * element;
    if (strcmp(config->skeleton, "gconv_fwd.rows") == 0)
        return rows_floats(p, config) * element;
    if (strncmp(config->skeleton, "gconv_", 6) == 0)
        return ring_floats(p, config, units_together(p, config)) * element;
    return p->op == RX_PROBLEM_UPDATE ? config->tile_pixels * element : 0;
}

// Tasks of a row of pixels or channels.
static int64_t
segments(const struct rx_kernel *k, int row)
{
    return round_up(row, k->config.tile_pixels) / k->config.tile_pixels;
}

// conv_fwd: the register tiles that its outputs make, unless its prologue stores what it reads,
// which must be done once.
static int
columns(const struct rx_problem *p, const struct rx_config *config)
{
    const int width = config->tile_n * config->lanes, kg = p->geometry.k / p->geometry.groups;
    for (int i = 0; i < p->prologue[0].n; i++)
        if (p->prologue[0].step[i].op == RX_STEP_STORE)
            return 1;
    return p->geometry.groups * (int)round_up(kg, width) / width;
}

static void
set_tasks(struct rx_kernel *k)
{
    const struct rx_problem *p = k->problem;
    const struct rx_geometry *g = &p->geometry;
    const int64_t in = (int64_t)g->h * g->w, out = (int64_t)g->oh * g->ow;
    k->task_divisor = k->config.tile_pixels;
    k->columns = 1;
    if (strcmp(k->config.skeleton, "conv_wgrad.amx") == 0)
        k->task_divisor = 2 * RX_BLOCK;
    if (strncmp(k->config.skeleton, "conv_fwd", 8) == 0) {
        k->task_divisor = k->config.tile_m;
        k->columns = columns(p, &k->config);
    }
    if (strcmp(k->config.skeleton, "gconv_wgrad") == 0) {
        const int units = rx_units_of(g, k->config.lanes).n;
        k->task_image = round_up(units, k->config.tile_n) / k->config.tile_n * g->oh;
        k->task_divisor = 1;
        return;
    }
    if (strncmp(k->config.skeleton, "gconv_", 6) == 0) {
        const struct rx_geometry roles = rx_units_roles(p);
        k->task_image = rx_units_of(&roles, k->config.lanes).n;
        k->task_divisor = 1;
        return;
    }
    switch (p->op) {
    case RX_PROBLEM_CONV_FWD:
    case RX_PROBLEM_CONV_WGRAD:
        k->task_image = out;
        break;
    case RX_PROBLEM_MAXPOOL:
        k->task_image = g->oh * segments(k, g->ow);
        k->task_divisor = 1;
        break;
    case RX_PROBLEM_MAXPOOL_GRAD:
        k->task_image = g->h * segments(k, g->w);
        k->task_divisor = 1;
        break;
    case RX_PROBLEM_CONV_DGRAD:
    case RX_PROBLEM_GAP_GRAD:
    case RX_PROBLEM_MAP:
        k->task_image = in;
        break;
    case RX_PROBLEM_GAP:
        k->task_image = segments(k, g->c);
        k->task_divisor = 1;
        break;
    case RX_PROBLEM_LOSS:
        k->task_image = 1;
        break;
    case RX_PROBLEM_TRANSPOSE:
        k->task_fixed = (int64_t)g->r * g->s;
        if (rx_weights_layout(g) == RX_LAYOUT_PANEL)
            k->task_fixed *= g->groups * round_up(g->c / g->groups, RX_BLOCK) / RX_BLOCK;
        break;
    case RX_PROBLEM_PACK:
        k->task_fixed = rx_weights_count_of(g, RX_BF16X2) / RX_BLOCK;
        break;
    default:
        k->task_fixed = vector_count(p);
        break;
    }
}

int
rx_cpu_describe(const struct rx_machine *machine, const char *templates, const char *toolchain,
                const struct rx_problem *problem, const struct rx_config *config,
                struct rx_kernel *kernel, struct rx_error *error)
{
    *kernel =
        (struct rx_kernel){.problem = problem, .config = *config, .language = &rx_cpu_language};
    struct rx_text why = {0};
    int status = RX_OK;
    if (!rx_cpu_applicable(machine, problem, config, &why))
        status = rx_error_refused(error, "%s", rx_text_str(&why));
    rx_text_close(&why);
    if (status == RX_OK)
        status = rx_kernel_identify(kernel, machine, templates, toolchain, error);
    if (status != RX_OK)
        return status;
    set_tasks(kernel);
    kernel->scratch_bytes = round_up(rx_cpu_scratch_bytes(problem, config), 64);
    kernel->estimate = rx_cpu_estimate(machine, problem, config);
    snprintf(kernel->why, sizeof kernel->why, "%sestimate: %.4g us an image on one core",
             by_tiles(config)               ? "multiplies tiles of bf16; "
             : problem->products == RX_BF16 ? "multiplies pairs of bf16; "
                                            : "",
             kernel->estimate * 1e6);
    return RX_OK;
}
