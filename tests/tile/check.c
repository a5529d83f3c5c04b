// Holds every function of a tile header against plain C, lane by lane and for every count of lanes.
// Compiled once for each header, as TILE; exits 1 and names what is wrong.
#include TILE

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/amx.h"

enum { ROUNDS = 200, ROOM = 3 * RX_LANES, AT = RX_LANES };  // memory around what is accessed

static int failed;

static void
check(int good, const char *what, int lane)
{
    if (good)
        return;
    fprintf(stderr, "%s: lane %d is wrong\n", what, lane);
    failed = 1;
}

static uint32_t
bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static int
same(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

static uint32_t
next(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

// Numbers of both signs around 1, and now and then a zero, a NaN, an infinity, the smallest and
// largest numbers and ties of rounding to bf16.
static float
number(void)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x7fc00001, 0xffc12345,
                                       0x7f800001, 0xff800000, 0x7f800000, 0x00000001,
                                       0x7f7fffff, 0x3f808000, 0x3f818000, 0xbf80ffff};
    const uint32_t r = next();
    if (r % 8 == 0) {
        float x;
        memcpy(&x, &special[r / 8 % (sizeof special / sizeof *special)], sizeof x);
        return x;
    }
    return ((float)(r & 0xffff) - 32768.0f) / 16384.0f;
}

static void
fill(float x[ROOM])
{
    for (int i = 0; i < ROOM; i++)
        x[i] = number();
}

static void
check_memory(void)
{
    float x[ROOM], y[ROOM];
    fill(x);
    for (int n = 0; n <= RX_LANES; n++) {
        const rx_v v = n < RX_LANES ? rx_load_n(x + AT, n) : rx_load(x + AT);
        for (int i = 0; i < RX_LANES; i++)
            check(same(v[i], i < n ? x[AT + i] : 0.0f), "rx_load_n", i);
        fill(y);
        float before[ROOM];
        memcpy(before, y, sizeof y);
        if (n < RX_LANES)
            rx_store_n(y + AT, rx_load(x + AT), n);
        else
            rx_store(y + AT, rx_load(x + AT));
        for (int i = 0; i < ROOM; i++)
            check(bits_of(y[i]) == bits_of(i >= AT && i < AT + n ? x[i] : before[i]), "rx_store_n",
                  i - AT);
    }
}

// A tail at the very end of memory: the address sanitiser and the machine see what is touched
// beyond it.
static void
check_end(void)
{
    for (int n = 1; n < RX_LANES; n++) {
        float *x = malloc((size_t)n * sizeof *x);
        uint16_t *half = malloc((size_t)n * sizeof *half);
        if (x == NULL || half == NULL)
            exit(1);
        for (int i = 0; i < n; i++)
            x[i] = number();
        const rx_v v = rx_load_n(x, n);
        rx_store_n(x, v, n);
        rx_store_bf16_n(half, v, n);
        const rx_v w = rx_load_bf16_n(half, n);
        check(same(w[RX_LANES - 1], 0.0f), "rx_load_bf16_n", RX_LANES - 1);
        free(x);
        free(half);
    }
}

static void
check_arithmetic(void)
{
    float a[ROOM], b[ROOM], c[ROOM];
    fill(a), fill(b), fill(c);
    const rx_v va = rx_load(a), vb = rx_load(b), vc = rx_load(c);
    const rx_v zero = rx_zero(), one = rx_set1(a[0]), fma = rx_fma(va, vb, vc);
    const rx_v max = rx_max(va, vb), relu = rx_relu(va), mask = rx_mask(va, vb);
    rx_vi index;
    for (int i = 0; i < RX_LANES; i++)
        index[i] = (int32_t)(next() % RX_LANES);
    const rx_v permuted = rx_permute(va, index);
    rx_prefetch(a);
    for (int i = 0; i < RX_LANES; i++) {
        const float once = fmaf(a[i], b[i], c[i]), twice = a[i] * b[i] + c[i];
        check(bits_of(zero[i]) == 0, "rx_zero", i);
        check(same(one[i], a[0]), "rx_set1", i);
        check(same(fma[i], once) || (RX_LANES == 4 && same(fma[i], twice)), "rx_fma", i);
        check(same(relu[i], a[i] > 0 ? a[i] : 0.0f), "rx_relu", i);
        check(same(mask[i], b[i] > 0 ? a[i] : 0.0f), "rx_mask", i);
        check(same(permuted[i], a[index[i]]), "rx_permute", i);
        // Which of two zeros, and what becomes of a NaN, is left open.
        if (!isnan(a[i]) && !isnan(b[i]))
            check(max[i] == (a[i] > b[i] ? a[i] : b[i]), "rx_max", i);
    }
}

// To nearest, ties to even, a NaN quiet and of the same sign: from the distance to both neighbours.
static uint16_t
to_bf16(float x)
{
    const uint32_t bits = bits_of(x), low = bits & 0xffff, high = bits >> 16;
    if (isnan(x))
        return (uint16_t)(high | 0x40);
    const int up = low > 0x8000 || (low == 0x8000 && high % 2 == 1);
    return (uint16_t)(high + (uint32_t)up);
}

static void
check_bf16(void)
{
    float x[ROOM];
    fill(x);
    for (int n = 0; n <= RX_LANES; n++) {
        uint16_t half[ROOM], before[ROOM];
        for (int i = 0; i < ROOM; i++)
            before[i] = half[i] = (uint16_t)next();
        if (n < RX_LANES)
            rx_store_bf16_n(half + AT, rx_load(x + AT), n);
        else
            rx_store_bf16(half + AT, rx_load(x + AT));
        for (int i = 0; i < ROOM; i++)
            check(half[i] == (i >= AT && i < AT + n ? to_bf16(x[i]) : before[i]), "rx_store_bf16_n",
                  i - AT);
        const rx_v v = n < RX_LANES ? rx_load_bf16_n(half + AT, n) : rx_load_bf16(half + AT);
        for (int i = 0; i < RX_LANES; i++)
            check(bits_of(v[i]) == (i < n ? (uint32_t)half[AT + i] << 16 : 0), "rx_load_bf16_n", i);
    }
}

static float
from_bf16(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Pairs, and their products: those are exact, so each of the two sums is rounded once.
static void
check_pairs(void)
{
    float a[ROOM], b[ROOM], c[ROOM], d[ROOM], e[ROOM];
    fill(a), fill(b), fill(c), fill(d), fill(e);
    const rx_v x = rx_pair(rx_load(a), rx_load(b)), y = rx_pair(rx_load(c), rx_load(d));
    const rx_v sum = rx_dot2(x, y, rx_load(e));
    for (int i = 0; i < RX_LANES; i++) {
        const uint32_t pair = (uint32_t)to_bf16(b[i]) << 16 | to_bf16(a[i]);
        float upper = from_bf16(to_bf16(b[i])) * from_bf16(to_bf16(d[i]));
        upper += e[i];
        float both = from_bf16(to_bf16(a[i])) * from_bf16(to_bf16(c[i]));
        both += upper;
        check(bits_of(x[i]) == pair, "rx_pair", i);
        check(same(sum[i], both), "rx_dot2", i);
    }
}

// Sums and Chan's merge in double: the formula itself, to a few roundings.
static void
check_f64(void)
{
    enum { PITCH = ROOM, ROWS = 5 };
    double sum[PITCH], stats[3 * PITCH];
    rx_v mean, m2;
    for (int i = 0; i < RX_LANES; i++) {
        mean[i] = (float)(next() % 100) / 10.0f;
        m2[i] = (float)(next() % 100);
    }
    for (int n = 0; n <= RX_LANES; n++) {
        for (int i = 0; i < PITCH; i++) {
            sum[i] = i;
            stats[i] = i % 3;
            stats[PITCH + i] = 2 * (i % 3);
            stats[2 * PITCH + i] = i % 3;
        }
        rx_sum_f64(sum, mean, n);
        rx_merge_f64(stats, PITCH, mean, m2, ROWS, n);
        for (int i = 0; i < PITCH; i++) {
            const double count = i % 3, old = 2 * (i % 3), total = count + ROWS;
            const int in = i < n;
            const double m = in ? (double)mean[i] : 0, d = m - old;
            const double all = in ? (count * old + ROWS * m) / total : old;
            const double rest = in ? count + (double)m2[i] + d * d * count * ROWS / total : count;
            check(sum[i] == i + m, "rx_sum_f64", i);
            check(stats[i] == (in ? total : count), "rx_merge_f64: count", i);
            check(fabs(stats[PITCH + i] - all) <= 1e-13 * 100, "rx_merge_f64: mean", i);
            check(fabs(stats[2 * PITCH + i] - rest) <= 1e-13 * 1000, "rx_merge_f64: M2", i);
        }
    }
}

static void
check_transpose(void)
{
    rx_v row[RX_LANES];
    for (int i = 0; i < RX_LANES * RX_LANES; i++)
        row[i / RX_LANES][i % RX_LANES] = (float)i;
    rx_transpose(row);
    for (int i = 0; i < RX_LANES * RX_LANES; i++)
        check(row[i % RX_LANES][i / RX_LANES] == (float)i, "rx_transpose", i);
}

// Moments of values whose mean is 1000 times their deviation, the first of them an outlier. The sum
// of squares around it loses ROWS roundings, the product of the sum and the mean as many.
static void
check_moments(void)
{
    enum { PITCH = ROOM, ROWS = 40 };
    struct rx_moments m = {0};
    float value[ROWS][RX_LANES];
    for (int row = 0; row < ROWS; row++) {
        rx_v x;
        for (int i = 0; i < RX_LANES; i++)
            x[i] = value[row][i] = 1000.0f + (float)(next() % 256) / 128.0f + (row == 0 ? 9.0f : 0);
        rx_moments_add(&m, x);
    }
    double stats[3 * PITCH] = {0};
    rx_moments_merge_f64(stats, PITCH, &m, RX_LANES);
    for (int i = 0; i < RX_LANES; i++) {
        double mean = 0, m2 = 0, squares = 0;
        for (int row = 0; row < ROWS; row++)
            mean += (double)value[row][i] / ROWS;
        for (int row = 0; row < ROWS; row++) {
            const double d = (double)value[row][i] - mean;
            const double around = (double)value[row][i] - (double)value[0][i];
            m2 += d * d;
            squares += around * around;
        }
        check(stats[i] == ROWS, "rx_moments: count", i);
        check(fabs(stats[PITCH + i] - mean) <= 0x1p-23 * 1000, "rx_moments: mean", i);
        check(fabs(stats[2 * PITCH + i] - m2) <= 2 * ROWS * 0x1p-24 * squares, "rx_moments: M2", i);
    }
}

#ifdef RX_TILE_AMX_H
enum { SIDE = RX_ROWS * RX_LANES, PITCH = 2 * RX_LANES };

// Numbers whose products and their sums are exact, whatever the order.
static float
small(void)
{
    return (float)(next() % 17) - 8.0f;
}

// Two by two tiles: loads with a pitch, sums that go on, stores that touch nothing beside them.
static void
check_tiles(void)
{
    static float a[2][SIDE], b[2][SIDE];  // pairs: [16][16][2] bf16
    static float out[2 * RX_ROWS * PITCH], want[2 * RX_ROWS][PITCH];
    float x[2][RX_ROWS][2 * RX_LANES], y[2][RX_LANES][2 * RX_LANES];
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < RX_ROWS; i++)
            for (int j = 0; j < 2 * RX_LANES; j++) {
                x[m][i][j] = small(), y[m][i][j] = small();
                ((uint16_t *)a[m])[i * 2 * RX_LANES + j] = to_bf16(x[m][i][j]);
                ((uint16_t *)b[m])[i * 2 * RX_LANES + j] = to_bf16(y[m][i][j]);
            }
    for (int i = 0; i < 2 * RX_ROWS * PITCH; i++)
        out[i] = want[i / PITCH][i % PITCH] = small();
    for (int i = 0; i < 2 * RX_ROWS; i++)
        for (int j = 0; j < 2 * RX_LANES; j++)
            for (int t = 0; t < 2 * RX_LANES; t++)  // element t of a row is half of pair t / 2
                want[i][j] += x[i / RX_ROWS][i % RX_ROWS][t] *
                              y[j / RX_LANES][t / 2][j % RX_LANES * 2 + t % 2];
    rx_tiles_begin();
    rx_tile_zero(3);
    rx_tile_load(0, out, PITCH);
    rx_tile_load(1, out + RX_LANES, PITCH);
    rx_tile_load(2, out + RX_ROWS * PITCH, PITCH);
    rx_tile_load(3, out + RX_ROWS * PITCH + RX_LANES, PITCH);
    rx_tile_load(4, a[0], RX_LANES);
    rx_tile_load(5, a[1], RX_LANES);
    rx_tile_load(6, b[0], RX_LANES);
    rx_tile_load(7, b[1], RX_LANES);
    rx_tile_dot2(0, 0);
    rx_tile_dot2(0, 1);
    rx_tile_dot2(1, 0);
    rx_tile_dot2(1, 1);
    rx_tile_store(0, out, PITCH);
    rx_tile_store(1, out + RX_LANES, PITCH);
    rx_tile_store(2, out + RX_ROWS * PITCH, PITCH);
    rx_tile_store(3, out + RX_ROWS * PITCH + RX_LANES, PITCH);
    rx_tile_zero(0);
    rx_tile_store(0, a[0], RX_LANES);
    rx_tiles_end();
    for (int i = 0; i < 2 * RX_ROWS * PITCH; i++)
        check(out[i] == want[i / PITCH][i % PITCH], "rx_tile_dot2", i);
    for (int i = 0; i < SIDE; i++)
        check(a[0][i] == 0, "rx_tile_zero", i);
}

static void
check_load_pairs(void)
{
    uint16_t a[RX_LANES], b[RX_LANES];
    for (int i = 0; i < RX_LANES; i++)
        a[i] = (uint16_t)next(), b[i] = (uint16_t)next();
    const rx_v pairs = rx_load_pairs(a, b);
    for (int i = 0; i < RX_LANES; i++) {
        uint32_t bits;
        memcpy(&bits, (const char *)&pairs + 4 * i, sizeof bits);
        check(bits == ((uint32_t)b[i] << 16 | a[i]), "rx_load_pairs", i);
    }
}
#endif

int
main(void)
{
#ifdef RX_TILE_AMX_H
    (void)rx_amx_request();  // emulated tiles need no permission
#endif
    for (int round = 0; round < ROUNDS && !failed; round++) {
        check_memory();
        check_end();
        check_arithmetic();
        check_bf16();
        check_pairs();
        check_f64();
        check_transpose();
        check_moments();
#ifdef RX_TILE_AMX_H
        check_tiles();
        check_load_pairs();
#endif
    }
    return failed;
}
