// Every kernel without a convolution against the reference, on awkward shapes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "runtime/plan.h"
#include "runtime/weights.h"
#include "tests/support/kernel_case.h"

enum { CASES_MAX = 64 };

// The cases of one test.
struct list {
    struct rx_kernel_case c[CASES_MAX];
    int n;
};

static struct rx_kernel_case *
add(struct list *list, const char *label, enum rx_problem_op op, struct rx_geometry geometry, int n,
    double tolerance)
{
    assert_true(list->n < CASES_MAX);
    struct rx_kernel_case *c = &list->c[list->n++];
    *c = (struct rx_kernel_case){.label = label, .n = n, .threads = 3, .tolerance = tolerance};
    c->problem.op = op;
    c->problem.geometry = geometry;
    return c;
}

// Values are of order 1 and every one goes through less than ten roundings; sums over a task's
// pixels in f32 add as many as it has.
static const double tolerance = 4e-6;

static void
run(struct list *list)
{
    if (!rx_case_available(RX_CASE_ARCH))
        skip();
    assert_int_equal(rx_kernel_cases(list->c, list->n, RX_CASE_ARCH), 0);
}

// The same with maps in f32 and in bf16.
static void
run_both(struct list *list)
{
    run(list);
    for (int i = 0; i < list->n; i++)
        rx_case_to_bf16(&list->c[i].problem);
    run(list);
}

static int
map(struct rx_problem *p, enum rx_domain domain, int access, const char *name)
{
    const struct rx_geometry *g = &p->geometry;
    return rx_case_operand(p, RX_OPERAND_MAP, domain, access, domain == RX_DOMAIN_IN ? g->c : g->k,
                           0, name);
}

// x = relu(scale * x0 + shift), as a prologue.
static void
bn_relu(struct rx_problem *p, enum rx_domain domain, int channels)
{
    struct rx_chain *chain = &p->prologue[0];
    const int x = map(p, domain, RX_READ, "x0");
    const int coef =
        rx_case_operand(p, RX_OPERAND_COEF, RX_DOMAIN_IN, RX_READ, channels, RX_COEF_ROWS, "coef0");
    const int v = rx_case_step(chain, RX_STEP_LOAD, -1, -1, x, 0);
    const int scale = rx_case_step(chain, RX_STEP_COEF, -1, -1, coef, RX_COEF_SCALE);
    const int shift = rx_case_step(chain, RX_STEP_COEF, -1, -1, coef, RX_COEF_SHIFT);
    const int mul = rx_case_step(chain, RX_STEP_MUL, v, scale, -1, 0);
    const int sum = rx_case_step(chain, RX_STEP_ADD, mul, shift, -1, 0);
    rx_case_step(chain, RX_STEP_RELU, sum, -1, -1, 0);
}

static void
just_store(struct rx_problem *p, enum rx_domain domain)
{
    const int acc = rx_case_step(&p->epilogue, RX_STEP_ACC, -1, -1, -1, 0);
    rx_case_step(&p->epilogue, RX_STEP_STORE, acc, -1, map(p, domain, RX_WRITE, "y0"), 0);
}

static void
stats(struct rx_problem *p, int channels, int value)
{
    const int o = rx_case_operand(p, RX_OPERAND_PARTIAL, RX_DOMAIN_IN, RX_WRITE, channels,
                                  RX_STATS_ROWS, "stats0");
    rx_case_step(&p->epilogue, RX_STEP_STATS, value, -1, o, 0);
}

// A masked gradient with a residual, its sums, and the statistics of what is stored.
static void
residual_and_sums(struct rx_problem *p, enum rx_domain domain, int channels)
{
    struct rx_chain *e = &p->epilogue;
    const int acc = rx_case_step(e, RX_STEP_ACC, -1, -1, -1, 0);
    const int x = rx_case_step(e, RX_STEP_LOAD, -1, -1, map(p, domain, RX_READ, "x1"), 0);
    const int sum = rx_case_step(e, RX_STEP_ADD, acc, x, -1, 0);
    const int mask = rx_case_step(e, RX_STEP_MASK, sum, x, -1, 0);
    const int coef =
        rx_case_operand(p, RX_OPERAND_COEF, RX_DOMAIN_IN, RX_READ, channels, RX_COEF_ROWS, "coef1");
    const int mean = rx_case_step(e, RX_STEP_COEF, -1, -1, coef, RX_COEF_MEAN);
    const int centred = rx_case_step(e, RX_STEP_SUB, x, mean, -1, 0);
    const int y = map(p, domain, RX_WRITE, "y0");
    const int stored = rx_case_step(e, RX_STEP_STORE, mask, -1, y, 0);
    const int sums = rx_case_operand(p, RX_OPERAND_PARTIAL, RX_DOMAIN_IN, RX_WRITE, channels,
                                     RX_SUMS_ROWS, "sums0");
    rx_case_step(e, RX_STEP_SUMS, stored, centred, sums, 0);
    stats(p, channels, stored);
}

static void
test_map(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 1, 3}, {7, 7, 24}, {5, 3, 100}, {9, 11, 16}, {1, 1, 1}};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct rx_geometry g = rx_case_map(shapes[i][0], shapes[i][1], shapes[i][2]);
        struct rx_problem *p = &add(&list, "map bn relu", RX_PROBLEM_MAP, g, 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, g.c);
        just_store(p, RX_DOMAIN_IN);
        p = &add(&list, "map sums", RX_PROBLEM_MAP, g, 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, g.c);
        residual_and_sums(p, RX_DOMAIN_IN, g.c);
    }
    run_both(&list);
}

// Sums of two bf16 numbers are exact in f32 and often half-way between two others: all tile headers
// round those to even.
static void
test_ties(void **state)
{
    (void)state;
    static const char *const arch[] = {RX_CASE_ARCH, "generic", "x86-64-v4"};
    struct list list = {.n = 0};
    struct rx_problem *p =
        &add(&list, "ties", RX_PROBLEM_MAP, rx_case_map(9, 11, 20), 3, 0)->problem;
    struct rx_chain *chain = &p->prologue[0];
    const int x0 =
        rx_case_step(chain, RX_STEP_LOAD, -1, -1, map(p, RX_DOMAIN_IN, RX_READ, "x0"), 0);
    const int x1 =
        rx_case_step(chain, RX_STEP_LOAD, -1, -1, map(p, RX_DOMAIN_IN, RX_READ, "x1"), 0);
    rx_case_step(chain, RX_STEP_ADD, x0, x1, -1, 0);
    just_store(p, RX_DOMAIN_IN);
    rx_case_to_bf16(p);
    const size_t n = strcmp(RX_CASE_ARCH, "native") == 0 ? sizeof arch / sizeof *arch : 1;
    if (!rx_case_available(arch[0]))
        skip();
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rx_kernel_cases(list.c, list.n, arch[i]), 0);
}

static void
test_sgd(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 17, 4096, 10001};
    static float hyper[4][RX_HYPER_N];
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const float settings[RX_HYPER_N] = {
            [RX_HYPER_LR] = 0.1f,
            [RX_HYPER_MOMENTUM] = 0.9f,
            [RX_HYPER_WD] = 0.02f,
            [RX_HYPER_WD_BN] = 0.5f,
            [RX_HYPER_NESTEROV] = (float)(i & 1),
            [RX_HYPER_FIRST] = (float)(i >> 1),
        };
        memcpy(hyper[i], settings, sizeof settings);
        struct rx_kernel_case *c =
            add(&list, "sgd", RX_PROBLEM_SGD, (struct rx_geometry){0}, 2, tolerance);
        struct rx_problem *p = &c->problem;
        c->hyper = hyper[i];
        p->hyper_row = i & 1 ? RX_HYPER_WD_BN : RX_HYPER_WD;
        rx_case_operand(p, RX_OPERAND_VECTOR, 0, RX_READ | RX_WRITE, counts[i], 0, "v0");
        rx_case_operand(p, RX_OPERAND_VECTOR, 0, RX_READ | RX_WRITE, counts[i], 0, "v1");
        rx_case_operand(p, RX_OPERAND_VECTOR, 0, RX_READ, counts[i], 0, "v2");
        rx_case_operand(p, RX_OPERAND_HYPER, 0, RX_READ, RX_HYPER_N, 0, "hyper");
        c = add(&list, "update", RX_PROBLEM_UPDATE, (struct rx_geometry){0}, 2, tolerance);
        p = &c->problem;
        c->hyper = hyper[i];
        p->hyper_row = i & 1 ? RX_HYPER_WD_BN : RX_HYPER_WD;
        rx_case_operand(p, RX_OPERAND_WEIGHTS_PARTIAL, 0, RX_READ, counts[i], 0, "dw");
        rx_case_operand(p, RX_OPERAND_VECTOR, 0, RX_READ | RX_WRITE, counts[i], 0, "v0");
        rx_case_operand(p, RX_OPERAND_VECTOR, 0, RX_READ | RX_WRITE, counts[i], 0, "v1");
        rx_case_operand(p, RX_OPERAND_HYPER, 0, RX_READ, RX_HYPER_N, 0, "hyper");
    }
    run(&list);
}

// The tile header that names no instruction, and tails of the longest vectors.
static void
test_other_machines(void **state)
{
    (void)state;
    if (strcmp(RX_CASE_ARCH, "native") != 0)
        skip();  // these are of CPUs
    static const int channels[] = {3, 8, 24};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const int c = channels[i];
        struct rx_problem *p =
            &add(&list, "generic map", RX_PROBLEM_MAP, rx_case_map(5, 7, c), 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, c);
        residual_and_sums(p, RX_DOMAIN_IN, c);
        const struct rx_geometry g = rx_case_conv(9, 11, c, c, c, 3, 2, 1);
        p = &add(&list, "generic maxpool", RX_PROBLEM_MAXPOOL, g, 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, c);
        rx_case_operand(p, RX_OPERAND_INDEX, RX_DOMAIN_OUT, RX_WRITE, c, 0, "index");
        just_store(p, RX_DOMAIN_OUT);
    }
    assert_int_equal(rx_kernel_cases(list.c, list.n, "generic"), 0);
    assert_int_equal(rx_kernel_cases(list.c, list.n, "x86-64-v4"), 0);
    for (int i = 0; i < list.n; i++)
        rx_case_to_bf16(&list.c[i].problem);
    assert_int_equal(rx_kernel_cases(list.c, list.n, "generic"), 0);
    assert_int_equal(rx_kernel_cases(list.c, list.n, "x86-64-v4"), 0);
}

// relu(bn(x)) and the residual epilogue on every pooling, and a bare one with an index.
static void
test_pools(void **state)
{
    (void)state;
    static const int channels[] = {1, 5, 16, 24, 100};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const int c = channels[i], odd = (int)i % 2;
        const struct rx_geometry g =
            rx_case_conv(9 + (int)i, 11, c, c, c, odd ? 2 : 3, odd ? 1 : 2, odd ? 0 : 1);
        struct rx_problem *p =
            &add(&list, "maxpool index", RX_PROBLEM_MAXPOOL, g, 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, c);
        rx_case_operand(p, RX_OPERAND_INDEX, RX_DOMAIN_OUT, RX_WRITE, c, 0, "index");
        just_store(p, RX_DOMAIN_OUT);
        p = &add(&list, "maxpool", RX_PROBLEM_MAXPOOL, g, 2, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, c);
        residual_and_sums(p, RX_DOMAIN_OUT, c);
        p = &add(&list, "maxpool_grad", RX_PROBLEM_MAXPOOL_GRAD, g, 3, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_OUT, c);
        rx_case_operand(p, RX_OPERAND_INDEX, RX_DOMAIN_OUT, RX_READ, c, 0, "index");
        residual_and_sums(p, RX_DOMAIN_IN, c);
    }
    run_both(&list);
}

static void
test_gap(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 1, 3}, {7, 7, 24}, {5, 3, 100}, {7, 7, 16}, {3, 2, 300}};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct rx_geometry g = rx_case_map(shapes[i][0], shapes[i][1], shapes[i][2]);
        g.oh = g.ow = 1;
        struct rx_problem *p = &add(&list, "gap", RX_PROBLEM_GAP, g, 5, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, g.c);
        residual_and_sums(p, RX_DOMAIN_OUT, g.c);
        p = &add(&list, "gap_grad", RX_PROBLEM_GAP_GRAD, g, 5, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_OUT, g.c);
        residual_and_sums(p, RX_DOMAIN_IN, g.c);
        p = &add(&list, "gap alone", RX_PROBLEM_GAP, g, 2, tolerance)->problem;
        bn_relu(p, RX_DOMAIN_IN, g.c);
        just_store(p, RX_DOMAIN_OUT);
    }
    run_both(&list);
}

static void
vector(struct rx_problem *p, int access, int64_t c, const char *name)
{
    rx_case_operand(p, RX_OPERAND_VECTOR, RX_DOMAIN_NONE, access, c, 0, name);
}

static void
rows(struct rx_problem *p, enum rx_operand_kind kind, int access, int c, int n, const char *name)
{
    rx_case_operand(p, kind, RX_DOMAIN_NONE, access, c, n, name);
}

static void
hyper(struct rx_problem *p)
{
    rx_case_operand(p, RX_OPERAND_HYPER, RX_DOMAIN_NONE, RX_READ, RX_HYPER_N, 0, "hyper");
}

// Coefficients go through double and are rounded once, but for a few operations on f32 inputs.
static void
test_bn(void **state)
{
    (void)state;
    static const int channels[] = {1, 3, 16, 24, 100};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const int c = channels[i];
        const struct rx_geometry g = rx_case_map(5, 7, c);
        struct rx_problem *p = &add(&list, "bn_coef", RX_PROBLEM_BN_COEF, g, 3, 4e-7)->problem;
        rows(p, RX_OPERAND_PARTIAL, RX_READ, c, RX_STATS_ROWS, "stats0");
        vector(p, RX_READ, c, "v0");
        vector(p, RX_READ, c, "v1");
        vector(p, RX_READ | RX_WRITE, c, "v2");
        vector(p, RX_READ | RX_WRITE, c, "v3");
        hyper(p);
        rows(p, RX_OPERAND_COEF, RX_WRITE, c, RX_COEF_ROWS, "coef0");
        p = &add(&list, "bn_fold", RX_PROBLEM_BN_FOLD, g, 3, 4e-7)->problem;
        for (int v = 0; v < 4; v++)
            vector(p, RX_READ, c, "v");
        rows(p, RX_OPERAND_COEF, RX_WRITE, c, RX_COEF_ROWS, "coef0");
        p = &add(&list, "bn_grad_coef", RX_PROBLEM_BN_GRAD_COEF, g, 3, 4e-7)->problem;
        rows(p, RX_OPERAND_PARTIAL, RX_READ, c, RX_SUMS_ROWS, "sums0");
        rows(p, RX_OPERAND_COEF, RX_READ, c, RX_COEF_ROWS, "coef0");
        vector(p, RX_READ, c, "v0");
        rows(p, RX_OPERAND_COEF, RX_WRITE, c, RX_GRAD_COEF_ROWS, "coef1");
        vector(p, RX_WRITE, c, "v1");
        vector(p, RX_WRITE, c, "v2");
    }
    run(&list);
}

static void
test_loss(void **state)
{
    (void)state;
    static const int classes[] = {2, 10, 100, 1000};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        const struct rx_geometry g = rx_case_map(1, 1, classes[i]);
        struct rx_problem *p = &add(&list, "loss", RX_PROBLEM_LOSS, g, 7, 1e-6)->problem;
        map(p, RX_DOMAIN_OUT, RX_READ, "x0");
        rx_case_operand(p, RX_OPERAND_LABELS, RX_DOMAIN_NONE, RX_READ, 1, 0, "labels");
        hyper(p);
        map(p, RX_DOMAIN_OUT, RX_WRITE, "y0");
        rx_case_operand(p, RX_OPERAND_LOSS, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "loss");
        p = &add(&list, "bias_grad", RX_PROBLEM_BIAS_GRAD, g, 7, 1e-6)->problem;
        map(p, RX_DOMAIN_OUT, RX_READ, "x0");
        vector(p, RX_WRITE, classes[i], "v0");
    }
    run(&list);
}

static void
test_weights(void **state)
{
    (void)state;
    static const int shapes[][4] = {{16, 16, 1, 3},  {64, 40, 1, 1},  {20, 36, 2, 3},
                                    {3, 24, 1, 7},   {100, 10, 1, 1}, {48, 32, 16, 3},
                                    {20, 30, 10, 3}, {48, 80, 2, 3}};
    struct list list = {.n = 0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        const struct rx_geometry g = rx_case_conv(7, 7, s[0], s[1], s[2], s[3], 1, s[3] / 2);
        struct rx_problem *p = &add(&list, "transpose", RX_PROBLEM_TRANSPOSE, g, 1, 0)->problem;
        rx_case_operand(p, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_READ, 1, 0, "w");
        rx_case_operand(p, RX_OPERAND_WEIGHTS_DGRAD, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "wt");
        const int pairs = strcmp(RX_CASE_ARCH, "native") == 0;
        const int whole = s[0] / s[2] % 8 == 0 && s[1] / s[2] % 8 == 0;
        if (rx_weights_layout(&g) != RX_LAYOUT_PANEL || (!pairs && !whole))
            continue;
        const enum rx_dtype form = pairs ? RX_BF16X2 : RX_BF16;
        p = &add(&list, "transpose to bf16", RX_PROBLEM_TRANSPOSE, g, 1, 0)->problem;
        rx_case_operand(p, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_READ, 1, 0, "w");
        const int turned =
            rx_case_operand(p, RX_OPERAND_WEIGHTS_DGRAD, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "wt");
        p->products = RX_BF16;
        p->operand[turned].dtype = form;
        p = &add(&list, "pack", RX_PROBLEM_PACK, g, 1, 0)->problem;
        rx_case_operand(p, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_READ, 1, 0, "w");
        const int packed =
            rx_case_operand(p, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "wp");
        p->operand[packed].dtype = form;
    }
    static const int64_t counts[] = {1, 100, 4096, 9000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct rx_problem *p =
            &add(&list, "reduce", RX_PROBLEM_REDUCE, (struct rx_geometry){0}, 1, 4e-7)->problem;
        rx_case_operand(p, RX_OPERAND_WEIGHTS_PARTIAL, RX_DOMAIN_NONE, RX_READ, counts[i], 0, "dw");
        vector(p, RX_WRITE, counts[i], "v0");
    }
    run(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),     cmocka_unit_test(test_ties),
        cmocka_unit_test(test_sgd),     cmocka_unit_test(test_pools),
        cmocka_unit_test(test_gap),     cmocka_unit_test(test_other_machines),
        cmocka_unit_test(test_bn),      cmocka_unit_test(test_loss),
        cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
