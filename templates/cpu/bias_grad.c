// Gradient of a bias: the sum of the output's gradient over the batch.
//@ doc task: TILE_P channels; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { COUNT = 10 };     // channels
enum { TILE_P = 16 };    // channels a task
enum { DY_PITCH = 10 };  // floats from one image to the next
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict dy = t[0];  // [N][1][1][10]
    float *restrict db = t[1];        // [10]
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int channels = (int)(first + TILE_P < COUNT ? TILE_P : COUNT - first);
        double sum[TILE_P] = {0};
        for (int64_t n = 0; n < call->n; n++)
            for (int k = 0; k < channels; k++)
                sum[k] += (double)dy[n * DY_PITCH + first + k];
        for (int k = 0; k < channels; k++)
            db[first + k] = (float)sum[k];
    }
}
