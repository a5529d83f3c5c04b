// Forward convolution with groups at stride 1 whose maps have one size, or its data gradient, which
// is the same with channels that exchange roles and taps seen from the other side. Row by row of
// inputs: all channels of a row are transformed in the order of memory; what a vector of inputs
// gives to all taps is added at once to the R rows of outputs that see it, so that it is spread
// over its group's lanes once and not R times; and finished rows go through the epilogue in the
// order of memory again. What comes next is prefetched while they multiply.
//@ doc task: a unit of an image (all units of the first image, then of the next)
//@ doc       tasks = N * UNITS
//@ doc scratch floats: TILE_N * ((W + 2 * P) * COLUMN + UNIT_OUT * (SLOTS * W + TAPS))
//@ doc       + W * lanes
//@ doc config: TILE_P rows of outputs (a strip) between one epilogue and the next; TILE_M pixels of
//@ doc       a row at a time, W / its number of tiles rounded up; TILE_N units together. Registers:
//@ doc       R * TILE_M sums, R * S weights, 1 input
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map, of the same size
enum { G = 8, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, P = 1 };                              // taps, padding
enum { TILE_P = 2, TILE_M = 4, TILE_N = 2 };               // rows of a strip; pixels; units
enum { UNITS = 2, UNIT_IN = 16, UNIT_OUT = 16 };           // units, channels of each
enum { COLUMN = 16 };                                      // floats of a pixel of a unit's row
enum { OWN = 1 };                                          // 1: lanes multiply their own groups
enum { TURNED = 0 };                                       // 1: a data gradient
enum { DEPTH = TURNED ? KG : CG };                         // of a tap's products
enum { UNROLL = DEPTH > 8 ? 2 : 8 };                       // shuffles are known in all of 8
enum { TAPS = R * S * DEPTH };                             // inputs that an output sees
enum { TILES = (W + TILE_M - 1) / TILE_M };                // of a row
enum { LONG = W - TILES * (TILE_M - 1) };                  // of them TILE_M wide; others one less
enum { ROW = (W + 2 * P) * COLUMN };                       // a unit's transformed row
enum { SUMS = W * RX_LANES };                              // a vector's row of sums
enum { SLOTS = (TILE_P + R - 1 + TILE_P - 1) / TILE_P * TILE_P };  // rows of sums: whole strips
enum { VECTORS = UNIT_OUT / RX_LANES };                    // of a unit's outputs
enum { W_PITCH = ((TURNED ? C : K) + 15) / 16 * 16 };      // from one tap's weights to the next
enum { BLOCK = 16, BLOCKS = (UNIT_OUT + BLOCK - 1) / BLOCK };  // outputs that lie together in w
enum { LINE = 16 };                                        // floats of a cache line
enum { CALLS = VECTORS * TILES };                          // of multiply for a row of a unit
enum { AHEAD = W * UNIT_IN / (LINE * CALLS) + 1 };         // lines that each prefetches
enum { AHEAD_OUT = W * UNIT_OUT / (LINE * CALLS) + 1 };    // and those for the epilogue
enum { TURN = 4 * LINE / RX_LANES };                       // vectors that it looks at by turns
enum { SLACK = 8 };                                        // more than the maps that it meets
//@ end
// clang-format on

// Input c of each lane's group.
static inline rx_v
input(const float *x, int c)
{
    //@ if panel
    return rx_set1(x[c]);
    //@ else
    return rx_spread(x, CG, c);
    //@ end
}

// out[r][i][k] += sum over s and c of x[i + s][c] * w[c][r][s][k], for m pixels, which the compiler
// must know to keep their sums in registers. Row 0 sees its first inputs: it starts at zero.
__attribute__((always_inline)) static inline void
multiply(const float *restrict x,            // [m + S - 1][COLUMN]
         const float *restrict w,            // [DEPTH][R][S][RX_LANES]
         float *const *restrict out, int m)  // [R]: [m][RX_LANES]
{
    rx_v acc[R][TILE_M];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int i = 0; i < m; i++)
            acc[r][i] = r == 0 ? rx_zero() : rx_load(out[r] + i * RX_LANES);
#pragma GCC unroll UNROLL
    for (int c = 0; c < DEPTH; c++) {
        x = rx_opaque(x);
        rx_v b[R][S];
#pragma GCC unroll 16
        for (int tap = 0; tap < R * S; tap++)
            b[tap / S][tap % S] = rx_load(w + (c * R * S + tap) * RX_LANES);
#pragma GCC unroll 32
        for (int q = 0; q < m + S - 1; q++) {
            const rx_v a = input(x + q * COLUMN, c);
#pragma GCC unroll 16
            for (int s = 0; s < S; s++)
#pragma GCC unroll 16
                for (int r = 0; r < R; r++)
                    if (q >= s && q - s < m)
                        acc[r][q - s] = rx_fma(a, b[r][s], acc[r][q - s]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
        for (int i = 0; i < m; i++)
            rx_store(out[r] + i * RX_LANES, acc[r][i]);
}

// Where in a map what will be read next is: from line to line of some channels, pixel by pixel.
struct place {
    int64_t pixel;
    int channel, first, end;
};

static inline struct place
place(int first, int64_t channels, int64_t pixel)
{
    return (struct place){pixel, first, first, first + (int)channels};
}

static inline void
advance(struct place *at)
{
    at->channel += LINE;
    if (at->channel >= at->end) {
        at->channel = at->first;
        at->pixel++;
    }
}

// Of the units from this one on, how many are worked off together.
static inline int
together(int unit, int64_t left)
{
    int n = TILE_N - unit % TILE_N;
    n = n < UNITS - unit ? n : UNITS - unit;
    return left < n ? (int)left : n;
}

// The weights of some units in the order in which they are multiplied.
static void
gather(const float *restrict w, int unit0, int units,
       float *restrict to)  // [units * VECTORS][DEPTH][R][S][RX_LANES]
{
    for (int v = 0; v < units * VECTORS; v++) {
        const float *from;
        //@ if panel
        const int64_t unit = unit0 + v / VECTORS;
        const int k = v % VECTORS * RX_LANES;
        from = w + (unit * BLOCKS + k / BLOCK) * (TAPS * BLOCK) + k % BLOCK;
        //@ else
        from = w + unit0 * UNIT_OUT + v * RX_LANES;
        //@ end
        for (int c = 0; c < DEPTH; c++)
            for (int tap = 0; tap < R * S; tap++, to += RX_LANES) {
                const int at = (TURNED ? R * S - 1 - tap : tap) * DEPTH + c;
                rx_store(to, rx_load(from + at * BLOCK));    //@ when panel
                rx_store(to, rx_load(from + at * W_PITCH));  //@ when not panel
            }
    }
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict w = t[1];   // [R][S][CG][W_PITCH]
    float *restrict y0 = t[2];        // [N][OH][OW][K]
    //@ end
    float *restrict rows = call->scratch;        // [TILE_N][P + W + P][COLUMN]
    float *restrict sums = rows + TILE_N * ROW;  // [TILE_N * VECTORS][SLOTS][W][RX_LANES]
    float *restrict nowhere = sums + TILE_N * VECTORS * SLOTS * SUMS;  // [W][RX_LANES]
    float *restrict gathered = nowhere + SUMS;
    //@ clear
    //@ end
    for (int i = 0; i < TILE_N * ROW; i += RX_LANES)
        rx_store(rows + i, rx_zero());
    for (int i = 0; i < SUMS; i += RX_LANES)
        rx_store(nowhere + i, rx_zero());

    int unit_first = 0, unit_end = 0;  // those whose weights are gathered
    for (int64_t task = call->first, units; task < call->last; task += units) {
        const int64_t n = task / UNITS;
        const int unit0 = (int)(task % UNITS);
        units = together(unit0, call->last - task);
        if (unit0 != unit_first || unit0 + units > unit_end) {
            unit_first = unit0;
            unit_end = unit0 + (int)units;
            gather(w, unit0, (int)units, gathered);
        }
        const int vectors = (int)units * VECTORS;
        // The first inputs of these rows are in the padding.
        for (int v = 0; v < vectors; v++)
            for (int i = 0; i < P * SUMS; i += RX_LANES)
                rx_store(sums + v * SLOTS * SUMS + i, rx_zero());
        for (int h = 0; h < H + P; h++) {
            // 1. Transform a row; columns outside the map stay zero.
            for (int wi = 0; wi < W && h < H; wi++)
                for (int unit = 0; unit < units; unit++) {
                    float *restrict to = rows + unit * ROW + (P + wi) * COLUMN;
                    const int64_t pixel = (n * H + h) * W + wi;
#pragma GCC unroll 4
                    for (int i = 0; i < UNIT_IN; i += RX_LANES) {
                        const int c = (unit0 + unit) * UNIT_IN + i;
                        //@ if tail_in
                        const int lanes = C - c < RX_LANES ? C - c : RX_LANES;
                        //@ end
                        //@ prologue 0 pixel=pixel channel=c lanes=lanes into=v
                        const rx_v v = rx_load_n(x0 + pixel * C + c, lanes);
                        //@ end
                        rx_store(to + i, v);
                    }
                }
            // What will be read next: a row of these units or the first of the following ones, and
            // what the epilogue meets of the row that this one ends.
            const int same = h + 1 < H;
            const int64_t soon = same || task + units == call->last ? task : task + units;
            struct place ahead = place((int)(soon % UNITS) * UNIT_IN, units * UNIT_IN,
                                       (soon / UNITS * H + (same ? h + 1 : 0)) * W);
            struct place ahead_out =
                place(unit0 * UNIT_OUT, units * UNIT_OUT, (n * H + (h < P ? 0 : h - P)) * W);
            // 2. Multiply it by the taps of the rows of outputs that see it.
            for (int v = 0; v < vectors && h < H; v++) {
                const float *x = rows + v / VECTORS * ROW + OWN * (v % VECTORS * RX_LANES);
                for (int at = 0; at < W; at += at < LONG * TILE_M ? TILE_M : TILE_M - 1) {
                    for (int i = 0; i < AHEAD; i++, advance(&ahead)) {
                        //@ ahead_prologue 0 pixel=ahead.pixel channel=ahead.channel
                        rx_prefetch(x0 + ahead.pixel * C + ahead.channel);
                        //@ end
                    }
                    const void *noted[AHEAD_OUT * SLACK], **to = noted;
                    for (int i = 0; i < AHEAD_OUT; i++, advance(&ahead_out)) {
                        //@ ahead_epilogue pixel=ahead_out.pixel channel=ahead_out.channel to=to
                        *to++ = y0 + ahead_out.pixel * K + ahead_out.channel;
                        //@ end
                    }
                    for (const void **note = noted; note < to; note++)
                        rx_prefetch(*note);
                    float *out[R];
                    for (int r = 0; r < R; r++) {
                        const int row = h + P - r;  // of outputs
                        out[r] = at * RX_LANES + (row < 0 || row >= H
                                                      ? nowhere
                                                      : sums + (v * SLOTS + row % SLOTS) * SUMS);
                    }
                    const float *wv = gathered + v * (TAPS * RX_LANES);
                    //@ if uneven
                    if (at >= LONG * TILE_M) {
                        multiply(x + at * COLUMN, wv, out, TILE_M - 1);
                        continue;
                    }
                    //@ end
                    multiply(x + at * COLUMN, wv, out, TILE_M);
                }
            }
            // 3. Epilogue of a strip that is complete, some vectors of each pixel at a time.
            const int end = h - P + 1, top = end - 1 - (end - 1) % TILE_P;
            if (end <= 0 || (end < H && end % TILE_P != 0))
                continue;
            const int px = (end - top) * W;
            const int64_t first = (n * H + top) * W;
            for (int v0 = 0; v0 < vectors; v0 += TURN) {
                const int some = vectors - v0 < TURN ? vectors - v0 : TURN;
                //@ if stats
                //@ epilogue_sums vectors=TURN
                //@ end
                //@ end
                float *const block = sums + (v0 * SLOTS + top % SLOTS) * SUMS;
                for (int i = 0; i < px; i++)
                    for (int v = 0; v < some; v++) {
                        const float *const o = block + v * (SLOTS * SUMS) + i * RX_LANES;
                        const int64_t p = first + i;
                        const int k = unit0 * UNIT_OUT + (v0 + v) * RX_LANES;
                        //@ if tail_out
                        const int lanes = K - k < RX_LANES ? K - k : RX_LANES;
                        //@ end
                        //@ epilogue pixel=p channel=k lanes=lanes at=o vector=v
                        rx_store_n(y0 + p * K + k, rx_load(o), lanes);
                        //@ end
                    }
                //@ if stats
                for (int v = 0; v < some; v++) {
                    const int k = unit0 * UNIT_OUT + (v0 + v) * RX_LANES;
                    //@ if tail_out
                    const int m = K - k < RX_LANES ? K - k : RX_LANES;
                    //@ end
                    //@ epilogue_end channel=k lanes=m vector=v
                    (void)k, (void)m;
                    //@ end
                }
                //@ end
            }
        }
    }
}
