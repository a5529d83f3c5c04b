// Global average pooling: the mean of each channel over an image.
//@ doc task: an image; tasks = N
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { H = 7, W = 7, C = 6 };  // input map; the output is 1x1
enum { K = C };                // channels of both
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][7][7][6]
    float *restrict y0 = t[1];        // [N][1][1][6]
    //@ end
    float tile[RX_LANES];  //@ when stats
    //@ clear
    //@ end

    for (int64_t n = call->first; n < call->last; n++)
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            rx_v sum = rx_zero();
            for (int64_t pixel = n * H * W; pixel < (n + 1) * H * W; pixel++) {
                //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                //@ end
                sum += x;
            }
            const rx_v mean = sum * rx_set1(1.0f / (H * W));
            //@ epilogue pixel=n channel=c lanes=lanes at=tile acc=mean
            rx_store(tile, mean);
            rx_store_n(y0 + n * K + c, mean, lanes);
            //@ end
            //@ epilogue_end channel=c lanes=lanes at=tile row=i rows=1
            //@ end
        }
}
