// Forward convolution, dense or with wide groups, as a matrix product: the inputs that TILE_P
// output pixels see are packed into a panel (prologue applied), multiplied with blocks of outputs,
// and each block goes through the epilogue while it lies in the cache.
//@ doc task: TILE_M consecutive pixels of the N * OH * OW output pixels, one part of the outputs;
//@ doc       a share is worked off in panels of TILE_P pixels at most
//@ doc       tasks = ceil(N * OH * OW / TILE_M) * parts, parts <= COLUMNS
//@ doc scratch floats: ROWS * (TAPS + 16) + TILE_M * (TILE_W + 16),
//@ doc       ROWS = TILE_P rounded up to a multiple of TILE_M
//@ doc config: TILE_N * RX_LANES divides 16 or is a multiple of 16 and divides KG rounded up;
//@ doc       TILE_M * TILE_N + TILE_N + 1 registers (avx2: 6 x 2, avx512: 14 x 2, generic: 3 x 4);
//@ doc       TILE_P 36 to 48 where the panel then takes half of the L2 cache at most;
//@ doc       TILE_W a multiple of the register tile's width whose weights take half of the L2
//@ doc       cache at most: the wider, the longer the pieces of maps that the epilogue reads
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map
enum { G = 2, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 1, P = 1 };                      // taps, stride, padding
enum { TILE_P = 12, TILE_M = 3, TILE_N = 4 };              // pixels a panel; register tile
enum { TAPS = 144 };                                       // multiplies that make an output
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { PANEL = (TILE_P + TILE_M - 1) / TILE_M };           // register tiles of the panel
enum { ROWS = PANEL * TILE_M };                            // pixels of the panel
enum { BLOCK = 16, BLOCKS = (KG + BLOCK - 1) / BLOCK };    // outputs that lie together in w
enum { TILE_K = TILE_N * RX_LANES };                       // outputs of a register tile
enum { TILE_W = 16, ROW = TILE_W + 16 };                   // outputs that go through the epilogue
enum { STEP = TAPS < 128 ? 4 : 8 };                        // taps between two prefetches
enum { AHEAD = (TAPS + STEP - 1) / STEP };                 // prefetches in a register tile
enum { SLACK = 32 };                                       // more than the maps of a pixel
enum { LINE = 16, PAIR = 2 * LINE };                       // elements of a cache line, of two
enum { TURNS = PAIR / TILE_K > 1 ? PAIR / TILE_K : 1 };      // register tiles that share two lines
enum { PAIRS = (CG + PAIR - 1) / PAIR };                   // of a pixel of the panel
enum { PAIRS_AHEAD = PAIRS * TILE_M * TILE_K / KG + 1 };   // of the next panel, with each tile
enum { KG_COLUMNS = (KG + TILE_K - 1) / TILE_K };          // those of a group
enum { COLUMNS = G * KG_COLUMNS };                         // and of all groups
enum { WEIGHTS = G * BLOCKS * TAPS * BLOCK };              // elements
enum { FAR = G > 1 && WEIGHTS > 1 << 21 };                 // more than a panel should go through
enum { PASS = FAR ? 1 : G };                               // groups of a pass over all panels
//@ end
// clang-format on

// The weights of vector v of a register tile, for its first tap.
static inline const float *
column(const float *w, int v)
{
    return w + v * RX_LANES / BLOCK * TAPS * BLOCK + v * RX_LANES % BLOCK;
}

// out[i][k] = sum over taps of panel[i][tap] * w[tap][k], for TILE_M rows and TILE_K outputs.
//@ if pairs
// Each float of the panel and of w holds two taps in bf16, which are multiplied together.
//@ end
// On its way it prefetches, in order, what `ahead` lists. It is no part of its caller, so that its
// sums have the registers for themselves.
static __attribute__((noinline)) void
multiply(const float *restrict panel,  // [TILE_M][TAPS_PITCH]
         const float *restrict w,      // [..][TAPS][BLOCK]
         const void *const *ahead,     // [AHEAD]
         float *restrict out)          // [TILE_M][ROW]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int tap0 = 0; tap0 < TAPS; tap0 += STEP) {
        const int stop = TAPS % STEP == 0 || tap0 + STEP < TAPS ? tap0 + STEP : TAPS;
        rx_prefetch(*ahead);
        rx_prefetch((const float *)*ahead++ + LINE);
#pragma GCC unroll 4
        for (int tap = tap0; tap < stop; tap++) {
            rx_v b[TILE_N];
#pragma GCC unroll 16
            for (int v = 0; v < TILE_N; v++)
                b[v] = rx_load(column(w, v) + tap * BLOCK);
#pragma GCC unroll 16
            for (int i = 0; i < TILE_M; i++) {
                const rx_v a = rx_set1(panel[i * TAPS_PITCH + tap]);
#pragma GCC unroll 16
                for (int v = 0; v < TILE_N; v++) {
                    acc[i][v] = rx_fma(a, b[v], acc[i][v]);   //@ when not pairs
                    acc[i][v] = rx_dot2(a, b[v], acc[i][v]);  //@ when pairs
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * ROW + v * RX_LANES, acc[i][v]);
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
    float *restrict tile = panel + ROWS * TAPS_PITCH;  // [TILE_M][ROW]
    const int64_t pixels = (int64_t)call->n * OH * OW, units = (pixels + TILE_M - 1) / TILE_M;
    //@ clear
    //@ end

    for (int pass = 0; pass < G; pass += PASS)
        for (int64_t task = call->first, next; task < call->last; task = next) {
            const int64_t part = task / units, unit = task % units, first = unit * TILE_M;
            const int tiles = panel_tiles(units - unit, call->last - task);
            const int rows =
                (int)(pixels - first < tiles * TILE_M ? pixels - first : tiles * TILE_M);
            const int begin = (int)(COLUMNS * part / call->parts), own = pass * KG_COLUMNS;
            const int stop = (int)(COLUMNS * (part + 1) / call->parts),
                      last = own + PASS * KG_COLUMNS;
            const int end = stop < last ? stop : last;
            next = task + tiles;
            //@ if pointwise
            // Of the next panel; where there are groups, each packs its own channels.
            const int64_t rest = pixels - first - rows, share = (call->last - next) * TILE_M;
            const int64_t following = G > 1 ? 0 : rest < share ? rest : share;
            const int pairs = (int)(following < TILE_P ? following : TILE_P) * PAIRS;
            int pair = 0;
            //@ end
            for (int column = begin > own ? begin : own; column < end;) {
                const int g = column / KG_COLUMNS;
                // 1. Pack the inputs of each pixel, transformed; taps outside the map are zero.
                // Whole vectors are stored: what exceeds a tap is overwritten by the next. Panel
                // rows from `rows` on keep what they held, as nothing reads their results.
                for (int i = 0; i < rows; i++) {
                    float *restrict to = panel + i * TAPS_PITCH;
                    //@ if pointwise
                    for (int c = 0; c < CG; c += RX_LANES) {
                        const int left = CG - c;                              //@ when tail_in
                        const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=(first + i) channel=(g * CG + c) lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + (first + i) * C + g * CG + c, lanes);
                        //@ end
                        rx_store(to + c, x);                   //@ when not pairs
                        rx_store_bf16((uint16_t *)to + c, x);  //@ when pairs
                    }
                    //@ else
                    int at = 0;  // in the row, of this tap's first input
                    const int64_t n = (first + i) / (OH * OW);
                    const int oh = (int)((first + i) % (OH * OW)) / OW,
                              ow = (int)((first + i) % OW);
                    for (int r = 0; r < R; r++)
                        for (int s = 0; s < S; s++, at += CG) {
                            const int h = oh * ST + r - P, wi = ow * ST + s - P;
                            if (h < 0 || h >= H || wi < 0 || wi >= W) {
                                for (int c = at; c < at + CG; c += RX_LANES) {
                                    rx_store(to + c, rx_zero());  //@ when not pairs
                                    rx_store_bf16((uint16_t *)to + c, rx_zero());  //@ when pairs
                                }
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
                                rx_store(to + at + c, x);                   //@ when not pairs
                                rx_store_bf16((uint16_t *)to + at + c, x);  //@ when pairs
                            }
                        }
                    //@ end
                }
                for (int some; column < end && column / KG_COLUMNS == g; column += some) {
                    const int k0 = column % KG_COLUMNS * TILE_K;
                    some = end - column < TILE_W / TILE_K ? end - column : TILE_W / TILE_K;
                    const int channels = KG - k0 < some * TILE_K ? KG - k0 : some * TILE_K;
                    const int vectors = (channels + RX_LANES - 1) / RX_LANES;
                    some = (channels + TILE_K - 1) / TILE_K;
                    //@ if stats
                    //@ epilogue_sums vectors=(TILE_W / RX_LANES)
                    //@ end
                    //@ end
                    for (int i = 0; i < rows; i += TILE_M) {
                        // What the epilogue will meet next: the rows or channels that follow.
                        int row = i + TILE_M, channel = g * KG + k0;
                        if (row >= rows) {
                            const int more = column + some < end && k0 + channels < KG;
                            row = more ? 0 : rows;
                            channel = more ? channel + channels : g * KG;
                        }
                        // 2. Multiply: TILE_M pixels, these outputs.
                        for (int b = 0; b < channels; b += TILE_K) {
                            const void *ahead[AHEAD + SLACK], **at = ahead;
                            const int turn = b / TILE_K % TURNS;
                            for (int j = turn; j < TILE_M && at < ahead + AHEAD; j += TURNS) {
                                const int64_t p = first + row + j;
                                for (int k = b / PAIR * PAIR; k < b + TILE_K; k += PAIR) {
                                    //@ ahead_epilogue pixel=p channel=(channel + k) to=at
                                    *at++ = y0 + p * K + channel + k;
                                    //@ end
                                }
                            }
                            //@ if pointwise
                            const int upto =
                                pair + PAIRS_AHEAD < pairs ? pair + PAIRS_AHEAD : pairs;
                            for (; pair < upto && at < ahead + AHEAD; pair++) {
                                const int64_t p = first + rows + pair / PAIRS;
                                const int c = pair % PAIRS * PAIR;
                                //@ ahead_prologue 0 pixel=p channel=c to=at
                                *at++ = x0 + p * C + c;
                                //@ end
                            }
                            //@ end
                            while (at < ahead + AHEAD)
                                *at++ = panel;
                            const float *wk =
                                w + (g * BLOCKS + (k0 + b) / BLOCK) * (int64_t)(TAPS * BLOCK) +
                                (k0 + b) % BLOCK;
                            multiply(panel + i * TAPS_PITCH, wk, ahead, tile + b);
                        }
                        // 3. Epilogue, a vector of channels after the other.
                        const int stop_row = rows - i < TILE_M ? rows : i + TILE_M;
                        for (int v = 0; v < vectors; v++) {
                            const int k = g * KG + k0 + v * RX_LANES;
                            //@ if tail_out
                            const int left = KG - k0 - v * RX_LANES;
                            const int n = left < RX_LANES ? left : RX_LANES;
                            //@ end
                            for (int r = i; r < stop_row; r++) {
                                const int64_t p = first + r;
                                const float *const o = tile + (r - i) * ROW + v * RX_LANES;
                                //@ epilogue pixel=p channel=k lanes=n at=o vector=v
                                rx_store_n(y0 + p * K + k, rx_load(o), n);
                                //@ end
                            }
                        }
                    }
                    //@ if stats
                    for (int v = 0; v < vectors; v++) {
                        const int k = g * KG + k0 + v * RX_LANES;
                        //@ if tail_out
                        const int left = KG - k0 - v * RX_LANES;
                        const int n = left < RX_LANES ? left : RX_LANES;
                        //@ end
                        //@ epilogue_end channel=k lanes=n vector=v
                        (void)k, (void)n;
                        //@ end
                    }
                    //@ end
                }
            }
        }
}
