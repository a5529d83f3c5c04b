// Comparison of a kernel's operands with the reference's.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// Sums of values of both signs are judged as if the largest were at least 1, which the values are.
static int
compare_partial(const struct rx_kernel_case *c, int operand, const double *kernel,
                const double *reference, int threads)
{
    static const char *const what[] = {" row 0", " row 1", " row 2"};
    const struct rx_operand *o = &c->problem.operand[operand];
    int wrong = 0;
    for (int row = 0; row < o->rows; row++) {
        struct difference d = {0};
        for (int channel = 0; channel < o->c; channel++) {
            double a[RX_STATS_ROWS], b[RX_STATS_ROWS];
            merge(o, kernel, threads, channel, a);
            merge(o, reference, threads, channel, b);
            look(&d, a[row], b[row], channel);
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
        return compare_partial(c, operand, a, b, kernel->threads);
    case RX_OPERAND_WEIGHTS_PARTIAL:
        return compare_weights_partial(c, operand, a, b, kernel->threads);
    case RX_OPERAND_INDEX:
        return compare_bytes(c, operand, a, b, bytes, "another winner");
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
