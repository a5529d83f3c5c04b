// Weight gradient of a dense convolution as a product of tiles of bf16 over pixels: the inputs and
// gradients of some output pixels are packed into panels (prologues applied), and their products
// are summed into this thread's part.
//@ doc task: CHUNK = 32 consecutive pixels of the N * OH * OW output pixels; a share is worked off
//@ doc       in panels of TILE_P pixels at most
//@ doc       tasks = ceil(N * OH * OW / 32)
//@ doc scratch floats: PANEL * 16 * (TAPS_PITCH + BLOCKS * 16) + BLOCKS * 16 + 4 * 256 +
//@ doc       16 * (TAPS_PITCH + 32) + BLOCKS * 16, PANEL = ceil(TILE_P / 32), TAPS_PITCH =
//@ doc       R * S * C rounded up to 32
//@ doc config: TILE_M 16 or 32 taps, TILE_N 1 or 2 vectors, which divide K rounded up to 16;
//@ doc       TILE_P so many that dw is gone through seldom, 512 where TILE_M * TILE_P bf16 should
//@ doc       stay in the L1 cache, and the panels in the L2 cache
#include "tile_amx.h"
#include <string.h>

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map
enum { R = 3, S = 3, ST = 1, P = 1 };                      // taps, stride, padding
enum { TILE_P = 96, TILE_M = 32, TILE_N = 2 };             // pixels a panel; tiles of a product
enum { CHUNK = 2 * RX_LANES };                             // pixels of a tile: pairs of them
enum { PANEL = (TILE_P + CHUNK - 1) / CHUNK };             // tiles of a panel's pixels
enum { TAPS = R * S * C };                                 // inputs that an output sees
enum { TAPS_PITCH = (TAPS + 31) / 32 * 32 };               // to whole tiles, two by two
enum { LINE_PITCH = TAPS_PITCH + 32 };                     // of a row: never a power of two
enum { BLOCK = 16, BLOCKS = (K + BLOCK - 1) / BLOCK };     // outputs that lie together in dw
enum { TILE = RX_LANES * BLOCK };                          // floats of a tile
enum { COLUMN = PANEL * TILE + BLOCK };                    // of a block of gradients
enum { COUNT_DW = BLOCKS * TAPS * BLOCK };                 // elements of a thread's part
enum { TAP_TILES = (TAPS + TILE_M - 1) / TILE_M };         // products of all taps
enum { COLUMNS = BLOCKS / TILE_N };                        // and of all outputs
enum { WIDE = BLOCKS * BLOCK > TAPS };                     // which panel is gone through more often
enum { PREFETCHES = 4 * RX_LANES };                        // lines of a product's tiles of dw
//@ end
// clang-format on

enum start { STORE, ADD };  // the first panel stores, so that nothing has to be cleared

// dw[tap][k] (+)= sum over pixels of inputs[tap][p] * gradients[p][k], for TILE_M taps and TILE_K
// outputs. Pairs of pixels lie in one float and are multiplied together. What the next product
// begins with is prefetched.
static __attribute__((noinline)) void
multiply(const float *restrict inputs,     // [TILE_M / 16][PANEL][16 taps][16 pairs]
         const float *restrict gradients,  // [TILE_N][COLUMN]: [PANEL][16 pairs][BLOCK]
         int chunks, enum start start,
         const float *ahead,             // [TILE_N][TAPS][BLOCK]
         float *restrict dw, int pitch)  // [TILE_N][pitch]: [TILE_M][BLOCK]
{
#pragma GCC unroll 4
    for (int tile = 0; tile < 4; tile++)
        if (start == STORE)
            rx_tile_zero(tile);
        else if (tile / 2 * RX_ROWS < TILE_M && tile % 2 < TILE_N)
            rx_tile_load(tile, dw + tile % 2 * pitch + tile / 2 * TILE, BLOCK);
    const int each = (PREFETCHES + chunks - 1) / chunks;
    for (int chunk = 0, line = 0; chunk < chunks; chunk++) {
        rx_tile_load(6, gradients + chunk * TILE, BLOCK);
        if (TILE_N > 1)
            rx_tile_load(7, gradients + COLUMN + chunk * TILE, BLOCK);
        rx_tile_load(4, inputs + chunk * TILE, RX_LANES);
        rx_tile_dot2(0, 0);
        if (TILE_N > 1)
            rx_tile_dot2(0, 1);
        if (TILE_M / RX_ROWS > 1) {
            rx_tile_load(5, inputs + (PANEL + chunk) * TILE, RX_LANES);
            rx_tile_dot2(1, 0);
            if (TILE_N > 1)
                rx_tile_dot2(1, 1);
        }
        for (int i = 0; i < each; i++, line++)
            rx_prefetch(ahead + line / (2 * RX_ROWS) * TAPS * BLOCK + line % (2 * RX_ROWS) * BLOCK);
    }
#pragma GCC unroll 4
    for (int tile = 0; tile < 4; tile++)
        if (tile / 2 * RX_ROWS < TILE_M && tile % 2 < TILE_N)
            rx_tile_store(tile, dw + tile % 2 * pitch + tile / 2 * TILE, BLOCK);
}

// Rows of pixels become rows of taps, of pairs of pixels.
static void
turn(const uint16_t *restrict lines,  // [CHUNK][LINE_PITCH]
     float *restrict inputs)          // [TAPS_PITCH / 16][PANEL][16 taps][16 pairs]
{
    for (int tap = 0; tap < TAPS; tap += RX_LANES, inputs += PANEL * TILE) {
        rx_v row[RX_ROWS];
#pragma GCC unroll 16
        for (int i = 0; i < RX_ROWS; i++)
            row[i] = rx_load_pairs(lines + 2 * i * LINE_PITCH + tap,
                                   lines + (2 * i + 1) * LINE_PITCH + tap);
        rx_transpose(row);
#pragma GCC unroll 16
        for (int i = 0; i < RX_ROWS; i++)
            rx_store(inputs + i * RX_LANES, row[i]);
    }
}

// Adds to dw the rows of a product that exist.
static void
add_rows(const float *restrict from, int taps, enum start start,
         float *restrict dw)  // [TILE_N][TAPS][BLOCK]
{
    for (int v = 0; v < TILE_N; v++)
        for (int tap = 0; tap < taps; tap++) {
            float *to = dw + (v * TAPS + tap) * BLOCK;
            const rx_v sum = rx_load(from + (v * TILE_M + tap) * BLOCK);
            rx_store(to, start == ADD ? rx_load(to) + sum : sum);
        }
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict u0 = t[1];  // [N][OH][OW][K]
    float *restrict dw = t[2];        // [T][BLOCKS][R][S][C][BLOCK]
    //@ end
    float *restrict inputs = call->scratch;                             // as `turn` makes them
    float *restrict gradients = inputs + PANEL * RX_ROWS * TAPS_PITCH;  // [BLOCKS][COLUMN]
    float *restrict some = gradients + BLOCKS * COLUMN;                 // [TILE_N][TILE_M][BLOCK]
    uint16_t *restrict lines = (uint16_t *)(some + 4 * TILE);           // [CHUNK][LINE_PITCH]
    uint16_t *restrict pair = lines + CHUNK * LINE_PITCH;               // [2][BLOCKS * BLOCK]
    float *restrict part = dw + call->thread * (int64_t)COUNT_DW;
    const int64_t pixels = (int64_t)call->n * OH * OW;
    if (call->first >= call->last)
        memset(part, 0, COUNT_DW * sizeof *part);
    rx_tiles_begin();

    for (int64_t task = call->first, next; task < call->last; task = next) {
        const int64_t panels = (call->last - task + PANEL - 1) / PANEL;
        const int chunks = (int)((call->last - task + panels - 1) / panels);
        const enum start start = task == call->first ? STORE : ADD;
        next = task + chunks;
        for (int chunk = 0; chunk < chunks; chunk++) {
            const int64_t first = (task + chunk) * CHUNK;
            const int rows = (int)(pixels - first < CHUNK ? pixels - first : CHUNK);
            // 1. Pack the inputs of each pixel, transformed; taps outside the map and pixels
            // behind the last are zero. Whole vectors are stored: what exceeds a tap is
            // overwritten by the next.
            for (int i = 0; i < CHUNK; i++) {
                uint16_t *restrict to = lines + i * LINE_PITCH;
                if (i >= rows) {
                    for (int c = 0; c < TAPS; c += RX_LANES)
                        rx_store_bf16(to + c, rx_zero());
                    continue;
                }
                //@ if pointwise
                for (int c = 0; c < C; c += RX_LANES) {
                    const int left = C - c;                               //@ when tail_in
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_in
                    //@ prologue 0 pixel=(first + i) channel=c lanes=lanes into=x
                    const rx_v x = rx_load_n(x0 + (first + i) * C + c, lanes);
                    //@ end
                    rx_store_bf16(to + c, x);
                }
                //@ else
                const int64_t n = (first + i) / (OH * OW);
                const int oh = (int)((first + i) % (OH * OW)) / OW, ow = (int)((first + i) % OW);
                for (int r = 0; r < R; r++) {
                    //@ if images
                    //@ if not prologue0
                    // A row of taps inside the map lies together.
                    const int hr = oh * ST + r - P, w0 = ow * ST - P;
                    if (hr >= 0 && hr < H && w0 >= 0 && w0 + S <= W) {
                        const int64_t pixel = (n * H + hr) * W + w0;
                        for (int c = 0; c < S * C; c += RX_LANES) {
                            //@ if tail_in
                            const int lanes = S * C - c < RX_LANES ? S * C - c : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                            const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                            //@ end
                            rx_store_bf16(to + c, x);
                        }
                        to += S * C;
                        continue;
                    }
                    //@ end
                    //@ end
                    for (int s = 0; s < S; s++, to += C) {
                        const int h = oh * ST + r - P, wi = ow * ST + s - P;
                        if (h < 0 || h >= H || wi < 0 || wi >= W) {
                            for (int c = 0; c < C; c += RX_LANES)
                                rx_store_bf16(to + c, rx_zero());
                            continue;
                        }
                        const int64_t pixel = (n * H + h) * W + wi;
                        for (int c = 0; c < C; c += RX_LANES) {
                            //@ if tail_in
                            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                            const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                            //@ end
                            rx_store_bf16(to + c, x);
                        }
                    }
                }
                //@ end
            }
            turn(lines, inputs + chunk * TILE);
            // 2. Pack the gradients, transformed, two pixels together, block by block.
            for (int i = 0; i < CHUNK; i++) {
                uint16_t *restrict to = pair + i % 2 * BLOCKS * BLOCK;
                for (int k = 0; k < K; k += RX_LANES) {
                    if (i >= rows) {
                        rx_store_bf16(to + k, rx_zero());
                        continue;
                    }
                    const int left = K - k;                               //@ when tail_out
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_out
                    //@ prologue 1 pixel=(first + i) channel=k lanes=lanes into=u
                    const rx_v u = rx_load_n(u0 + (first + i) * K + k, lanes);
                    //@ end
                    rx_store_bf16(to + k, u);
                }
                if (i % 2 == 1)
                    for (int block = 0; block < BLOCKS; block++)
                        rx_store(gradients + block * COLUMN + chunk * TILE + i / 2 * BLOCK,
                                 rx_load_pairs(pair + block * BLOCK, to + block * BLOCK));
            }
        }
        // 3. Multiply. The smaller panel is gone through again and again, two tiles of the other
        // stay near.
        for (int product = 0; product < TAP_TILES * COLUMNS; product++) {
            const int tap = (WIDE ? product % TAP_TILES : product / COLUMNS) * TILE_M;
            const int column = WIDE ? product / TAP_TILES : product % COLUMNS;
            const int then = product + 1;
            const int then_tap = (WIDE ? then % TAP_TILES : then / COLUMNS) * TILE_M;
            const int then_column = WIDE ? then / TAP_TILES : then % COLUMNS;
            const float *const x = inputs + tap * (PANEL * RX_ROWS);
            const float *const u = gradients + column * TILE_N * COLUMN;
            float *to = part + (column * TILE_N * TAPS + tap) * (int64_t)BLOCK;
            const float *const ahead =
                part + (then_column * TILE_N * TAPS + then_tap) * (int64_t)BLOCK;
            if (TAPS % TILE_M == 0 || tap + TILE_M <= TAPS) {
                multiply(x, u, chunks, start, ahead, to, TAPS * BLOCK);
            } else {
                multiply(x, u, chunks, STORE, ahead, some, TILE_M * BLOCK);
                add_rows(some, TAPS - tap, start, to);
            }
        }
    }
    rx_tiles_end();
}
