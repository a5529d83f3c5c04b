// Forward convolution with groups. Channels are cut into units that need nothing of each other: a
// wide group, or the narrow groups that make up vectors. A unit's rows are transformed once, into a
// ring of rows with zeros around them, and multiplied from there. Neighbouring units of a share
// take turns, strip by strip, so that maps are read in longer pieces; what comes next is prefetched
// while they multiply.
//@ doc task: a unit of an image (all units of the first image, then of the next)
//@ doc       tasks = N * UNITS
//@ doc scratch floats: TILE_P * OW * TILE_K + TOGETHER * (ROWS * ROW
//@ doc       + (layout LANES ? UNIT_OUT * TAPS : 0))
//@ doc config: TILE_P rows of outputs (a strip) between one epilogue and the next; TILE_M pixels of
//@ doc       a row at a time, OW / its number of tiles rounded up; TILE_N vectors, more than 1 for
//@ doc       wide groups only. Registers: with TILE_N = 1, TILE_M + S + 1 (a filter row's taps
//@ doc       share what they load); else TILE_M * TILE_N + TILE_N + 1
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 16 };                             // input map
enum { OH = 5, OW = 4, K = 16 };                           // output map
enum { G = 4, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 2, TILE_N = 1 };               // rows of a strip; pixels, vectors
enum { UNITS = 1, UNIT_IN = 16, UNIT_OUT = 16 };           // units, channels of each
enum { TOGETHER = 1 };                                      // units that are worked off row by row
enum { COLUMN = 16 };                                      // floats of a ring's pixel
enum { OWN = 1 };                                          // 1: lanes multiply their own groups
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { UNROLL = OWN && CG > 4 && RX_LANES / CG > 1 ? 8 : 4 };  // inputs: then shuffles are known
enum { TILE_K = TILE_N * RX_LANES };                       // outputs of a register tile
enum { SHARED = TILE_N == 1 ? S : 1 };                     // taps that share a loaded input
enum { TILES = (OW + TILE_M - 1) / TILE_M };               // of a row
enum { LONG = OW - TILES * (TILE_M - 1) };                 // of them TILE_M wide; others one less
enum { ROW = ((OW - 1) * ST + S) * COLUMN };               // of the ring, with its padding
enum { ROWS = (TILE_P - 1) * ST + R };                     // of the ring: what a strip sees
enum { W_PITCH = (K + 15) / 16 * 16 };                     // from one tap's weights to the next
enum { BLOCK = 16, BLOCKS = (KG + BLOCK - 1) / BLOCK };    // outputs that lie together in w
enum { LINE = 16 };                                        // floats of a cache line
enum { CALLS = (UNIT_OUT + TILE_K - 1) / TILE_K * TILES }; // of multiply for a row of a unit
enum { AHEAD = ST * W * UNIT_IN / (LINE * CALLS) + 1 };    // lines that each prefetches
enum { AHEAD_OUT = OW * UNIT_OUT / (LINE * CALLS) + 1 };   // and those for the epilogue
enum { NEAR = ((RX_LANES - 1) / KG + 2) * CG };            // inputs that a vector of outputs sees
//@ end
// clang-format on

// Input c of each lane's group.
static inline rx_v
input(const float *x, int c)
{
    //@ if panel
    return rx_set1(x[c]);
    //@ else
    //@ if permuted
    return rx_spread(x, CG, c);
    //@ else
    return rx_load(x + c * RX_LANES);
    //@ end
    //@ end
}

// Where in the weights of a unit those of its outputs from k0 on are.
static inline int
weights_at(int k0)
{
    //@ if panel
    return k0 / BLOCK * TAPS * BLOCK + k0 % BLOCK;
    //@ else
    return k0 * TAPS;
    //@ end
}

// The weights of vector v of a register tile, for tap (r, s) and input c.
static inline rx_v
weight(const float *w, int tap, int v)
{
    //@ if panel
    return rx_load(w + v * RX_LANES / BLOCK * TAPS * BLOCK + v * RX_LANES % BLOCK + tap * BLOCK);
    //@ else
    return rx_load(w + (v * TAPS + tap) * RX_LANES);
    //@ end
}

// out[i][k] = sum over the taps of rows [r0, r1) of x[r][i * ST + s][c] * w[r][s][c][k], for m
// pixels, which the compiler must know to keep their out in registers.
__attribute__((always_inline)) static inline void
multiply(const float *const *restrict x,  // [R]: [..][COLUMN]
         int column, const float *restrict w, int r0, int r1, int m,
         float *restrict out)  // [m][TILE_K]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int r = r0; r < r1; r++)
        for (int s0 = 0; s0 < S; s0 += SHARED) {
            const float *xs = x[r] + column + s0 * COLUMN;
#pragma GCC unroll UNROLL
            for (int c = 0; c < CG; c++) {
                xs = rx_opaque(xs);
                rx_v b[SHARED][TILE_N];
#pragma GCC unroll 16
                for (int s = 0; s < SHARED; s++)
#pragma GCC unroll 16
                    for (int v = 0; v < TILE_N; v++)
                        b[s][v] = weight(w, (r * S + s0 + s) * CG + c, v);
#pragma GCC unroll 64
                for (int q = 0; q < (m - 1) * ST + SHARED; q++) {
                    const rx_v a = input(xs + q * COLUMN, c);
#pragma GCC unroll 16
                    for (int s = q % ST; s < SHARED && s <= q; s += ST)
#pragma GCC unroll 16
                        for (int v = 0; v < TILE_N; v++)
                            if ((q - s) / ST < m)
                                acc[(q - s) / ST][v] = rx_fma(a, b[s][v], acc[(q - s) / ST][v]);
                }
            }
        }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * TILE_K + v * RX_LANES, acc[i][v]);
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
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict w = t[1];   // [R][S][CG][W_PITCH]
    float *restrict y0 = t[2];        // [N][OH][OW][K]
    //@ end
    float *restrict rings = call->scratch;  // [TOGETHER][ROWS][..][COLUMN], row h in slot h % ROWS
    float *restrict tile = rings + TOGETHER * ROWS * ROW;  // [TILE_P][OW][TILE_K]
    //@ if not panel
    // [TOGETHER][UNIT_OUT / RX_LANES][TAPS][RX_LANES]
    float *restrict gathered = tile + TILE_P * OW * TILE_K;
    //@ end
    //@ clear
    //@ end
    for (int i = 0; i < TOGETHER * ROWS * ROW; i += RX_LANES)
        if (i % ROW < P * COLUMN || i % ROW >= (P + W) * COLUMN)
            rx_store(rings + i, rx_zero());

    for (int64_t task = call->first, units; task < call->last; task += units) {
        const int64_t n = task / UNITS;
        const int unit0 = (int)(task % UNITS);
        units = together(unit0, call->last - task);
        //@ if not panel
        for (int k = 0; k < units * UNIT_OUT; k += RX_LANES)
            for (int tap = 0; tap < TAPS; tap++)
                rx_store(gathered + k * TAPS + tap * RX_LANES,
                         rx_load(w + tap * W_PITCH + unit0 * UNIT_OUT + k));
        //@ end
        int next = 0;  // the first row that is not in the rings
        for (int oh0 = 0; oh0 < OH; oh0 += TILE_P) {
            const int rows = OH - oh0 < TILE_P ? OH - oh0 : TILE_P, px = rows * OW;
            const int top = oh0 * ST - P, bottom = top + (rows - 1) * ST + R;
            const int64_t first = (n * OH + oh0) * OW;
            const int h0 = next > top ? next : top, h1 = bottom < H ? bottom : H;
            next = h0 > h1 ? h0 : h1;
            // What will be read next: a strip of these units or the first of the following ones.
            const int same = oh0 + TILE_P < OH;
            const int64_t soon = same || task + units == call->last ? task : task + units;
            const int soon_unit = (int)(soon % UNITS);
            struct place ahead = place(soon_unit * UNIT_IN, units * UNIT_IN,
                                       (soon / UNITS * H + (same ? next : 0)) * W);
            //@ if epilogue_loads
            struct place ahead_out = place(soon_unit * UNIT_OUT, units * UNIT_OUT,
                                           (soon / UNITS * OH + (same ? oh0 + TILE_P : 0)) * OW);
            //@ end
            for (int unit = unit0; unit < unit0 + units; unit++) {
                float *restrict ring = rings + (unit - unit0) * ROWS * ROW;
                // 1. Transform the rows that come into sight; columns outside the map stay zero.
                const float *wu;                                   // the unit's weights
                wu = w + unit * (int64_t)(BLOCKS * TAPS * BLOCK);  //@ when panel
                wu = gathered + (unit - unit0) * UNIT_OUT * TAPS;  //@ when not panel
                //@ if not panel
                //@ if not permuted
                // The inputs of each output's group, from the first that is loaded.
                int of[RX_LANES];
                const int k1 = (unit + 1) * UNIT_OUT < K ? (unit + 1) * UNIT_OUT : K;
                const int near = unit * UNIT_OUT / KG * CG / RX_LANES * RX_LANES;
                const int far = ((k1 - 1) / KG + 1) * CG;
                for (int lane = 0; lane < RX_LANES; lane++) {
                    const int k = unit * UNIT_OUT + lane;
                    of[lane] = (k < k1 ? k : k1 - 1) / KG * CG - near;
                }
                //@ end
                //@ end
                for (int h = h0; h < h1; h++) {
                    float *restrict to = ring + h % ROWS * ROW + P * COLUMN;
                    for (int wi = 0; wi < W && wi < (OW - 1) * ST + S - P; wi++, to += COLUMN) {
                        const int64_t pixel = (n * H + h) * W + wi;
                        //@ if panel
                        for (int i = 0; i < UNIT_IN; i += RX_LANES) {
                            const int c = unit * UNIT_IN + i;
                            //@ if tail_in
                            const int lanes = UNIT_IN - i < RX_LANES ? UNIT_IN - i : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * C + c, lanes);
                            //@ end
                            rx_store(to + i, v);
                        }
                        //@ else
                        //@ if permuted
                        for (int i = 0; i < UNIT_IN; i += RX_LANES) {
                            const int c = unit * UNIT_IN + i;
                            //@ if tail_in
                            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * C + c, lanes);
                            //@ end
                            rx_store(to + i, v);
                        }
                        //@ else
                        float x_near[NEAR + 2 * RX_LANES];
                        for (int c = near; c < far; c += RX_LANES) {
                            //@ if tail_in
                            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=v
                            const rx_v v = rx_load_n(x0 + pixel * C + c, lanes);
                            //@ end
                            rx_store(x_near + c - near, v);
                        }
                        for (int c = 0; c < CG; c++)
                            for (int lane = 0; lane < RX_LANES; lane++)
                                to[c * RX_LANES + lane] = x_near[of[lane] + c];
                        //@ end
                        //@ end
                    }
                }
                for (int k0 = 0; k0 < UNIT_OUT; k0 += TILE_K) {
                    // 2. Multiply these outputs of the strip.
                    const float *wk = wu + weights_at(k0);
                    for (int row = 0; row < rows; row++) {
                        const int h = top + row * ST;
                        const int r0 = h < 0 ? -h : 0, r1 = H - h < R ? H - h : R;
                        const float *x[R];
                        for (int r = 0; r < R; r++)
                            x[r] = ring + (r < r0 || r >= r1 ? 0 : (h + r) % ROWS * ROW);
                        float *out = tile + row * OW * TILE_K;
                        for (int at = 0; at < OW; at += at < LONG * TILE_M ? TILE_M : TILE_M - 1) {
                            for (int i = 0; i < AHEAD; i++, advance(&ahead)) {
                                //@ ahead_prologue 0 pixel=ahead.pixel channel=ahead.channel
                                rx_prefetch(x0 + ahead.pixel * C + ahead.channel);
                                //@ end
                            }
                            //@ if epilogue_loads
                            for (int i = 0; i < AHEAD_OUT; i++, advance(&ahead_out)) {
                                //@ ahead_epilogue pixel=ahead_out.pixel channel=ahead_out.channel
                                //@ end
                            }
                            //@ end
                            const int from = at * ST * COLUMN + k0 * OWN;
                            //@ if uneven
                            if (at >= LONG * TILE_M) {
                                multiply(x, from, wk, r0, r1, TILE_M - 1, out + at * TILE_K);
                                continue;
                            }
                            //@ end
                            multiply(x, from, wk, r0, r1, TILE_M, out + at * TILE_K);
                        }
                    }
                    // 3. Epilogue, a vector of channels at a time.
                    for (int v = 0; v < TILE_K && k0 + v < UNIT_OUT; v += RX_LANES) {
                        const float *o = tile + v;  // these outputs of all pixels
                        const int k = unit * UNIT_OUT + k0 + v;
                        //@ if tail_out
                        const int last = (unit + 1) * UNIT_OUT < K ? (unit + 1) * UNIT_OUT : K;
                        const int lanes = last - k < RX_LANES ? last - k : RX_LANES;
                        //@ end
                        //@ epilogue_begin channel=k lanes=lanes
                        //@ end
                        for (int i = 0; i < px; i++) {
                            //@ epilogue pixel=(first + i) channel=k lanes=lanes at=(o + i * TILE_K)
                            rx_store_n(y0 + (first + i) * K + k, rx_load(o + i * TILE_K), lanes);
                            //@ end
                        }
                        //@ epilogue_end channel=k lanes=lanes
                        //@ end
                    }
                }
            }
        }
    }
}
