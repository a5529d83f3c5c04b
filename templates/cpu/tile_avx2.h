// Vectors of AVX2 with FMA: the only place where a kernel for it meets an instruction. The same
// names are in tile_avx512.h and tile_generic.h.
#ifndef RX_TILE_H
#define RX_TILE_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel.h"

enum { RX_LANES = 8 };

typedef float rx_v __attribute__((vector_size(32)));
typedef int32_t rx_vi __attribute__((vector_size(32)));

static inline __m256i
rx_lanes_mask(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline rx_v
rx_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline rx_v
rx_load_n(const float *p, int n)
{
    return _mm256_maskload_ps(p, rx_lanes_mask(n));
}

static inline void
rx_store(float *p, rx_v v)
{
    _mm256_storeu_ps(p, v);
}

static inline void
rx_store_n(float *p, rx_v v, int n)
{
    _mm256_maskstore_ps(p, rx_lanes_mask(n), v);
}

static inline rx_v
rx_zero(void)
{
    return _mm256_setzero_ps();
}

static inline rx_v
rx_set1(float x)
{
    return _mm256_set1_ps(x);
}

// a * b + c, rounded once.
static inline rx_v
rx_fma(rx_v a, rx_v b, rx_v c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline rx_v
rx_max(rx_v a, rx_v b)
{
    return _mm256_max_ps(a, b);
}

// a > 0 ? a : 0
static inline rx_v
rx_relu(rx_v a)
{
    return _mm256_max_ps(a, _mm256_setzero_ps());
}

// b > 0 ? a : 0
static inline rx_v
rx_mask(rx_v a, rx_v b)
{
    return _mm256_and_ps(_mm256_cmp_ps(b, _mm256_setzero_ps(), _CMP_GT_OQ), a);
}

// Lane i of the result is lane index[i] of v.
static inline rx_v
rx_permute(rx_v v, rx_vi index)
{
    return _mm256_permutevar8x32_ps(v, (__m256i)index);
}

// Lane i of the result is p[i / group * group + c]: element c of each lane's group, which has 1, 2,
// 4 or 8. Fast where c is known to the compiler, but for groups of 8.
static inline rx_v
rx_spread(const float *p, int group, int c)
{
    if (group == RX_LANES)
        return rx_set1(p[c]);
    const rx_v v = rx_load(p);
    if (group == 4)
        return c == 0   ? _mm256_permute_ps(v, 0x00)
               : c == 1 ? _mm256_permute_ps(v, 0x55)
               : c == 2 ? _mm256_permute_ps(v, 0xaa)
                        : _mm256_permute_ps(v, 0xff);
    if (group == 2)
        return c == 0 ? _mm256_moveldup_ps(v) : _mm256_movehdup_ps(v);
    return v;
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
rx_load_bf16(const uint16_t *p)
{
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline rx_v
rx_load_bf16_n(const uint16_t *p, int n)
{
    uint16_t whole[8] = {0};
    for (int i = 0; i < n; i++)
        whole[i] = p[i];
    return rx_load_bf16(whole);
}

// Rounded in the upper half of each lane, to nearest, ties to even; a NaN keeps its sign and
// becomes quiet.
static inline __m256i
rx_bf16_round(rx_v v)
{
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    return _mm256_blendv_epi8(up, quiet, nan);
}

// Returns what was stored.
static inline rx_v
rx_store_bf16(uint16_t *p, rx_v v)
{
    const __m256i wide = _mm256_srli_epi32(rx_bf16_round(v), 16);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi32(_mm256_castsi256_si128(wide),
                                                    _mm256_extracti128_si256(wide, 1)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline rx_v
rx_store_bf16_n(uint16_t *p, rx_v v, int n)
{
    uint16_t whole[8];
    const rx_v stored = rx_store_bf16(whole, v);
    for (int i = 0; i < n; i++)
        memcpy(p + i, whole + i, sizeof *p);
    return stored;
}

// Each lane's 32 bits hold two bf16: a's below, b's above, rounded as they are when stored.
static inline rx_v
rx_pair(rx_v a, rx_v b)
{
    const __m256i lower = _mm256_srli_epi32(rx_bf16_round(a), 16);
    return _mm256_castsi256_ps(_mm256_blend_epi16(lower, rx_bf16_round(b), 0xaa));
}

static inline rx_v
rx_bf16_upper(rx_v pair)
{
    const __m256i mask = _mm256_set1_epi32(-0x10000);
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(pair), mask));
}

static inline rx_v
rx_bf16_lower(rx_v pair)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pair), 16));
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
