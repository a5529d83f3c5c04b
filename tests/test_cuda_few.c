// Dense convolutions of few inputs on tensor cores, on the emulated device: a network's first
// convolution, and others whose channels, widths and filters fill nothing; several tiles of
// outputs; every config where all are asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/target/target.h"
#include "tests/support/conv_problem.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/kernel_configs.h"

enum { CASES_MAX = RX_CASE_CONFIGS_MAX, LABEL_CHARS = 128 };

// Sums in f32 of up to 425 products, each of which may be rounded once.
static const double SUMS = 0x1p-18;

struct shape {
    int h, w, c, k, taps, stride, pad;
};

// Stems of ImageNet, CIFAR and Fashion-MNIST; odd steps from pixel to pixel; rows that are no whole
// vectors; a filter that is smaller than its stride, larger than the map, without padding; more
// outputs than a block has, and less.
static const struct shape shapes[] = {
    {18, 20, 3, 64, 7, 2, 3}, {9, 12, 3, 64, 3, 1, 1},  {10, 28, 1, 32, 3, 1, 1},
    {9, 7, 3, 64, 7, 2, 3},   {7, 5, 1, 40, 3, 1, 1},   {11, 10, 2, 16, 3, 3, 1},
    {8, 6, 4, 136, 5, 2, 2},  {5, 9, 17, 72, 5, 2, 2},  {3, 3, 5, 24, 7, 1, 3},
    {6, 13, 3, 8, 1, 2, 0},   {12, 8, 6, 96, 2, 2, 0},  {1, 2, 3, 64, 3, 1, 1},
    {28, 28, 1, 32, 3, 1, 1}, {40, 36, 3, 64, 7, 2, 3},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

struct list {
    struct rx_kernel_case c[CASES_MAX];
    char label[CASES_MAX][LABEL_CHARS];
    struct rx_config config[CASES_MAX];
    int n;
};

// Images are f32, where they are no maps of bf16.
static struct rx_problem
problem_of(const struct shape *s, enum rx_problem_op op, int training, enum rx_dtype images)
{
    const int back = op == RX_PROBLEM_CONV_WGRAD;
    const struct rx_conv_spec spec = {
        .op = op,
        .geometry = rx_case_conv(s->h, s->w, s->c, s->k, 1, s->taps, s->stride, s->pad),
        .prologue0 = RX_CONV_LOAD,
        .prologue1 = back && training ? RX_CONV_BN_GRAD : RX_CONV_LOAD,
        .epilogue = back       ? RX_CONV_STORE
                    : training ? RX_CONV_STATS
                               : RX_CONV_EVAL,
    };
    struct rx_problem p = rx_conv_problem(&spec);
    rx_case_to_bf16(&p);
    p.operand[0].dtype = images;
    return p;
}

// Adds the problem with the best of its configs on tensor cores, or with another one, which follows
// from the case's number.
static void
add(struct list *list, int number, enum rx_problem_op op, int training)
{
    static struct rx_config config[RX_CASE_CONFIGS_MAX];
    struct rx_machine machine;
    struct rx_error error = {0};
    const struct shape *s = &shapes[number];
    const enum rx_dtype images = (number + training) % 3 == 2 ? RX_BF16 : RX_F32;
    const struct rx_problem p = problem_of(s, op, training, images);
    assert_int_equal(rx_target_cuda.machine("sm_90", &machine, &error), RX_OK);
    const int all = rx_case_configs(&rx_target_cuda, &machine, &p, config, RX_CASE_CONFIGS_MAX);
    int n = 0;
    for (int i = 0; i < all; i++)
        if (strstr(config[i].skeleton, ".few.mma") != NULL)
            config[n++] = config[i];
    assert_true(n > 0);
    const char *mode = getenv("RXGEN_TEST_CONFIGS");
    const int every = mode != NULL && strcmp(mode, "all") == 0;
    const int best = (number + training) % 2 == 0;
    const int one = best ? 0 : (int)(((unsigned)number * 2654435761u >> 8) % (unsigned)n);
    for (int i = every ? 0 : one; i < (every ? n : one + 1); i++) {
        char *label = list->label[list->n];
        snprintf(label, LABEL_CHARS, "%dx%dx%d k%d f%d s%d p%d%s P=%d tile=%dx%d W=%d", s->h, s->w,
                 s->c, s->k, s->taps, s->stride, s->pad, training ? " training" : "",
                 config[i].tile_pixels, config[i].tile_m, config[i].tile_n, config[i].tile_w);
        list->config[list->n] = config[i];
        list->c[list->n] = (struct rx_kernel_case){.label = label,
                                                   .problem = p,
                                                   .n = 3,
                                                   .threads = 2,
                                                   .tolerance = SUMS,
                                                   .config = &list->config[list->n]};
        list->n++;
    }
}

static void
run(enum rx_problem_op op, int training)
{
    if (!rx_cuda_batch_available())
        skip();
    for (int i = 0; i < N_SHAPES; i++) {
        struct list *list = calloc(1, sizeof *list);
        assert_non_null(list);
        add(list, i, op, training);
        assert_int_equal(rx_kernel_cases(list->c, list->n, "sm_90"), 0);
        free(list);
    }
}

static void
test_training(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_FWD, 1);
}

static void
test_evaluation(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_FWD, 0);
}

static void
test_weight_gradient(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_WGRAD, 1);
}

// Without a prologue there is one map of gradients.
static void
test_plain_weight_gradient(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_WGRAD, 0);
}

// Networks in f32 are not rounded, and what a prologue changes is not what lies in memory.
static void
refuses(enum rx_problem_op op, const struct rx_config *config)
{
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cuda.machine("sm_90", &machine, &error), RX_OK);
    struct rx_problem p = problem_of(&shapes[0], op, 1, RX_F32);
    struct rx_text why = {0};
    assert_true(rx_target_cuda.applicable(&machine, &p, config, &why));
    for (int i = 0; i < p.n_operands; i++)
        p.operand[i].dtype = p.operand[i].kind == RX_OPERAND_MAP ? RX_F32 : p.operand[i].dtype;
    assert_false(rx_target_cuda.applicable(&machine, &p, config, &why));
    p = problem_of(&shapes[0], op, 1, RX_F32);
    p.operand[0].pitch += 5;
    assert_false(rx_target_cuda.applicable(&machine, &p, config, &why));
    rx_text_close(&why);
}

static void
test_refused(void **state)
{
    (void)state;
    refuses(RX_PROBLEM_CONV_FWD, &(struct rx_config){"conv_fwd.few.mma", 8, 2, 1, 4, 64});
    refuses(RX_PROBLEM_CONV_WGRAD, &(struct rx_config){"conv_wgrad.few.mma", 8, 2, 1, 7, 64});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_weight_gradient), cmocka_unit_test(test_plain_weight_gradient),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
