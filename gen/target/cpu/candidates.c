// The configs that could compute a problem. A convolution's skeleton follows from its weights'
// layout; what is open is the register tile and how many pixels a task has.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

enum { FLAT_TILE = 4096 };                   // elements of a task on flat buffers
enum { MAP_TILE = 64, STATS_TILE = 32 };     // pixels of a pointwise task
enum { GAP_CHANNELS = 128 };                 // of a task of gap: some cache lines of each pixel
enum { PIXELS_MAX = 96, PIXELS_STEP = 12 };  // pixels of a task of conv_*
enum { PIXELS_MIN = 24, WGRAD_MIN = 48 };    // even if the panel is larger than the cache
enum { ROWS_MAX = 7 };                       // of a task of gconv_*
enum { TILE_MAX = 14, LATENCY_TILE = 8 };    // its register tile: at most, and to be busy

struct list {
    const struct rx_machine *machine;
    const struct rx_problem *problem;
    struct rx_config config[RX_CANDIDATES_MAX];
    int n;
};

static const char *
skeleton_of(const struct rx_problem *p)
{
    static const char *const gconv[] = {"gconv_fwd", "gconv_dgrad", "gconv_wgrad"};
    const int conv = p->op <= RX_PROBLEM_CONV_WGRAD;
    if (conv && rx_weights_layout(&p->geometry) == RX_LAYOUT_LANES)
        return gconv[p->op];
    return rx_problem_op_text(p->op);
}

// Adds the config if it is applicable.
static void
add(struct list *list, int pixels, int m, int n)
{
    const struct rx_config config = {
        .skeleton = skeleton_of(list->problem),
        .lanes = list->machine->lanes,
        .tile_pixels = pixels,
        .tile_m = m,
        .tile_n = n,
    };
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
    if (p->op == RX_PROBLEM_CONV_DGRAD)
        return taps * kg + RX_BLOCK;
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return taps * cg + RX_BLOCK + (kg + RX_BLOCK - 1) / RX_BLOCK * RX_BLOCK;
    return taps * cg + RX_BLOCK;
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
    int64_t limit = fit < least ? least : fit;
    limit = limit < PIXELS_MAX ? limit : PIXELS_MAX;
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
    const int limit = pixels_limit(list->machine, p);
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        if (tiles[i].lanes != list->machine->lanes ||
            tiles[i].wgrad != (p->op == RX_PROBLEM_CONV_WGRAD))
            continue;
        const int step = tiles[i].m > PIXELS_STEP ? tiles[i].m : PIXELS_STEP;
        if (limit < step)
            add(list, tiles[i].m, tiles[i].m, tiles[i].n);
        for (int pixels = step; pixels <= limit; pixels += step)
            add(list, pixels, tiles[i].m, tiles[i].n);
    }
}

// How many pixels of a row are computed together: no more than it has, few wasted, and enough to
// hide the latency of a multiply-add.
static int
row_tile(const struct rx_machine *machine, int width)
{
    int best = 1, best_cost = 0;
    for (int m = 1; m <= width && m <= machine->registers - 2 && m <= TILE_MAX; m++) {
        const int busy = m > LATENCY_TILE ? m : LATENCY_TILE;
        const int cost = (width + m - 1) / m * (busy + 1);
        if (m == 1 || cost <= best_cost) {
            best = m;
            best_cost = cost;
        }
    }
    return best;
}

// The largest divisor of the taps of a filter row whose sums fit into registers.
static int
tap_tile(const struct rx_machine *machine, int taps)
{
    int m = machine->registers - 2 < TILE_MAX ? machine->registers - 2 : TILE_MAX;
    while (taps % m != 0)
        m--;
    return m;
}

// Rows of a task: more would push the rows of all channels out of the L2 cache between one vector
// of channels and the next, fewer would expand neighbouring rows more often.
static void
add_lanes(struct list *list)
{
    const struct rx_problem *p = list->problem;
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD;
    const int height = dgrad ? g->h : g->oh;
    const int tasks = (height + ROWS_MAX - 1) / ROWS_MAX;
    const int rows = (height + tasks - 1) / tasks;
    const int width = dgrad ? g->w / g->stride : g->ow;
    int m = row_tile(list->machine, width);
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        m = tap_tile(list->machine, g->s * (g->c / g->groups));
    struct rx_config config = {
        .skeleton = skeleton_of(p), .lanes = list->machine->lanes, .tile_pixels = rows};
    while (config.tile_pixels > 1 && rx_cpu_scratch_bytes(p, &config) > list->machine->l2_bytes / 2)
        config.tile_pixels--;
    add(list, config.tile_pixels, m, 1);
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
    switch (op) {
    case RX_PROBLEM_MAXPOOL:
        add(list, segment(g->ow), 0, 0);
        break;
    case RX_PROBLEM_MAXPOOL_GRAD:
        add(list, segment(g->w), 0, 0);
        break;
    case RX_PROBLEM_GAP:
        add(list, GAP_CHANNELS, 0, 0);
        break;
    case RX_PROBLEM_MAP:
    case RX_PROBLEM_GAP_GRAD:
        add(list, has_statistics(list->problem) ? STATS_TILE : MAP_TILE, 0, 0);
        break;
    case RX_PROBLEM_REDUCE:
    case RX_PROBLEM_SGD:
        add(list, FLAT_TILE, 0, 0);
        break;
    case RX_PROBLEM_BN_COEF:
    case RX_PROBLEM_BN_FOLD:
    case RX_PROBLEM_BN_GRAD_COEF:
    case RX_PROBLEM_BIAS_GRAD:
        add(list, RX_BLOCK, 0, 0);
        break;
    default:
        add(list, 1, 0, 0);
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
    const char *skeleton = skeleton_of(problem);
    if (strncmp(skeleton, "conv_", 5) == 0)
        add_panel(&list);
    else if (strncmp(skeleton, "gconv_", 6) == 0)
        add_lanes(&list);
    else
        add_simple(&list);
    sort(&list);
    const int n = list.n < max ? list.n : max;
    memcpy(config, list.config, (size_t)n * sizeof *config);
    return n;
}
