// The configs that could compute a problem. A convolution's skeleton follows from its weights'
// layout; what is open is the register tile and how many pixels a task has.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gen/select/problem.h"
#include "gen/select/units.h"
#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

enum { FLAT_TILE = 4096 };                   // elements of a task on flat buffers
enum { PACK_PAIRS = 64 };                    // vectors of pairs of a task of pack
enum { MAP_TILE = 64, STATS_TILE = 32 };     // pixels of a pointwise task
enum { GAP_CHANNELS = 128 };                 // of a task of gap: some cache lines of each pixel
enum { PIXELS_MAX = 48, PIXELS_STEP = 12 };  // pixels of a task of conv_*
enum { WGRAD_MAX = 96 };                     // of conv_wgrad
enum { PIXELS_MIN = 24, WGRAD_MIN = 48 };    // even if the panel is larger than the cache
enum { CHANNELS_MAX = 256 };                 // that go through its epilogue together
enum { TILES_PIXELS = 128 };                 // of a panel that is multiplied by tiles
enum { TILES_WGRAD = 512 };                  // the same of a weight gradient's: 32 KB are two tiles
enum { ROWS_MAX = 14 };                      // of a step of gconv_wgrad
enum { WGRAD_MAPS = 2 };                     // of gradients, that it usually reads
enum { WGRAD_L1 = 5 };                       // quarters of the L1 cache that a step goes through
enum { TILE_MAX = 14 };                      // its register tile
enum { LONG_VECTOR = 16 };                   // lanes
enum { STRIP_ROWS = 2 };                     // of gconv_fwd.rows: statistics are merged so often
enum { VECTORS_MAX = 4 };                    // of a register tile of gconv_fwd, gconv_dgrad

struct list {
    const struct rx_machine *machine;
    const struct rx_problem *problem;
    struct rx_config config[RX_CANDIDATES_MAX];
    int n;
};

// Channels that go through the epilogue together: their weights are read again for every few
// pixels, so they take half of the L2 cache at most. More than a kilobyte of each pixel gains
// nothing.
static int
epilogue_width(const struct rx_machine *machine, const struct rx_problem *p, int vectors)
{
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD, width = vectors * machine->lanes;
    const int64_t taps = (int64_t)g->r * g->s * (dgrad ? g->k : g->c) / g->groups;
    const int channels = (dgrad ? g->c : g->k) / g->groups;
    const int64_t bytes = taps * (int64_t)sizeof(float) / rx_problem_per_multiply(p);
    const int64_t fit = machine->l2_bytes / 2 / (bytes > 0 ? bytes : 1);
    int64_t most = fit < CHANNELS_MAX ? fit : CHANNELS_MAX;
    most = most < channels + width - 1 ? most : channels + width - 1;
    return most < width ? width : (int)most / width * width;
}

// Adds the config if it is applicable.
static void
add(struct list *list, const char *skeleton, int pixels, int m, int n)
{
    struct rx_config config = {
        .skeleton = skeleton,
        .lanes = list->machine->lanes,
        .tile_pixels = pixels,
        .tile_m = m,
        .tile_n = n,
    };
    if (strncmp(skeleton, "conv_fwd", 8) == 0 || strncmp(skeleton, "conv_dgrad", 10) == 0)
        config.tile_w = epilogue_width(list->machine, list->problem, n);
    struct rx_text why = {0};
    if (rx_cpu_applicable(list->machine, list->problem, &config, &why)) {
        assert(list->n < RX_CANDIDATES_MAX);
        list->config[list->n++] = config;
    }
    rx_text_close(&why);
}

// Floats of a pixel's row in the panel.
static int64_t
panel_row(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    const int64_t taps = (int64_t)g->r * g->s;
    const int64_t cg = g->c / g->groups, kg = g->k / g->groups;
    const int64_t per = rx_problem_per_multiply(p);
    if (p->op == RX_PROBLEM_CONV_FWD)
        return taps * cg / per + RX_BLOCK;
    if (p->op == RX_PROBLEM_CONV_DGRAD)
        return taps * kg / per + RX_BLOCK;
    return (taps * cg + RX_BLOCK + (kg + RX_BLOCK - 1) / RX_BLOCK * RX_BLOCK) / per;
}

// Pixels whose panel takes half of the L2 cache, but enough to read or update weights seldom, and
// no more than one image has (small maps must still make tasks for every thread).
static int
pixels_limit(const struct rx_machine *machine, const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    const int in = p->op == RX_PROBLEM_CONV_DGRAD;
    int image = in ? g->h * g->w : g->oh * g->ow;
    if (in)
        image /= g->stride * g->stride;
    if (p->op == RX_PROBLEM_CONV_WGRAD && image < WGRAD_MIN)
        image = WGRAD_MIN;
    const int64_t fit = machine->l2_bytes / 2 / (panel_row(p) * (int64_t)sizeof(float));
    const int least = p->op == RX_PROBLEM_CONV_WGRAD ? WGRAD_MIN : PIXELS_MIN;
    const int most = p->op == RX_PROBLEM_CONV_WGRAD ? WGRAD_MAX : PIXELS_MAX;
    int64_t limit = fit < least ? least : fit;
    limit = limit < most ? limit : most;
    limit = limit < image ? limit : image;
    return limit > 1 ? (int)limit : 1;
}

// Register tiles that leave room for the vectors they multiply, best first: 6x2 and 3x4 reach 85 to
// 92 % of a Zen 3 core's peak where the depth is 256 or more. Those of 16 lanes follow from the 32
// registers of AVX-512 and wait for their measurement.
static const struct {
    int lanes, m, n;
    int wgrad;  // for weight gradients, or for the others
} tiles[] = {
    {16, 14, 2, 0}, {16, 14, 1, 0}, {16, 4, 4, 1}, {16, 6, 2, 1}, {16, 14, 1, 1},
    {8, 6, 2, 0},   {8, 6, 1, 0},   {8, 3, 4, 1},  {8, 6, 2, 1},  {4, 3, 4, 0},
    {4, 6, 2, 0},   {4, 3, 4, 1},   {4, 6, 2, 1},
};

static void
add_panel(struct list *list)
{
    const struct rx_problem *p = list->problem;
    const char *skeleton = rx_problem_op_text(p->op);
    const int limit = pixels_limit(list->machine, p);
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        if (tiles[i].lanes != list->machine->lanes ||
            tiles[i].wgrad != (p->op == RX_PROBLEM_CONV_WGRAD))
            continue;
        const int m = tiles[i].m, step = (PIXELS_STEP + m - 1) / m * m;
        if (limit < step)
            add(list, skeleton, tiles[i].m, tiles[i].m, tiles[i].n);
        for (int pixels = step; pixels <= limit; pixels += step)
            add(list, skeleton, pixels, tiles[i].m, tiles[i].n);
    }
}

// Products of tiles: pixels whose panel takes half of the L2 cache; of a weight gradient, which
// goes through all of dw with each panel, as many as its two tiles' rows stay in the L1 cache for.
static void
add_tiles(struct list *list)
{
    static const char *const skeleton[] = {
        [RX_PROBLEM_CONV_FWD] = "conv_fwd.amx",
        [RX_PROBLEM_CONV_DGRAD] = "conv_dgrad.amx",
        [RX_PROBLEM_CONV_WGRAD] = "conv_wgrad.amx",
    };
    const struct rx_problem *p = list->problem;
    const int wgrad = p->op == RX_PROBLEM_CONV_WGRAD;
    const int64_t most = wgrad ? TILES_WGRAD : TILES_PIXELS;
    const int64_t fit =
        (wgrad ? 2 : 1) * list->machine->l2_bytes / 2 / (panel_row(p) * (int64_t)sizeof(float));
    const int64_t pixels = (fit < most ? fit : most) / (2 * RX_BLOCK) * (2 * RX_BLOCK);
    for (int m = RX_BLOCK; m <= 2 * RX_BLOCK; m += RX_BLOCK)
        for (int n = 1; n <= 2; n++)
            add(list, skeleton[p->op], pixels > 2 * RX_BLOCK ? (int)pixels : 2 * RX_BLOCK, m, n);
}

// How many inputs meet a row of taps at a time: as many as leave room for the vectors that they
// multiply, and a divisor of the group's.
static int
inputs_tile(const struct list *list)
{
    const struct rx_geometry *g = &list->problem->geometry;
    const int cg = g->c / g->groups, gradients = (g->s - 1) / g->stride + 1;
    if (rx_units_permuted(g, list->machine->lanes) && cg < list->machine->lanes)
        return cg;
    int m = (list->machine->registers - 1 - gradients) / g->s;
    m = m < TILE_MAX ? m : TILE_MAX;
    m = m < 1 ? 1 : m < cg ? m : cg;
    while (cg % m != 0)
        m--;
    return m;
}

// Units that are packed together are long pieces of maps. A step has as many rows as leave what is
// packed of a unit and what is prefetched of the next one near the L1 cache: more rows look at dw
// less often.
static void
add_ring_wgrad(struct list *list)
{
    const struct rx_problem *p = list->problem;
    const struct rx_geometry *g = &p->geometry;
    const struct rx_units units = rx_units_of(g, list->machine->lanes);
    struct rx_config config = {
        .skeleton = "gconv_wgrad", .lanes = list->machine->lanes, .tile_n = 1};
    int pixels = 1;
    for (int rows = 1; rows <= ROWS_MAX; rows++) {
        const int64_t inputs = (int64_t)rows * g->stride * g->w * units.in;
        const int64_t gradients = (int64_t)rows * g->ow * units.out;
        config.tile_pixels = rows;
        const int64_t bytes = rx_cpu_scratch_bytes(p, &config) +
                              (inputs + WGRAD_MAPS * gradients) * (int64_t)sizeof(float);
        if (rows > 1 && bytes > list->machine->l1_bytes * WGRAD_L1 / 4)
            break;
        pixels = rows;
    }
    add(list, config.skeleton, pixels, inputs_tile(list), units.together);
}

// One row where a data gradient has long vectors: what its epilogue reads and stores of more rows
// is gone from the L1 cache before it comes to it (measured: AVX-512, stride 2, 1.2x to 1.4x). Else
// the most rows, in strips as equal as can be, whose ring and tile and the weights of a register
// tile stay in the L1 cache.
static int
strip_rows(const struct list *list, struct rx_config config)
{
    const struct rx_problem *p = list->problem;
    const struct rx_geometry *g = &p->geometry, roles = rx_units_roles(p);
    int64_t weights = 0;
    if (p->op == RX_PROBLEM_CONV_DGRAD && config.lanes >= LONG_VECTOR)
        return 1;
    if (rx_weights_layout(g) == RX_LAYOUT_PANEL)
        weights = (int64_t)g->r * g->s * (roles.c / g->groups) * config.tile_n * config.lanes;
    for (int strips = 1; strips < roles.oh; strips++) {
        config.tile_pixels = (roles.oh + strips - 1) / strips;
        const int64_t bytes = rx_cpu_ring_bytes(p, &config) + weights * (int64_t)sizeof(float);
        if (bytes <= list->machine->l1_bytes)
            return config.tile_pixels;
    }
    return 1;
}

// Tiles of a row, as equal as can be, that leave room for the vectors that they multiply.
static void
add_ring(struct list *list, const char *skeleton)
{
    const struct rx_problem *p = list->problem;
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD, step = dgrad ? g->stride : 1;
    const int row = dgrad ? (g->w + step - 1) / step : g->ow;
    struct rx_config config = {.skeleton = skeleton, .lanes = list->machine->lanes};
    for (int n = 1; n <= VECTORS_MAX; n *= 2)
        for (int parts = 1, last = 0; parts <= row; parts++) {
            const int m = (row + parts - 1) / parts * step;
            const int vectors = n == 1 ? m + g->s + 1 : m * n + n + 1;
            if (m == last || (vectors > list->machine->registers && m > step))
                continue;
            last = m;
            config.tile_m = m;
            config.tile_n = n;
            add(list, skeleton, strip_rows(list, config), m, n);
        }
}

// Rows of inputs that meet the taps of all rows of outputs at once, in tiles whose sums and weights
// fit into registers; units together whose rows take half of the L2 cache. Groups wider than a
// vector (measured: 32 channels at 7x7, AVX-512) do better with gconv_fwd and gconv_dgrad.
static void
add_rows(struct list *list)
{
    const struct rx_problem *p = list->problem;
    const struct rx_geometry *g = &p->geometry, roles = rx_units_roles(p);
    const int taps = g->r * g->s, most = (list->machine->registers - 1 - taps) / g->r;
    const int parts = most > 0 ? (g->w + most - 1) / most : 0;
    struct rx_config config = {.skeleton = "gconv_fwd.rows", .lanes = list->machine->lanes};
    if (parts == 0 || g->groups < 2 || roles.c / g->groups > config.lanes)
        return;
    config.tile_m = (g->w + parts - 1) / parts;
    config.tile_pixels = STRIP_ROWS < g->h ? STRIP_ROWS : g->h;
    config.tile_n = rx_units_of(&roles, config.lanes).n;
    while (config.tile_n > 1 && rx_cpu_scratch_bytes(p, &config) > list->machine->l2_bytes / 2)
        config.tile_n = (config.tile_n + 1) / 2;
    add(list, config.skeleton, config.tile_pixels, config.tile_m, config.tile_n);
}

static int
has_statistics(const struct rx_problem *p)
{
    for (int i = 0; i < p->epilogue.n; i++)
        if (p->epilogue.step[i].op == RX_STEP_STATS || p->epilogue.step[i].op == RX_STEP_SUMS)
            return 1;
    return 0;
}

// Equal parts of a row, about as long as a task of pixels.
static int
segment(int row)
{
    const int parts = (row + STATS_TILE - 1) / STATS_TILE;
    return (row + parts - 1) / parts;
}

static void
add_simple(struct list *list)
{
    const enum rx_problem_op op = list->problem->op;
    const struct rx_geometry *g = &list->problem->geometry;
    const char *skeleton = rx_problem_op_text(op);
    switch (op) {
    case RX_PROBLEM_MAXPOOL:
        add(list, skeleton, segment(g->ow), 0, 0);
        break;
    case RX_PROBLEM_MAXPOOL_GRAD:
        add(list, skeleton, segment(g->w), 0, 0);
        break;
    case RX_PROBLEM_GAP:
        add(list, skeleton, GAP_CHANNELS, 0, 0);
        break;
    case RX_PROBLEM_MAP:
    case RX_PROBLEM_GAP_GRAD:
        add(list, skeleton, has_statistics(list->problem) ? STATS_TILE : MAP_TILE, 0, 0);
        break;
    case RX_PROBLEM_PACK:
        add(list, skeleton, PACK_PAIRS, 0, 0);
        break;
    case RX_PROBLEM_REDUCE:
    case RX_PROBLEM_SGD:
    case RX_PROBLEM_UPDATE:
        add(list, skeleton, FLAT_TILE, 0, 0);
        break;
    case RX_PROBLEM_BN_COEF:
    case RX_PROBLEM_BN_FOLD:
    case RX_PROBLEM_BN_GRAD_COEF:
    case RX_PROBLEM_BIAS_GRAD:
        add(list, skeleton, RX_BLOCK, 0, 0);
        break;
    default:
        add(list, skeleton, 1, 0, 0);
        break;
    }
}

static int
better(const struct list *list, const struct rx_config *a, const struct rx_config *b)
{
    return rx_cpu_estimate(list->machine, list->problem, a) <
           rx_cpu_estimate(list->machine, list->problem, b);
}

// Best first; equal ones keep the order in which they were made.
static void
sort(struct list *list)
{
    for (int i = 1; i < list->n; i++) {
        const struct rx_config config = list->config[i];
        int j = i;
        for (; j > 0 && better(list, &config, &list->config[j - 1]); j--)
            list->config[j] = list->config[j - 1];
        list->config[j] = config;
    }
}

int
rx_cpu_candidates(const struct rx_machine *machine, const struct rx_problem *problem,
                  struct rx_config *config, int max)
{
    struct list list = {.machine = machine, .problem = problem};
    const int lanes = problem->op <= RX_PROBLEM_CONV_WGRAD &&
                      rx_weights_layout(&problem->geometry) == RX_LAYOUT_LANES;
    switch (problem->op) {
    case RX_PROBLEM_CONV_FWD:
        add_rows(&list);
        add_ring(&list, "gconv_fwd");
        break;
    case RX_PROBLEM_CONV_DGRAD:
        add_rows(&list);
        add_ring(&list, "gconv_dgrad");
        break;
    case RX_PROBLEM_CONV_WGRAD:
        break;
    default:
        add_simple(&list);
    }
    const int ring = problem->op == RX_PROBLEM_CONV_WGRAD && problem->geometry.groups > 1 &&
                     problem->products != RX_BF16;
    if (ring)
        add_ring_wgrad(&list);
    if (problem->op <= RX_PROBLEM_CONV_WGRAD && !lanes)
        add_panel(&list);
    if (problem->op <= RX_PROBLEM_CONV_WGRAD && problem->products == RX_BF16)
        add_tiles(&list);
    sort(&list);
    const int n = list.n < max ? list.n : max;
    memcpy(config, list.config, (size_t)n * sizeof *config);
    return n;
}
