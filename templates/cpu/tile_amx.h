// Tiles of AMX, beside the vectors of AVX-512: eight registers of 16 rows of 16 lanes, f32 or pairs
// of bf16. As instructions name them by number, tiles are numbers that the compiler knows.
#ifndef RX_TILE_AMX_H
#define RX_TILE_AMX_H

#include "tile_avx512.h"

enum { RX_ROWS = 16 };  // of a tile; a row is RX_LANES floats

// Before the first use in a call, and after the last: registers in use make switching threads slow.
static inline void
rx_tiles_begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } all = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {RX_ROWS, RX_ROWS, RX_ROWS, RX_ROWS, RX_ROWS, RX_ROWS, RX_ROWS, RX_ROWS},
    };
    _tile_loadconfig(&all);
}

static inline void
rx_tiles_end(void)
{
    _tile_release();
}

// clang-format off
// A statement for each tile, of which one is left.
#define RX_TILE_SWITCH(tile, statement)                                                            \
    switch (tile) {                                                                                \
    case 0: statement(0); break;                                                                   \
    case 1: statement(1); break;                                                                   \
    case 2: statement(2); break;                                                                   \
    case 3: statement(3); break;                                                                   \
    case 4: statement(4); break;                                                                   \
    case 5: statement(5); break;                                                                   \
    case 6: statement(6); break;                                                                   \
    default: statement(7); break;                                                                  \
    }
// clang-format on

static inline __attribute__((always_inline)) void
rx_tile_zero(int tile)
{
#define RX_STATEMENT(number) _tile_zero(number)
    RX_TILE_SWITCH(tile, RX_STATEMENT)
#undef RX_STATEMENT
}

// Rows of 16 floats, `pitch` floats apart. What was stored before is in memory by then: the
// instruction does not tell the compiler that it reads any.
static inline __attribute__((always_inline)) void
rx_tile_load(int tile, const float *p, int64_t pitch)
{
    __asm__ volatile("" ::: "memory");
#define RX_STATEMENT(number) _tile_loadd(number, p, pitch *(int64_t)sizeof(float))
    RX_TILE_SWITCH(tile, RX_STATEMENT)
#undef RX_STATEMENT
}

static inline __attribute__((always_inline)) void
rx_tile_store(int tile, float *p, int64_t pitch)
{
#define RX_STATEMENT(number) _tile_stored(number, p, pitch *(int64_t)sizeof(float))
    RX_TILE_SWITCH(tile, RX_STATEMENT)
#undef RX_STATEMENT
    __asm__ volatile("" ::: "memory");
}

// sum[i][j] += the products of the pairs a[i][t] and b[t][j], over t. Sums are tiles 0 to 3, a are
// 4 and 5, b are 6 and 7: tile (i, j) of two by two is the sum of a (i) and b (j).
static inline __attribute__((always_inline)) void
rx_tile_dot2(int i, int j)
{
    if (i == 0 && j == 0)
        _tile_dpbf16ps(0, 4, 6);
    else if (i == 0)
        _tile_dpbf16ps(1, 4, 7);
    else if (j == 0)
        _tile_dpbf16ps(2, 5, 6);
    else
        _tile_dpbf16ps(3, 5, 7);
}

// Pairs of two rows of bf16: a's below, b's above.
static inline rx_v
rx_load_pairs(const uint16_t *a, const uint16_t *b)
{
    const __m512i below = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)a));
    const __m512i above = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)b));
    return _mm512_castsi512_ps(_mm512_or_si512(below, _mm512_slli_epi32(above, 16)));
}

#endif
