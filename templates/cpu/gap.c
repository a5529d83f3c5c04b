// Global average pooling: the mean of each channel over an image.
//@ doc task: TILE_P channels of an image; tasks = N * ceil(C / TILE_P)
//@ doc scratch floats: none
//@ doc config: RX_LANES divides TILE_P
#include "tile_generic.h"  //@ tile

//@ consts
enum { H = 7, W = 7, C = 6 };                // input map; the output is 1x1
enum { K = C };                              // channels of both
enum { TILE_P = 128 };                       // channels a task
enum { PARTS = (C + TILE_P - 1) / TILE_P };  // tasks of an image
enum { VECTORS = TILE_P / RX_LANES };        // of a task
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][7][7][6]
    float *restrict y0 = t[1];        // [N][1][1][6]
    //@ end
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t n = task / PARTS;
        const int first = (int)(task % PARTS) * TILE_P;
        const int last = first + TILE_P < C ? first + TILE_P : C;
        // 1. Sums of these channels, a pixel after the other: the pixels lie far apart.
        rx_v sum[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            sum[v] = rx_zero();
        for (int64_t pixel = n * H * W; pixel < (n + 1) * H * W; pixel++)
            for (int c = first; c < last; c += RX_LANES) {
                const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                //@ end
                sum[(c - first) / RX_LANES] += x;
            }
        // 2. Epilogue.
        for (int c = first; c < last; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            const rx_v mean = sum[(c - first) / RX_LANES] * rx_set1(1.0f / (H * W));
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            //@ epilogue pixel=n channel=c lanes=lanes acc=mean
            rx_store_n(y0 + n * K + c, mean, lanes);
            //@ end
            //@ epilogue_end channel=c lanes=lanes
            //@ end
        }
    }
}
