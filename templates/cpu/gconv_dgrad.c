// Data gradient of a convolution with groups of at most 8 channels: the lanes of a vector run
// across groups. The rows of the outputs' gradient that a task sees are expanded, a vector of
// inputs at a time, so that lane c holds what input c multiplies; then a tap is one multiply-add of
// whole vectors.
//@ doc task: TILE_P rows of an image's input map (fewer at its end)
//@ doc       tasks = N * ceil(H / TILE_P)
//@ doc scratch floats: RX_LANES * (((TILE_P + R + ST - 3) / ST + 1)
//@ doc       * ((S > P ? (S - P + ST - 2) / ST : 0) + (W - 1 + P) / ST + 1) * KG
//@ doc       + TILE_P * W + R * S * KG)
//@ doc config: TILE_M input pixels of a row and phase at a time, at most W / ST (1 at least) and
//@ doc       two less than the registers, best a divisor of W / ST between 7 and 14; TILE_N is 1;
//@ doc       TILE_P 4 to 7 where H has them
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 16 };                             // input map
enum { OH = 5, OW = 4, K = 16 };                           // output map
enum { G = 4, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 2 };                           // rows a task; pixels at a time
enum { TASKS = (H + TILE_P - 1) / TILE_P };                // of an image
enum { TAPS = R * S * KG };                                // outputs that an input touches
enum { W_PITCH = (C + 15) / 16 * 16 };                     // from one tap's weights to the next
enum { LEFT = S > P ? (S - P + ST - 2) / ST : 0 };         // columns of padding before the first
enum { COLUMN = KG * RX_LANES };                           // floats of an expanded pixel
enum { ROW = (LEFT + (W - 1 + P) / ST + 1) * COLUMN };     // of an expanded row with its padding
enum { ROWS = (TILE_P + R + ST - 3) / ST + 1 };            // rows that a task sees
enum { NEAR = ((RX_LANES - 1) / CG + 2) * KG };            // outputs that a vector of inputs meets
//@ end
// clang-format on

// A row of the input map, and which of its pixels are computed together: those of one phase w % ST,
// as the same taps touch them.
struct phase {
    int h, w;    // its first pixel
    int r0, s0;  // the first tap in each direction; the others are ST apart
    int oh0;     // the first expanded row
};

// out[i][c] = sum over taps of x[oh][ow][k][c] * w[r][s][k][c], for the TILE_M pixels of a phase
// from pixel `at` on.
static inline void
multiply(const float *restrict x,  // [ROWS][..][KG][RX_LANES]
         const float *restrict w,  // [R][S][KG][RX_LANES]
         struct phase phase, int at,
         float *restrict out)  // [W][RX_LANES]
{
    rx_v acc[TILE_M];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        acc[i] = rx_zero();
    for (int r = phase.r0; r < R; r += ST) {
        const int oh = (phase.h + P - r) / ST;
        if (phase.h + P < r || oh >= OH)
            continue;
        for (int s = phase.s0; s < S; s += ST) {
            const float *xs =
                x + (oh - phase.oh0) * ROW + (LEFT + (phase.w + P - s) / ST + at) * COLUMN;
            for (int k = 0; k < KG; k++) {
                const rx_v b = rx_load(w + ((r * S + s) * KG + k) * RX_LANES);
#pragma GCC unroll 16
                for (int i = 0; i < TILE_M; i++)
                    acc[i] = rx_fma(rx_load(xs + i * COLUMN + k * RX_LANES), b, acc[i]);
            }
        }
    }
    out += (phase.w + at * ST) * RX_LANES;
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        rx_store(out + i * ST * RX_LANES, acc[i]);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][OH][OW][K]
    const float *restrict w = t[1];   // [R][S][KG][W_PITCH]
    float *restrict y0 = t[2];        // [N][H][W][C]
    //@ end
    float *restrict expanded = call->scratch;           // [ROWS][..][KG][RX_LANES]
    float *restrict tile = expanded + ROWS * ROW;       // [TILE_P * W][RX_LANES]
    float *restrict wc = tile + TILE_P * W * RX_LANES;  // [R][S][KG][RX_LANES]
    //@ if permuted
    rx_vi group;  // the first lane of each lane's group
    for (int lane = 0; lane < RX_LANES; lane++)
        group[lane] = lane / CG * CG;
    //@ end
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t n = task / TASKS;
        const int h0 = (int)(task % TASKS) * TILE_P;
        const int rows = H - h0 < TILE_P ? H - h0 : TILE_P;
        const int top = h0 + P - (R - 1), bottom = (h0 + rows - 1 + P) / ST + 1;
        const int oh0 = top > 0 ? top / ST : 0, oh1 = bottom < OH ? bottom : OH;
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            // 1. Expand the rows, transformed; columns outside the map are zero.
            //@ if not permuted
            int output[RX_LANES];  // of each lane, from the first that is loaded
            const int near = c / CG * KG / RX_LANES * RX_LANES;
            const int last = c + RX_LANES < C ? c + RX_LANES - 1 : C - 1;
            const int far = last / CG * KG + KG;
            for (int lane = 0; lane < RX_LANES; lane++)
                output[lane] = (c + lane < last ? c + lane : last) / CG * KG - near;
            //@ end
            for (int oh = oh0; oh < oh1; oh++) {
                float *restrict to = expanded + (oh - oh0) * ROW;
                for (int ow = -LEFT; ow <= (W - 1 + P) / ST; ow++, to += COLUMN) {
                    if (ow < 0 || ow >= OW) {
                        for (int k = 0; k < KG; k++)
                            rx_store(to + k * RX_LANES, rx_zero());
                        continue;
                    }
                    const int64_t pixel = (n * OH + oh) * OW + ow;
                    //@ if permuted
                    //@ prologue 0 pixel=pixel channel=c lanes=lanes into=v
                    const rx_v v = rx_load_n(x0 + pixel * K + c, lanes);
                    //@ end
                    for (int k = 0; k < KG; k++)
                        rx_store(to + k * RX_LANES, rx_permute(v, group + k));
                    //@ else
                    float x_near[NEAR + 2 * RX_LANES];
                    for (int k = near; k < far; k += RX_LANES) {
                        const int left = K - k < RX_LANES ? K - k : RX_LANES;  //@ when tail_out
                        //@ prologue 0 pixel=pixel channel=k lanes=left into=x
                        const rx_v x = rx_load_n(x0 + pixel * K + k, left);
                        //@ end
                        rx_store(x_near + k - near, x);
                    }
                    for (int k = 0; k < KG; k++)
                        for (int lane = 0; lane < RX_LANES; lane++)
                            to[k * RX_LANES + lane] = x_near[output[lane] + k];
                    //@ end
                }
            }
            // 2. Multiply, with these inputs' weights side by side. Where TILE_M does not divide
            // the pixels of a phase, its last ones are computed twice.
            for (int tap = 0; tap < TAPS; tap++)
                rx_store(wc + tap * RX_LANES, rx_load(w + tap * W_PITCH + c));
            for (int row = 0; row < rows; row++)
                for (int pw = 0; pw < ST; pw++) {
                    const int h = h0 + row, width = (W - pw + ST - 1) / ST;
                    const struct phase phase = {h, pw, (h + P) % ST, (pw + P) % ST, oh0};
                    for (int at = 0; at < width; at += TILE_M)
                        multiply(expanded, wc, phase, at + TILE_M > width ? width - TILE_M : at,
                                 tile + row * W * RX_LANES);
                }
            // 3. Epilogue.
            const int64_t first = (n * H + h0) * W;
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            for (int i = 0; i < rows * W; i++) {
                //@ epilogue pixel=(first + i) channel=c lanes=lanes at=(tile + i * RX_LANES)
                rx_store_n(y0 + (first + i) * C + c, rx_load(tile + i * RX_LANES), lanes);
                //@ end
            }
            //@ epilogue_end channel=c lanes=lanes at=(tile + i * RX_LANES) row=i rows=(rows * W)
            //@ end
        }
    }
}
