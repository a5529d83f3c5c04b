// Memory and contents of a kernel case's operands.
#include "tests/support/kernel_data.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/bf16.h"
#include "runtime/base/memory.h"
#include "runtime/plan.h"
#include "runtime/reference.h"
#include "runtime/weights.h"

enum { GUARD = 0xa5 };

// A number in [0, 1) that depends on the operand and the element alone.
static float
unit(int operand, int64_t i)
{
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15u + (uint64_t)(operand + 1) * 0xd1b54a32d192ed03u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (float)(x >> 40) * 0x1p-24f;
}

static float
both_signs(int operand, int64_t i)
{
    return 2.0f * unit(operand, i) - 1.0f;
}

void *
rx_guarded_alloc(size_t bytes, void **block)
{
    const size_t room = (bytes + 63) / 64 * 64 + 2 * RX_GUARD_BYTES;
    *block = aligned_alloc(64, room);
    if (*block == NULL)
        abort();
    memset(*block, GUARD, room);
    void *inner = (char *)*block + RX_GUARD_BYTES;
    memset(inner, 0xff, bytes);
    return inner;
}

int
rx_guarded_intact(const void *block, size_t bytes)
{
    const unsigned char *b = block;
    for (size_t i = 0; i < RX_GUARD_BYTES; i++)
        if (b[i] != GUARD || b[RX_GUARD_BYTES + bytes + i] != GUARD)
            return 0;
    return 1;
}

// Rows of a COEF: scale and invstd are positive, the others have both signs.
static void
fill_coef(const struct rx_operand *o, int operand, float *to)
{
    for (int row = 0; row < o->rows; row++)
        for (int c = 0; c < o->pitch; c++) {
            const int64_t i = (int64_t)row * o->pitch + c;
            const int positive =
                o->rows == RX_COEF_ROWS && (row == RX_COEF_SCALE || row == RX_COEF_INVSTD);
            to[i] = positive ? 0.5f + unit(operand, i) : 0.5f * both_signs(operand, i);
        }
}

// Partials that are read: every second thread had nothing to do.
static void
fill_partial(const struct rx_operand *o, int operand, int threads, double *to)
{
    for (int64_t i = 0; i < (int64_t)threads * o->rows * o->pitch; i++) {
        const int thread = (int)(i / o->pitch / o->rows), row = (int)(i / o->pitch % o->rows);
        to[i] = both_signs(operand, i);
        if (o->rows == RX_STATS_ROWS && row == RX_STATS_COUNT)
            to[i] = 100 + 7 * thread;
        if (o->rows == RX_STATS_ROWS && row == RX_STATS_M2)
            to[i] = 50 + 100 * unit(operand, i);
        if (thread % 2 == 1)
            to[i] = 0;
    }
}

// Lanes of packed weights that hold no weight are zero.
static void
fill_weights(const struct rx_geometry *g, const struct rx_operand *o, int operand, void *to,
             size_t bytes)
{
    memset(to, 0, bytes);
    for (int k = 0; k < g->k; k++)
        for (int c = 0; c < g->c / g->groups; c++)
            for (int r = 0; r < g->r; r++)
                for (int s = 0; s < g->s; s++) {
                    const int64_t i = rx_weights_index(g, k, c, r, s);
                    if (o->dtype != RX_F32)
                        ((uint16_t *)to)[rx_weights_index_of(g, o->dtype, k, c, r, s)] =
                            rx_bf16_round(both_signs(operand, i));
                    else
                        ((float *)to)[i] = both_signs(operand, i);
                }
}

static int
tap_exists(const struct rx_geometry *g, int oh, int ow, int tap)
{
    const int h = oh * g->stride + tap / g->s - g->pad, w = ow * g->stride + tap % g->s - g->pad;
    return h >= 0 && h < g->h && w >= 0 && w < g->w;
}

static void
fill_index(const struct rx_geometry *g, int operand, size_t n, uint8_t *to)
{
    const int taps = g->r * g->s;
    for (size_t i = 0; i < n; i++) {
        const int64_t pixel = (int64_t)i / g->k;
        const int oh = (int)(pixel / g->ow % g->oh), ow = (int)(pixel % g->ow);
        int tap = (int)(unit(operand, (int64_t)i) * (float)taps);
        while (!tap_exists(g, oh, ow, tap))
            tap = (tap + 1) % taps;
        to[i] = (uint8_t)tap;
    }
}

static void
fill_hyper(const float *given, float *to)
{
    static const float usual[RX_HYPER_N] = {
        [RX_HYPER_LR] = 0.1f,      [RX_HYPER_MOMENTUM] = 0.9f,  [RX_HYPER_WD] = 0.01f,
        [RX_HYPER_WD_BN] = 0.005f, [RX_HYPER_SMOOTHING] = 0.1f, [RX_HYPER_BN_MOMENTUM] = 0.1f,
    };
    memcpy(to, given ? given : usual, RX_HYPER_N * sizeof *to);
}

static void
fill_map(const struct rx_operand *o, int operand, int64_t n, void *to)
{
    for (int64_t i = 0; i < n; i++)
        if (o->dtype == RX_BF16)
            ((uint16_t *)to)[i] = rx_bf16_round(both_signs(operand, i));
        else
            ((float *)to)[i] = both_signs(operand, i);
}

// Variances are positive.
static int
is_variance(const struct rx_problem *p, int operand)
{
    return (p->op == RX_PROBLEM_BN_COEF && operand == 4) ||
           (p->op == RX_PROBLEM_BN_FOLD && operand == 3);
}

static void
fill(const struct rx_kernel_case *c, struct rx_case_data *data, int operand)
{
    const struct rx_problem *p = data->problem;
    const struct rx_operand *o = &p->operand[operand];
    const struct rx_geometry transposed = rx_weights_transposed(&p->geometry);
    const int64_t n = (int64_t)data->bytes[operand] / rx_dtype_bytes(o->dtype);
    void *to = data->t[operand];
    switch (o->kind) {
    case RX_OPERAND_COEF:
        fill_coef(o, operand, to);
        break;
    case RX_OPERAND_PARTIAL:
        fill_partial(o, operand, data->threads, to);
        break;
    case RX_OPERAND_WEIGHTS:
        fill_weights(&p->geometry, o, operand, to, data->bytes[operand]);
        break;
    case RX_OPERAND_WEIGHTS_DGRAD:
        fill_weights(&transposed, o, operand, to, data->bytes[operand]);
        break;
    case RX_OPERAND_INDEX:
        fill_index(&p->geometry, operand, (size_t)n, to);
        break;
    case RX_OPERAND_LABELS:
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)to)[i] = (int32_t)(unit(operand, i) * (float)p->geometry.k);
        break;
    case RX_OPERAND_HYPER:
        fill_hyper(c->hyper, to);
        break;
    case RX_OPERAND_MAP:
        fill_map(o, operand, n, to);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] =
                is_variance(p, operand) ? 0.5f + unit(operand, i) : both_signs(operand, i);
        break;
    }
}

void
rx_case_data_open(struct rx_case_data *data, const struct rx_kernel_case *c)
{
    *data = (struct rx_case_data){
        .problem = &c->problem,
        .n = c->n > 0 ? c->n : 1,
        .threads = c->threads > 0 ? c->threads : 1,
    };
    for (int i = 0; i < c->problem.n_operands; i++) {
        data->bytes[i] = (size_t)rx_reference_operand_bytes(&c->problem, i, data->n, data->threads);
        data->t[i] = rx_guarded_alloc(data->bytes[i], &data->block[i]);
        fill(c, data, i);
    }
}

void
rx_case_data_close(struct rx_case_data *data)
{
    for (int i = 0; i < data->problem->n_operands; i++)
        free(data->block[i]);
}
