// A weight gradient from the threads' parts, summed in the threads' order, and at once one SGD step
// with it, by PyTorch's rule.
//@ doc task: TILE_P consecutive elements; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: TILE_P
#include "tile_generic.h"  //@ tile

//@ consts
enum { COUNT = 1000 };                         // elements of a part
enum { TILE_P = 256 };                         // elements a task
enum { HYPER_LR = 0, HYPER_MOMENTUM = 1 };     // rows of hyper
enum { HYPER_WD = 2 };                         // the weight decay of these parameters
enum { HYPER_NESTEROV = 4, HYPER_FIRST = 5 };  // flags, 1 or 0
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict parts = t[0];  // [T][1000]
    float *restrict weights = t[1];      // [1000]
    float *restrict momentum = t[2];     // [1000]
    const float *restrict hyper = t[3];  // [16]
    //@ end
    float *restrict gradient = call->scratch;  // [TILE_P]
    const float lr = hyper[HYPER_LR], m = hyper[HYPER_MOMENTUM], wd = hyper[HYPER_WD];
    const int first_step = hyper[HYPER_FIRST] > 0.0f;
    // The update is ahead * g + follow * momentum.
    const int nesterov = hyper[HYPER_NESTEROV] > 0.0f;
    const float ahead = nesterov ? 1.0f : 0.0f, follow = nesterov ? m : 1.0f;

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int n = (int)(COUNT - first < TILE_P ? COUNT - first : TILE_P);
        // 1. The gradient, which stays in the cache.
        for (int i = 0; i < n; i++)
            gradient[i] = parts[first + i];
        for (int64_t thread = 1; thread < call->n_threads; thread++)
            for (int i = 0; i < n; i++)
                gradient[i] += parts[thread * COUNT + first + i];
        // 2. The step.
        float *restrict w = weights + first, *restrict buf = momentum + first;
        for (int i = 0; i < n; i++) {
            const float g = gradient[i] + wd * w[i];
            const float buffer = first_step ? g : m * buf[i] + g;
            buf[i] = buffer;
            w[i] -= lr * (ahead * g + follow * buffer);
        }
    }
}
