// Convolution kernels of every kind against the reference: group sizes, filters, strides, awkward
// maps, prologues and epilogues, with vectors of every length.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/target/target.h"
#include "tests/support/conv_problem.h"
#include "tests/support/kernel_case.h"

enum { CASES_MAX = 256, LABEL_CHARS = 96 };
enum { OTHERS = 2 };  // how much rarer shapes have the other chains

struct shape {
    int h, w, c, k, groups, taps, stride, pad;
};

// Channels that do and do not fill vectors and blocks, in and out of groups; maps smaller than the
// filter, odd, not square; pixels that no tap touches (1x1 with a stride).
static const struct shape dense[] = {
    {7, 7, 64, 128, 1, 1, 1, 0},  {7, 5, 32, 48, 1, 1, 2, 0},  {9, 7, 3, 64, 1, 7, 2, 3},
    {1, 1, 40, 1000, 1, 1, 1, 0}, {8, 6, 20, 33, 1, 3, 1, 1},  {5, 4, 16, 16, 1, 1, 1, 1},
    {3, 3, 24, 20, 1, 7, 1, 3},   {11, 10, 8, 16, 1, 3, 3, 1}, {5, 9, 17, 40, 1, 5, 2, 2},
    {14, 14, 96, 64, 1, 1, 1, 0},
};
static const struct shape wide_groups[] = {
    {8, 6, 32, 32, 2, 3, 1, 1},   {8, 7, 42, 30, 3, 3, 2, 1}, {7, 7, 28, 28, 2, 3, 1, 1},
    {7, 9, 72, 72, 3, 3, 2, 1},   {6, 5, 64, 64, 2, 3, 1, 1}, {5, 5, 128, 128, 2, 3, 2, 1},
    {7, 7, 128, 128, 4, 3, 1, 1}, {6, 7, 36, 18, 3, 1, 2, 0}, {5, 6, 40, 20, 2, 5, 1, 2},
    {1, 1, 48, 48, 3, 3, 1, 1},   {4, 3, 24, 24, 2, 1, 1, 1}, {13, 29, 32, 64, 2, 3, 2, 1},
};
static const struct shape narrow_groups[] = {
    {8, 8, 32, 32, 8, 3, 1, 1},   {9, 7, 32, 32, 8, 3, 2, 1},   {7, 9, 24, 24, 8, 3, 1, 1},
    {7, 8, 12, 12, 12, 3, 2, 1},  {6, 6, 16, 32, 4, 3, 1, 1},   {6, 7, 64, 64, 8, 3, 2, 1},
    {10, 7, 20, 10, 5, 5, 3, 2},  {3, 3, 16, 16, 2, 7, 1, 3},   {1, 1, 24, 24, 3, 3, 1, 1},
    {2, 2, 8, 8, 1, 5, 2, 2},     {1, 7, 16, 16, 4, 1, 3, 1},   {14, 14, 40, 40, 5, 3, 1, 1},
    {16, 15, 36, 36, 9, 3, 1, 1}, {9, 9, 14, 14, 7, 3, 1, 1},   {15, 17, 28, 28, 4, 3, 2, 1},
    {30, 29, 32, 32, 8, 3, 1, 1}, {13, 31, 16, 16, 2, 3, 2, 1}, {7, 19, 40, 40, 40, 3, 3, 0},
};

// The cases of one test, with their labels.
struct list {
    struct rx_kernel_case c[CASES_MAX];
    char label[CASES_MAX][LABEL_CHARS];
    int n;
};

static struct list *
new_list(void)
{
    struct list *list = calloc(1, sizeof *list);
    assert_non_null(list);
    return list;
}

// Products of factors of order 1, each rounded a few times in its prologue: their sum of T terms is
// off by a random walk of T roundings of partial sums, each half an ulp (2^-24) of at most the
// largest result. Sums and statistics add up to a task's pixels in f32 likewise. Random walks of n
// steps stay below 5 sqrt(n), and partial sums are on average a third of the largest result; the
// constant covers the chains.
static double
tolerance_of(const struct rx_conv_spec *spec)
{
    const struct rx_geometry *g = &spec->geometry;
    const double fwd = (double)g->r * g->s * g->c / g->groups;
    const double dgrad = (double)g->r * g->s * g->k / g->groups;
    const double pixels = 3.0 * (g->h > g->oh ? g->h * g->w : g->oh * g->ow);
    const double terms = spec->op == RX_PROBLEM_CONV_DGRAD ? dgrad : fwd;
    return 0x1p-24 * (16 + 2 * sqrt(spec->op == RX_PROBLEM_CONV_WGRAD ? pixels : terms + pixels));
}

static struct rx_kernel_case *
add(struct list *list, const struct rx_conv_spec *spec, int n, int threads)
{
    assert_true(list->n < CASES_MAX);
    const struct rx_geometry *g = &spec->geometry;
    char *label = list->label[list->n];
    snprintf(
        label, LABEL_CHARS, "%s %dx%dx%d k%d g%d f%d s%d p%d, chains %d %d %d, view %d, n %d/%d",
        rx_problem_op_text(spec->op), g->h, g->w, g->c, g->k, g->groups, g->r, g->stride, g->pad,
        (int)spec->prologue0, (int)spec->prologue1, (int)spec->epilogue, spec->view, n, threads);
    struct rx_kernel_case *c = &list->c[list->n++];
    *c = (struct rx_kernel_case){
        .label = label,
        .problem = rx_conv_problem(spec),
        .n = n,
        .threads = threads,
        .tolerance = tolerance_of(spec),
    };
    return c;
}

static struct rx_geometry
geometry(const struct shape *s)
{
    return rx_case_conv(s->h, s->w, s->c, s->k, s->groups, s->taps, s->stride, s->pad);
}

// Whether the prologue reads every input pixel once, so that it may store.
static int
is_pointwise(const struct shape *s)
{
    return s->groups == 1 && s->taps == 1 && s->stride == 1 && s->pad == 0;
}

// What training does with a convolution.
static void
add_training(struct list *list, const struct shape *s)
{
    const struct rx_geometry g = geometry(s);
    const enum rx_conv_prologue join = is_pointwise(s) ? RX_CONV_JOIN : RX_CONV_BN_RELU;
    add(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_FWD, g, join, RX_CONV_LOAD, RX_CONV_STATS, 0},
        3, 2);
    add(list,
        &(struct rx_conv_spec){RX_PROBLEM_CONV_DGRAD, g, RX_CONV_BN_GRAD, RX_CONV_LOAD,
                               RX_CONV_MASK, 0},
        3, 3);
    add(list,
        &(struct rx_conv_spec){RX_PROBLEM_CONV_WGRAD, g, RX_CONV_BN_RELU, RX_CONV_BN_GRAD,
                               RX_CONV_STORE, 0},
        3, 2);
}

// The rest: no prologue, other epilogues, maps that are part of wider ones, more threads than work.
static void
add_others(struct list *list, const struct shape *s)
{
    const struct rx_geometry g = geometry(s);
    const enum rx_conv_epilogue fwd = s->h % 2 ? RX_CONV_EVAL : RX_CONV_BIAS;
    const enum rx_conv_epilogue dgrad = s->h % 2 ? RX_CONV_STORE : RX_CONV_ADD_MASK;
    add(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_FWD, g, RX_CONV_LOAD, RX_CONV_LOAD, fwd, 5}, 1,
        1);
    add(list,
        &(struct rx_conv_spec){RX_PROBLEM_CONV_DGRAD, g, RX_CONV_LOAD, RX_CONV_LOAD, dgrad, 3}, 1,
        5);
    add(list,
        &(struct rx_conv_spec){RX_PROBLEM_CONV_WGRAD, g, RX_CONV_LOAD, RX_CONV_LOAD, RX_CONV_STORE,
                               8},
        1, 5);
}

static void
run(struct list *list, const char *arch)
{
    if (!rx_case_available(arch))
        skip();
    assert_int_equal(rx_kernel_cases(list->c, list->n, arch), 0);
    free(list);
}

// What is about instruction sets of CPUs, or names configs of their kernels.
static void
skip_unless_cpu(void)
{
    if (strcmp(RX_CASE_ARCH, "native") != 0)
        skip();
}

// One in `every` shapes, from number `from` on, for training, and as many, from the one after it
// on, for the rest. Compiling is what takes the time.
static void
test_shapes(const struct shape *shapes, int n, const char *arch, int from, int every)
{
    struct list *list = new_list();
    for (int i = from; i < n; i++) {
        if (every == 1 || i % every == from)
            add_training(list, &shapes[i]);
        if (i % (every + OTHERS) == from + 1)
            add_others(list, &shapes[i]);
    }
    run(list, arch);
}

#define N_OF(table) (int)(sizeof(table) / sizeof *(table))

// An emulated machine takes its time: every third shape, unless all configs are asked for.
static int
every_shape(void)
{
    const char *mode = getenv("RXGEN_TEST_CONFIGS");
    const int all = mode != NULL && strcmp(mode, "all") == 0;
    return strcmp(RX_CASE_ARCH, "native") == 0 || all ? 1 : 3;
}

static void
test_dense(void **state)
{
    (void)state;
    test_shapes(dense, N_OF(dense), RX_CASE_ARCH, 0, every_shape());
}

static void
test_wide_groups(void **state)
{
    (void)state;
    test_shapes(wide_groups, N_OF(wide_groups), RX_CASE_ARCH, 0, every_shape());
}

static void
test_narrow_groups(void **state)
{
    (void)state;
    test_shapes(narrow_groups, N_OF(narrow_groups), RX_CASE_ARCH, 0, every_shape());
}

// Weights so large that all pixels meet one group's before the next group's.
static void
test_large_groups(void **state)
{
    (void)state;
    skip_unless_cpu();
    static const struct shape shape = {4, 3, 704, 704, 2, 3, 1, 1};
    struct list *list = new_list();
    add_training(list, &shape);
    add_others(list, &shape);
    run(list, RX_CASE_ARCH);
}

// Vectors of four lanes, whatever the machine: every third shape.
static void
test_generic(void **state)
{
    (void)state;
    skip_unless_cpu();
    test_shapes(dense, N_OF(dense), "generic", 0, 3);
    test_shapes(wide_groups, N_OF(wide_groups), "generic", 0, 3);
    test_shapes(narrow_groups, N_OF(narrow_groups), "generic", 0, 3);
}

// Tiles that no estimate would choose: tasks of one pixel, of more than a map has, not a multiple
// of the register tile; vectors that are a part of a block; epilogues over few channels, over more
// than there are.
static void
test_configs(void **state)
{
    (void)state;
    skip_unless_cpu();
    static const struct rx_config config[] = {
        {"conv_fwd", 8, 1, 6, 1, 8},     {"conv_fwd", 8, 50, 4, 2, 48},
        {"conv_fwd", 8, 500, 3, 4, 32},  {"conv_dgrad", 8, 1, 5, 2, 16},
        {"conv_dgrad", 8, 47, 6, 1, 24}, {"conv_dgrad", 8, 500, 2, 4, 96},
        {"conv_wgrad", 8, 1, 12, 1, 0},  {"conv_wgrad", 8, 29, 5, 2, 0},
        {"conv_wgrad", 8, 500, 1, 4, 0},
    };
    static const struct shape shape = {9, 8, 24, 64, 1, 3, 2, 1}, back = {9, 8, 64, 24, 1, 3, 2, 1};
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine("native", &machine, &error), RX_OK);
    if (machine.lanes != 8)
        skip();
    struct list *list = new_list();
    for (int i = 0; i < N_OF(config); i++) {
        const enum rx_problem_op op = (enum rx_problem_op)(RX_PROBLEM_CONV_FWD + i / 3);
        struct rx_conv_spec spec = {op,           geometry(&shape), RX_CONV_BN_RELU,
                                    RX_CONV_LOAD, RX_CONV_STATS,    0};
        if (op == RX_PROBLEM_CONV_DGRAD)
            spec.geometry = geometry(&back);
        add(list, &spec, 3, 2)->config = &config[i];
    }
    run(list, RX_CASE_ARCH);
}

// Grouped weight gradients: steps of one row and of more than an image has, inputs a few at a time,
// slices that do not divide the units.
static void
test_wgrad_configs(void **state)
{
    (void)state;
    static const struct {
        struct shape shape;
        struct rx_config config;
    } cases[] = {
        {{9, 7, 80, 80, 20, 3, 1, 1}, {"gconv_wgrad", 8, 1, 4, 2, 0}},
        {{7, 9, 80, 80, 10, 3, 2, 1}, {"gconv_wgrad", 8, 11, 2, 3, 0}},
        {{8, 8, 72, 72, 3, 3, 2, 1}, {"gconv_wgrad", 8, 3, 5, 2, 0}},
        {{5, 6, 66, 99, 3, 3, 1, 1}, {"gconv_wgrad", 8, 12, 3, 5, 0}},
    };
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine("native", &machine, &error), RX_OK);
    if (machine.lanes != 8)
        skip();
    struct list *list = new_list();
    for (int i = 0; i < N_OF(cases); i++) {
        const struct rx_conv_spec spec = {RX_PROBLEM_CONV_WGRAD, geometry(&cases[i].shape),
                                          RX_CONV_BN_RELU,       RX_CONV_LOAD,
                                          RX_CONV_STATS,         0};
        add(list, &spec, 3, 2)->config = &cases[i].config;
    }
    run(list, "native");
}

// bf16 maps, but for images (3 channels), on every tile header.
static void
test_bf16_shapes(const char *arch, int from)
{
    struct list *list = new_list();
    for (int i = from; i < N_OF(dense); i += 2)
        add_training(list, &dense[i]);
    for (int i = from; i < N_OF(wide_groups); i += 3)
        add_training(list, &wide_groups[i]);
    for (int i = from; i < N_OF(narrow_groups); i += 4)
        add_training(list, &narrow_groups[i]);
    add_others(list, &dense[from]);
    add_others(list, &dense[from + 1]);
    add_others(list, &narrow_groups[from]);
    for (int i = 0; i < list->n; i++) {
        struct rx_problem *p = &list->c[i].problem;
        rx_case_to_bf16(p);
        if (p->geometry.c == 3 && p->op != RX_PROBLEM_CONV_DGRAD)
            p->operand[0].dtype = RX_F32;
    }
    run(list, arch);
}

static void
test_bf16(void **state)
{
    (void)state;
    test_bf16_shapes(RX_CASE_ARCH, 0);
    if (strcmp(RX_CASE_ARCH, "native") != 0)
        return;
    test_bf16_shapes("generic", 1);
    test_bf16_shapes("x86-64-v4", 2);
}

// The best candidate of a device with a row of the filter a thread, which shapes as small as these
// would not have otherwise; NULL where the kernels are of CPUs.
static const struct rx_config *
row_config(const struct rx_problem *problem, struct rx_config candidates[RX_CANDIDATES_MAX])
{
    struct rx_machine machine;
    struct rx_error error = {0};
    if (strncmp(RX_CASE_ARCH, "sm_", 3) != 0)
        return NULL;
    assert_int_equal(rx_target_cuda.machine(RX_CASE_ARCH, &machine, &error), RX_OK);
    const int n = rx_target_cuda.candidates(&machine, problem, candidates, RX_CANDIDATES_MAX);
    for (int i = 0; i < n; i++)
        if (strstr(candidates[i].skeleton, ".row") != NULL)
            return &candidates[i];
    fail_msg("no candidate has a row of the filter a thread");
    return NULL;
}

// Weight gradients of a network's first convolution: few inputs, which no prologue changes; output
// rows longer than a segment, rows of the filter that leave threads over, outputs in several
// blocks.
static void
test_few_inputs(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {9, 12, 3, 64, 1, 7, 2, 3}, {6, 8, 1, 40, 1, 3, 1, 1}, {7, 10, 2, 72, 1, 5, 2, 1},
        {3, 68, 3, 16, 1, 3, 1, 1}, {8, 7, 4, 20, 1, 3, 3, 0}, {12, 4, 8, 136, 1, 3, 1, 1},
    };
    static struct rx_config configs[3 * N_OF(shapes)][RX_CANDIDATES_MAX];
    struct list *list = new_list();
    for (int i = 0; i < 3 * N_OF(shapes); i++) {
        const struct rx_conv_spec spec = {RX_PROBLEM_CONV_WGRAD, geometry(&shapes[i / 3]),
                                          RX_CONV_LOAD,          RX_CONV_BN_GRAD,
                                          RX_CONV_STORE,         0};
        struct rx_kernel_case *c = add(list, &spec, 3, 2);
        struct rx_problem *p = &c->problem;
        if (i % 3 != 0)
            rx_case_to_bf16(p);
        if (i % 3 == 1)
            p->operand[0].dtype = RX_F32;  // images
        c->config = row_config(p, configs[i]);
    }
    run(list, RX_CASE_ARCH);
}

// Weight gradients of narrow groups: input rows that segments have in common and that they do not,
// segments that do not divide a row, blocks with less channels than they have room for.
static void
test_narrow_wgrad(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {5, 6, 64, 32, 8, 3, 1, 1},   {9, 7, 32, 64, 8, 3, 2, 1},  {7, 9, 24, 24, 6, 3, 3, 1},
        {3, 70, 16, 16, 4, 3, 1, 1},  {6, 5, 80, 80, 10, 1, 1, 0}, {6, 8, 88, 88, 22, 5, 1, 2},
        {13, 14, 72, 72, 9, 3, 1, 1}, {8, 14, 96, 96, 6, 3, 1, 1}, {7, 6, 48, 96, 3, 3, 2, 1},
        {9, 7, 64, 64, 2, 3, 1, 1},
    };
    static struct rx_config configs[3 * N_OF(shapes)][RX_CANDIDATES_MAX];
    struct list *list = new_list();
    for (int i = 0; i < 2 * N_OF(shapes); i++) {
        const struct rx_conv_spec spec = {RX_PROBLEM_CONV_WGRAD, geometry(&shapes[i / 2]),
                                          RX_CONV_BN_RELU,       RX_CONV_BN_GRAD,
                                          RX_CONV_STORE,         0};
        struct rx_kernel_case *c = add(list, &spec, 3, 4);
        struct rx_problem *p = &c->problem;
        if (i % 2)
            rx_case_to_bf16(p);
        c->config = row_config(p, configs[i]);
    }
    run(list, RX_CASE_ARCH);
}

// Products of bf16. What is multiplied is rounded to it, kernel and reference alike; where the
// prologue rounds more than once (a fused multiply-add is one), they may differ before that, and
// one value in ten thousand is so near to a border that it ends a unit apart: 2^-6 of values up
// to 4. Of T products with weights up to 1, two such make 2^-5 of a sum whose largest results are
// above sqrt(T) / 2: values and weights are even, their squares' means about 1/3.
static double
tolerance_of_pairs(const struct rx_conv_spec *spec)
{
    const struct rx_geometry *g = &spec->geometry;
    double terms = (double)g->r * g->s * g->c / g->groups;
    if (spec->op == RX_PROBLEM_CONV_DGRAD)
        terms = (double)g->r * g->s * g->k / g->groups / (g->stride * g->stride);
    if (spec->op == RX_PROBLEM_CONV_WGRAD)
        terms = 3.0 * g->oh * g->ow;
    const int exact = (spec->prologue0 == RX_CONV_LOAD || spec->prologue0 == RX_CONV_BN_RELU) &&
                      spec->prologue1 == RX_CONV_LOAD;
    return tolerance_of(spec) + (exact ? 0 : 0x1p-4 / sqrt(terms));
}

static void
add_pairs(struct list *list, const struct rx_conv_spec *spec)
{
    struct rx_kernel_case *c = add(list, spec, 3, 2);
    rx_case_to_bf16(&c->problem);
    rx_case_to_products(&c->problem, RX_BF16X2);
    if (spec->geometry.c == 3 && spec->op != RX_PROBLEM_CONV_DGRAD)
        c->problem.operand[0].dtype = RX_F32;
    c->tolerance = tolerance_of_pairs(spec);
}

static void
test_pairs_shapes(const char *arch, int from, int every)
{
    struct list *list = new_list();
    for (int i = from; i < N_OF(dense); i += every) {
        const struct rx_geometry g = geometry(&dense[i]);
        const enum rx_conv_prologue join = is_pointwise(&dense[i]) ? RX_CONV_JOIN : RX_CONV_BN_RELU;
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_FWD, g, join, RX_CONV_LOAD,
                                               RX_CONV_STATS, 0});
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_FWD, g, RX_CONV_LOAD, RX_CONV_LOAD,
                                               RX_CONV_EVAL, 5});
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_WGRAD, g, RX_CONV_BN_RELU,
                                               RX_CONV_BN_GRAD, RX_CONV_STORE, 0});
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_WGRAD, g, RX_CONV_LOAD, RX_CONV_LOAD,
                                               RX_CONV_STORE, 8});
        if (g.k % 2 != 0)  // a data gradient pairs outputs
            continue;
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_DGRAD, g, RX_CONV_BN_GRAD,
                                               RX_CONV_LOAD, RX_CONV_MASK, 0});
        add_pairs(list, &(struct rx_conv_spec){RX_PROBLEM_CONV_DGRAD, g, RX_CONV_LOAD, RX_CONV_LOAD,
                                               RX_CONV_STORE, 3});
    }
    run(list, arch);
}

// On every tile header; the instruction itself in plain C where the machine lacks it.
static void
test_pairs(void **state)
{
    (void)state;
    if (strcmp(RX_CASE_ARCH, "native") != 0)
        skip();  // pairs are of CPUs
    test_pairs_shapes("native", 0, 1);
    test_pairs_shapes("generic", 1, 3);
    test_pairs_shapes("x86-64-v4", 0, 4);
    test_pairs_shapes("x86-64-v4+bf16", 0, 1);
}

// By tiles, in plain C where the machine has none.
static void
test_tiles(void **state)
{
    (void)state;
    skip_unless_cpu();
    test_pairs_shapes("x86-64-v4+amx", 0, 1);
}

// Statistics of values whose mean is thousands of times their deviation: M2 keeps three digits
// where sums of squares in f32 would keep none.
static void
test_far_mean(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {14, 14, 16, 48, 1, 1, 1, 0}, {14, 14, 32, 32, 2, 3, 1, 1}, {28, 28, 24, 24, 6, 3, 1, 1}};
    struct list *list = new_list();
    for (int i = 0; i < N_OF(shapes); i++) {
        const struct rx_geometry g = geometry(&shapes[i]);
        struct rx_kernel_case *c = add(list,
                                       &(struct rx_conv_spec){RX_PROBLEM_CONV_FWD, g, RX_CONV_LOAD,
                                                              RX_CONV_LOAD, RX_CONV_FAR, 0},
                                       3, 3);
        c->tolerance = 1e-3;
    }
    run(list, RX_CASE_ARCH);
}

// Kernels for AVX-512, where this machine lacks it with its intrinsics in plain C.
static void
test_avx512(void **state)
{
    (void)state;
    skip_unless_cpu();
    test_shapes(dense, N_OF(dense), "x86-64-v4", 1, 3);
    test_shapes(wide_groups, N_OF(wide_groups), "x86-64-v4", 1, 3);
    test_shapes(narrow_groups, N_OF(narrow_groups), "x86-64-v4", 1, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),         cmocka_unit_test(test_wide_groups),
        cmocka_unit_test(test_narrow_groups), cmocka_unit_test(test_large_groups),
        cmocka_unit_test(test_generic),       cmocka_unit_test(test_configs),
        cmocka_unit_test(test_far_mean),      cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_bf16),          cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_wgrad_configs), cmocka_unit_test(test_few_inputs),
        cmocka_unit_test(test_narrow_wgrad),  cmocka_unit_test(test_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
