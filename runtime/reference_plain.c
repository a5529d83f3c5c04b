// The reference of the problems without chains: loss, BN coefficients, reductions, SGD; and the
// sizes of operands. The operands of each come in the order that runtime/problem.c lists.
#include "runtime/reference_plain.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "runtime/base/bf16.h"
#include "runtime/plan.h"
#include "runtime/reference.h"
#include "runtime/weights.h"

static const double bn_eps = 1e-5;

struct run {
    const struct rx_problem *problem;
    int n, n_threads;
    void *const *t;
};

static const struct rx_operand *
operand(const struct run *run, int i)
{
    return &run->problem->operand[i];
}

// Row `row` of a COEF operand.
static float *
coef_row(const struct run *run, int i, int row)
{
    return (float *)run->t[i] + (int64_t)row * operand(run, i)->pitch;
}

// One thread's element of a PARTIAL operand.
static double
partial(const struct run *run, int i, int thread, int row, int64_t c)
{
    const struct rx_operand *o = operand(run, i);
    return ((const double *)run->t[i])[((int64_t)thread * o->rows + row) * o->pitch + c];
}

// log(sum exp(z)), by way of the largest; -log softmax(z)[k] is this minus z[k].
static double
log_partition(const float *z, int classes)
{
    int best = 0;
    double sum = 1;  // the largest one's own term
    for (int k = 1; k < classes; k++)
        best = z[k] > z[best] ? k : best;
    for (int k = 0; k < classes; k++)
        if (k != best)
            sum += exp((double)z[k] - z[best]);
    return z[best] + log(sum);
}

// loss = (1 - e) * -log p[label] + e / K * sum_k -log p[k]; its gradient is (p - target) / n.
static void
run_loss(const struct run *run)
{
    const int classes = (int)operand(run, 0)->c;
    const int32_t *label = run->t[1];
    const double e = ((const float *)run->t[2])[RX_HYPER_SMOOTHING];
    for (int i = 0; i < run->n; i++) {
        const float *z = (const float *)run->t[0] + (int64_t)i * operand(run, 0)->pitch;
        float *dz = (float *)run->t[3] + (int64_t)i * operand(run, 3)->pitch;
        const double log_sum = log_partition(z, classes);
        double loss = 0;
        for (int k = 0; k < classes; k++) {
            const double target = (k == label[i] ? 1 - e : 0) + e / classes;
            loss += target * (log_sum - z[k]);
            dz[k] = (float)((exp(z[k] - log_sum) - target) / run->n);
        }
        ((float *)run->t[4])[i] = (float)loss;
    }
}

struct statistics {
    double count, mean, m2;
};

// Chan's combination of the threads' statistics of one channel.
static struct statistics
combine(const struct run *run, int i, int64_t c)
{
    struct statistics all = {0};
    for (int thread = 0; thread < run->n_threads; thread++) {
        const double count = partial(run, i, thread, RX_STATS_COUNT, c);
        if (count == 0)
            continue;
        const double delta = partial(run, i, thread, RX_STATS_MEAN, c) - all.mean;
        const double total = all.count + count;
        all.m2 +=
            partial(run, i, thread, RX_STATS_M2, c) + delta * delta * all.count * count / total;
        all.mean += delta * count / total;
        all.count = total;
    }
    return all;
}

static void
write_coef(const struct run *run, int i, int64_t c, double gamma, double beta, double mean,
           double variance)
{
    const double invstd = 1 / sqrt(variance + bn_eps);
    coef_row(run, i, RX_COEF_SCALE)[c] = (float)(gamma * invstd);
    coef_row(run, i, RX_COEF_SHIFT)[c] = (float)(beta - gamma * invstd * mean);
    coef_row(run, i, RX_COEF_MEAN)[c] = (float)mean;
    coef_row(run, i, RX_COEF_INVSTD)[c] = (float)invstd;
}

static void
run_bn_coef(const struct run *run)
{
    const float *gamma = run->t[1], *beta = run->t[2];
    float *running_mean = run->t[3], *running_var = run->t[4];
    const double m = ((const float *)run->t[5])[RX_HYPER_BN_MOMENTUM];
    for (int64_t c = 0; c < operand(run, 6)->c; c++) {
        const struct statistics s = combine(run, 0, c);
        write_coef(run, 6, c, gamma[c], beta[c], s.mean, s.m2 / s.count);
        running_mean[c] = (float)((1 - m) * running_mean[c] + m * s.mean);
        running_var[c] = (float)((1 - m) * running_var[c] + m * s.m2 / (s.count - 1));
    }
}

static void
run_bn_fold(const struct run *run)
{
    const float *gamma = run->t[0], *beta = run->t[1], *mean = run->t[2], *variance = run->t[3];
    for (int64_t c = 0; c < operand(run, 4)->c; c++)
        write_coef(run, 4, c, gamma[c], beta[c], mean[c], variance[c]);
}

// With A = sum dz, B = sum dz*(y - mean) over M values a channel:
// dy = gamma*invstd * (dz - A/M - (y - mean) * invstd^2 * B/M), dgamma = B*invstd, dbeta = A.
static void
run_bn_grad_coef(const struct run *run)
{
    const struct rx_geometry *g = &run->problem->geometry;
    const double m = (double)run->n * g->h * g->w;
    const float *invstd = coef_row(run, 1, RX_COEF_INVSTD), *gamma = run->t[2];
    for (int64_t c = 0; c < operand(run, 3)->c; c++) {
        double sum = 0, product = 0;
        for (int thread = 0; thread < run->n_threads; thread++) {
            sum += partial(run, 0, thread, RX_SUMS_A, c);
            product += partial(run, 0, thread, RX_SUMS_AB, c);
        }
        const double a = (double)gamma[c] * invstd[c], square = (double)invstd[c] * invstd[c];
        coef_row(run, 3, RX_GRAD_COEF_A)[c] = (float)a;
        coef_row(run, 3, RX_GRAD_COEF_B)[c] = (float)(-a * square * product / m);
        coef_row(run, 3, RX_GRAD_COEF_C)[c] = (float)(-a * sum / m);
        ((float *)run->t[4])[c] = (float)(product * invstd[c]);
        ((float *)run->t[5])[c] = (float)sum;
    }
}

static void
run_transpose(const struct run *run)
{
    const struct rx_geometry *g = &run->problem->geometry, t = rx_weights_transposed(g);
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    const enum rx_dtype dtype = run->problem->operand[1].dtype;
    const float *w = run->t[0];
    void *wt = run->t[1];
    memset(wt, 0, (size_t)(rx_weights_count_of(&t, dtype) * rx_dtype_bytes(dtype)));
    for (int k = 0; k < g->k; k++)
        for (int c = 0; c < cg; c++)
            for (int r = 0; r < g->r; r++)
                for (int s = 0; s < g->s; s++) {
                    const int out = k / kg * cg + c, in = k % kg;
                    const float value = w[rx_weights_index(g, k, c, r, s)];
                    const int64_t at = rx_weights_index_of(&t, dtype, out, in, r, s);
                    if (dtype == RX_F32)
                        ((float *)wt)[at] = value;
                    else
                        ((uint16_t *)wt)[at] = rx_bf16_round(value);
                }
}

static void
run_pack(const struct run *run)
{
    const struct rx_geometry *g = &run->problem->geometry;
    const enum rx_dtype dtype = run->problem->operand[1].dtype;
    const float *w = run->t[0];
    uint16_t *packed = run->t[1];
    memset(packed, 0, (size_t)(rx_weights_count_of(g, dtype) * rx_dtype_bytes(dtype)));
    for (int k = 0; k < g->k; k++)
        for (int c = 0; c < g->c / g->groups; c++)
            for (int r = 0; r < g->r; r++)
                for (int s = 0; s < g->s; s++)
                    packed[rx_weights_index_of(g, dtype, k, c, r, s)] =
                        rx_bf16_round(w[rx_weights_index(g, k, c, r, s)]);
}

// Element i of a weight gradient: the sum over all threads' parts.
static double
sum_of_parts(const struct run *run, int64_t i)
{
    double sum = 0;
    for (int thread = 0; thread < run->n_threads; thread++)
        sum += ((const float *)run->t[0])[thread * operand(run, 1)->c + i];
    return sum;
}

static void
run_reduce(const struct run *run)
{
    for (int64_t i = 0; i < operand(run, 1)->c; i++)
        ((float *)run->t[1])[i] = (float)sum_of_parts(run, i);
}

static void
run_bias_grad(const struct run *run)
{
    for (int64_t k = 0; k < operand(run, 1)->c; k++) {
        double sum = 0;
        for (int i = 0; i < run->n; i++)
            sum += ((const float *)run->t[0])[(int64_t)i * operand(run, 0)->pitch + k];
        ((float *)run->t[1])[k] = (float)sum;
    }
}

// PyTorch's rule: g += wd*w; buf = first ? g : m*buf + g; w -= lr * (nesterov ? g + m*buf : buf).
static void
step_of_sgd(const struct run *run, const float *hyper, double gradient, float *w, float *momentum)
{
    const double m = hyper[RX_HYPER_MOMENTUM], wd = hyper[run->problem->hyper_row];
    const double g = gradient + wd * *w;
    const double buf = hyper[RX_HYPER_FIRST] != 0 ? g : m * *momentum + g;
    const double step = hyper[RX_HYPER_NESTEROV] != 0 ? g + m * buf : buf;
    *momentum = (float)buf;
    *w = (float)(*w - hyper[RX_HYPER_LR] * step);
}

static void
run_sgd(const struct run *run)
{
    float *w = run->t[0], *momentum = run->t[1];
    const float *gradient = run->t[2], *hyper = run->t[3];
    for (int64_t i = 0; i < operand(run, 0)->c; i++)
        step_of_sgd(run, hyper, gradient[i], &w[i], &momentum[i]);
}

static void
run_update(const struct run *run)
{
    float *w = run->t[1], *momentum = run->t[2];
    const float *hyper = run->t[3];
    for (int64_t i = 0; i < operand(run, 1)->c; i++)
        step_of_sgd(run, hyper, sum_of_parts(run, i), &w[i], &momentum[i]);
}

typedef void
plain_fn(const struct run *run);

int
rx_reference_run_plain(const struct rx_problem *problem, int n, int n_threads, void *const *t)
{
    static plain_fn *const plain[RX_PROBLEM_N_OPS] = {
        [RX_PROBLEM_LOSS] = run_loss,           [RX_PROBLEM_BN_COEF] = run_bn_coef,
        [RX_PROBLEM_BN_FOLD] = run_bn_fold,     [RX_PROBLEM_BN_GRAD_COEF] = run_bn_grad_coef,
        [RX_PROBLEM_TRANSPOSE] = run_transpose, [RX_PROBLEM_REDUCE] = run_reduce,
        [RX_PROBLEM_BIAS_GRAD] = run_bias_grad, [RX_PROBLEM_SGD] = run_sgd,
        [RX_PROBLEM_UPDATE] = run_update,       [RX_PROBLEM_PACK] = run_pack,
    };
    const struct run run = {.problem = problem, .n = n, .n_threads = n_threads, .t = t};
    if (plain[problem->op] == NULL)
        return 0;
    plain[problem->op](&run);
    return 1;
}

static int64_t
weights_bytes(const struct rx_operand *o, const struct rx_geometry *g)
{
    return rx_weights_count_of(g, o->dtype) * rx_dtype_bytes(o->dtype);
}

// A map's last pixel ends at its last channel: what follows belongs to the view's neighbour.
static int64_t
map_bytes(const struct rx_problem *p, const struct rx_operand *o, int n)
{
    const struct rx_geometry *g = &p->geometry;
    const int64_t area = o->domain == RX_DOMAIN_IN ? (int64_t)g->h * g->w : (int64_t)g->oh * g->ow;
    return ((n * area - 1) * o->pitch + o->c) * rx_dtype_bytes(o->dtype);
}

int64_t
rx_reference_operand_bytes(const struct rx_problem *problem, int i, int n, int n_threads)
{
    const struct rx_operand *o = &problem->operand[i];
    const struct rx_geometry *g = &problem->geometry, t = rx_weights_transposed(g);
    const int64_t threads = n_threads, f32 = sizeof(float);
    switch (o->kind) {
    case RX_OPERAND_MAP:
        return map_bytes(problem, o, n);
    case RX_OPERAND_COEF:
        return f32 * o->rows * o->pitch;
    case RX_OPERAND_PARTIAL:
        return (int64_t)sizeof(double) * threads * o->rows * o->pitch;
    case RX_OPERAND_VECTOR:
        return f32 * o->c;
    case RX_OPERAND_WEIGHTS:
        return weights_bytes(o, g);
    case RX_OPERAND_WEIGHTS_DGRAD:
        return weights_bytes(o, &t);
    case RX_OPERAND_WEIGHTS_PARTIAL:
        // `reduce` and `update` know their weights as a flat vector, their geometry says nothing.
        return f32 * threads *
               (problem->op == RX_PROBLEM_CONV_WGRAD ? rx_weights_count(g) : problem->operand[1].c);
    case RX_OPERAND_INDEX:
        return (int64_t)n * g->oh * g->ow * o->c;
    case RX_OPERAND_LABELS:
        return (int64_t)sizeof(int32_t) * n;
    case RX_OPERAND_LOSS:
        return f32 * n;
    case RX_OPERAND_HYPER:
        return f32 * RX_HYPER_N;
    case RX_OPERAND_N_KINDS:
        break;
    }
    assert(!"an operand kind that the reference does not know");
    return 0;
}
