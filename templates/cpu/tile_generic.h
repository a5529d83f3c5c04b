// Vectors of four floats by compiler vector types alone, for any machine that the compiler knows
// (SSE, NEON, ...). The same names are in tile_avx512.h and tile_avx2.h.
#ifndef RX_TILE_H
#define RX_TILE_H

#include <stdint.h>
#include <string.h>

#include "kernel.h"

enum { RX_LANES = 4 };

typedef float rx_v __attribute__((vector_size(16)));
typedef int32_t rx_vi __attribute__((vector_size(16)));
typedef uint32_t rx_vu __attribute__((vector_size(16)));

static inline rx_v
rx_load(const float *p)
{
    rx_v v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
rx_store(float *p, rx_v v)
{
    memcpy(p, &v, sizeof v);
}

static inline rx_v
rx_zero(void)
{
    return (rx_v){0};
}

static inline rx_v
rx_set1(float x)
{
    return x - (rx_v){0};
}

static inline rx_v
rx_load_n(const float *p, int n)
{
    rx_v v = {0};
    for (int i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}

static inline void
rx_store_n(float *p, rx_v v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = v[i];
}

// a * b + c; rounded once only where the machine has such an instruction.
static inline rx_v
rx_fma(rx_v a, rx_v b, rx_v c)
{
    return a * b + c;
}

static inline rx_v
rx_max(rx_v a, rx_v b)
{
    const rx_vi a_wins = a > b;
    return (rx_v)((a_wins & (rx_vi)a) | (~a_wins & (rx_vi)b));
}

// a > 0 ? a : 0
static inline rx_v
rx_relu(rx_v a)
{
    return (rx_v)((a > rx_zero()) & (rx_vi)a);
}

// b > 0 ? a : 0
static inline rx_v
rx_mask(rx_v a, rx_v b)
{
    return (rx_v)((b > rx_zero()) & (rx_vi)a);
}

// Lane i of the result is lane index[i] of v.
static inline rx_v
rx_permute(rx_v v, rx_vi index)
{
    rx_v to = {0};
    for (int i = 0; i < RX_LANES; i++)
        to[i] = v[index[i]];
    return to;
}

// Lane i of the result is p[i / group * group + c]: element c of each lane's group.
static inline rx_v
rx_spread(const float *p, int group, int c)
{
    if (group == RX_LANES)
        return rx_set1(p[c]);
    rx_vi index;
    for (int i = 0; i < RX_LANES; i++)
        index[i] = i / group * group + c;
    return rx_permute(rx_load(p), index);
}

// The same pointer, of which the compiler knows nothing: what was loaded through it is loaded again
// instead of being kept in registers that are needed for sums.
static inline const float *
rx_opaque(const float *p)
{
    __asm__("" : "+r"(p));
    return p;
}

static inline void
rx_prefetch(const void *p)
{
    __builtin_prefetch(p, 0, 3);
}

// bf16 is the upper half of an f32.
static inline rx_v
rx_load_bf16_n(const uint16_t *p, int n)
{
    rx_vi bits = {0};
    for (int i = 0; i < n; i++)
        bits[i] = (int32_t)((uint32_t)p[i] << 16);
    return (rx_v)bits;
}

static inline rx_v
rx_load_bf16(const uint16_t *p)
{
    return rx_load_bf16_n(p, RX_LANES);
}

// Rounded in the upper half of each lane, to nearest, ties to even; a NaN keeps its sign and
// becomes quiet.
static inline rx_vi
rx_bf16_round(rx_v v)
{
    const rx_vi bits = (rx_vi)v, odd = bits >> 16 & 1, nan = v != v;
    const rx_vi up = (rx_vi)((rx_vu)bits + (rx_vu)(odd + 0x7fff));
    return ((nan & (bits | 0x400000)) | (~nan & up)) & -0x10000;
}

// Returns what was stored.
static inline rx_v
rx_store_bf16_n(uint16_t *p, rx_v v, int n)
{
    rx_vi stored = {0};
    const rx_vi rounded = rx_bf16_round(v);
    for (int i = 0; i < n; i++) {
        const uint16_t half = (uint16_t)((uint32_t)rounded[i] >> 16);
        memcpy(p + i, &half, sizeof half);
        stored[i] = rounded[i];
    }
    return (rx_v)stored;
}

static inline rx_v
rx_store_bf16(uint16_t *p, rx_v v)
{
    return rx_store_bf16_n(p, v, RX_LANES);
}

// Each lane's 32 bits hold two bf16: a's below, b's above, rounded as they are when stored.
static inline rx_v
rx_pair(rx_v a, rx_v b)
{
    return (rx_v)((rx_vi)((rx_vu)rx_bf16_round(a) >> 16) | rx_bf16_round(b));
}

static inline rx_v
rx_bf16_upper(rx_v pair)
{
    return (rx_v)((rx_vi)pair & -0x10000);
}

static inline rx_v
rx_bf16_lower(rx_v pair)
{
    return (rx_v)((rx_vu)pair << 16);
}

// c + the product of the upper and then that of the lower halves of pairs of bf16.
static inline rx_v
rx_dot2(rx_v a, rx_v b, rx_v c)
{
    const rx_v sum = rx_fma(rx_bf16_upper(a), rx_bf16_upper(b), c);
    return rx_fma(rx_bf16_lower(a), rx_bf16_lower(b), sum);
}

// Lane j of row i becomes lane i of row j.
static inline void
rx_transpose(rx_v row[RX_LANES])
{
    rx_v turned[RX_LANES];
    for (int i = 0; i < RX_LANES; i++)
        for (int j = 0; j < RX_LANES; j++)
            turned[j][i] = row[i][j];
    for (int i = 0; i < RX_LANES; i++)
        row[i] = turned[i];
}

#include "tile_sums.h"

#endif
