// The reference interpreter itself: against numbers made by hand, adjointness of the convolution's
// three products, finite differences and direct formulas.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/plan.h"
#include "runtime/reference.h"
#include "runtime/weights.h"

enum { THREADS = 3 };

// Fails unless |a - b| <= tolerance; NaN fails.
static void
assert_close(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.9g and %.9g differ by more than %g", a, b, tolerance);
}

// A problem and the memory of its operands.
struct example {
    struct rx_problem problem;
    int n;
    void *t[RX_OPERANDS_MAX];
};

static int
add_operand(struct example *e, struct rx_operand operand)
{
    e->problem.operand[e->problem.n_operands] = operand;
    return e->problem.n_operands++;
}

static int
add_map(struct example *e, enum rx_domain domain, int access)
{
    const struct rx_geometry *g = &e->problem.geometry;
    const int c = domain == RX_DOMAIN_IN ? g->c : g->k;
    // Two unused channels between pixels, so that a pitch that is ignored shows.
    return add_operand(
        e, (struct rx_operand){
               .kind = RX_OPERAND_MAP, .domain = domain, .access = access, .c = c, .pitch = c + 2});
}

static int
add_rows(struct example *e, enum rx_operand_kind kind, int rows, int c, int access)
{
    return add_operand(
        e, (struct rx_operand){
               .kind = kind, .access = access, .rows = rows, .c = c, .pitch = (c + 15) / 16 * 16});
}

static int
add_plain(struct example *e, enum rx_operand_kind kind, int64_t c, int access)
{
    return add_operand(e, (struct rx_operand){.kind = kind, .access = access, .c = c});
}

static int
add_step(struct rx_chain *chain, enum rx_step_op op, int a, int b, int operand, int row)
{
    chain->step[chain->n] =
        (struct rx_step){.op = op, .a = a, .b = b, .operand = operand, .row = row};
    chain->result = chain->n;
    return chain->n++;
}

// The prologue that only loads, the epilogue that only stores.
static void
add_load(struct example *e, int which, enum rx_domain domain)
{
    const int x = add_map(e, domain, RX_READ);
    add_step(&e->problem.prologue[which], RX_STEP_LOAD, -1, -1, x, 0);
}

static int
add_store(struct example *e, enum rx_domain domain)
{
    const int acc = add_step(&e->problem.epilogue, RX_STEP_ACC, -1, -1, -1, 0);
    const int y = add_map(e, domain, RX_WRITE);
    add_step(&e->problem.epilogue, RX_STEP_STORE, acc, -1, y, 0);
    return y;
}

static void
allocate(struct example *e)
{
    for (int i = 0; i < e->problem.n_operands; i++)
        e->t[i] =
            rx_memory_alloc((size_t)rx_reference_operand_bytes(&e->problem, i, e->n, THREADS));
}

static void
run(struct example *e)
{
    rx_reference_run(&e->problem, e->n, THREADS, e->t);
}

static void
release(struct example *e)
{
    for (int i = 0; i < e->problem.n_operands; i++)
        free(e->t[i]);
}

// Numbers in [-1, 1] that follow from the seed alone.
static float
noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

static float *
map_at(const struct example *e, int operand, int64_t pixel, int channel)
{
    return (float *)e->t[operand] + pixel * e->problem.operand[operand].pitch + channel;
}

static int64_t
pixels(const struct example *e, int operand)
{
    const struct rx_geometry *g = &e->problem.geometry;
    const int in = e->problem.operand[operand].domain == RX_DOMAIN_IN;
    return (int64_t)e->n * (in ? g->h * g->w : g->oh * g->ow);
}

static void
fill_map(struct example *e, int operand, uint32_t seed)
{
    for (int64_t p = 0; p < pixels(e, operand); p++)
        for (int c = 0; c < e->problem.operand[operand].c; c++)
            *map_at(e, operand, p, c) = noise(&seed);
}

static double
dot_maps(const struct example *a, int i, const struct example *b, int j)
{
    double sum = 0;
    for (int64_t p = 0; p < pixels(a, i); p++)
        for (int c = 0; c < a->problem.operand[i].c; c++)
            sum += (double)*map_at(a, i, p, c) * *map_at(b, j, p, c);
    return sum;
}

// The map is [[1 2 3] [4 5 6] [7 8 9]], the filter [[1 2 3] [4 5 6] [7 8 9]], stride 2, padding 1.
// The prologue adds 1: the padding must be zero after it, not before.
static void
test_conv_by_hand(void **state)
{
    (void)state;
    struct example e = {.n = 1, .problem.op = RX_PROBLEM_CONV_FWD};
    e.problem.geometry = (struct rx_geometry){3, 3, 1, 2, 2, 1, 1, 3, 3, 2, 1};
    const int x = add_map(&e, RX_DOMAIN_IN, RX_READ);
    const int one = add_plain(&e, RX_OPERAND_VECTOR, 1, RX_READ);
    add_step(&e.problem.prologue[0], RX_STEP_LOAD, -1, -1, x, 0);
    add_step(&e.problem.prologue[0], RX_STEP_COEF, -1, -1, one, 0);
    add_step(&e.problem.prologue[0], RX_STEP_ADD, 0, 1, -1, 0);
    const int w = add_plain(&e, RX_OPERAND_WEIGHTS, 0, RX_READ);
    const int y = add_store(&e, RX_DOMAIN_OUT);
    allocate(&e);
    *(float *)e.t[one] = 1;
    for (int i = 0; i < 9; i++) {
        *map_at(&e, x, i, 0) = (float)(i + 1);
        ((float *)e.t[w])[rx_weights_index(&e.problem.geometry, 0, 0, i / 3, i % 3)] =
            (float)(i + 1);
    }
    run(&e);
    // First window: 5*2 + 6*3 + 8*5 + 9*6 = 122, and so on.
    const double want[] = {122, 4 * 3 + 5 * 4 + 7 * 6 + 8 * 7, 2 * 5 + 3 * 6 + 5 * 8 + 6 * 9,
                           1 * 6 + 2 * 7 + 4 * 9 + 5 * 10};
    for (int i = 0; i < 4; i++)
        assert_true(*map_at(&e, y, i, 0) == want[i]);
    release(&e);
}

// <conv(x), y> = <x, dgrad(y)> = <w, wgrad(x, y)> with the weights transposed by `transpose`.
static void
check_adjoint(const struct rx_geometry *g)
{
    struct example fwd = {.n = 2, .problem = {.op = RX_PROBLEM_CONV_FWD, .geometry = *g}};
    struct example dgrad = {.n = 2, .problem = {.op = RX_PROBLEM_CONV_DGRAD, .geometry = *g}};
    struct example wgrad = {.n = 2, .problem = {.op = RX_PROBLEM_CONV_WGRAD, .geometry = *g}};
    struct example turn = {.n = 2, .problem = {.op = RX_PROBLEM_TRANSPOSE, .geometry = *g}};
    add_load(&fwd, 0, RX_DOMAIN_IN);
    add_plain(&fwd, RX_OPERAND_WEIGHTS, 0, RX_READ);
    add_store(&fwd, RX_DOMAIN_OUT);
    add_load(&dgrad, 0, RX_DOMAIN_OUT);
    add_plain(&dgrad, RX_OPERAND_WEIGHTS_DGRAD, 0, RX_READ);
    add_store(&dgrad, RX_DOMAIN_IN);
    add_load(&wgrad, 0, RX_DOMAIN_IN);
    add_load(&wgrad, 1, RX_DOMAIN_OUT);
    add_plain(&wgrad, RX_OPERAND_WEIGHTS_PARTIAL, 0, RX_WRITE);
    add_plain(&turn, RX_OPERAND_WEIGHTS, 0, RX_READ);
    add_plain(&turn, RX_OPERAND_WEIGHTS_DGRAD, 0, RX_WRITE);
    allocate(&fwd), allocate(&dgrad), allocate(&wgrad), allocate(&turn);

    uint32_t seed = 5;
    float *w = fwd.t[1];
    const int64_t count = rx_weights_count(g);
    for (int k = 0; k < g->k; k++)
        for (int c = 0; c < g->c / g->groups; c++)
            for (int r = 0; r < g->r; r++)
                for (int s = 0; s < g->s; s++)
                    w[rx_weights_index(g, k, c, r, s)] = noise(&seed);
    memcpy(turn.t[0], w, (size_t)count * sizeof *w);
    memset(wgrad.t[2], 255, (size_t)(THREADS * count) * sizeof *w);
    run(&turn);
    const struct rx_geometry t = rx_weights_transposed(g);
    memcpy(dgrad.t[1], turn.t[1], (size_t)rx_weights_count(&t) * sizeof *w);
    fill_map(&fwd, 0, 1), fill_map(&wgrad, 0, 1);
    fill_map(&dgrad, 0, 2), fill_map(&wgrad, 1, 2);
    run(&fwd), run(&dgrad), run(&wgrad);

    const double forward = dot_maps(&fwd, 2, &dgrad, 0), data = dot_maps(&fwd, 0, &dgrad, 2);
    double weights = 0;
    for (int64_t i = 0; i < count; i++)
        weights += (double)w[i] * ((const float *)wgrad.t[2])[i];
    for (int64_t i = count; i < THREADS * count; i++)
        assert_true(((const float *)wgrad.t[2])[i] == 0);
    // Each result is rounded to f32 once: half an ulp, 2^-24, of values that are below 16 here, in
    // sums of some hundred products of either sign.
    assert_close(forward, data, 1e-4);
    assert_close(forward, weights, 1e-4);
    assert_true(fabs(forward) > 1e-2);
    release(&fwd), release(&dgrad), release(&wgrad), release(&turn);
}

static void
test_conv_adjoint(void **state)
{
    (void)state;
    static const struct rx_geometry geometry[] = {
        {5, 4, 3, 5, 4, 5, 1, 3, 3, 1, 1},    // dense
        {5, 6, 8, 3, 3, 12, 4, 3, 3, 2, 1},   // lanes, stride 2
        {4, 4, 36, 4, 4, 36, 2, 3, 3, 1, 1},  // panels of a group of 18
        {9, 9, 3, 5, 5, 7, 1, 7, 7, 2, 3},    // stem
        {5, 5, 6, 3, 3, 20, 1, 1, 1, 2, 0},   // projection
        {1, 1, 17, 1, 1, 5, 1, 1, 1, 1, 0},   // classifier
    };
    for (size_t i = 0; i < sizeof geometry / sizeof geometry[0]; i++)
        check_adjoint(&geometry[i]);
}

// Row 0 of the map is 3 1 3, rows 1 and 2 are smaller: of equal ones the first wins. All values
// are negative, so padding must not count as zero.
static void
test_maxpool(void **state)
{
    (void)state;
    const struct rx_geometry g = {3, 3, 1, 2, 2, 1, 1, 3, 3, 2, 1};
    struct example pool = {.n = 1, .problem = {.op = RX_PROBLEM_MAXPOOL, .geometry = g}};
    struct example grad = {.n = 1, .problem = {.op = RX_PROBLEM_MAXPOOL_GRAD, .geometry = g}};
    add_load(&pool, 0, RX_DOMAIN_IN);
    const int index = add_plain(&pool, RX_OPERAND_INDEX, 1, RX_WRITE);
    const int y = add_store(&pool, RX_DOMAIN_OUT);
    add_load(&grad, 0, RX_DOMAIN_OUT);
    add_plain(&grad, RX_OPERAND_INDEX, 1, RX_READ);
    const int dx = add_store(&grad, RX_DOMAIN_IN);
    allocate(&pool), allocate(&grad);
    static const float x[] = {-9, -2, -9, -9, -2, -3, -9, -9, -3};
    for (int i = 0; i < 9; i++)
        *map_at(&pool, 0, i, 0) = x[i];
    run(&pool);
    static const float max[] = {-2, -2, -2, -2};
    static const uint8_t tap[] = {5, 3, 2, 0};  // of the 3x3 window around each output
    for (int i = 0; i < 4; i++) {
        assert_true(*map_at(&pool, y, i, 0) == max[i]);
        assert_int_equal(((const uint8_t *)pool.t[index])[i], tap[i]);
        *map_at(&grad, 0, i, 0) = (float)(1 << i);
    }
    memcpy(grad.t[1], pool.t[index], 4);
    run(&grad);
    static const float want[] = {0, 1 + 2, 0, 0, 4 + 8, 0, 0, 0, 0};
    for (int i = 0; i < 9; i++)
        assert_true(*map_at(&grad, dx, i, 0) == want[i]);
    release(&pool), release(&grad);
}

static void
test_gap(void **state)
{
    (void)state;
    const struct rx_geometry g = {2, 2, 2, 1, 1, 2, 1, 1, 1, 1, 0};
    struct example gap = {.n = 2, .problem = {.op = RX_PROBLEM_GAP, .geometry = g}};
    struct example grad = {.n = 2, .problem = {.op = RX_PROBLEM_GAP_GRAD, .geometry = g}};
    add_load(&gap, 0, RX_DOMAIN_IN);
    const int y = add_store(&gap, RX_DOMAIN_OUT);
    add_load(&grad, 0, RX_DOMAIN_OUT);
    const int dx = add_store(&grad, RX_DOMAIN_IN);
    allocate(&gap), allocate(&grad);
    for (int p = 0; p < 8; p++)
        for (int c = 0; c < 2; c++)
            *map_at(&gap, 0, p, c) = (float)(10 * p + 4 * c);
    for (int p = 0; p < 2; p++)
        *map_at(&grad, 0, p, 1) = (float)(4 + 4 * p);
    run(&gap), run(&grad);
    for (int c = 0; c < 2; c++) {
        assert_true(*map_at(&gap, y, 0, c) == (float)(15 + 4 * c));
        assert_true(*map_at(&gap, y, 1, c) == (float)(55 + 4 * c));
    }
    for (int p = 0; p < 8; p++) {
        assert_true(*map_at(&grad, dx, p, 0) == 0);
        assert_true(*map_at(&grad, dx, p, 1) == (float)(1 + p / 4));
    }
    release(&gap), release(&grad);
}

// Every kind of chain step, on one element a pixel.
static void
test_chain_steps(void **state)
{
    (void)state;
    struct example e = {.n = 1, .problem.op = RX_PROBLEM_MAP};
    e.problem.geometry = (struct rx_geometry){1, 4, 1, 1, 4, 1, 1, 1, 1, 1, 0};
    const int x = add_map(&e, RX_DOMAIN_IN, RX_READ);
    const int coef = add_rows(&e, RX_OPERAND_COEF, RX_COEF_ROWS, 1, RX_READ);
    struct rx_chain *pro = &e.problem.prologue[0], *epi = &e.problem.epilogue;
    add_step(pro, RX_STEP_LOAD, -1, -1, x, 0);
    add_step(pro, RX_STEP_COEF, -1, -1, coef, RX_COEF_SCALE);
    add_step(pro, RX_STEP_COEF, -1, -1, coef, RX_COEF_MEAN);
    add_step(pro, RX_STEP_SUB, 0, 2, -1, 0);
    add_step(pro, RX_STEP_MUL, 3, 1, -1, 0);
    const int stats = add_rows(&e, RX_OPERAND_PARTIAL, RX_STATS_ROWS, 1, RX_WRITE);
    const int sums = add_rows(&e, RX_OPERAND_PARTIAL, RX_SUMS_ROWS, 1, RX_WRITE);
    const int y = add_map(&e, RX_DOMAIN_IN, RX_WRITE);
    add_step(epi, RX_STEP_ACC, -1, -1, -1, 0);
    add_step(epi, RX_STEP_LOAD, -1, -1, x, 0);
    add_step(epi, RX_STEP_RELU, 0, -1, -1, 0);
    add_step(epi, RX_STEP_MASK, 1, 0, -1, 0);
    add_step(epi, RX_STEP_ADD, 2, 3, -1, 0);
    add_step(epi, RX_STEP_STORE, 4, -1, y, 0);
    add_step(epi, RX_STEP_STATS, 5, -1, stats, 0);
    add_step(epi, RX_STEP_SUMS, 5, 0, sums, 0);
    allocate(&e);
    memset(e.t[stats], 255, sizeof(double));
    ((float *)e.t[coef])[RX_COEF_SCALE * 16] = 2;
    ((float *)e.t[coef])[RX_COEF_MEAN * 16] = 3;
    for (int i = 0; i < 4; i++)
        *map_at(&e, x, i, 0) = (float)(2 * i);
    run(&e);
    // x = 0 2 4 6; acc = 2 * (x - 3) = -6 -2 2 6; y = relu(acc) + (acc > 0 ? x : 0) = 0 0 6 12.
    static const float want[] = {0, 0, 6, 12};
    for (int i = 0; i < 4; i++)
        assert_true(*map_at(&e, y, i, 0) == want[i]);
    const double *count = e.t[stats], *sum = e.t[sums];
    assert_true(count[0] == 4);
    assert_close(count[16], 4.5, 1e-14);
    assert_close(count[32], 20.25 * 2 + 2.25 + 56.25, 1e-13);
    assert_true(sum[0] == 18 && sum[16] == 12 + 72);
    for (int thread = 1; thread < THREADS; thread++)
        assert_true(count[thread * 48] == 0 && sum[thread * 32] == 0);
    release(&e);
}

// A batch norm of BN_VALUES values of one channel, y -> gamma * (y - mean) * invstd + beta, whose
// statistics come in one part a thread.
enum { BN_VALUES = 6 };
static const double bn_value[BN_VALUES] = {1000.5, 1001, 999, 1003.25, 998, 1000};

static void
open_bn_coef(struct example *e, int first, int last)
{
    *e = (struct example){.n = 1, .problem.op = RX_PROBLEM_BN_COEF};
    e->problem.geometry = (struct rx_geometry){1, BN_VALUES, 1, 1, BN_VALUES, 1, 1, 1, 1, 1, 0};
    add_rows(e, RX_OPERAND_PARTIAL, RX_STATS_ROWS, 1, RX_READ);
    for (int i = 0; i < 4; i++)
        add_plain(e, RX_OPERAND_VECTOR, 1, i < 2 ? RX_READ : RX_READ | RX_WRITE);
    add_plain(e, RX_OPERAND_HYPER, 0, RX_READ);
    add_rows(e, RX_OPERAND_COEF, RX_COEF_ROWS, 1, RX_WRITE);
    allocate(e);
    // Thread 0 has values [0, first), thread 1 none, thread 2 the rest.
    double *part = e->t[0];
    for (int i = 0; i < last; i++) {
        double *p = part + (i < first ? 0 : 2) * 48, before = bn_value[i] - p[16];
        p[0]++;
        p[16] += before / p[0];
        p[32] += before * (bn_value[i] - p[16]);
    }
    *(float *)e->t[1] = 1.5f;
    *(float *)e->t[2] = 0.25f;
    *(float *)e->t[3] = 10;
    *(float *)e->t[4] = 2;
    ((float *)e->t[5])[RX_HYPER_BN_MOMENTUM] = 0.1f;
}

static void
test_bn_coef(void **state)
{
    (void)state;
    struct example e;
    open_bn_coef(&e, 2, BN_VALUES);
    run(&e);
    double mean = 0, m2 = 0;
    for (int i = 0; i < BN_VALUES; i++)
        mean += bn_value[i] / BN_VALUES;
    for (int i = 0; i < BN_VALUES; i++)
        m2 += (bn_value[i] - mean) * (bn_value[i] - mean);
    const double invstd = 1 / sqrt(m2 / BN_VALUES + 1e-5);
    const float *coef = e.t[6];
    // Values are rounded to f32: relative 2^-24, so 6e-8 times the size.
    assert_close(coef[RX_COEF_MEAN * 16], mean, 1e-4);
    assert_close(coef[RX_COEF_INVSTD * 16], invstd, 1e-7);
    assert_close(coef[RX_COEF_SCALE * 16], 1.5 * invstd, 1e-7);
    assert_close(coef[RX_COEF_SHIFT * 16], 0.25 - 1.5 * invstd * mean, 1e-4);
    // The hyper-parameter 0.1 is f32 too, and weighs 1000.
    assert_close(*(float *)e.t[3], 0.9 * 10 + 0.1 * mean, 1e-4);
    assert_close(*(float *)e.t[4], 0.9 * 2 + 0.1 * m2 / (BN_VALUES - 1), 1e-6);
    release(&e);
}

static void
test_bn_fold(void **state)
{
    (void)state;
    struct example e = {.n = 1, .problem.op = RX_PROBLEM_BN_FOLD};
    for (int i = 0; i < 4; i++)
        add_plain(&e, RX_OPERAND_VECTOR, 2, RX_READ);
    add_rows(&e, RX_OPERAND_COEF, RX_COEF_ROWS, 2, RX_WRITE);
    allocate(&e);
    static const float value[] = {1.5f, 0.25f, 3.0f, 0.25f};
    for (int i = 0; i < 4; i++)
        ((float *)e.t[i])[1] = value[i];
    run(&e);
    const float *coef = e.t[4];
    const double invstd = 1 / sqrt(0.25 + 1e-5);
    assert_close(coef[RX_COEF_SCALE * 16 + 1], 1.5 * invstd, 4e-7);
    assert_close(coef[RX_COEF_SHIFT * 16 + 1], 0.25 - 4.5 * invstd, 1e-6);
    release(&e);
}

// sum_i dz[i] * bn(y)[i] as a function of y, in double, for differences.
static double
bn_objective(const double *y, const double *dz, double gamma, double beta)
{
    double mean = 0, var = 0, sum = 0;
    for (int i = 0; i < BN_VALUES; i++)
        mean += y[i] / BN_VALUES;
    for (int i = 0; i < BN_VALUES; i++)
        var += (y[i] - mean) * (y[i] - mean) / BN_VALUES;
    for (int i = 0; i < BN_VALUES; i++)
        sum += dz[i] * (gamma * (y[i] - mean) / sqrt(var + 1e-5) + beta);
    return sum;
}

static double
difference(const double *y, const double *dz, int which, double h)
{
    double up[BN_VALUES], down[BN_VALUES];
    memcpy(up, y, sizeof up), memcpy(down, y, sizeof down);
    if (which < BN_VALUES)
        up[which] += h, down[which] -= h;
    const double dg = which == BN_VALUES ? h : 0, db = which == BN_VALUES + 1 ? h : 0;
    return (bn_objective(up, dz, 1.5 + dg, 0.25 + db) -
            bn_objective(down, dz, 1.5 - dg, 0.25 - db)) /
           (2 * h);
}

static void
test_bn_grad_coef(void **state)
{
    (void)state;
    static const double y[BN_VALUES] = {0.5, 1, -1, 3.25, -2, 0};
    static const double dz[BN_VALUES] = {1, -0.5, 0.25, 2, 0.75, -1};
    struct example e = {.n = 2, .problem.op = RX_PROBLEM_BN_GRAD_COEF};
    e.problem.geometry = (struct rx_geometry){1, 3, 1, 1, 3, 1, 1, 1, 1, 1, 0};
    add_rows(&e, RX_OPERAND_PARTIAL, RX_SUMS_ROWS, 1, RX_READ);
    add_rows(&e, RX_OPERAND_COEF, RX_COEF_ROWS, 1, RX_READ);
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_READ);
    add_rows(&e, RX_OPERAND_COEF, RX_GRAD_COEF_ROWS, 1, RX_WRITE);
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_WRITE);
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_WRITE);
    allocate(&e);
    double mean = 0, var = 0;
    for (int i = 0; i < BN_VALUES; i++)
        mean += y[i] / BN_VALUES;
    for (int i = 0; i < BN_VALUES; i++)
        var += (y[i] - mean) * (y[i] - mean) / BN_VALUES;
    ((float *)e.t[1])[RX_COEF_MEAN * 16] = (float)mean;
    ((float *)e.t[1])[RX_COEF_INVSTD * 16] = (float)(1 / sqrt(var + 1e-5));
    *(float *)e.t[2] = 1.5f;
    for (int i = 0; i < BN_VALUES; i++) {
        double *part = (double *)e.t[0] + i % THREADS * 32;
        part[RX_SUMS_A * 16] += dz[i];
        part[RX_SUMS_AB * 16] += dz[i] * (y[i] - mean);
    }
    run(&e);
    const float *abc = e.t[3];
    // Differences are good to h^2; the coefficients are f32, of size about 1.
    for (int i = 0; i < BN_VALUES; i++)
        assert_close(abc[0] * dz[i] + abc[16] * (y[i] - mean) + abc[32], difference(y, dz, i, 1e-4),
                     1e-6);
    assert_close(*(float *)e.t[4], difference(y, dz, BN_VALUES, 1e-4), 1e-6);
    assert_close(*(float *)e.t[5], difference(y, dz, BN_VALUES + 1, 1e-4), 1e-6);
    release(&e);
}

enum { LOSS_CLASSES = 4, LOSS_IMAGES = 3 };

static void
open_loss(struct example *e, float smoothing)
{
    *e = (struct example){.n = LOSS_IMAGES, .problem.op = RX_PROBLEM_LOSS};
    e->problem.geometry = (struct rx_geometry){1, 1, 4, 1, 1, LOSS_CLASSES, 1, 1, 1, 1, 0};
    add_map(e, RX_DOMAIN_OUT, RX_READ);
    add_plain(e, RX_OPERAND_LABELS, 0, RX_READ);
    add_plain(e, RX_OPERAND_HYPER, 0, RX_READ);
    add_map(e, RX_DOMAIN_OUT, RX_WRITE);
    add_plain(e, RX_OPERAND_LOSS, 0, RX_WRITE);
    allocate(e);
    fill_map(e, 0, 9);
    for (int i = 0; i < LOSS_IMAGES; i++)
        ((int32_t *)e->t[1])[i] = i + 1;
    ((float *)e->t[2])[RX_HYPER_SMOOTHING] = smoothing;
}

static double
mean_loss(struct example *e)
{
    double sum = 0;
    run(e);
    for (int i = 0; i < LOSS_IMAGES; i++)
        sum += ((const float *)e->t[4])[i];
    return sum / LOSS_IMAGES;
}

static void
test_loss_gradient(void **state)
{
    (void)state;
    static const float smoothing[] = {0, 0.1f};
    for (int j = 0; j < 2; j++) {
        struct example e;
        open_loss(&e, smoothing[j]);
        mean_loss(&e);
        float gradient[LOSS_IMAGES][LOSS_CLASSES];
        for (int i = 0; i < LOSS_IMAGES; i++)
            memcpy(gradient[i], map_at(&e, 3, i, 0), sizeof gradient[i]);
        // Losses are f32 of about 2, so good to 2^-23: over 2h = 2^-5 the quotient to 1e-5; the
        // third derivative, below 1/8, adds h^2 / 48.
        const float h = 0.015625f;
        for (int i = 0; i < LOSS_IMAGES; i++)
            for (int k = 0; k < LOSS_CLASSES; k++) {
                float *z = map_at(&e, 0, i, k), old = *z;
                *z = old + h;
                const double up = mean_loss(&e);
                *z = old - h;
                const double quotient = (up - mean_loss(&e)) / (2 * (double)h);
                *z = old;
                assert_close(gradient[i][k], quotient, 2e-5);
            }
        release(&e);
    }
}

// Equal logits: every loss is log K, with and without smoothing; large ones do not overflow.
static void
test_loss_values(void **state)
{
    (void)state;
    struct example e;
    open_loss(&e, 0.25f);
    for (int i = 0; i < LOSS_IMAGES; i++)
        for (int k = 0; k < LOSS_CLASSES; k++)
            *map_at(&e, 0, i, k) = 1000;
    // Logits z, 0, 0, 0 and label 2: log(e^z + 3) - 0.25 / 4 * z.
    *map_at(&e, 0, 1, 0) = 1002;
    run(&e);
    const float *loss = e.t[4];
    assert_close(loss[0], log(4), 1e-6);
    assert_close(loss[1], log(exp(2) + 3) - 0.25 / 4 * 2, 1e-6);
    assert_close(*map_at(&e, 3, 0, 1), (0.25 - 0.75 - 0.25 / 4) / LOSS_IMAGES, 1e-7);
    assert_close(*map_at(&e, 3, 0, 0), (0.25 - 0.25 / 4) / LOSS_IMAGES, 1e-7);
    release(&e);
}

static void
check_sgd(const float *hyper, int row, const double *weight, const double *momentum)
{
    struct example e = {.n = 1, .problem = {.op = RX_PROBLEM_SGD, .hyper_row = row}};
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_READ | RX_WRITE);
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_READ | RX_WRITE);
    add_plain(&e, RX_OPERAND_VECTOR, 1, RX_READ);
    add_plain(&e, RX_OPERAND_HYPER, 0, RX_READ);
    allocate(&e);
    *(float *)e.t[0] = 1;
    *(float *)e.t[1] = 77;  // must not matter at the first update
    memcpy(e.t[3], hyper, RX_HYPER_N * sizeof *hyper);
    for (int i = 0; i < 2; i++) {
        *(float *)e.t[2] = i == 0 ? 0.5f : -1.0f;
        ((float *)e.t[3])[RX_HYPER_FIRST] = i == 0;
        run(&e);
        assert_close(*(float *)e.t[0], weight[i], 1e-6);
        assert_close(*(float *)e.t[1], momentum[i], 1e-6);
    }
    release(&e);
}

// Two updates with gradients 0.5 and -1 by PyTorch's rule, worked out by hand.
static void
test_sgd(void **state)
{
    (void)state;
    float hyper[RX_HYPER_N] = {[RX_HYPER_LR] = 0.1f, [RX_HYPER_MOMENTUM] = 0.9f};
    hyper[RX_HYPER_WD] = 0.1f;
    // g = 0.6, buf = 0.6, w = 0.94; g = -0.906, buf = 0.54 - 0.906 = -0.366, w = 0.9766.
    static const double weight[] = {0.94, 0.9766}, momentum[] = {0.6, -0.366};
    check_sgd(hyper, RX_HYPER_WD, weight, momentum);
    // No decay: g = 0.5, buf = 0.5, w = 0.95; g = -1, buf = -0.55, w = 1.005.
    static const double weight_bn[] = {0.95, 1.005}, momentum_bn[] = {0.5, -0.55};
    check_sgd(hyper, RX_HYPER_WD_BN, weight_bn, momentum_bn);
    // Nesterov: w = 1 - 0.1 * (0.6 + 0.54) = 0.886; g = -0.9114, buf = -0.3714, step = -1.24566.
    hyper[RX_HYPER_NESTEROV] = 1;
    static const double weight_n[] = {0.886, 1.010566}, momentum_n[] = {0.6, -0.3714};
    check_sgd(hyper, RX_HYPER_WD, weight_n, momentum_n);
}

static void
test_sums(void **state)
{
    (void)state;
    struct example reduce = {.n = 1, .problem.op = RX_PROBLEM_REDUCE};
    add_plain(&reduce, RX_OPERAND_WEIGHTS_PARTIAL, 2, RX_READ);
    add_plain(&reduce, RX_OPERAND_VECTOR, 2, RX_WRITE);
    allocate(&reduce);
    for (int i = 0; i < 2 * THREADS; i++)
        ((float *)reduce.t[0])[i] = (float)(1 << i);
    run(&reduce);
    assert_true(((const float *)reduce.t[1])[0] == 1 + 4 + 16);
    assert_true(((const float *)reduce.t[1])[1] == 2 + 8 + 32);
    release(&reduce);

    struct example bias = {.n = 3, .problem.op = RX_PROBLEM_BIAS_GRAD};
    bias.problem.geometry = (struct rx_geometry){1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 0};
    add_map(&bias, RX_DOMAIN_OUT, RX_READ);
    add_plain(&bias, RX_OPERAND_VECTOR, 2, RX_WRITE);
    allocate(&bias);
    for (int i = 0; i < 6; i++)
        *map_at(&bias, 0, i / 2, i % 2) = (float)(1 << i);
    run(&bias);
    assert_true(((const float *)bias.t[1])[0] == 1 + 4 + 16);
    assert_true(((const float *)bias.t[1])[1] == 2 + 8 + 32);
    release(&bias);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_by_hand),  cmocka_unit_test(test_conv_adjoint),
        cmocka_unit_test(test_maxpool),       cmocka_unit_test(test_gap),
        cmocka_unit_test(test_chain_steps),   cmocka_unit_test(test_bn_coef),
        cmocka_unit_test(test_bn_fold),       cmocka_unit_test(test_bn_grad_coef),
        cmocka_unit_test(test_loss_gradient), cmocka_unit_test(test_loss_values),
        cmocka_unit_test(test_sgd),           cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
