// Every kernel without a convolution against the reference, on awkward shapes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "runtime/plan.h"
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
    assert_int_equal(rx_kernel_cases(list->c, list->n, "native"), 0);
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
    rx_case_step(e, RX_STEP_STORE, mask, -1, map(p, domain, RX_WRITE, "y0"), 0);
    const int sums = rx_case_operand(p, RX_OPERAND_PARTIAL, RX_DOMAIN_IN, RX_WRITE, channels,
                                     RX_SUMS_ROWS, "sums0");
    rx_case_step(e, RX_STEP_SUMS, mask, centred, sums, 0);
    stats(p, channels, mask);
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
    run(&list);
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
    }
    run(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_sgd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
