// Constants and flags of templates: what a problem and a config say of them.
#include <string.h>

#include "gen/render/names.h"
#include "gen/select/problem.h"
#include "gen/select/units.h"
#include "runtime/plan.h"
#include "runtime/weights.h"

enum { LINE_FLOATS = 16 };  // f32 elements of a cache line
enum { PRODUCTS = 4 };      // of tensor cores, side by side, of a warp
// Channels of a group whose products are of pixel pairs; that fill a warp's columns.
enum { PAIR_GROUP = 4, SPREAD_GROUP = 32 };

struct value {
    const char *name;
    int64_t value;
};

static int
look_up(const struct value *table, size_t n, const char *name, int64_t *value)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0) {
            *value = table[i].value;
            return 1;
        }
    return 0;
}

static int
geometry_constant(const struct rx_geometry *g, const char *name, int64_t *value)
{
    const int groups = g->groups > 0 ? g->groups : 1;
    const struct value table[] = {
        {"H", g->h},           {"W", g->w},       {"C", g->c},   {"OH", g->oh},
        {"OW", g->ow},         {"K", g->k},       {"G", groups}, {"R", g->r},
        {"S", g->s},           {"ST", g->stride}, {"P", g->pad}, {"CG", g->c / groups},
        {"KG", g->k / groups},
    };
    return look_up(table, sizeof table / sizeof *table, name, value);
}

static int
chain_has(const struct rx_chain *chain, enum rx_step_op op)
{
    for (int i = 0; i < chain->n; i++)
        if (chain->step[i].op == op)
            return 1;
    return 0;
}

static int
config_constant(const struct rx_kernel *kernel, const char *name, int64_t *value)
{
    const struct rx_config *c = &kernel->config;
    const struct rx_geometry *g = &kernel->problem->geometry;
    const int groups = g->groups > 0 ? g->groups : 1,
              per = rx_problem_per_multiply(kernel->problem);
    const int back = kernel->problem->op == RX_PROBLEM_CONV_DGRAD;
    const struct value table[] = {
        {"PER", per},
        {"TERMS", g->k / groups / per},
        {"TAPS", (g->r * g->s * (g->c / groups) + per - 1) / per},
        {"BLOCK", RX_BLOCK},
        {"RX_LANES", c->lanes},
        {"THREADS", kernel->block},
        {"TILE_P", c->tile_pixels},
        {"TILE_M", c->tile_m},
        {"TILE_N", c->tile_n},
        {"TILE_W", c->tile_w},
        {"STAGES", kernel->stages},
        {"TILES", PRODUCTS},
        {"STEP", back ? 1 : kernel->problem->geometry.stride},
        {"TURNED", back},
        {"APART", back ? kernel->problem->geometry.stride : 1},
        {"LINE", LINE_FLOATS},
        {"SLACK", RX_CHAIN_MAX},
        {"HYPER_LR", RX_HYPER_LR},
        {"HYPER_MOMENTUM", RX_HYPER_MOMENTUM},
        {"HYPER_WD", kernel->problem->hyper_row},
        {"HYPER_NESTEROV", RX_HYPER_NESTEROV},
        {"HYPER_FIRST", RX_HYPER_FIRST},
        {"HYPER_SMOOTHING", RX_HYPER_SMOOTHING},
        {"HYPER_BN_MOMENTUM", RX_HYPER_BN_MOMENTUM},
    };
    return look_up(table, sizeof table / sizeof *table, name, value);
}

// How a grouped kernel cuts its channels.
static int
units_constant(const struct rx_kernel *kernel, const char *name, int64_t *value)
{
    if (kernel->problem->op > RX_PROBLEM_CONV_WGRAD)
        return 0;
    const struct rx_geometry g = rx_units_roles(kernel->problem);
    const struct rx_units units = rx_units_of(&g, kernel->config.lanes);
    const struct value table[] = {
        {"UNITS", units.n},           {"UNIT_IN", units.in},
        {"UNIT_OUT", units.out},      {"COLUMN", units.column},
        {"TOGETHER", units.together}, {"OWN", rx_units_permuted(&g, kernel->config.lanes)},
    };
    return look_up(table, sizeof table / sizeof *table, name, value);
}

// COUNT is the length of the first vector, the elements of an op on flat buffers.
static int
operand_constant(const struct rx_problem *p, const char *name, int64_t *value)
{
    const int vector = rx_problem_find(p, RX_OPERAND_VECTOR, 0);
    if (strcmp(name, "COUNT") == 0 && vector >= 0) {
        *value = p->operand[vector].c;
        return 1;
    }
    for (int i = 0; i < p->n_operands; i++) {
        char pitch[RX_NAME_CHARS + 8];
        rx_render_pitch_name(p, i, pitch, sizeof pitch);
        if (strcmp(name, pitch) == 0) {
            *value = p->operand[i].pitch;
            return 1;
        }
    }
    return 0;
}

// Maps that a chain reads.
static int
chain_loads(const struct rx_chain *chain)
{
    int n = 0;
    for (int i = 0; i < chain->n; i++)
        n += chain->step[i].op == RX_STEP_LOAD;
    return n;
}

static int
chain_constant(const struct rx_problem *p, const char *name, int64_t *value)
{
    const struct value table[] = {
        {"MAPS0", chain_loads(&p->prologue[0])},
        {"MAPS1", chain_loads(&p->prologue[1])},
    };
    return look_up(table, sizeof table / sizeof *table, name, value);
}

int
rx_render_constant(const struct rx_kernel *kernel, const char *name, int64_t *value)
{
    return geometry_constant(&kernel->problem->geometry, name, value) ||
           units_constant(kernel, name, value) || config_constant(kernel, name, value) ||
           chain_constant(kernel->problem, name, value) ||
           operand_constant(kernel->problem, name, value);
}

int
rx_render_tail(const struct rx_kernel *kernel, enum rx_domain domain)
{
    if (kernel->language->style == RX_CALL_LAUNCH)
        return 0;  // its vectors are always whole
    const struct rx_geometry *g = &kernel->problem->geometry;
    const int panel = g->groups > 0 && rx_weights_layout(g) == RX_LAYOUT_PANEL;
    const int groups = panel ? g->groups : 1;
    const int channels = domain == RX_DOMAIN_IN ? g->c : g->k;
    return channels / groups % kernel->config.lanes != 0;
}

static int
pointwise(const struct rx_geometry *g)
{
    return g->r == 1 && g->s == 1 && g->stride == 1 && g->pad == 0;
}

static int
one_tap(const struct rx_geometry *g)
{
    return g->r == 1 && g->s == 1 && g->pad == 0;
}

// Whether TILE_M does not divide a row (of a phase, in a data gradient), so that some tiles are
// smaller.
static int
uneven(const struct rx_kernel *kernel)
{
    const struct rx_geometry *g = &kernel->problem->geometry;
    const int dgrad = kernel->problem->op == RX_PROBLEM_CONV_DGRAD, step = dgrad ? g->stride : 1;
    const int row = dgrad ? (g->w + step - 1) / step : g->ow, m = kernel->config.tile_m / step;
    return m > 0 && row % m != 0;
}

// Channels of a group, where products of tensor cores are of groups.
static int
group_channels(const struct rx_geometry *g)
{
    return g->groups > 0 ? g->c / g->groups : 0;
}

// Whether the multiplies that make an output leave some over whole tiles of 16.
static int
has_rest(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    const int per = rx_problem_per_multiply(p);
    return (g->r * g->s * g->c + per - 1) / per % RX_BLOCK != 0;
}

// Whether weights are rows of bf16.
static int
has_rows(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++) {
        const enum rx_operand_kind kind = p->operand[i].kind;
        if ((kind == RX_OPERAND_WEIGHTS || kind == RX_OPERAND_WEIGHTS_DGRAD) &&
            p->operand[i].dtype == RX_BF16)
            return 1;
    }
    return 0;
}

// Whether the first map that is read is f32, as images are in networks of bf16.
static int
reads_images(const struct rx_problem *p)
{
    const struct rx_step *s = &p->prologue[0].step[0];
    return p->prologue[0].n > 0 && s->op == RX_STEP_LOAD && p->operand[s->operand].dtype == RX_F32;
}

int
rx_render_flag(const struct rx_machine *machine, const struct rx_kernel *kernel, const char *name)
{
    const struct rx_problem *p = kernel->problem;
    const struct rx_geometry *g = &p->geometry;
    const struct value table[] = {
        {"tail_in", rx_render_tail(kernel, RX_DOMAIN_IN)},
        {"tail_out", rx_render_tail(kernel, RX_DOMAIN_OUT)},
        {"prologue0", p->prologue[0].n > 1},
        {"prologue1", p->prologue[1].n > 1},
        {"epilogue", p->epilogue.n > 2},
        {"index", rx_problem_find(p, RX_OPERAND_INDEX, 0) >= 0},
        {"stats", chain_has(&p->epilogue, RX_STEP_STATS) || chain_has(&p->epilogue, RX_STEP_SUMS)},
        {"coefs", chain_has(&p->epilogue, RX_STEP_COEF)},
        {"epilogue_loads", chain_has(&p->epilogue, RX_STEP_LOAD)},
        {"padded", g->pad > 0},
        {"grouped", g->groups > 1},
        {"strided", g->stride > 1},
        {"pointwise", pointwise(g)},
        {"one_tap", one_tap(g)},
        {"projection", one_tap(g) && g->stride > 1},
        {"permuted", rx_units_permuted(g, kernel->config.lanes)},
        {"uneven", uneven(kernel)},
        {"images", reads_images(p)},
        {"rest", has_rest(p)},
        {"pairs", p->products == RX_BF16},
        {"rows", has_rows(p)},
        {"columns", !has_rows(p) && g->groups > 0 && rx_weights_layout(g) == RX_LAYOUT_PANEL},
        {"panel", g->groups > 0 && rx_weights_layout(g) == RX_LAYOUT_PANEL},
        {"pixel_pairs", group_channels(g) == PAIR_GROUP},
        {"quads", group_channels(g) > PAIR_GROUP && group_channels(g) < SPREAD_GROUP},
        {"spread", group_channels(g) >= SPREAD_GROUP},
        {"avx512", strcmp(machine->isa, "avx512") == 0},
        {"avx2", strcmp(machine->isa, "avx2") == 0},
        {"generic", strcmp(machine->isa, "generic") == 0},
    };
    int64_t value = 0;
    return look_up(table, sizeof table / sizeof *table, name, &value) ? (int)value : -1;
}
