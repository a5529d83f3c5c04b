// A weight gradient from the threads' parts, summed in the threads' order.
//@ doc task: TILE_P consecutive elements; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { COUNT = 1000 };  // elements of a part
enum { TILE_P = 256 };  // elements a task
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict parts = t[0];  // [T][1000]
    float *restrict dw = t[1];           // [1000]
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int64_t last = first + TILE_P < COUNT ? first + TILE_P : COUNT;
        for (int64_t i = first; i < last; i++)
            dw[i] = parts[i];
        for (int64_t thread = 1; thread < call->n_threads; thread++)
            for (int64_t i = first; i < last; i++)
                dw[i] += parts[thread * COUNT + i];
    }
}
