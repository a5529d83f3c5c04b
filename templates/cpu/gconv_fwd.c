// Forward convolution with groups of at most 8 channels: the lanes of a vector run across groups.
// The rows that a task sees are expanded, a vector of outputs at a time, so that lane k holds what
// output k multiplies; then a tap is one multiply-add of whole vectors.
//@ doc task: TILE_P rows of an image's output map (fewer at its end)
//@ doc       tasks = N * ceil(OH / TILE_P)
//@ doc scratch floats: RX_LANES * (((TILE_P - 1) * ST + R) * ((OW - 1) * ST + S) * CG
//@ doc       + TILE_P * OW + R * S * CG)
//@ doc config: TILE_M output pixels of a row at a time, at most OW and two less than the registers,
//@ doc       best a divisor of OW from 7 to 14; TILE_N is 1; TILE_P 4 to 7 where OH has them
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 16 };                             // input map
enum { OH = 5, OW = 4, K = 16 };                           // output map
enum { G = 4, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 2 };                           // rows a task; pixels at a time
enum { TASKS = (OH + TILE_P - 1) / TILE_P };               // of an image
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { W_PITCH = (K + 15) / 16 * 16 };                     // from one tap's weights to the next
enum { COLUMN = CG * RX_LANES };                           // floats of an expanded pixel
enum { ROW = ((OW - 1) * ST + S) * COLUMN };               // of an expanded row with its padding
enum { ROWS = (TILE_P - 1) * ST + R };                     // rows that a task sees
enum { NEAR = ((RX_LANES - 1) / KG + 2) * CG };            // inputs that a vector of outputs sees
//@ end
// clang-format on

// out[i][k] = sum over the taps of rows [r0, r1) of x[i * ST + s][c][k] * w[r][s][c][k], for TILE_M
// pixels.
static inline void
multiply(const float *restrict x,  // row r0: [..][CG][RX_LANES]
         const float *restrict w,  // [R][S][CG][RX_LANES]
         int r0, int r1,
         float *restrict out)  // [TILE_M][RX_LANES]
{
    rx_v acc[TILE_M];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        acc[i] = rx_zero();
    for (int r = r0; r < r1; r++, x += ROW)
        for (int tap = 0; tap < S * CG; tap++) {
            const rx_v b = rx_load(w + (r * S * CG + tap) * RX_LANES);
#pragma GCC unroll 16
            for (int i = 0; i < TILE_M; i++)
                acc[i] = rx_fma(rx_load(x + i * ST * COLUMN + tap * RX_LANES), b, acc[i]);
        }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
        rx_store(out + i * RX_LANES, acc[i]);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict w = t[1];   // [R][S][CG][W_PITCH]
    float *restrict y0 = t[2];        // [N][OH][OW][K]
    //@ end
    float *restrict expanded = call->scratch;            // [ROWS][(OW - 1) * ST + S][CG][RX_LANES]
    float *restrict tile = expanded + ROWS * ROW;        // [TILE_P * OW][RX_LANES]
    float *restrict wk = tile + TILE_P * OW * RX_LANES;  // [R][S][CG][RX_LANES]
    //@ if permuted
    rx_vi group;  // the first lane of each lane's group
    for (int lane = 0; lane < RX_LANES; lane++)
        group[lane] = lane / KG * KG;
    //@ end
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t n = task / TASKS;
        const int oh0 = (int)(task % TASKS) * TILE_P;
        const int rows = OH - oh0 < TILE_P ? OH - oh0 : TILE_P;
        const int top = oh0 * ST - P, bottom = top + (rows - 1) * ST + R;
        const int h0 = top > 0 ? top : 0, h1 = bottom < H ? bottom : H;
        for (int k = 0; k < K; k += RX_LANES) {
            const int lanes = K - k < RX_LANES ? K - k : RX_LANES;  //@ when tail_out
            // 1. Expand the rows, transformed; columns outside the map are zero.
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
            // 2. Multiply, with these outputs' weights side by side. Where TILE_M does not divide a
            // row, its last pixels are computed twice.
            for (int tap = 0; tap < TAPS; tap++)
                rx_store(wk + tap * RX_LANES, rx_load(w + tap * W_PITCH + k));
            for (int row = 0; row < rows; row++) {
                const int h = (oh0 + row) * ST - P;
                const int r0 = h < 0 ? -h : 0, r1 = H - h < R ? H - h : R;
                for (int at = 0; at < OW; at += TILE_M) {
                    const int ow = at + TILE_M > OW ? OW - TILE_M : at;
                    multiply(expanded + (h + r0 - h0) * ROW + ow * ST * COLUMN, wk, r0, r1,
                             tile + (row * OW + ow) * RX_LANES);
                }
            }
            // 3. Epilogue.
            const int64_t first = (n * OH + oh0) * OW;
            //@ epilogue_begin channel=k lanes=lanes
            //@ end
            for (int i = 0; i < rows * OW; i++) {
                //@ epilogue pixel=(first + i) channel=k lanes=lanes at=(tile + i * RX_LANES)
                rx_store_n(y0 + (first + i) * K + k, rx_load(tile + i * RX_LANES), lanes);
                //@ end
            }
            //@ epilogue_end channel=k lanes=lanes at=(tile + i * RX_LANES) row=i rows=(rows * OW)
            //@ end
        }
    }
}
