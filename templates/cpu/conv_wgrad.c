// Weight gradient of a convolution, dense or with wide groups, as a matrix product over pixels:
// TILE_P output pixels' inputs and gradients are packed into panels (prologues applied), and their
// products are summed into this thread's part.
//@ doc task: TILE_P consecutive pixels of the N * OH * OW output pixels; large weights take all of
//@ doc       a share's tasks for one group, then for the next
//@ doc       tasks = ceil(N * OH * OW / TILE_P)
//@ doc scratch floats: DEPTH * (R * S * CG + 16) + DEPTH * (KG rounded up to 16)
//@ doc config: TILE_N * RX_LANES divides 16 or is a multiple of 16 and divides KG rounded up;
//@ doc       avx2: 3 x 4, or 6 x 2 where 32 does not divide KG; avx512: 4 x 4 or 6 x 2;
//@ doc       generic: 3 x 4; TILE_M at most 16; TILE_P 48 to 128 where both panels then take half
//@ doc       of the L2 cache at most, but 48 at least
#include "tile_generic.h"  //@ tile
#include <string.h>

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map
enum { G = 2, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 1, P = 1 };                      // taps, stride, padding
enum { TILE_P = 12, TILE_M = 3, TILE_N = 4 };              // pixels a task; register tile
enum { PER = 1, DEPTH = (TILE_P + PER - 1) / PER };        // pixels a multiply; multiplies a task
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { BLOCK = 16, BLOCKS = (KG + BLOCK - 1) / BLOCK };    // outputs that lie together in dw
enum { TILE_K = TILE_N * RX_LANES };                       // outputs of a register tile
enum { COUNT_DW = G * BLOCKS * TAPS * BLOCK };             // elements of a thread's part
enum { FAR = G > 1 && COUNT_DW > 1 << 20 };                // more than a task should go through
//@ end
// clang-format on

enum start { STORE, ADD };  // the first task stores, so that nothing has to be cleared

// dw[tap][k] (+)= sum over pixels of inputs[p][tap] * gradients[p][k], for TILE_M taps (of which
// the first `taps` exist) and TILE_K outputs.
//@ if pairs
// Here a pixel is a pair of them, whose bf16 lie in one float and are multiplied together.
//@ end
static inline void
multiply(const float *restrict inputs,     // [pixels][TAPS_PITCH]
         const float *restrict gradients,  // [pixels][TILE_K]
         int pixels, int taps, enum start start,
         float *restrict dw)  // [..][TAPS][BLOCK]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int p = 0; p < pixels; p++) {
        rx_v b[TILE_N];
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            b[v] = rx_load(gradients + p * TILE_K + v * RX_LANES);
#pragma GCC unroll 16
        for (int i = 0; i < TILE_M; i++) {
            const rx_v a = rx_set1(inputs[p * TAPS_PITCH + i]);
#pragma GCC unroll 16
            for (int v = 0; v < TILE_N; v++) {
                acc[i][v] = rx_fma(a, b[v], acc[i][v]);   //@ when not pairs
                acc[i][v] = rx_dot2(a, b[v], acc[i][v]);  //@ when pairs
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++) {
            float *to = dw + v * RX_LANES / BLOCK * TAPS * BLOCK + i * BLOCK + v * RX_LANES % BLOCK;
            if (i < taps)
                rx_store(to, start == ADD ? rx_load(to) + acc[i][v] : acc[i][v]);
        }
}

//@ if pairs
// What pixel i leaves at p: the first of a pair its f32, the second pairs of both.
static inline rx_v
paired(const float *p, int i, rx_v v)
{
    return i % 2 == 0 ? v : rx_pair(rx_load(p), v);
}
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict u0 = t[1];  // [N][OH][OW][K]
    float *restrict dw = t[2];        // [T][G][BLOCKS][R][S][CG][BLOCK]
    //@ end
    float *restrict inputs = call->scratch;  // [DEPTH][TAPS_PITCH]
    // [BLOCKS * BLOCK / TILE_K][DEPTH][TILE_K]
    float *restrict gradients = inputs + DEPTH * TAPS_PITCH;
    float *restrict part = dw + call->thread * (int64_t)COUNT_DW;
    const int64_t pixels = (int64_t)call->n * OH * OW;
    if (call->first >= call->last)
        memset(part, 0, COUNT_DW * sizeof *part);
    // Lanes beyond a group's outputs stay zero.
    for (int k = KG / RX_LANES * RX_LANES; k < BLOCKS * BLOCK; k += RX_LANES)
        for (int i = 0; i < DEPTH; i++)
            rx_store(gradients + (k / TILE_K * DEPTH + i) * TILE_K + k % TILE_K, rx_zero());

    const int64_t tasks = call->last - call->first;
    for (int64_t turn = 0; turn < G * tasks; turn++) {
        const int g = (int)(FAR ? turn / tasks : turn % G);
        const int64_t task = call->first + (FAR ? turn % tasks : turn / G), first = task * TILE_P;
        const int rows = (int)(pixels - first < TILE_P ? pixels - first : TILE_P);
        const enum start start = task == call->first ? STORE : ADD;
        // 1. Pack the inputs of each pixel, transformed; taps outside the map are zero. Whole
        // vectors are stored: what exceeds a tap is overwritten by the next.
        for (int i = 0; i < rows; i++) {
            float *restrict to = inputs + i / PER * TAPS_PITCH;
            //@ if pointwise
            for (int c = 0; c < CG; c += RX_LANES) {
                const int left = CG - c;                              //@ when tail_in
                const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_in
                //@ prologue 0 pixel=(first + i) channel=(g * CG + c) lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + (first + i) * C + g * CG + c, lanes);
                //@ end
                //@ if pairs
                //@ if tail_in
                rx_store_n(to + c, paired(to + c, i, x), lanes);
                //@ else
                rx_store(to + c, paired(to + c, i, x));
                //@ end
                //@ else
                rx_store(to + c, x);
                //@ end
            }
            //@ else
            const int64_t n = (first + i) / (OH * OW);
            const int oh = (int)((first + i) % (OH * OW)) / OW, ow = (int)((first + i) % OW);
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++, to += CG) {
                    const int h = oh * ST + r - P, wi = ow * ST + s - P;
                    if (h < 0 || h >= H || wi < 0 || wi >= W) {
                        for (int c = 0; c < CG; c += RX_LANES) {
                            //@ if pairs
                            const int lanes = CG - c < RX_LANES ? CG - c : RX_LANES;
                            rx_store_n(to + c, paired(to + c, i, rx_zero()), lanes);
                            //@ else
                            rx_store(to + c, rx_zero());
                            //@ end
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
                        //@ if pairs
                        //@ if tail_in
                        rx_store_n(to + c, paired(to + c, i, x), lanes);
                        //@ else
                        rx_store(to + c, paired(to + c, i, x));
                        //@ end
                        //@ else
                        rx_store(to + c, x);
                        //@ end
                    }
                }
            //@ end
        }
        // 2. Pack the gradients, transformed, in columns of TILE_K.
        for (int i = 0; i < rows; i++)
            for (int k = 0; k < KG; k += RX_LANES) {
                float *to = gradients + (k / TILE_K * DEPTH + i / PER) * TILE_K + k % TILE_K;
                const int left = KG - k;                              //@ when tail_out
                const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_out
                //@ prologue 1 pixel=(first + i) channel=(g * KG + k) lanes=lanes into=u
                const rx_v u = rx_load_n(u0 + (first + i) * K + g * KG + k, lanes);
                //@ end
                //@ if tail_out
                rx_store_n(to, u, lanes);                 //@ when not pairs
                rx_store_n(to, paired(to, i, u), lanes);  //@ when pairs
                //@ else
                rx_store(to, u);                 //@ when not pairs
                rx_store(to, paired(to, i, u));  //@ when pairs
                //@ end
            }
        //@ if pairs
        // The last pixel of an odd number goes with zero.
        if (rows % 2 == 1) {
            float *const last = inputs + rows / 2 * TAPS_PITCH;
            for (int c = 0; c < TAPS; c += RX_LANES)
                rx_store(last + c, rx_pair(rx_load(last + c), rx_zero()));
            for (int k = 0; k < KG; k += RX_LANES) {
                float *to = gradients + (k / TILE_K * DEPTH + rows / 2) * TILE_K + k % TILE_K;
                rx_store(to, rx_pair(rx_load(to), rx_zero()));
            }
        }
        //@ end
        // 3. Multiply.
        for (int k = 0; k < BLOCKS * BLOCK; k += TILE_K) {
            float *to = part + (g * BLOCKS + k / BLOCK) * (int64_t)(TAPS * BLOCK) + k % BLOCK;
            for (int tap = 0; tap < TAPS; tap += TILE_M)
                multiply(inputs + tap, gradients + k * DEPTH, (rows + PER - 1) / PER, TAPS - tap,
                         start, to + tap * BLOCK);
        }
    }
}
