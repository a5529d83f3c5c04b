// Vectors of AVX-512: the only place where a kernel for it meets an instruction. The same names are
// in tile_avx2.h and tile_generic.h.
#ifndef RX_TILE_H
#define RX_TILE_H

#include <immintrin.h>
#include <stdint.h>

#include "kernel.h"

enum { RX_LANES = 16 };

typedef float rx_v __attribute__((vector_size(64)));
typedef int32_t rx_vi __attribute__((vector_size(64)));

static inline __mmask16
rx_lanes_mask(int n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline rx_v
rx_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline rx_v
rx_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(rx_lanes_mask(n), p);
}

static inline void
rx_store(float *p, rx_v v)
{
    _mm512_storeu_ps(p, v);
}

static inline void
rx_store_n(float *p, rx_v v, int n)
{
    _mm512_mask_storeu_ps(p, rx_lanes_mask(n), v);
}

static inline rx_v
rx_zero(void)
{
    return _mm512_setzero_ps();
}

static inline rx_v
rx_set1(float x)
{
    return _mm512_set1_ps(x);
}

// a * b + c, rounded once.
static inline rx_v
rx_fma(rx_v a, rx_v b, rx_v c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline rx_v
rx_max(rx_v a, rx_v b)
{
    return _mm512_max_ps(a, b);
}

// a > 0 ? a : 0
static inline rx_v
rx_relu(rx_v a)
{
    return _mm512_max_ps(a, _mm512_setzero_ps());
}

// b > 0 ? a : 0
static inline rx_v
rx_mask(rx_v a, rx_v b)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(b, _mm512_setzero_ps(), _CMP_GT_OQ), a);
}

// Lane i of the result is lane index[i] of v.
static inline rx_v
rx_permute(rx_v v, rx_vi index)
{
    return _mm512_permutexvar_ps((__m512i)index, v);
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
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

// bf16 is the upper half of an f32.
static inline rx_v
rx_bf16_widen(__m256i half)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

#ifdef __AVX512BF16__

// To nearest, ties to even; a NaN keeps its sign and becomes quiet.
static inline __m256i
rx_bf16_narrow(rx_v v)
{
    return (__m256i)_mm512_cvtneps_pbh(v);
}

// Each lane's 32 bits hold two bf16: a's below, b's above, rounded as they are when stored.
static inline rx_v
rx_pair(rx_v a, rx_v b)
{
    static const uint16_t index[2 * RX_LANES] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                 21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_si512(index), both));
}

// c + the product of the upper and then that of the lower halves of pairs of bf16.
static inline rx_v
rx_dot2(rx_v a, rx_v b, rx_v c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

#else

// Rounded in the upper half of each lane, to nearest, ties to even; a NaN keeps its sign and
// becomes quiet.
static inline __m512i
rx_bf16_round(rx_v v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    return _mm512_mask_mov_epi32(up, nan, quiet);
}

static inline __m256i
rx_bf16_narrow(rx_v v)
{
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rx_bf16_round(v), 16));
}

// Each lane's 32 bits hold two bf16: a's below, b's above, rounded as they are when stored.
static inline rx_v
rx_pair(rx_v a, rx_v b)
{
    const __m512i upper = _mm512_and_si512(rx_bf16_round(b), _mm512_set1_epi32(-0x10000));
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_srli_epi32(rx_bf16_round(a), 16), upper));
}

static inline rx_v
rx_bf16_upper(rx_v pair)
{
    const __m512i mask = _mm512_set1_epi32(-0x10000);
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(pair), mask));
}

static inline rx_v
rx_bf16_lower(rx_v pair)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pair), 16));
}

// c + the product of the upper and then that of the lower halves of pairs of bf16.
static inline rx_v
rx_dot2(rx_v a, rx_v b, rx_v c)
{
    const rx_v sum = rx_fma(rx_bf16_upper(a), rx_bf16_upper(b), c);
    return rx_fma(rx_bf16_lower(a), rx_bf16_lower(b), sum);
}

#endif

static inline rx_v
rx_load_bf16(const uint16_t *p)
{
    return rx_bf16_widen(_mm256_loadu_si256((const __m256i *)p));
}

static inline rx_v
rx_load_bf16_n(const uint16_t *p, int n)
{
    return rx_bf16_widen(_mm256_maskz_loadu_epi16(rx_lanes_mask(n), p));
}

// Returns what was stored.
static inline rx_v
rx_store_bf16(uint16_t *p, rx_v v)
{
    const __m256i half = rx_bf16_narrow(v);
    _mm256_storeu_si256((__m256i *)p, half);
    return rx_bf16_widen(half);
}

static inline rx_v
rx_store_bf16_n(uint16_t *p, rx_v v, int n)
{
    const __m256i half = rx_bf16_narrow(v);
    _mm256_mask_storeu_epi16(p, rx_lanes_mask(n), half);
    return rx_bf16_widen(half);
}

// Lane j of row i becomes lane i of row j.
static inline void
rx_transpose(rx_v row[RX_LANES])
{
    // Pairs of lanes, of pairs of lanes, of quarters, of halves.
    __m512d t[RX_LANES], u[RX_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < RX_LANES; i += 2) {
        t[i] = _mm512_castps_pd(_mm512_unpacklo_ps(row[i], row[i + 1]));
        t[i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(row[i], row[i + 1]));
    }
    // u[4 * i + j]: of four rows from 4 * i on, lane j of each quarter.
#pragma GCC unroll 16
    for (int i = 0; i < RX_LANES; i += 4) {
        u[i] = _mm512_unpacklo_pd(t[i], t[i + 2]);
        u[i + 1] = _mm512_unpackhi_pd(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_pd(t[i + 1], t[i + 3]);
        u[i + 3] = _mm512_unpackhi_pd(t[i + 1], t[i + 3]);
    }
    // Quarters 0 and 2 of eight rows, then 1 and 3.
    enum { EVEN = 0x88, ODD = 0xdd };
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m512 a = _mm512_castpd_ps(u[j]), b = _mm512_castpd_ps(u[4 + j]);
        const __m512 c = _mm512_castpd_ps(u[8 + j]), d = _mm512_castpd_ps(u[12 + j]);
        const __m512 ab_even = _mm512_shuffle_f32x4(a, b, EVEN);
        const __m512 ab_odd = _mm512_shuffle_f32x4(a, b, ODD);
        const __m512 cd_even = _mm512_shuffle_f32x4(c, d, EVEN);
        const __m512 cd_odd = _mm512_shuffle_f32x4(c, d, ODD);
        row[j] = _mm512_shuffle_f32x4(ab_even, cd_even, EVEN);
        row[4 + j] = _mm512_shuffle_f32x4(ab_odd, cd_odd, EVEN);
        row[8 + j] = _mm512_shuffle_f32x4(ab_even, cd_even, ODD);
        row[12 + j] = _mm512_shuffle_f32x4(ab_odd, cd_odd, ODD);
    }
}

#include "tile_sums.h"

#endif
