// Gradient of the global average pooling: each pixel gets its share of the mean's gradient.
//@ doc task: TILE_P consecutive pixels of the N * H * W; tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { H = 7, W = 7, C = 6 };  // input map; the output is 1x1
enum { K = C };                // channels of both
enum { TILE_P = 64 };          // pixels a task
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][1][1][6]
    float *restrict y0 = t[1];        // [N][7][7][6]
    //@ end
    const int64_t pixels = (int64_t)call->n * H * W;
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int rows = (int)(pixels - first < TILE_P ? pixels - first : TILE_P);
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            for (int i = 0; i < rows; i++) {
                const int64_t pixel = first + i, n = pixel / (H * W);
                //@ prologue 0 pixel=n channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + n * K + c, lanes);
                //@ end
                const rx_v share = x * rx_set1(1.0f / (H * W));
                //@ epilogue pixel=pixel channel=c lanes=lanes acc=share
                rx_store_n(y0 + pixel * C + c, share, lanes);
                //@ end
            }
            //@ epilogue_end channel=c lanes=lanes
            //@ end
        }
    }
}
