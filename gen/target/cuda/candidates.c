// The configs that could compute a problem. The skeleton follows from the operation and the layout
// of the weights; what is open is the tile.
#include <assert.h>
#include <string.h>

#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/few.h"
#include "gen/target/cuda/few_wgrad.h"
#include "gen/target/cuda/grouped.h"
#include "gen/target/cuda/grouped_wgrad.h"
#include "runtime/weights.h"

enum { ROW_MAX = 256 };          // threads of a row
enum { PIXELS = 64 };            // of a block of a pointwise kernel
enum { CHANNELS_MAX = 128 };     // of it
enum { GROUPED_THREADS = 128 };  // of a block of a grouped kernel on tensor cores, at least

struct list {
    const struct rx_machine *machine;
    const struct rx_problem *problem;
    struct rx_config config[RX_CANDIDATES_MAX];
    int n;
};

// Adds the config if it is applicable.
static void
add(struct list *list, const struct rx_config *config)
{
    struct rx_text why = {0};
    if (rx_cuda_applicable(list->machine, list->problem, config, &why)) {
        assert(list->n < RX_CANDIDATES_MAX);
        list->config[list->n++] = *config;
    }
    rx_text_close(&why);
}

static int
lanes_of(const struct list *list)
{
    return rx_cuda_lanes_fit(list->problem, list->machine->lanes) ? list->machine->lanes : 1;
}

// 16 bytes of a map where all of them are bf16.
static int
widest_lanes(const struct list *list)
{
    const struct rx_problem *p = list->problem;
    int maps = 0, bf16 = 0;
    for (int i = 0; i < p->n_operands; i++) {
        maps += p->operand[i].kind == RX_OPERAND_MAP;
        bf16 += p->operand[i].kind == RX_OPERAND_MAP && p->operand[i].dtype == RX_BF16;
    }
    const int twice = 2 * list->machine->lanes;
    return maps == bf16 && rx_cuda_lanes_fit(p, twice) ? twice : lanes_of(list);
}

// Tiles of pixels by channels, in threads of m pixels by n vectors of 4 lanes (or 4 n of 1).
static const struct {
    int pixels, w, m, n;
} tiles[] = {
    {128, 128, 8, 2}, {128, 64, 8, 1}, {64, 128, 8, 1}, {64, 64, 4, 1},
    {64, 32, 4, 1},   {64, 16, 4, 1},  {32, 32, 2, 1},
};

static void
add_product(struct list *list)
{
    const int lanes = lanes_of(list);
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        add(list, &(struct rx_config){.skeleton = rx_problem_op_text(list->problem->op),
                                      .lanes = lanes,
                                      .tile_pixels = tiles[i].pixels,
                                      .tile_m = tiles[i].m,
                                      .tile_n = tiles[i].n * list->machine->lanes / lanes,
                                      .tile_w = tiles[i].w});
}

// ptxas keeps less of such a data gradient in registers for this architecture than for others.
static int
spills_dense(const struct list *list, int m, int n)
{
    return list->problem->op == RX_PROBLEM_CONV_DGRAD && m == 2 && n == 2 &&
           strcmp(list->machine->arch, "sm_100") == 0;
}

// The same on tensor cores, in warps of m * 16 pixels by n * 32 channels.
static void
add_mma(struct list *list)
{
    static const char *const skeleton[] = {"conv_fwd.mma", "conv_dgrad.mma", "conv_wgrad.mma"};
    static const struct {
        int pixels, w, m, n;
    } warps[] = {{256, 128, 4, 2}, {128, 256, 4, 2}, {128, 128, 4, 2}, {128, 64, 4, 1},
                 {64, 128, 2, 2},  {128, 64, 2, 2},  {128, 128, 2, 2}, {64, 64, 2, 1},
                 {128, 32, 2, 1},  {64, 32, 1, 1}};
    for (size_t i = 0; i < sizeof warps / sizeof *warps; i++) {
        const struct rx_config config = {
            .skeleton = skeleton[list->problem->op - RX_PROBLEM_CONV_FWD],
            .lanes = RX_CUDA_MMA_LANES,
            .tile_pixels = warps[i].pixels,
            .tile_m = warps[i].m,
            .tile_n = warps[i].n,
            .tile_w = warps[i].w,
        };
        if (!spills_dense(list, config.tile_m, config.tile_n))
            add(list, &config);
    }
}

// Segments of an output row, in threads that multiply m pixels at once.
static void
add_rows(struct list *list, const char *skeleton)
{
    static const int outputs[] = {64, 32, 16}, at_once[] = {2, 4},
                     most[] = {PIXELS, PIXELS / 2, PIXELS / 4};
    const int ow = list->problem->geometry.ow;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        for (size_t j = 0; j < sizeof at_once / sizeof *at_once; j++)
            for (size_t l = 0; l < sizeof most / sizeof *most; l++) {
                const int segments = (ow + most[l] - 1) / most[l], step = segments * at_once[j];
                add(list, &(struct rx_config){.skeleton = skeleton,
                                              .lanes = list->machine->lanes,
                                              .tile_pixels = (ow + step - 1) / step * at_once[j],
                                              .tile_m = at_once[j],
                                              .tile_n = 1,
                                              .tile_w = outputs[i]});
            }
}

// The narrowest row of threads, a power of two, that holds all channels.
static int
row_width(int channels, int lanes)
{
    int width = lanes;
    while (width < channels && width < CHANNELS_MAX && width / lanes < ROW_MAX)
        width *= 2;
    return width;
}

static void
add_pixels(struct list *list, const char *skeleton, int lanes)
{
    const struct rx_geometry *g = &list->problem->geometry;
    const int wide = g->c > g->k ? g->c : g->k;
    add(list, &(struct rx_config){.skeleton = skeleton,
                                  .lanes = lanes,
                                  .tile_pixels = PIXELS,
                                  .tile_w = row_width(wide, lanes)});
}

static void
add_flat(struct list *list)
{
    const enum rx_problem_op op = list->problem->op;
    const int forms = op == RX_PROBLEM_TRANSPOSE || op == RX_PROBLEM_PACK;
    const int rows = forms && list->problem->operand[1].dtype == RX_BF16;
    add(list, &(struct rx_config){.skeleton = rx_problem_op_text(op),
                                  .lanes = rows ? RX_CUDA_MMA_LANES : 1,
                                  .tile_pixels = rx_cuda_flat_units(op)});
}

static int
better(const struct list *list, const struct rx_config *a, const struct rx_config *b)
{
    return rx_cuda_estimate(list->machine, list->problem, a) <
           rx_cuda_estimate(list->machine, list->problem, b);
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

// A data gradient whose steps have more rows than that, or whose warps have as many each, keeps
// more than its registers hold.
static int
spills(const struct rx_problem *p, const struct rx_config *config)
{
    enum { ROWS_OF_STEP = 4, ROWS_OF_WARP = 4 };
    return p->op == RX_PROBLEM_CONV_DGRAD &&
           (config->tile_m > ROWS_OF_STEP || config->tile_m >= ROWS_OF_WARP * config->tile_n - 1);
}

// Strips of a part of the map, steps of a few rows.
static void
add_grouped(struct list *list)
{
    static const int parts[] = {1, 2, 4}, rows[] = {1, 2, 4, 7, 8}, warps[] = {1, 2, 4, 6};
    static const int channels[] = {16, 32, 64};
    enum { N_PARTS = 3, N_ROWS = 5, N_WARPS = 4, N_CHANNELS = 3 };
    const struct rx_problem *p = list->problem;
    const int back = p->op == RX_PROBLEM_CONV_DGRAD, h = back ? p->geometry.h : p->geometry.oh;
    if (p->op == RX_PROBLEM_CONV_WGRAD || rx_cuda_grouped_fwd.problem(p) != NULL)
        return;
    for (int i = 0; i < N_PARTS * N_ROWS; i++)
        for (int j = 0; j < N_WARPS * N_CHANNELS; j++) {
            const struct rx_config config = {
                .skeleton = back ? "gconv_dgrad.mma" : "gconv_fwd.mma",
                .lanes = RX_CUDA_MMA_LANES,
                .tile_pixels = (h + parts[i % N_PARTS] - 1) / parts[i % N_PARTS],
                .tile_m = rows[i / N_PARTS],
                .tile_n = warps[j % N_WARPS],
                .tile_w = channels[j / N_WARPS],
            };
            if (rx_cuda_block(p, &config) >= GROUPED_THREADS && !spills(p, &config))
                add(list, &config);
        }
}

// The same of weight gradients; several warps of the same channels add up in the end.
static void
add_grouped_wgrad(struct list *list)
{
    static const int parts[] = {1, 2, 4}, rows[] = {1, 2, 4, 7}, warps[] = {1, 2, 4};
    static const int channels[] = {16, 32, 64};
    enum { N_PARTS = 3, N_ROWS = 4, N_WARPS = 3, N_CHANNELS = 3 };
    const struct rx_problem *p = list->problem;
    if (p->op != RX_PROBLEM_CONV_WGRAD || rx_cuda_grouped_wgrad.problem(p) != NULL)
        return;
    for (int i = 0; i < N_PARTS * N_ROWS; i++)
        for (int j = 0; j < N_WARPS * N_CHANNELS; j++) {
            const struct rx_config config = {
                .skeleton = "gconv_wgrad.mma",
                .lanes = RX_CUDA_MMA_LANES,
                .tile_pixels = (p->geometry.oh + parts[i % N_PARTS] - 1) / parts[i % N_PARTS],
                .tile_m = rows[i / N_PARTS],
                .tile_n = warps[j % N_WARPS],
                .tile_w = channels[j / N_WARPS],
            };
            if (rx_cuda_block(p, &config) >= GROUPED_THREADS)
                add(list, &config);
        }
}

// Strips of a part of the map, steps of a few rows, as many warps as leave none over.
static void
add_few(struct list *list)
{
    static const int parts[] = {1, 2, 4}, rows[] = {1, 2, 4, 8}, warps[] = {4, 6, 7, 8};
    enum { N_PARTS = 3, N_ROWS = 4, N_WARPS = 4, WIDEST = 64, SLICE = 32 };
    const struct rx_geometry *g = &list->problem->geometry;
    if (list->problem->op != RX_PROBLEM_CONV_FWD || rx_cuda_few_fwd.problem(list->problem) != NULL)
        return;
    for (int i = 0; i < N_PARTS * N_ROWS * N_WARPS; i++)
        add(list, &(struct rx_config){
                      .skeleton = "conv_fwd.few.mma",
                      .lanes = RX_CUDA_MMA_LANES,
                      .tile_pixels = (g->oh + parts[i % N_PARTS] - 1) / parts[i % N_PARTS],
                      .tile_m = rows[i / N_PARTS % N_ROWS],
                      .tile_n = warps[i / N_PARTS / N_ROWS],
                      .tile_w = g->k > SLICE ? WIDEST : SLICE,
                  });
}

// The same of its weight gradient; warps are those that leave no chunk of taps over.
static void
add_few_wgrad(struct list *list)
{
    static const int parts[] = {1, 2, 4}, rows[] = {1, 2}, outputs[] = {64, 32};
    enum { N_PARTS = 3, N_ROWS = 2, N_OUTPUTS = 2, WARPS = 12, FEWEST = 4 };
    const struct rx_problem *p = list->problem;
    if (p->op != RX_PROBLEM_CONV_WGRAD || rx_cuda_few_wgrad.problem(p) != NULL)
        return;
    const int chunks = rx_cuda_few_wgrad_chunks(p);
    for (int i = 0; i < N_PARTS * N_ROWS * N_OUTPUTS; i++)
        for (int warps = 1; warps <= WARPS && warps <= chunks; warps++) {
            const int own = (chunks + warps - 1) / warps;
            if ((warps < FEWEST && warps < chunks) || warps * own - chunks >= own)
                continue;
            add(list,
                &(struct rx_config){
                    .skeleton = rx_cuda_few_wgrad.skeleton,
                    .lanes = RX_CUDA_MMA_LANES,
                    .tile_pixels = (p->geometry.oh + parts[i % N_PARTS] - 1) / parts[i % N_PARTS],
                    .tile_m = rows[i / N_PARTS % N_ROWS],
                    .tile_n = warps,
                    .tile_w = outputs[i / N_PARTS / N_ROWS],
                });
        }
}

static void
add_convolution(struct list *list)
{
    add_grouped(list);
    add_grouped_wgrad(list);
    add_few(list);
    add_few_wgrad(list);
    static const char *const narrow[] = {"gconv_fwd", "gconv_dgrad", "gconv_wgrad"};
    if (rx_weights_layout(&list->problem->geometry) == RX_LAYOUT_LANES) {
        if (list->problem->op == RX_PROBLEM_CONV_WGRAD)
            add_rows(list, "gconv_wgrad.row");
        add_pixels(list, narrow[list->problem->op - RX_PROBLEM_CONV_FWD], lanes_of(list));
    } else {
        add_mma(list);
        if (list->problem->op == RX_PROBLEM_CONV_WGRAD)
            add_rows(list,
                     list->problem->geometry.groups > 1 ? "gconv_wgrad.row" : "conv_wgrad.row");
        add_product(list);
    }
}

int
rx_cuda_candidates(const struct rx_machine *machine, const struct rx_problem *problem,
                   struct rx_config *config, int max)
{
    struct list list = {.machine = machine, .problem = problem};
    if (problem->op <= RX_PROBLEM_CONV_WGRAD)
        add_convolution(&list);
    else if (problem->op <= RX_PROBLEM_MAP)
        add_pixels(&list, rx_problem_op_text(problem->op), widest_lanes(&list));
    else
        add_flat(&list);
    sort(&list);
    const int n = list.n < max ? list.n : max;
    memcpy(config, list.config, (size_t)n * sizeof *config);
    return n;
}
