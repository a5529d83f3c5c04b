// Weight gradient of a convolution with groups of at most 8 channels: the lanes of a vector run
// across groups. The input rows that a task sees are expanded, a vector of outputs at a time, so
// that lane k holds what output k multiplies; TILE_M taps' sums stay in registers over the task's
// pixels.
//@ doc task: TILE_P rows of an image's output map (fewer at its end)
//@ doc       tasks = N * ceil(OH / TILE_P)
//@ doc scratch floats: RX_LANES * (((TILE_P - 1) * ST + R) * ((OW - 1) * ST + S) * CG
//@ doc       + TILE_P * OW)
//@ doc config: TILE_M taps (s, c) at a time: a divisor of S * CG, the largest that is two less than
//@ doc       the registers (avx2: 12 for groups of 4 and 8); TILE_N is 1; TILE_P as in gconv_fwd
#include "tile_generic.h"  //@ tile
#include <string.h>

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 16 };                             // input map
enum { OH = 5, OW = 4, K = 16 };                           // output map
enum { G = 4, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 12 };                          // rows a task; taps at a time
enum { TASKS = (OH + TILE_P - 1) / TILE_P };               // of an image
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { W_PITCH = (K + 15) / 16 * 16 };                     // from one tap's weights to the next
enum { COLUMN = CG * RX_LANES };                           // floats of an expanded pixel
enum { ROW = ((OW - 1) * ST + S) * COLUMN };               // of an expanded row with its padding
enum { ROWS = (TILE_P - 1) * ST + R };                     // rows that a task sees
enum { NEAR = ((RX_LANES - 1) / KG + 2) * CG };            // inputs that a vector of outputs sees
//@ end
// clang-format on

// dw[tap][k] += sum over pixels of x[oh * ST][ow * ST][tap][k] * u[oh][ow][k], for TILE_M taps. Not
// inlined, because it needs all registers.
static __attribute__((noinline)) void
multiply(const float *restrict x,  // [ROWS][..][CG][RX_LANES], from the first pixel's first tap on
         const float *restrict u,  // [TILE_P][OW][RX_LANES]
         int rows,
         float *restrict dw)  // [TILE_M][W_PITCH]
{
    rx_v acc[TILE_M];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        acc[i] = rx_zero();
    for (int row = 0; row < rows; row++, x += ST * ROW, u += OW * RX_LANES)
        for (int ow = 0; ow < OW; ow++) {
            const rx_v b = rx_load(u + ow * RX_LANES);
#pragma GCC unroll 16
            for (int i = 0; i < TILE_M; i++)
                acc[i] = rx_fma(rx_load(x + ow * ST * COLUMN + i * RX_LANES), b, acc[i]);
        }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        rx_store(dw + i * W_PITCH, rx_load(dw + i * W_PITCH) + acc[i]);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict u0 = t[1];  // [N][OH][OW][K]
    float *restrict dw = t[2];        // [T][R][S][CG][W_PITCH]
    //@ end
    float *restrict expanded = call->scratch;           // [ROWS][(OW - 1) * ST + S][CG][RX_LANES]
    float *restrict gradients = expanded + ROWS * ROW;  // [TILE_P * OW][RX_LANES]
    float *restrict part = dw + call->thread * (int64_t)(TAPS * W_PITCH);
    memset(part, 0, TAPS * W_PITCH * sizeof *part);
    //@ if permuted
    rx_vi group;  // the first lane of each lane's group
    for (int lane = 0; lane < RX_LANES; lane++)
        group[lane] = lane / KG * KG;
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t n = task / TASKS;
        const int oh0 = (int)(task % TASKS) * TILE_P;
        const int rows = OH - oh0 < TILE_P ? OH - oh0 : TILE_P;
        const int top = oh0 * ST - P, bottom = top + (rows - 1) * ST + R;
        const int h0 = top > 0 ? top : 0, h1 = bottom < H ? bottom : H;
        for (int k = 0; k < K; k += RX_LANES) {
            const int lanes = K - k < RX_LANES ? K - k : RX_LANES;  //@ when tail_out
            // 1. Expand the input's rows, transformed; columns outside the map are zero.
            //@ if not permuted
            int input[RX_LANES];  // of each lane, from the first that is loaded
            const int near = k / KG * CG / RX_LANES * RX_LANES;
            const int last = k + RX_LANES < K ? k + RX_LANES - 1 : K - 1;
            const int far = last / KG * CG + CG;
            for (int lane = 0; lane < RX_LANES; lane++)
                input[lane] = (k + lane < last ? k + lane : last) / KG * CG - near;
            //@ end
            for (int h = h0; h < h1; h++) {
                float *restrict to = expanded + (h - h0) * ROW;
                for (int wi = -P; wi < (OW - 1) * ST + S - P; wi++, to += COLUMN) {
                    if (wi < 0 || wi >= W) {
                        for (int c = 0; c < CG; c++)
                            rx_store(to + c * RX_LANES, rx_zero());
                        continue;
                    }
                    const int64_t pixel = (n * H + h) * W + wi;
                    //@ if permuted
                    //@ prologue 0 pixel=pixel channel=k lanes=lanes into=v
                    const rx_v v = rx_load_n(x0 + pixel * C + k, lanes);
                    //@ end
                    for (int c = 0; c < CG; c++)
                        rx_store(to + c * RX_LANES, rx_permute(v, group + c));
                    //@ else
                    float x_near[NEAR + 2 * RX_LANES];
                    for (int c = near; c < far; c += RX_LANES) {
                        const int left = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=pixel channel=c lanes=left into=x
                        const rx_v x = rx_load_n(x0 + pixel * C + c, left);
                        //@ end
                        rx_store(x_near + c - near, x);
                    }
                    for (int c = 0; c < CG; c++)
                        for (int lane = 0; lane < RX_LANES; lane++)
                            to[c * RX_LANES + lane] = x_near[input[lane] + c];
                    //@ end
                }
            }
            // 2. Pack the gradients, transformed; lanes beyond the last output are zero.
            for (int i = 0; i < rows * OW; i++) {
                const int64_t pixel = (n * OH + oh0) * OW + i;
                //@ prologue 1 pixel=pixel channel=k lanes=lanes into=u
                const rx_v u = rx_load_n(u0 + pixel * K + k, lanes);
                //@ end
                //@ if tail_out
                rx_store(gradients + i * RX_LANES, rx_zero());
                rx_store_n(gradients + i * RX_LANES, u, lanes);
                //@ else
                rx_store(gradients + i * RX_LANES, u);
                //@ end
            }
            // 3. Multiply: a filter row meets those output rows whose input row exists.
            for (int r = 0; r < R; r++) {
                const int h = oh0 * ST + r - P, skipped = h < 0 ? (-h + ST - 1) / ST : 0;
                const int end = H - h > 0 ? (H - h + ST - 1) / ST : 0;
                const int met = (end < rows ? end : rows) - skipped;
                for (int tap = 0; tap < S * CG && met > 0; tap += TILE_M)
                    multiply(expanded + (h + skipped * ST - h0) * ROW + tap * RX_LANES,
                             gradients + skipped * OW * RX_LANES, met,
                             part + (r * S * CG + tap) * W_PITCH + k);
            }
        }
    }
}
