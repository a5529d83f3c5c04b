// Comparison of a kernel's operands with the reference's.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/bf16.h"
#include "runtime/base/memory.h"
#include "runtime/weights.h"
#include "tests/support/kernel_data.h"

// The largest difference of a stretch of elements relative to the largest value.
struct difference {
    double worst, largest;
    int64_t at;
    int is_nan;
};

static void
look(struct difference *d, double kernel, double reference, int64_t at)
{
    const double difference = fabs(kernel - reference);
    if (isnan(difference)) {
        d->is_nan = 1;
        d->at = at;
    } else if (difference > d->worst && !d->is_nan) {
        d->worst = difference;
        d->at = at;
    }
    d->largest = fabs(reference) > d->largest ? fabs(reference) : d->largest;
}

// 1 and a message if the difference exceeds tolerance * max(largest, least).
static int
judge(const struct rx_kernel_case *c, int operand, const char *what, const struct difference *d,
      double tolerance, double least)
{
    const double scale = d->largest > least ? d->largest : least;
    if (!d->is_nan && d->worst <= tolerance * scale)
        return 0;
    fprintf(stderr, "%s: operand %d %s%s: element %lld differs by %.3g%s of %.3g, allowed %.3g\n",
            c->label, operand, c->problem.operand[operand].name, what, (long long)d->at, d->worst,
            d->is_nan ? " (NaN)" : "", scale, tolerance * scale);
    return 1;
}

static int
compare_floats(const struct rx_kernel_case *c, int operand, const float *kernel,
               const float *reference, int64_t n)
{
    struct difference d = {0};
    for (int64_t i = 0; i < n; i++)
        look(&d, kernel[i], reference[i], i);
    return judge(c, operand, "", &d, c->tolerance, 0);
}

static double
half_at(const void *map, int64_t i)
{
    return (double)rx_bf16_widen(((const uint16_t *)map)[i]);
}

// The distance of neighbours in bf16, which has 8 bits of precision, at a value.
static double
unit_at(double value)
{
    return ldexp(1, ilogb(value) - 7);
}

// Before rounding, values differ by at most `error`; after it they are equal unless a border lies
// between them, and then a unit more apart. Borders are a unit apart, so one value in unit / (2
// error) may meet one; how many do is a sum of such chances, which stays below its mean plus five
// deviations.
static int
compare_halves(const struct rx_kernel_case *c, int operand, const uint16_t *kernel,
               const uint16_t *reference, int64_t n)
{
    double largest = 0, expected = 0, differ = 0;
    struct difference beyond = {0};
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(half_at(reference, i)));
    const double error = c->tolerance * largest;
    for (int64_t i = 0; i < n; i++) {
        const double a = half_at(kernel, i), b = half_at(reference, i);
        const double unit = b == 0 ? 0 : unit_at(fmax(fabs(a), fabs(b)));
        const double excess = fabs(a - b) - unit;
        differ += kernel[i] != reference[i];
        expected += unit == 0 ? 0 : fmin(1, 2 * error / unit);
        look(&beyond, excess <= 0 ? 0 : excess, 0, i);
    }
    int wrong = judge(c, operand, " beyond a unit of bf16", &beyond, c->tolerance, largest);
    if (!(differ <= expected + 5 * sqrt(expected) + 2)) {
        fprintf(stderr,
                "%s: operand %d %s: %g of %lld elements are rounded differently, about %g "
                "may\n",
                c->label, operand, c->problem.operand[operand].name, differ, (long long)n,
                expected);
        wrong = 1;
    }
    return wrong;
}

static int
compare_bytes(const struct rx_kernel_case *c, int operand, const uint8_t *kernel,
              const uint8_t *reference, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (kernel[i] != reference[i]) {
            fprintf(stderr, "%s: operand %d %s: %s at byte %zu\n", c->label, operand,
                    c->problem.operand[operand].name, what, i);
            return 1;
        }
    return 0;
}

// All threads' parts of one channel, put together.
static void
merge(const struct rx_operand *o, const double *parts, int threads, int channel, double *total)
{
    memset(total, 0, RX_STATS_ROWS * sizeof *total);
    for (int thread = 0; thread < threads; thread++) {
        const double *part = parts + (int64_t)thread * o->rows * o->pitch + channel;
        if (o->rows == RX_SUMS_ROWS) {
            total[RX_SUMS_A] += part[0];
            total[RX_SUMS_AB] += part[o->pitch];
            continue;
        }
        const double count = part[0], delta = part[o->pitch] - total[RX_STATS_MEAN];
        const double all = total[RX_STATS_COUNT] + count;
        if (count == 0)
            continue;
        total[RX_STATS_M2] +=
            part[2 * o->pitch] + delta * delta * total[RX_STATS_COUNT] * count / all;
        total[RX_STATS_MEAN] += delta * count / all;
        total[RX_STATS_COUNT] = all;
    }
}

// How much a channel's stored bf16 values differ, all pixels together: its sums differ by that too.
static double
rounded_apart(const struct rx_kernel_case *c, const struct rx_case_data *kernel,
              const struct rx_case_data *reference, int channel)
{
    double sum = 0;
    for (int i = 0; i < c->problem.epilogue.n; i++) {
        const struct rx_step *s = &c->problem.epilogue.step[i];
        const struct rx_operand *o = &c->problem.operand[s->op == RX_STEP_STORE ? s->operand : 0];
        if (s->op != RX_STEP_STORE || o->dtype != RX_BF16)
            continue;
        const int64_t n = (int64_t)kernel->bytes[s->operand] / rx_dtype_bytes(o->dtype);
        for (int64_t e = channel; e < n; e += o->pitch)
            sum += fabs(half_at(kernel->t[s->operand], e) - half_at(reference->t[s->operand], e));
    }
    return sum;
}

// What a change of the values by 1, all together, changes at most: values are within +-8, what they
// are multiplied with within +-2.
static double
slope_of(const struct rx_operand *o, int row, double count)
{
    if (o->rows == RX_SUMS_ROWS)
        return row == RX_SUMS_A ? 1 : 2;
    return row == RX_STATS_COUNT ? 0 : row == RX_STATS_MEAN ? 1 / count : 2 * 16;
}

// Sums of values of both signs are judged as if the largest were at least 1, which the values are.
static int
compare_partial(const struct rx_kernel_case *c, int operand, const struct rx_case_data *kernel,
                const struct rx_case_data *reference)
{
    static const char *const what[] = {" row 0", " row 1", " row 2"};
    const struct rx_operand *o = &c->problem.operand[operand];
    int wrong = 0;
    for (int row = 0; row < o->rows; row++) {
        struct difference d = {0};
        for (int channel = 0; channel < o->c; channel++) {
            double a[RX_STATS_ROWS], b[RX_STATS_ROWS];
            merge(o, kernel->t[operand], kernel->threads, channel, a);
            merge(o, reference->t[operand], kernel->threads, channel, b);
            const double free =
                slope_of(o, row, b[RX_STATS_COUNT]) * rounded_apart(c, kernel, reference, channel);
            const double excess = fabs(a[row] - b[row]) - free;
            look(&d, excess <= 0 ? b[row] : b[row] + excess, b[row], channel);
        }
        wrong |= judge(c, operand, what[row], &d, c->tolerance, 1);
    }
    return wrong;
}

static int
compare_weights_partial(const struct rx_kernel_case *c, int operand, const float *kernel,
                        const float *reference, int threads)
{
    const int64_t count = rx_weights_count(&c->problem.geometry);
    struct difference d = {0};
    for (int64_t i = 0; i < count; i++) {
        double a = 0, b = 0;
        for (int thread = 0; thread < threads; thread++) {
            a += kernel[thread * count + i];
            b += reference[thread * count + i];
        }
        look(&d, a, b, i);
    }
    return judge(c, operand, "", &d, c->tolerance, 1);
}

static int
compare(const struct rx_kernel_case *c, int operand, const struct rx_case_data *kernel,
        const struct rx_case_data *reference)
{
    const struct rx_operand *o = &c->problem.operand[operand];
    const void *a = kernel->t[operand], *b = reference->t[operand];
    const size_t bytes = kernel->bytes[operand];
    if (!(o->access & RX_WRITE))
        return compare_bytes(c, operand, a, b, bytes, "changed although it is only read");
    switch (o->kind) {
    case RX_OPERAND_PARTIAL:
        return compare_partial(c, operand, kernel, reference);
    case RX_OPERAND_WEIGHTS_PARTIAL:
        return compare_weights_partial(c, operand, a, b, kernel->threads);
    case RX_OPERAND_MAP:
        if (o->dtype == RX_BF16)
            return compare_halves(c, operand, a, b, (int64_t)(bytes / sizeof(uint16_t)));
        return compare_floats(c, operand, a, b, (int64_t)(bytes / sizeof(float)));
    case RX_OPERAND_INDEX:
        return compare_bytes(c, operand, a, b, bytes, "another winner");
    case RX_OPERAND_WEIGHTS:
    case RX_OPERAND_WEIGHTS_DGRAD:
        return compare_bytes(c, operand, a, b, bytes, "another weight");
    default:
        return compare_floats(c, operand, a, b, (int64_t)(bytes / sizeof(float)));
    }
}

int
rx_case_data_compare(const struct rx_kernel_case *c, const struct rx_case_data *kernel,
                     const struct rx_case_data *reference)
{
    int wrong = 0;
    for (int i = 0; i < c->problem.n_operands; i++) {
        if (!rx_guarded_intact(kernel->block[i], kernel->bytes[i])) {
            fprintf(stderr, "%s: operand %d %s: written outside of it\n", c->label, i,
                    c->problem.operand[i].name);
            wrong++;
        }
        wrong += compare(c, i, kernel, reference);
    }
    return wrong;
}
