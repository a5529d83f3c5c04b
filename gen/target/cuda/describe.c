// What the plan must know of a chosen kernel: its grid, its block, its parts.
#include <stdio.h>
#include <string.h>

#include "gen/select/name.h"
#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/device.h"
#include "gen/target/cuda/strips.h"
#include "runtime/weights.h"

enum { WARP = 32, BLOCK = 256, LOSS_BLOCK = 128, ROW_BLOCK = 128 };  // threads
enum { BN_CHANNELS = 32 };  // of a block that adds up parts
// Rings of products on tensor cores, in which copies run ahead: values of a stage's row; stages.
enum { DEPTH = 32, STAGES_MIN = 2, STAGES_MAX = 4 };
enum { RESERVED = 1 << 10 };  // bytes that each block takes besides
// Sums of a thread, threads that a multiprocessor has registers for: the templates' RESIDENT.
enum { SUMS_OF_PRODUCT = 16, SUMS_MANY = 64, SUMS_FEW = 32 };
enum { THREADS = 512, WIDE_THREADS = 384, WIDEST_THREADS = 256 };

enum { BLOCKS_A_MULTIPROCESSOR = 2, BLOCKS_OF_MAXPOOL_GRAD = 4 };  // by their launch bounds
enum { PARTS_MAX = 512, WEIGHTS_PARTS_MAX = 64 };
enum { PARTS_FLOATS_MAX = 1 << 22 };  // of small weights there may be more parts, up to this in all

static int64_t
round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static int
tiles(int n, int tile)
{
    return (n + tile - 1) / tile;
}

int
rx_cuda_is_mma(const struct rx_config *config)
{
    return strstr(config->skeleton, ".mma") != NULL;
}

int
rx_cuda_is_row(const struct rx_config *config)
{
    return strstr(config->skeleton, ".row") != NULL;
}

// Of narrow groups a thread has one vector of inputs, of few inputs all.
static int
is_grouped_row(const struct rx_config *config)
{
    return strcmp(config->skeleton, "gconv_wgrad.row") == 0;
}

int
rx_cuda_row_phase(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int split = is_grouped_row(config) ? g->c / g->groups / config->lanes : 1;
    return g->r * split * (config->tile_w / config->lanes);
}

int
rx_cuda_row_floats(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int inputs = is_grouped_row(config) ? config->lanes : g->c;
    return (g->s * inputs + config->tile_m) * config->lanes;
}

// As the launch bounds of the templates have it.
int
rx_cuda_row_threads(const struct rx_problem *p, const struct rx_config *config)
{
    enum { MANY = 512, FEW = 384, FLOATS_OF_MANY = 64 };
    const int many = is_grouped_row(config) && rx_cuda_row_floats(p, config) <= FLOATS_OF_MANY;
    return many ? MANY : FEW;
}

// All rows of the filter, as many times as a block has room for.
static int
row_block(const struct rx_problem *p, const struct rx_config *config)
{
    const int once = rx_cuda_row_phase(p, config);
    return (int)round_up(once < ROW_BLOCK ? ROW_BLOCK / once * once : once, WARP);
}

int
rx_cuda_flat_units(enum rx_problem_op op)
{
    if (op == RX_PROBLEM_BN_COEF || op == RX_PROBLEM_BN_GRAD_COEF)
        return BN_CHANNELS;
    return op == RX_PROBLEM_LOSS ? 1 : BLOCK;
}

int
rx_cuda_block(const struct rx_problem *p, const struct rx_config *config)
{
    if (rx_cuda_strips(config) != NULL)
        return rx_cuda_strips(config)->block(p, config);
    if (rx_cuda_is_mma(config))
        return WARP * (config->tile_pixels / (RX_CUDA_MMA_ROWS * config->tile_m)) *
               (config->tile_w / (RX_CUDA_MMA_COLUMNS * config->tile_n));
    if (rx_cuda_is_row(config))
        return row_block(p, config);
    if (config->tile_m > 0)
        return config->tile_pixels / config->tile_m *
               (config->tile_w / (config->tile_n * config->lanes));
    return p->op == RX_PROBLEM_LOSS ? LOSS_BLOCK : BLOCK;
}

static int
product_columns(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    if (rx_cuda_is_row(config))
        return tiles((int)round_up(g->k, RX_BLOCK), config->tile_w);
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return g->groups * tiles(g->r * g->s * cg, config->tile_pixels) *
               tiles((int)round_up(kg, RX_BLOCK), config->tile_w);
    return g->groups * tiles(p->op == RX_PROBLEM_CONV_DGRAD ? cg : kg, config->tile_w);
}

int
rx_cuda_columns(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    if (rx_cuda_strips(config) != NULL)
        return rx_cuda_strips(config)->columns(p, config);
    if (config->tile_m > 0)
        return product_columns(p, config);
    if (config->tile_w == 0)
        return 1;
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return g->r * g->s * tiles((int)round_up(g->k, RX_BLOCK), config->tile_w);
    const int in = rx_problem_epilogue_domain(p->op) == RX_DOMAIN_IN;
    return tiles(in ? g->c : g->k, config->tile_w);
}

int
rx_cuda_has_sums(const struct rx_problem *p)
{
    for (int i = 0; i < p->epilogue.n; i++)
        if (p->epilogue.step[i].op == RX_STEP_STATS || p->epilogue.step[i].op == RX_STEP_SUMS)
            return 1;
    return 0;
}

int
rx_cuda_mma_resident(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const int sums = SUMS_OF_PRODUCT * c->tile_m * c->tile_n;
    const int wide = p->op == RX_PROBLEM_CONV_WGRAD ? WIDEST_THREADS : WIDE_THREADS;
    const int some = sums > SUMS_FEW || g->r * g->s > 1 ? wide : THREADS;
    return (sums > SUMS_MANY ? WIDEST_THREADS : some) / rx_cuda_block(p, c);
}

// Maps that a chain reads.
static int
maps(const struct rx_chain *chain)
{
    int n = 0;
    for (int i = 0; i < chain->n; i++)
        n += chain->step[i].op == RX_STEP_LOAD;
    return n;
}

static int
stage_bytes(const struct rx_problem *p, const struct rx_config *c)
{
    const int other = p->op == RX_PROBLEM_CONV_WGRAD ? maps(&p->prologue[1]) : 1;
    return (maps(&p->prologue[0]) * c->tile_pixels + other * c->tile_w) * DEPTH * 2;
}

void
rx_cuda_mma_ring(const struct rx_machine *machine, const struct rx_problem *p,
                 const struct rx_config *c, int *stages, int *bytes)
{
    const int rows = c->tile_pixels / (RX_CUDA_MMA_ROWS * c->tile_m), width = c->tile_w / c->tile_n;
    const int summed = rx_cuda_has_sums(p) ? 3 * rows * width * (int)sizeof(float) : 0;
    const int resident = rx_cuda_mma_resident(p, c), stage = stage_bytes(p, c);
    const int most = resident < 1 ? 0 : machine->shared_bytes / resident - RESERVED;
    *stages = most / stage < STAGES_MAX ? most / stage : STAGES_MAX;
    *bytes = *stages * stage > summed ? *stages * stage : summed;
    if (*stages < STAGES_MIN || *bytes > most)
        *stages = *bytes = 0;
}

static int
most_weights_parts(const struct rx_problem *p)
{
    const int64_t most = PARTS_FLOATS_MAX / rx_weights_count(&p->geometry);
    if (most < WEIGHTS_PARTS_MAX)
        return WEIGHTS_PARTS_MAX;
    return most < PARTS_MAX ? (int)most : PARTS_MAX;
}

int
rx_cuda_simple_resident(const struct rx_problem *p)
{
    return p->op == RX_PROBLEM_MAXPOOL_GRAD ? BLOCKS_OF_MAXPOOL_GRAD : BLOCKS_A_MULTIPROCESSOR;
}

// Blocks of a multiprocessor that run at once: of those that hold their sums until the end, there
// are no more, as few more would take as long as twice as many.
static int
resident(const struct rx_machine *machine, const struct rx_kernel *k)
{
    const struct rx_config *c = &k->config;
    if (rx_cuda_strips(c) != NULL)
        return rx_cuda_strips_resident(machine, k->problem, c);
    if (rx_cuda_is_row(c))
        return rx_cuda_row_threads(k->problem, c) / k->block;
    if (rx_cuda_is_mma(c))
        return rx_cuda_mma_resident(k->problem, c);
    return rx_cuda_simple_resident(k->problem);
}

// Enough for all multiprocessors; each part of a weight gradient is as large as the weights, so
// there are no more than that.
static int
parts(const struct rx_machine *machine, const struct rx_kernel *k)
{
    const int weights = k->problem->op == RX_PROBLEM_CONV_WGRAD;
    if (!weights && !rx_cuda_has_sums(k->problem))
        return 0;
    if (k->gemm.blocks > 0)
        return 1;  // it has no more pixels than images
    const int wanted = machine->multiprocessors * resident(machine, k) / k->columns;
    const int most = weights ? most_weights_parts(k->problem) : PARTS_MAX;
    return wanted < 1 ? 1 : wanted < most ? wanted : most;
}

static int64_t
vector_count(const struct rx_problem *p)
{
    const int i = rx_problem_find(p, RX_OPERAND_VECTOR, 0);
    return i < 0 ? 0 : p->operand[i].c;
}

// Vectors that a kernel writes which gives weights another form.
static int64_t
formed_count(const struct rx_kernel *k)
{
    const struct rx_geometry *g = &k->problem->geometry, turned = rx_weights_transposed(g);
    const enum rx_dtype dtype = k->problem->operand[1].dtype;
    const int transposes = k->problem->op == RX_PROBLEM_TRANSPOSE;
    return rx_weights_count_of(transposes ? &turned : g, dtype) / k->config.lanes;
}

// Units of the grid: tiles of pixels, images of a pooling over all of them, elements.
static void
set_grid(struct rx_kernel *k)
{
    const struct rx_problem *p = k->problem;
    const struct rx_geometry *g = &p->geometry;
    k->task_divisor = k->config.tile_pixels;
    k->columns = rx_cuda_columns(p, &k->config);
    if (rx_cuda_strips(&k->config) != NULL) {
        k->task_image = rx_cuda_strips(&k->config)->strips(p, &k->config);
        k->task_divisor = 1;
        return;
    }
    if (rx_cuda_is_mma(&k->config) && p->op == RX_PROBLEM_CONV_DGRAD && g->r * g->s == 1 &&
        g->pad == 0) {
        k->task_image = (int64_t)g->oh * g->ow;
        return;
    }
    switch (p->op) {
    case RX_PROBLEM_CONV_FWD:
    case RX_PROBLEM_CONV_WGRAD:
    case RX_PROBLEM_MAXPOOL:
        k->task_image = (int64_t)g->oh * g->ow;
        break;
    case RX_PROBLEM_CONV_DGRAD:
    case RX_PROBLEM_MAXPOOL_GRAD:
    case RX_PROBLEM_GAP_GRAD:
    case RX_PROBLEM_MAP:
        k->task_image = (int64_t)g->h * g->w;
        break;
    case RX_PROBLEM_GAP:
    case RX_PROBLEM_LOSS:
        k->task_image = 1;
        break;
    case RX_PROBLEM_TRANSPOSE:
    case RX_PROBLEM_PACK:
        k->task_fixed = formed_count(k);
        break;
    default:
        k->task_fixed = vector_count(p);
        break;
    }
}

void
rx_cuda_launch(const struct rx_machine *machine, struct rx_kernel *k)
{
    set_grid(k);
    k->block = rx_cuda_block(k->problem, &k->config);
    if (rx_cuda_strips(&k->config) != NULL)
        k->shared_bytes = rx_cuda_strips(&k->config)->shared(k->problem, &k->config);
    else if (rx_cuda_is_mma(&k->config))
        rx_cuda_mma_ring(machine, k->problem, &k->config, &k->stages, &k->shared_bytes);
    k->gemm = rx_cuda_gemm(k->problem);
    k->parts = parts(machine, k);
}

int
rx_cuda_describe(const struct rx_machine *machine, const char *templates, const char *toolchain,
                 const struct rx_problem *problem, const struct rx_config *config,
                 struct rx_kernel *kernel, struct rx_error *error)
{
    *kernel =
        (struct rx_kernel){.problem = problem, .config = *config, .language = &rx_cuda_language};
    struct rx_text why = {0};
    int status = RX_OK;
    if (!rx_cuda_applicable(machine, problem, config, &why))
        status = rx_error_refused(error, "%s", rx_text_str(&why));
    rx_text_close(&why);
    if (status == RX_OK)
        status = rx_kernel_identify(kernel, machine, templates, toolchain, error);
    if (status != RX_OK)
        return status;
    rx_cuda_launch(machine, kernel);
    kernel->estimate = rx_cuda_estimate(machine, problem, config);
    snprintf(kernel->why, sizeof kernel->why, "predicted: %.4g us an image of a large batch on %s",
             kernel->estimate * 1e6, rx_cuda_devices[rx_cuda_device_of(machine->arch)].name);
    return RX_OK;
}
