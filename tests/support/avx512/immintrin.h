// The intrinsics of AVX-512 that templates/cpu/tile_avx512.h names, in plain C, so that kernels for
// it run on machines without it. Each does what Intel's Intrinsics Guide says lane by lane; masked
// accesses touch the memory of their lanes only. A new intrinsic in the tile header gets a function
// here. This header shadows the compiler's in the tests' kernels, and only there.
#ifndef RX_TESTS_AVX512_H
#define RX_TESTS_AVX512_H

#include_next <immintrin.h>
#include <stdint.h>
#include <string.h>

// With EMU_BF16 those of AVX512_BF16 too. They take subnormal numbers for zero, which these do not.
#ifdef EMU_BF16
#define __AVX512BF16__ 1
#endif

enum { EMU_LANES = 16, EMU_HALVES = 32 };

static inline __m512
emu_loadu_ps(const void *p)
{
    __m512 v = {0};
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __m512
emu_maskz_loadu_ps(__mmask16 mask, const void *p)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = mask >> i & 1 ? ((const float *)p)[i] : 0.0f;
    return v;
}

static inline void
emu_storeu_ps(void *p, __m512 v)
{
    memcpy(p, &v, sizeof v);
}

static inline void
emu_mask_storeu_ps(void *p, __mmask16 mask, __m512 v)
{
    for (int i = 0; i < EMU_LANES; i++)
        if (mask >> i & 1)
            ((float *)p)[i] = v[i];
}

static inline __m512
emu_set1_ps(float x)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = x;
    return v;
}

static inline __m512
emu_setzero_ps(void)
{
    return emu_set1_ps(0.0f);
}

static inline __m512
emu_fmadd_ps(__m512 a, __m512 b, __m512 c)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return v;
}

// The second where either is NaN.
static inline __m512
emu_max_ps(__m512 a, __m512 b)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = a[i] > b[i] ? a[i] : b[i];
    return v;
}

static inline __mmask16
emu_cmp_ps_mask(__m512 a, __m512 b, int predicate)
{
    unsigned mask = 0;
    for (int i = 0; i < EMU_LANES; i++) {
        const int unordered = a[i] != a[i] || b[i] != b[i];
        const int yes = predicate == _CMP_GT_OQ     ? !unordered && a[i] > b[i]
                        : predicate == _CMP_UNORD_Q ? unordered
                                                    : (__builtin_trap(), 0);
        mask |= (unsigned)yes << i;
    }
    return (__mmask16)mask;
}

static inline __m512
emu_maskz_mov_ps(__mmask16 mask, __m512 a)
{
    for (int i = 0; i < EMU_LANES; i++)
        a[i] = mask >> i & 1 ? a[i] : 0.0f;
    return a;
}

static inline __m512
emu_permutexvar_ps(__m512i index, __m512 a)
{
    int32_t from[EMU_LANES];
    memcpy(from, &index, sizeof from);
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = a[from[i] & (EMU_LANES - 1)];
    return v;
}

// Integers: lanes of 32 bits, as wide as the floats.
typedef uint32_t emu_u32 __attribute__((vector_size(64)));

static inline __m512i
emu_set1_epi32(int x)
{
    emu_u32 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = (uint32_t)x;
    return (__m512i)v;
}

static inline __m512i
emu_add_epi32(__m512i a, __m512i b)
{
    return (__m512i)((emu_u32)a + (emu_u32)b);
}

static inline __m512i
emu_and_si512(__m512i a, __m512i b)
{
    return (__m512i)((emu_u32)a & (emu_u32)b);
}

static inline __m512i
emu_or_si512(__m512i a, __m512i b)
{
    return (__m512i)((emu_u32)a | (emu_u32)b);
}

static inline __m512i
emu_slli_epi32(__m512i a, unsigned bits)
{
    return bits > 31 ? emu_set1_epi32(0) : (__m512i)((emu_u32)a << bits);
}

static inline __m512i
emu_srli_epi32(__m512i a, unsigned bits)
{
    return bits > 31 ? emu_set1_epi32(0) : (__m512i)((emu_u32)a >> bits);
}

// Lanes of `a` where the mask says so, of `from` elsewhere.
static inline __m512i
emu_mask_mov_epi32(__m512i from, __mmask16 mask, __m512i a)
{
    emu_u32 v = (emu_u32)from;
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = mask >> i & 1 ? ((emu_u32)a)[i] : v[i];
    return (__m512i)v;
}

static inline __m512i
emu_cvtepu16_epi32(__m256i a)
{
    uint16_t narrow[EMU_LANES];
    memcpy(narrow, &a, sizeof narrow);
    emu_u32 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = narrow[i];
    return (__m512i)v;
}

static inline __m256i
emu_cvtepi32_epi16(__m512i a)
{
    uint16_t narrow[EMU_LANES];
    for (int i = 0; i < EMU_LANES; i++)
        narrow[i] = (uint16_t)((emu_u32)a)[i];
    __m256i v;
    memcpy(&v, narrow, sizeof v);
    return v;
}

static inline __m256i
emu_maskz_loadu_epi16(__mmask16 mask, const void *p)
{
    uint16_t narrow[EMU_LANES] = {0};
    for (int i = 0; i < EMU_LANES; i++)
        if (mask >> i & 1)
            narrow[i] = ((const uint16_t *)p)[i];
    __m256i v;
    memcpy(&v, narrow, sizeof v);
    return v;
}

static inline void
emu_mask_storeu_epi16(void *p, __mmask16 mask, __m256i a)
{
    uint16_t narrow[EMU_LANES];
    memcpy(narrow, &a, sizeof narrow);
    for (int i = 0; i < EMU_LANES; i++)
        if (mask >> i & 1)
            ((uint16_t *)p)[i] = narrow[i];
}

static inline __m512i
emu_loadu_si512(const void *p)
{
    __m512i v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __m512i
emu_permutexvar_epi16(__m512i index, __m512i a)
{
    uint16_t from[EMU_HALVES], x[EMU_HALVES], y[EMU_HALVES];
    memcpy(from, &index, sizeof from);
    memcpy(x, &a, sizeof x);
    for (int i = 0; i < EMU_HALVES; i++)
        y[i] = x[from[i] % EMU_HALVES];
    __m512i v;
    memcpy(&v, y, sizeof v);
    return v;
}

// To nearest, ties to even; a NaN becomes quiet.
static inline uint16_t
emu_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t low = bits & 0xffff, odd = bits >> 16 & 1;
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits >> 16) + (low > 0x8000 || (low == 0x8000 && odd)));
}

static inline __m256bh
emu_cvtneps_pbh(__m512 a)
{
    uint16_t half[EMU_LANES];
    for (int i = 0; i < EMU_LANES; i++)
        half[i] = emu_bf16(a[i]);
    __m256bh v;
    memcpy(&v, half, sizeof v);
    return v;
}

// b below, a above.
static inline __m512bh
emu_cvtne2ps_pbh(__m512 a, __m512 b)
{
    uint16_t half[EMU_HALVES];
    for (int i = 0; i < EMU_LANES; i++) {
        half[i] = emu_bf16(b[i]);
        half[EMU_LANES + i] = emu_bf16(a[i]);
    }
    __m512bh v;
    memcpy(&v, half, sizeof v);
    return v;
}

static inline float
emu_widen(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// The upper product first, then the lower one.
static inline __m512
emu_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b)
{
    uint16_t x[EMU_HALVES], y[EMU_HALVES];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int i = 0; i < EMU_LANES; i++) {
        sum[i] = __builtin_fmaf(emu_widen(x[2 * i + 1]), emu_widen(y[2 * i + 1]), sum[i]);
        sum[i] = __builtin_fmaf(emu_widen(x[2 * i]), emu_widen(y[2 * i]), sum[i]);
    }
    return sum;
}

// AMX: tiles of a thread. One that was not configured, or is not as large as it has to be, stops
// the program as the processor does.
enum { EMU_TILES = 8, EMU_TILE_ROWS = 16, EMU_ROW_BYTES = 64 };

struct emu_tile {
    int rows, row_bytes;
    unsigned char data[EMU_TILE_ROWS][EMU_ROW_BYTES];
};

static __thread struct emu_tile emu_tiles[EMU_TILES] __attribute__((unused));

static inline struct emu_tile *
emu_tile_of(int tile)
{
    if (emu_tiles[tile].rows == 0)
        __builtin_trap();
    return &emu_tiles[tile];
}

static inline void
emu_tile_loadconfig(const void *config)
{
    enum { ROW_BYTES = 16, ROWS = 48 };  // where they lie in it
    const unsigned char *bytes = (const unsigned char *)config;
    if (bytes[0] != 1)
        __builtin_trap();
    memset(emu_tiles, 0, sizeof emu_tiles);
    for (int i = 0; i < EMU_TILES; i++) {
        emu_tiles[i].rows = bytes[ROWS + i];
        emu_tiles[i].row_bytes = bytes[ROW_BYTES + 2 * i];
    }
}

static inline void
emu_tile_release(void)
{
    memset(emu_tiles, 0, sizeof emu_tiles);
}

static inline void
emu_tile_zero(int tile)
{
    memset(emu_tile_of(tile)->data, 0, sizeof emu_tiles[tile].data);
}

static inline void
emu_tile_loadd(int tile, const void *p, int64_t pitch)
{
    struct emu_tile *t = emu_tile_of(tile);
    memset(t->data, 0, sizeof t->data);
    for (int i = 0; i < t->rows; i++)
        memcpy(t->data[i], (const char *)p + i * pitch, (size_t)t->row_bytes);
}

static inline void
emu_tile_stored(int tile, void *p, int64_t pitch)
{
    const struct emu_tile *t = emu_tile_of(tile);
    for (int i = 0; i < t->rows; i++)
        memcpy((char *)p + i * pitch, t->data[i], (size_t)t->row_bytes);
}

// Products of even and of odd elements are summed apart, then both are added.
static inline void
emu_tile_dpbf16ps(int sum, int left, int right)
{
    struct emu_tile *s = emu_tile_of(sum);
    const struct emu_tile *a = emu_tile_of(left), *b = emu_tile_of(right);
    if (a->rows != s->rows || b->row_bytes != s->row_bytes || a->row_bytes != b->rows * 4)
        __builtin_trap();
    for (int i = 0; i < s->rows; i++) {
        float even[EMU_LANES] = {0}, odd[EMU_LANES] = {0}, all[EMU_LANES];
        uint16_t x[EMU_HALVES], y[EMU_HALVES];
        memcpy(x, a->data[i], sizeof x);
        for (int pair = 0; pair < b->rows; pair++) {
            const float first = emu_widen(x[2 * pair]), second = emu_widen(x[2 * pair + 1]);
            memcpy(y, b->data[pair], sizeof y);
            for (int j = 0; j < EMU_LANES; j++) {
                even[j] = __builtin_fmaf(first, emu_widen(y[2 * j]), even[j]);
                odd[j] = __builtin_fmaf(second, emu_widen(y[2 * j + 1]), odd[j]);
            }
        }
        memcpy(all, s->data[i], sizeof all);
        for (int j = 0; j < EMU_LANES; j++)
            all[j] += even[j] + odd[j];
        memcpy(s->data[i], all, sizeof all);
    }
}

static inline __m512
emu_unpack_ps(__m512 a, __m512 b, int upper)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = (i % 2 ? b : a)[i / 4 * 4 + 2 * upper + i % 4 / 2];
    return v;
}

static inline __m512d
emu_unpack_pd(__m512d a, __m512d b, int upper)
{
    __m512d v = {0};
    for (int i = 0; i < EMU_LANES / 2; i++)
        v[i] = (i % 2 ? b : a)[i / 2 * 2 + upper];
    return v;
}

static inline __m512
emu_shuffle_f32x4(__m512 a, __m512 b, int which)
{
    __m512 v = {0};
    for (int i = 0; i < EMU_LANES; i++)
        v[i] = (i < EMU_LANES / 2 ? a : b)[(which >> (i / 4 * 2) & 3) * 4 + i % 4];
    return v;
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _mm512_shuffle_f32x4
#define _tile_loadconfig emu_tile_loadconfig
#define _tile_release emu_tile_release
#define _tile_loadd emu_tile_loadd
#define _tile_stored emu_tile_stored
#define _tile_zero emu_tile_zero
#define _tile_dpbf16ps emu_tile_dpbf16ps
#define _mm512_unpacklo_ps(a, b) emu_unpack_ps(a, b, 0)
#define _mm512_unpackhi_ps(a, b) emu_unpack_ps(a, b, 1)
#define _mm512_unpacklo_pd(a, b) emu_unpack_pd(a, b, 0)
#define _mm512_unpackhi_pd(a, b) emu_unpack_pd(a, b, 1)
#define _mm512_shuffle_f32x4 emu_shuffle_f32x4
#define _mm512_castps_pd(v) ((__m512d)(v))
#define _mm512_castpd_ps(v) ((__m512)(v))
#undef _mm512_cmp_ps_mask
#undef _mm512_slli_epi32
#undef _mm512_srli_epi32
#define _mm512_loadu_ps emu_loadu_ps
#define _mm512_maskz_loadu_ps emu_maskz_loadu_ps
#define _mm512_storeu_ps emu_storeu_ps
#define _mm512_mask_storeu_ps emu_mask_storeu_ps
#define _mm512_set1_ps emu_set1_ps
#define _mm512_setzero_ps emu_setzero_ps
#define _mm512_fmadd_ps emu_fmadd_ps
#define _mm512_max_ps emu_max_ps
#define _mm512_cmp_ps_mask emu_cmp_ps_mask
#define _mm512_maskz_mov_ps emu_maskz_mov_ps
#define _mm512_permutexvar_ps emu_permutexvar_ps
#define _mm512_set1_epi32 emu_set1_epi32
#define _mm512_add_epi32 emu_add_epi32
#define _mm512_and_si512 emu_and_si512
#define _mm512_or_si512 emu_or_si512
#define _mm512_slli_epi32 emu_slli_epi32
#define _mm512_srli_epi32 emu_srli_epi32
#define _mm512_mask_mov_epi32 emu_mask_mov_epi32
#define _mm512_cvtepu16_epi32 emu_cvtepu16_epi32
#define _mm512_cvtepi32_epi16 emu_cvtepi32_epi16
#define _mm512_loadu_si512 emu_loadu_si512
#define _mm512_permutexvar_epi16 emu_permutexvar_epi16
#define _mm512_cvtneps_pbh emu_cvtneps_pbh
#define _mm512_cvtne2ps_pbh emu_cvtne2ps_pbh
#define _mm512_dpbf16_ps emu_dpbf16_ps
#define _mm512_castps_si512(v) ((__m512i)(v))
#define _mm512_castsi512_ps(v) ((__m512)(v))
#define _mm256_maskz_loadu_epi16 emu_maskz_loadu_epi16
#define _mm256_mask_storeu_epi16 emu_mask_storeu_epi16

#endif
