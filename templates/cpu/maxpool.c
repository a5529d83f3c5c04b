// Maximum over windows. The first of equal values wins; taps outside the map do not take part.
//@ doc task: TILE_P consecutive pixels of a row; tasks = N * OH * ceil(OW / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile
#include <math.h>
#include <string.h>  //@ when index

//@ consts
enum { H = 9, W = 7 };                           // input map
enum { OH = 5, OW = 4, K = 6 };                  // output map
enum { C = K };                                  // channels of both
enum { R = 3, S = 3, ST = 2, P = 1 };            // window, stride, padding
enum { TILE_P = 4 };                             // pixels a task
enum { SEGMENTS = (OW + TILE_P - 1) / TILE_P };  // of a row
//@ end

//@ if index
// Stores lanes as bytes: a tap's number is less than 256.
static inline void
store_bytes(uint8_t *p, rx_vi v, int n)
{
    typedef uint8_t bytes __attribute__((vector_size(RX_LANES)));
    const bytes b = __builtin_convertvector(v, bytes);
    memcpy(p, &b, (size_t)n);
}
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][9][7][6]
    uint8_t *restrict winner = t[1];  // [N][5][4][6]
    float *restrict y0 = t[2];        // [N][5][4][6]
    //@ end
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t row = task / SEGMENTS, n = row / OH;
        const int oh = (int)(row % OH), left = (int)(task % SEGMENTS) * TILE_P;
        const int width = OW - left < TILE_P ? OW - left : TILE_P;
        for (int c = 0; c < K; c += RX_LANES) {
            const int lanes = K - c < RX_LANES ? K - c : RX_LANES;  //@ when tail_out
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            for (int i = 0; i < width; i++) {
                const int ow = left + i;
                const int64_t out = row * OW + ow;
                // 1. The best of the window.
                rx_v best = rx_set1(-INFINITY);
                rx_vi won = (rx_vi)rx_zero();  //@ when index
                for (int r = 0; r < R; r++) {
                    const int h = oh * ST + r - P;
                    if (h < 0 || h >= H)
                        continue;
                    for (int s = 0; s < S; s++) {
                        const int w = ow * ST + s - P;
                        if (w < 0 || w >= W)
                            continue;
                        const int64_t pixel = (n * H + h) * W + w;
                        //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                        //@ end
                        //@ if index
                        const rx_vi wins = x > best;
                        won = (wins & (r * S + s)) | (~wins & won);
                        //@ end
                        best = rx_max(x, best);
                    }
                }
                // 2. Epilogue.
                //@ if index
                //@ if tail_out
                store_bytes(winner + out * K + c, won, lanes);
                //@ else
                store_bytes(winner + out * K + c, won, RX_LANES);
                //@ end
                //@ end
                //@ epilogue pixel=out channel=c lanes=lanes acc=best
                rx_store_n(y0 + out * K + c, best, lanes);
                //@ end
            }
            //@ epilogue_end channel=c lanes=lanes
            //@ end
        }
    }
}
