// Whether a config can compute a problem. What is refused here would compute something wrong or
// write outside of its memory; what is merely slow is for the estimate to say.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/strips.h"
#include "runtime/weights.h"

enum { WARP = 32, THREADS_MAX = 1024, DEPTH = 16, TILE_ROWS_MAX = 16 };
enum { PIXELS_MAX = 1 << 16 };
enum { MMA_DEPTH = 32, ACCUMULATORS_MAX = 8 };  // of mma kernels: a stage, 16x32 tiles of a warp
enum { ROW_FLOATS_MAX = 104 };   // sums and gradients of a thread that has a row of the filter
enum { SHARED_MAX = 48 << 10 };  // bytes of a block that need not be asked for

struct question {
    const struct rx_machine *machine;
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

int
rx_cuda_lanes_fit(const struct rx_problem *p, int lanes)
{
    const struct rx_geometry *g = &p->geometry;
    const int groups = p->op <= RX_PROBLEM_CONV_WGRAD ? g->groups : 1;
    if (g->c / groups % lanes != 0 || g->k / groups % lanes != 0)
        return 0;
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP && (o->pitch % lanes != 0 || o->c % lanes != 0))
            return 0;
    }
    return 1;
}

static int
block_is_whole(const struct question *q)
{
    const int threads = rx_cuda_block(q->problem, q->config);
    if (threads < WARP || threads > THREADS_MAX || threads % WARP != 0)
        return no(q, "a block of %d threads: a multiple of %d to %d", threads, WARP, THREADS_MAX);
    return 1;
}

// Tiles of a product: staged factors and, for sums, two values of each row of threads.
static int
product(const struct question *q)
{
    const struct rx_config *c = q->config;
    if (c->tile_m < 1 || c->tile_m > TILE_ROWS_MAX || c->tile_n < 1 || c->tile_w < RX_BLOCK ||
        c->tile_w % (c->tile_n * c->lanes) != 0 || c->tile_w % RX_BLOCK != 0 ||
        c->tile_pixels % c->tile_m != 0 || c->tile_pixels % c->lanes != 0)
        return no(q, "a tile of %dx%d in threads of %dx%d vectors", c->tile_pixels, c->tile_w,
                  c->tile_m, c->tile_n);
    const int rows = c->tile_pixels / c->tile_m, width = c->tile_w / c->tile_n;
    if (q->problem->products == RX_BF16)
        return no(q, "multiplies f32, products of bf16 are asked for");
    const int staged = DEPTH * (c->tile_pixels + 4 + c->tile_w), summed = rows * (2 * width + 1);
    if ((staged > summed ? staged : summed) * (int)sizeof(float) > SHARED_MAX)
        return no(q, "a tile of %dx%d does not fit into shared memory", c->tile_pixels, c->tile_w);
    return block_is_whole(q);
}

// Tiles of a product on tensor cores: each thread stages as much as the others, two stages and the
// sums fit.
static int
mma(const struct question *q)
{
    const struct rx_config *c = q->config;
    if (c->lanes != RX_CUDA_MMA_LANES || q->problem->products != RX_BF16)
        return no(q, "products of bf16 are needed, in vectors of %d channels", RX_CUDA_MMA_LANES);
    if (c->tile_m < 1 || c->tile_n < 1 || c->tile_pixels % (RX_CUDA_MMA_ROWS * c->tile_m) != 0 ||
        c->tile_w % (RX_CUDA_MMA_COLUMNS * c->tile_n) != 0)
        return no(q, "a tile of %dx%d in warps of %dx%d", c->tile_pixels, c->tile_w,
                  RX_CUDA_MMA_ROWS * c->tile_m, RX_CUDA_MMA_COLUMNS * c->tile_n);
    if (!block_is_whole(q))
        return 0;
    const int threads = rx_cuda_block(q->problem, c), vectors = MMA_DEPTH / c->lanes;
    const int wgrad = q->problem->op == RX_PROBLEM_CONV_WGRAD;
    if (c->tile_m * c->tile_n > ACCUMULATORS_MAX || c->tile_pixels * vectors % threads != 0 ||
        (wgrad ? c->tile_w * vectors : c->tile_w / 4 * (MMA_DEPTH / 2)) % threads != 0)
        return no(q, "a tile of %dx%d is not staged by %d threads in equal shares", c->tile_pixels,
                  c->tile_w, threads);
    int stages, bytes;
    rx_cuda_mma_ring(q->machine, q->problem, c, &stages, &bytes);
    if (rx_cuda_mma_resident(q->problem, c) < 1 || stages == 0)
        return no(q, "a tile of %dx%d does not fit into a multiprocessor", c->tile_pixels,
                  c->tile_w);
    return 1;
}

// Whether a prologue only loads maps that are as wide as their channels, so that what lies beside
// each other may be loaded whatever its pixel.
static int
reads_flat(const struct rx_problem *p, int prologue)
{
    const struct rx_chain *chain = &p->prologue[prologue];
    const struct rx_step *s = &chain->step[0];
    return chain->n == 1 && s->op == RX_STEP_LOAD && p->operand[s->operand].pitch == p->geometry.c;
}

static int
outputs_fit(const struct rx_problem *p, int lanes)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        if (o->kind == RX_OPERAND_MAP && o->domain == RX_DOMAIN_OUT && o->pitch % lanes != 0)
            return 0;
    }
    return p->geometry.k % lanes == 0;
}

// What threads that have a row of the filter each ask for; the block has `staged` and `summed`
// floats.
static int
rows_fit(const struct question *q, int staged, int summed)
{
    const struct rx_config *c = q->config;
    const int floats = rx_cuda_row_floats(q->problem, c);
    if (floats > ROW_FLOATS_MAX)
        return no(q, "%d sums and gradients of a thread, more than %d", floats, ROW_FLOATS_MAX);
    if (c->tile_m > c->lanes || c->tile_n != 1 || c->tile_pixels % c->tile_m != 0)
        return no(q, "a segment of %d pixels, %d of them at once", c->tile_pixels, c->tile_m);
    if ((staged > summed ? staged : summed) * (int)sizeof(float) > SHARED_MAX)
        return no(q, "a tile of %dx%d does not fit into shared memory", c->tile_pixels, c->tile_w);
    const int threads = rx_cuda_block(q->problem, c);
    const int most = rx_cuda_row_threads(q->problem, c);
    if (threads > most)
        return no(q, "a block of %d threads: at most %d", threads, most);
    return block_is_whole(q);
}

// Whether threads of a warp that are side by side have all of the channels, or a whole part of
// them.
static int
fills_warps(const struct rx_config *c, int channels)
{
    return channels >= c->lanes && WARP * c->lanes % channels == 0;
}

// Few inputs: those of an output row are loaded in vectors across pixels.
static int
dense_rows(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int row = g->s * g->c, step = g->stride * g->c;
    if (g->groups != 1 || !reads_flat(q->problem, 0) || g->w * g->c % c->lanes != 0 ||
        !outputs_fit(q->problem, c->lanes))
        return no(q, "rows of inputs that are loaded as they lie are needed, in vectors of %d",
                  c->lanes);
    if (c->tile_m < 1 || c->tile_m * step % c->lanes != 0 || !fills_warps(c, c->tile_w))
        return no(q, "%d pixels at once, of %d outputs", c->tile_m, c->tile_w);
    return rows_fit(
        q, g->r * (c->tile_pixels * step + row + 2 * c->lanes) + c->tile_pixels * c->tile_w,
        g->r * row * c->tile_w);
}

// Narrow groups: a block has whole ones.
static int
group_rows(const struct question *q)
{
    const struct rx_config *c = q->config;
    const struct rx_geometry *g = &q->problem->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    const int inputs = c->tile_w / kg * cg, width = (c->tile_pixels - 1) * g->stride + g->s;
    if (rx_weights_layout(g) == RX_LAYOUT_PANEL && (g->groups == 1 || kg % RX_BLOCK != 0))
        return no(q, "groups of %d outputs: blocks of %d are needed", kg, RX_BLOCK);
    if (c->tile_m < 1 || c->tile_w % kg != 0 || !fills_warps(c, c->tile_w) ||
        !fills_warps(c, inputs))
        return no(q, "%d pixels at once, of %d outputs", c->tile_m, c->tile_w);
    return rows_fit(q, g->r * width * inputs + c->tile_pixels * c->tile_w,
                    g->r * g->s * cg * c->tile_w);
}

static int
no_tile(const struct question *q)
{
    if (q->config->tile_m != 0 || q->config->tile_n != 0)
        return no(q, "a thread's tile of %dx%d where none is used", q->config->tile_m,
                  q->config->tile_n);
    return 1;
}

// Rows of threads, each a pixel of tile_w channels.
static int
pixels(const struct question *q)
{
    const struct rx_config *c = q->config;
    if (!no_tile(q))
        return 0;
    const int columns = c->tile_w / c->lanes;
    if (c->tile_w % c->lanes != 0 || columns < 1 || rx_cuda_block(q->problem, c) % columns != 0)
        return no(q, "%d channels of a row of threads with %d each", c->tile_w, c->lanes);
    return block_is_whole(q);
}

// One element a thread: the block is what the units are counted in, or follows from them.
static int
flat(const struct question *q)
{
    const struct rx_config *c = q->config;
    const int units = rx_cuda_flat_units(q->problem->op);
    if (c->tile_w != 0 || c->tile_pixels != units)
        return no(q, "%d units a block, which are %d", c->tile_pixels, units);
    return no_tile(q);
}

static int
strips(const struct question *q)
{
    const char *why = rx_cuda_strips_refuse(q->machine, q->problem, q->config);
    return why == NULL || no(q, "%s", why);
}

enum { ANY_LAYOUT = -1 };

// Every skeleton, the operation that it computes, and what it asks of a config. Convolutions ask
// for a layout of the weights too.
static const struct rule {
    const char *skeleton;
    enum rx_problem_op op;
    int layout;  // enum rx_layout or ANY_LAYOUT
    int (*check)(const struct question *q);
} rules[] = {
    {"conv_fwd", RX_PROBLEM_CONV_FWD, RX_LAYOUT_PANEL, product},
    {"conv_dgrad", RX_PROBLEM_CONV_DGRAD, RX_LAYOUT_PANEL, product},
    {"conv_wgrad", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, product},
    {"conv_wgrad.row", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, dense_rows},
    {"conv_fwd.mma", RX_PROBLEM_CONV_FWD, RX_LAYOUT_PANEL, mma},
    {"conv_fwd.few.mma", RX_PROBLEM_CONV_FWD, RX_LAYOUT_PANEL, strips},
    {"conv_dgrad.mma", RX_PROBLEM_CONV_DGRAD, RX_LAYOUT_PANEL, mma},
    {"conv_wgrad.few.mma", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, strips},
    {"conv_wgrad.mma", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_PANEL, mma},
    {"gconv_fwd", RX_PROBLEM_CONV_FWD, RX_LAYOUT_LANES, pixels},
    {"gconv_dgrad", RX_PROBLEM_CONV_DGRAD, RX_LAYOUT_LANES, pixels},
    {"gconv_wgrad.row", RX_PROBLEM_CONV_WGRAD, ANY_LAYOUT, group_rows},
    {"gconv_wgrad", RX_PROBLEM_CONV_WGRAD, RX_LAYOUT_LANES, pixels},
    {"gconv_fwd.mma", RX_PROBLEM_CONV_FWD, ANY_LAYOUT, strips},
    {"gconv_dgrad.mma", RX_PROBLEM_CONV_DGRAD, ANY_LAYOUT, strips},
    {"gconv_wgrad.mma", RX_PROBLEM_CONV_WGRAD, ANY_LAYOUT, strips},
    {"maxpool", RX_PROBLEM_MAXPOOL, ANY_LAYOUT, pixels},
    {"maxpool_grad", RX_PROBLEM_MAXPOOL_GRAD, ANY_LAYOUT, pixels},
    {"gap", RX_PROBLEM_GAP, ANY_LAYOUT, pixels},
    {"gap_grad", RX_PROBLEM_GAP_GRAD, ANY_LAYOUT, pixels},
    {"map", RX_PROBLEM_MAP, ANY_LAYOUT, pixels},
    {"loss", RX_PROBLEM_LOSS, ANY_LAYOUT, flat},
    {"bn_coef", RX_PROBLEM_BN_COEF, ANY_LAYOUT, flat},
    {"bn_fold", RX_PROBLEM_BN_FOLD, ANY_LAYOUT, flat},
    {"bn_grad_coef", RX_PROBLEM_BN_GRAD_COEF, ANY_LAYOUT, flat},
    {"pack", RX_PROBLEM_PACK, ANY_LAYOUT, flat},
    {"transpose", RX_PROBLEM_TRANSPOSE, ANY_LAYOUT, flat},
    {"reduce", RX_PROBLEM_REDUCE, ANY_LAYOUT, flat},
    {"update", RX_PROBLEM_UPDATE, ANY_LAYOUT, flat},
    {"bias_grad", RX_PROBLEM_BIAS_GRAD, ANY_LAYOUT, flat},
    {"sgd", RX_PROBLEM_SGD, ANY_LAYOUT, flat},
};

static const struct rule *
rule_of(const char *skeleton)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].skeleton, skeleton) == 0)
            return &rules[i];
    return NULL;
}

int
rx_cuda_applicable(const struct rx_machine *machine, const struct rx_problem *problem,
                   const struct rx_config *config, struct rx_text *why)
{
    const struct question q = {machine, problem, config, why};
    const struct rule *rule = rule_of(config->skeleton);
    if (rule == NULL)
        return no(&q, "no such skeleton");
    if (rule->op != problem->op)
        return no(&q, "computes %s, the problem is %s", rx_problem_op_text(rule->op),
                  rx_problem_op_text(problem->op));
    if (rule->layout != ANY_LAYOUT && rule->layout != (int)rx_weights_layout(&problem->geometry))
        return no(&q, "weights of groups of at most %d channels lie otherwise than of wide ones",
                  RX_LANES_GROUP_MAX);
    const int own_vectors =
        rule->check == flat || rule->check == dense_rows || rule->check == strips;
    if (config->lanes < 1 || (!own_vectors && !rx_cuda_lanes_fit(problem, config->lanes)))
        return no(&q, "channels and pitches are no whole vectors of %d", config->lanes);
    if (config->tile_pixels < 1 || config->tile_pixels > PIXELS_MAX)
        return no(&q, "%d units a block: 1 to %d", config->tile_pixels, PIXELS_MAX);
    return rule->check(&q);
}
