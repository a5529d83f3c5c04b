// Forward convolution, dense or with wide groups, as a matrix product: the inputs that TILE_P
// output pixels see are packed into a panel (prologue applied), multiplied with blocks of outputs,
// and each block goes through the epilogue while it lies in the cache.
//@ doc task: TILE_M consecutive pixels of the N * OH * OW output pixels, one part of the outputs;
//@ doc       a share is worked off in panels of TILE_P pixels at most
//@ doc       tasks = ceil(N * OH * OW / TILE_M) * parts, parts <= COLUMNS
//@ doc scratch floats: ROWS * (R * S * CG + 16) + ROWS * TILE_N * RX_LANES,
//@ doc       ROWS = TILE_P rounded up to a multiple of TILE_M
//@ doc config: TILE_N * RX_LANES divides 16 or is a multiple of 16 and divides KG rounded up;
//@ doc       TILE_M * TILE_N + TILE_N + 1 registers (avx2: 6 x 2, avx512: 14 x 2, generic: 3 x 4);
//@ doc       TILE_P 48 to 96 where the panel then takes half of the L2 cache at most
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map
enum { G = 2, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 1, P = 1 };                      // taps, stride, padding
enum { TILE_P = 12, TILE_M = 3, TILE_N = 4 };              // pixels a panel; register tile
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { PANEL = (TILE_P + TILE_M - 1) / TILE_M };           // register tiles of the panel
enum { ROWS = PANEL * TILE_M };                            // pixels of the panel
enum { BLOCK = 16, BLOCKS = (KG + BLOCK - 1) / BLOCK };    // outputs that lie together in w
enum { TILE_K = TILE_N * RX_LANES };                       // outputs of a register tile
enum { KG_COLUMNS = (KG + TILE_K - 1) / TILE_K };          // those of a group
enum { COLUMNS = G * KG_COLUMNS };                         // and of all groups
//@ end
// clang-format on

// The weights of vector v of a register tile, for its first tap.
static inline const float *
column(const float *w, int v)
{
    return w + v * RX_LANES / BLOCK * TAPS * BLOCK + v * RX_LANES % BLOCK;
}

// out[i][k] = sum over taps of panel[i][tap] * w[tap][k], for TILE_M rows and TILE_K outputs.
static inline void
multiply(const float *restrict panel,  // [TILE_M][TAPS_PITCH]
         const float *restrict w,      // [..][TAPS][BLOCK]
         float *restrict out)          // [TILE_M][TILE_K]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int tap = 0; tap < TAPS; tap++) {
        rx_v b[TILE_N];
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            b[v] = rx_load(column(w, v) + tap * BLOCK);
#pragma GCC unroll 16
        for (int i = 0; i < TILE_M; i++) {
            const rx_v a = rx_set1(panel[i * TAPS_PITCH + tap]);
#pragma GCC unroll 16
            for (int v = 0; v < TILE_N; v++)
                acc[i][v] = rx_fma(a, b[v], acc[i][v]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * TILE_K + v * RX_LANES, acc[i][v]);
}

// Register tiles of the next panel: what is left of a part and of a share, in equal panels.
static inline int
panel_tiles(int64_t of_part, int64_t of_share)
{
    const int64_t left = of_part < of_share ? of_part : of_share;
    const int64_t panels = (left + PANEL - 1) / PANEL;
    return (int)((left + panels - 1) / panels);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict w = t[1];   // [G][BLOCKS][R][S][CG][BLOCK]
    float *restrict y0 = t[2];        // [N][OH][OW][K]
    //@ end
    float *restrict panel = call->scratch;             // [ROWS][TAPS_PITCH]
    float *restrict tile = panel + ROWS * TAPS_PITCH;  // [ROWS][TILE_K]
    const int64_t pixels = (int64_t)call->n * OH * OW, units = (pixels + TILE_M - 1) / TILE_M;
    //@ clear
    //@ end

    for (int64_t task = call->first, next; task < call->last; task = next) {
        const int64_t part = task / units, unit = task % units, first = unit * TILE_M;
        const int tiles = panel_tiles(units - unit, call->last - task);
        const int rows = (int)(pixels - first < tiles * TILE_M ? pixels - first : tiles * TILE_M);
        const int end = (int)(COLUMNS * (part + 1) / call->parts);
        next = task + tiles;
        for (int column = (int)(COLUMNS * part / call->parts); column < end;) {
            const int g = column / KG_COLUMNS;
            // 1. Pack the inputs of each pixel, transformed; taps outside the map are zero. Whole
            // vectors are stored: what exceeds a tap is overwritten by the next. Panel rows from
            // `rows` on keep what they held, as nothing reads their results.
            for (int i = 0; i < rows; i++) {
                float *restrict to = panel + i * TAPS_PITCH;
                //@ if pointwise
                for (int c = 0; c < CG; c += RX_LANES) {
                    const int left = CG - c;                              //@ when tail_in
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_in
                    //@ prologue 0 pixel=(first + i) channel=(g * CG + c) lanes=lanes into=x
                    const rx_v x = rx_load_n(x0 + (first + i) * C + g * CG + c, lanes);
                    //@ end
                    rx_store(to + c, x);
                }
                //@ else
                const int64_t n = (first + i) / (OH * OW);
                const int oh = (int)((first + i) % (OH * OW)) / OW, ow = (int)((first + i) % OW);
                for (int r = 0; r < R; r++)
                    for (int s = 0; s < S; s++, to += CG) {
                        const int h = oh * ST + r - P, wi = ow * ST + s - P;
                        if (h < 0 || h >= H || wi < 0 || wi >= W) {
                            for (int c = 0; c < CG; c += RX_LANES)
                                rx_store(to + c, rx_zero());
                            continue;
                        }
                        const int64_t pixel = (n * H + h) * W + wi;
                        for (int c = 0; c < CG; c += RX_LANES) {
                            //@ if tail_in
                            const int lanes = CG - c < RX_LANES ? CG - c : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=(g * CG + c) lanes=lanes into=x
                            const rx_v x = rx_load_n(x0 + pixel * C + g * CG + c, lanes);
                            //@ end
                            rx_store(to + c, x);
                        }
                    }
                //@ end
            }
            for (; column < end && column / KG_COLUMNS == g; column++) {
                const int k0 = column % KG_COLUMNS * TILE_K;
                // 2. Multiply: these outputs of all pixels, so that their weights are read once.
                const float *wk =
                    w + (g * BLOCKS + k0 / BLOCK) * (int64_t)(TAPS * BLOCK) + k0 % BLOCK;
                for (int i = 0; i < tiles; i++)
                    multiply(panel + i * TILE_M * TAPS_PITCH, wk, tile + i * TILE_M * TILE_K);
                // 3. Epilogue, a vector of channels at a time.
                for (int v = 0; v < TILE_K && k0 + v < KG; v += RX_LANES) {
                    float *out = tile + v;  // these outputs of all pixels
                    const int k = g * KG + k0 + v;
                    const int left = KG - k0 - v;                         //@ when tail_out
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_out
                    //@ epilogue_begin channel=k lanes=lanes
                    //@ end
                    for (int i = 0; i < rows; i++) {
                        //@ epilogue pixel=(first + i) channel=k lanes=lanes at=(out + i * TILE_K)
                        rx_store_n(y0 + (first + i) * K + k, rx_load(out + i * TILE_K), lanes);
                        //@ end
                    }
                    //@ epilogue_end channel=k lanes=lanes at=(out + i * TILE_K) row=i rows=rows
                    //@ end
                }
            }
        }
    }
}
