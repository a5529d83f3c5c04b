// Data gradient of a convolution with groups. Channels are cut into units that need nothing of each
// other: a wide group, or the narrow groups that make up vectors. The rows of a unit's output
// gradient are transformed once, into a ring of rows with zeros around them, and multiplied from
// there: where columns of the ring meet taps, they give pixels of the input map. Units take turns
// and prefetch as in gconv_fwd.
//@ doc task: a unit of an image (all units of the first image, then of the next)
//@ doc       tasks = N * UNITS
//@ doc scratch floats: (TILE_P * W + ST - 1) * TILE_C + TOGETHER * (ROWS * ROW
//@ doc       + (layout LANES ? UNIT_OUT * TAPS : 0))
//@ doc config: as in gconv_fwd, of the input map; TILE_M is a multiple of ST
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 16 };                             // input map
enum { OH = 5, OW = 4, K = 16 };                           // output map
enum { G = 4, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 4, TILE_N = 1 };               // rows of a strip; pixels, vectors
enum { UNITS = 1, UNIT_IN = 16, UNIT_OUT = 16 };           // units, channels of each
enum { TOGETHER = 1 };                                      // units that are worked off row by row
enum { COLUMN = 16 };                                      // floats of a ring's pixel
enum { OWN = 1 };                                          // 1: lanes multiply their own groups
enum { TAPS = R * S * KG };                                // outputs that an input touches
enum { UNROLL = OWN && KG > 4 && RX_LANES / KG > 1 ? 8 : 4 };  // outputs: then shuffles are known
enum { TILE_C = TILE_N * RX_LANES };                       // inputs of a register tile
enum { SHARED = TILE_N == 1 ? S : 1 };                     // taps that share a loaded gradient
enum { STEPS = (W + ST - 1) / ST, STEP_M = TILE_M / ST };  // a row and a tile in strides
enum { TILES = (STEPS + STEP_M - 1) / STEP_M };            // of a row
enum { LONG = STEPS - TILES * (STEP_M - 1) };              // of them TILE_M wide; others ST less
enum { LEFT = (S - 1 - P + (S > P ? ST - 1 : 0)) / ST };   // columns of the ring before the map
enum { ROW = (LEFT + STEPS + (ST - 1 + P) / ST) * COLUMN };  // of the ring, with its padding
enum { ROWS = (TILE_P + R - 2) / ST + 1 };                 // of the ring: what a strip sees
enum { W_PITCH = (C + 15) / 16 * 16 };                     // from one tap's weights to the next
enum { BLOCK = 16, BLOCKS = (CG + BLOCK - 1) / BLOCK };    // inputs that lie together in w
enum { LINE = 16 };                                        // floats of a cache line
enum { CALLS = (UNIT_OUT + TILE_C - 1) / TILE_C * TILES }; // of multiply for a row of a unit
enum { AHEAD = OW * UNIT_IN / (LINE * ST * CALLS) + 1 };   // lines that each prefetches
enum { AHEAD_OUT = W * UNIT_OUT / (LINE * CALLS) + 1 };    // and those for the epilogue
enum { NEAR = ((RX_LANES - 1) / CG + 2) * KG };            // outputs that a vector of inputs meets
//@ end
// clang-format on

// Output k of each lane's group.
static inline rx_v
output(const float *x, int k)
{
    //@ if panel
    return rx_set1(x[k]);
    //@ else
    //@ if permuted
    return rx_spread(x, CG, k);
    //@ else
    return rx_load(x + k * RX_LANES);
    //@ end
    //@ end
}

// Where in the weights of a unit those of its inputs from c0 on are.
static inline int
weights_at(int c0)
{
    //@ if panel
    return c0 / BLOCK * TAPS * BLOCK + c0 % BLOCK;
    //@ else
    return c0 * TAPS;
    //@ end
}

// The weights of vector v of a register tile, for tap (r, s) and output k.
static inline rx_v
weight(const float *w, int tap, int v)
{
    //@ if panel
    return rx_load(w + v * RX_LANES / BLOCK * TAPS * BLOCK + v * RX_LANES % BLOCK + tap * BLOCK);
    //@ else
    return rx_load(w + (v * TAPS + tap) * RX_LANES);
    //@ end
}

// out[i][c] = sum over the taps r0, r0 + ST ... below r1 and all s that touch pixel i of
// x[r][column][k] * w[r][s][k][c], for m pixels, which the compiler must know to keep their sums in
// registers. Tiles start at multiples of ST, so that it knows the taps of a pixel too.
__attribute__((always_inline)) static inline void
multiply(const float *const *restrict x,  // [R]: [..][COLUMN]
         int column, const float *restrict w, int r0, int r1, int m,
         float *restrict out)  // [m][TILE_C]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int r = r0; r < r1; r += ST)
#pragma GCC unroll 16
        for (int s0 = 0; s0 < S; s0 += SHARED) {
            const float *xs = x[r] + column;
#pragma GCC unroll UNROLL
            for (int k = 0; k < KG; k++) {
                xs = rx_opaque(xs);
                rx_v b[SHARED][TILE_N];
#pragma GCC unroll 16
                for (int s = 0; s < SHARED; s++)
#pragma GCC unroll 16
                    for (int v = 0; v < TILE_N; v++)
                        b[s][v] = weight(w, (r * S + s0 + s) * KG + k, v);
#pragma GCC unroll 64
                for (int q = 0; q <= LEFT + (m - 1 + P) / ST; q++) {
                    const rx_v a = output(xs + q * COLUMN, k);
#pragma GCC unroll 16
                    for (int s = 0; s < SHARED; s++) {
                        const int i = (q - LEFT) * ST + s0 + s - P;
#pragma GCC unroll 16
                        for (int v = 0; v < TILE_N; v++)
                            if (i >= 0 && i < m)
                                acc[i][v] = rx_fma(a, b[s][v], acc[i][v]);
                    }
                }
            }
        }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * TILE_C + v * RX_LANES, acc[i][v]);
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

// Of the units from this one on, how many are worked off together, row by row.
static inline int
together(int unit, int64_t left)
{
    int n = TOGETHER - unit % TOGETHER;
    n = n < UNITS - unit ? n : UNITS - unit;
    return left < n ? (int)left : n;
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][OH][OW][K]
    const float *restrict w = t[1];   // [R][S][KG][W_PITCH]
    float *restrict y0 = t[2];        // [N][H][W][C]
    //@ end
    float *restrict rings =
        call->scratch;  // [TOGETHER][ROWS][..][COLUMN], row oh in slot oh % ROWS
    float *restrict tile = rings + TOGETHER * ROWS * ROW;  // [TILE_P * W + ST - 1][TILE_C]
    //@ if not panel
    // [TOGETHER][UNIT_OUT / RX_LANES][TAPS][RX_LANES]
    float *restrict gathered = tile + (TILE_P * W + ST - 1) * TILE_C;
    //@ end
    //@ clear
    //@ end
    for (int i = 0; i < TOGETHER * ROWS * ROW; i += RX_LANES)
        if (i % ROW < LEFT * COLUMN || i % ROW >= (LEFT + OW) * COLUMN)
            rx_store(rings + i, rx_zero());

    for (int64_t task = call->first, units; task < call->last; task += units) {
        const int64_t n = task / UNITS;
        const int unit0 = (int)(task % UNITS);
        units = together(unit0, call->last - task);
        //@ if not panel
        for (int c = 0; c < units * UNIT_OUT; c += RX_LANES)
            for (int tap = 0; tap < TAPS; tap++)
                rx_store(gathered + c * TAPS + tap * RX_LANES,
                         rx_load(w + tap * W_PITCH + unit0 * UNIT_OUT + c));
        //@ end
        int next = 0;  // the first row that is not in the rings
        for (int h0 = 0; h0 < H; h0 += TILE_P) {
            const int rows = H - h0 < TILE_P ? H - h0 : TILE_P, px = rows * W;
            const int late = h0 + P - (R - 1), top = late > 0 ? (late + ST - 1) / ST : 0;
            const int bottom = (h0 + rows - 1 + P) / ST + 1;
            const int64_t first = (n * H + h0) * W;
            const int oh0 = next > top ? next : top, oh1 = bottom < OH ? bottom : OH;
            next = oh0 > oh1 ? oh0 : oh1;
            // What will be read next: a strip of these units or the first of the following ones.
            const int same = h0 + TILE_P < H;
            const int64_t soon = same || task + units == call->last ? task : task + units;
            const int soon_unit = (int)(soon % UNITS);
            struct place ahead = place(soon_unit * UNIT_IN, units * UNIT_IN,
                                       (soon / UNITS * OH + (same ? next : 0)) * OW);
            //@ if epilogue_loads
            struct place ahead_out = place(soon_unit * UNIT_OUT, units * UNIT_OUT,
                                           (soon / UNITS * H + (same ? h0 + TILE_P : 0)) * W);
            //@ end
            for (int unit = unit0; unit < unit0 + units; unit++) {
                float *restrict ring = rings + (unit - unit0) * ROWS * ROW;
                // 1. Transform the rows that come into sight; columns outside the map stay zero.
                const float *wu;                                   // the unit's weights
                wu = w + unit * (int64_t)(BLOCKS * TAPS * BLOCK);  //@ when panel
                wu = gathered + (unit - unit0) * UNIT_OUT * TAPS;  //@ when not panel
                //@ if not panel
                //@ if not permuted
                // The outputs of each input's group, from the first that is loaded.
                int of[RX_LANES];
                const int c1 = (unit + 1) * UNIT_OUT < C ? (unit + 1) * UNIT_OUT : C;
                const int near = unit * UNIT_OUT / CG * KG / RX_LANES * RX_LANES;
                const int far = ((c1 - 1) / CG + 1) * KG;
                for (int lane = 0; lane < RX_LANES; lane++) {
                    const int c = unit * UNIT_OUT + lane;
                    of[lane] = (c < c1 ? c : c1 - 1) / CG * KG - near;
                }
                //@ end
                //@ end
                for (int oh = oh0; oh < oh1; oh++) {
                    float *restrict to = ring + oh % ROWS * ROW;
                    for (int ow = -LEFT; ow < OW && ow < ROW / COLUMN - LEFT; ow++, to += COLUMN) {
                        if (ow < 0)
                            continue;
                        const int64_t pixel = (n * OH + oh) * OW + ow;
                        //@ if panel
                        for (int i = 0; i < UNIT_IN; i += RX_LANES) {
                            const int k = unit * UNIT_IN + i;
                            //@ if tail_out
                            const int lanes = UNIT_IN - i < RX_LANES ? UNIT_IN - i : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=k lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * K + k, lanes);
                            //@ end
                            rx_store(to + i, v);
                        }
                        //@ else
                        //@ if permuted
                        for (int i = 0; i < UNIT_IN; i += RX_LANES) {
                            const int k = unit * UNIT_IN + i;
                            //@ if tail_out
                            const int lanes = K - k < RX_LANES ? K - k : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=k lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * K + k, lanes);
                            //@ end
                            rx_store(to + i, v);
                        }
                        //@ else
                        float x_near[NEAR + 2 * RX_LANES];
                        for (int k = near; k < far; k += RX_LANES) {
                            //@ if tail_out
                            const int lanes = K - k < RX_LANES ? K - k : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=k lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * K + k, lanes);
                            //@ end
                            rx_store(x_near + k - near, v);
                        }
                        for (int k = 0; k < KG; k++)
                            for (int lane = 0; lane < RX_LANES; lane++)
                                to[k * RX_LANES + lane] = x_near[of[lane] + k];
                        //@ end
                        //@ end
                    }
                }
                for (int c0 = 0; c0 < UNIT_OUT; c0 += TILE_C) {
                    // 2. Multiply these inputs of the strip. What a row has beyond the map is
                    // overwritten by the next.
                    const float *wc = wu + weights_at(c0);
                    for (int row = 0; row < rows; row++) {
                        const int h = h0 + row + P;  // an output row times ST, and its tap
                        const int most =
                            h - (OH - 1) * ST;  // the first tap whose row is in the map
                        const int r0 =
                            h % ST + (most > h % ST ? (most - h % ST + ST - 1) / ST * ST : 0);
                        const int r1 = h < R ? h + 1 : R;
                        const float *x[R];
                        for (int r = 0; r < R; r++)
                            x[r] = ring + (r < r0 || r >= r1 ? 0 : (h - r) / ST % ROWS * ROW);
                        float *out = tile + row * W * TILE_C;
                        for (int at = 0; at < W; at += at < LONG * TILE_M ? TILE_M : TILE_M - ST) {
                            for (int i = 0; i < AHEAD; i++, advance(&ahead)) {
                                //@ ahead_prologue 0 pixel=ahead.pixel channel=ahead.channel
                                rx_prefetch(x0 + ahead.pixel * K + ahead.channel);
                                //@ end
                            }
                            //@ if epilogue_loads
                            for (int i = 0; i < AHEAD_OUT; i++, advance(&ahead_out)) {
                                //@ ahead_epilogue pixel=ahead_out.pixel channel=ahead_out.channel
                                //@ end
                            }
                            //@ end
                            const int from = at / ST * COLUMN + c0 * OWN;
                            //@ if uneven
                            if (at >= LONG * TILE_M) {
                                multiply(x, from, wc, r0, r1, TILE_M - ST, out + at * TILE_C);
                                continue;
                            }
                            //@ end
                            multiply(x, from, wc, r0, r1, TILE_M, out + at * TILE_C);
                        }
                    }
                    // 3. Epilogue, a vector of channels at a time.
                    for (int v = 0; v < TILE_C && c0 + v < UNIT_OUT; v += RX_LANES) {
                        const float *o = tile + v;  // these inputs of all pixels
                        const int c = unit * UNIT_OUT + c0 + v;
                        //@ if tail_in
                        const int last = (unit + 1) * UNIT_OUT < C ? (unit + 1) * UNIT_OUT : C;
                        const int lanes = last - c < RX_LANES ? last - c : RX_LANES;
                        //@ end
                        //@ epilogue_begin channel=c lanes=lanes
                        //@ end
                        for (int i = 0; i < px; i++) {
                            //@ epilogue pixel=(first + i) channel=c lanes=lanes at=(o + i * TILE_C)
                            rx_store_n(y0 + (first + i) * C + c, rx_load(o + i * TILE_C), lanes);
                            //@ end
                        }
                        //@ epilogue_end channel=c lanes=lanes
                        //@ end
                    }
                }
            }
        }
    }
}
