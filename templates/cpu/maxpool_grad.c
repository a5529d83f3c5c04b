// Gradient of a maximum pooling: each input pixel collects from the windows that it won.
//@ doc task: TILE_P consecutive pixels of a row; tasks = N * H * ceil(W / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile
#include <string.h>

//@ consts
enum { H = 9, W = 7, C = 6 };                   // input map
enum { OH = 5, OW = 4 };                        // output map
enum { K = C };                                 // channels of both
enum { R = 3, S = 3, ST = 2, P = 1 };           // window, stride, padding
enum { TILE_P = 4 };                            // pixels a task
enum { SEGMENTS = (W + TILE_P - 1) / TILE_P };  // of a row
//@ end

static inline rx_vi
load_bytes(const uint8_t *p, int n)
{
    typedef uint8_t bytes __attribute__((vector_size(RX_LANES)));
    bytes b = {0};
    memcpy(&b, p, (size_t)n);
    return __builtin_convertvector(b, rx_vi);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];        // [N][5][4][6]
    const uint8_t *restrict winner = t[1];  // [N][5][4][6]
    float *restrict y0 = t[2];              // [N][9][7][6]
    //@ end
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t row = task / SEGMENTS, n = row / H;
        const int h = (int)(row % H), left = (int)(task % SEGMENTS) * TILE_P;
        const int width = W - left < TILE_P ? W - left : TILE_P;
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            // Pixels that are ST apart look at the same columns of taps: every ST-th one.
#pragma GCC unroll 4
            for (int phase = 0; phase < ST; phase++)
                for (int w = left + (ST + phase - left % ST) % ST; w < left + width; w += ST) {
                    const int64_t in = row * W + w;
                    // 1. Windows whose tap (r, s) is this pixel.
                    rx_v sum = rx_zero();
                    for (int r = (h + P) % ST; r < R && r <= h + P; r += ST) {
                        const int oh = (h + P - r) / ST;
                        if (oh >= OH)
                            continue;
#pragma GCC unroll 8
                        for (int s = (phase + P) % ST; s < S; s += ST) {
                            const int ow = (w + P - s) / ST;
                            if (w + P < s || ow >= OW)
                                continue;
                            const int64_t pixel = (n * OH + oh) * OW + ow;
                            //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                            const rx_v x = rx_load_n(x0 + pixel * K + c, lanes);
                            //@ end
                            rx_vi won;
                            //@ if tail_in
                            won = load_bytes(winner + pixel * C + c, lanes);
                            //@ else
                            won = load_bytes(winner + pixel * C + c, RX_LANES);
                            //@ end
                            sum += (rx_v)((won == r * S + s) & (rx_vi)x);
                        }
                    }
                    // 2. Epilogue.
                    //@ epilogue pixel=in channel=c lanes=lanes acc=sum
                    rx_store_n(y0 + in * C + c, sum, lanes);
                    //@ end
                }
            //@ epilogue_end channel=c lanes=lanes
            //@ end
        }
    }
}
