// One SGD step on a flat vector of parameters, by PyTorch's rule.
//@ doc task: TILE_P consecutive elements; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { COUNT = 1000 };                         // elements
enum { TILE_P = 256 };                         // elements a task
enum { HYPER_LR = 0, HYPER_MOMENTUM = 1 };     // rows of hyper
enum { HYPER_WD = 2 };                         // the weight decay of these parameters
enum { HYPER_NESTEROV = 4, HYPER_FIRST = 5 };  // flags, 1 or 0
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    float *restrict weights = t[0];         // [1000]
    float *restrict momentum = t[1];        // [1000]
    const float *restrict gradient = t[2];  // [1000]
    const float *restrict hyper = t[3];     // [16]
    //@ end
    const float lr = hyper[HYPER_LR], m = hyper[HYPER_MOMENTUM], wd = hyper[HYPER_WD];
    const int first_step = hyper[HYPER_FIRST] > 0.0f;
    // The update is ahead * g + follow * momentum.
    const int nesterov = hyper[HYPER_NESTEROV] > 0.0f;
    const float ahead = nesterov ? 1.0f : 0.0f, follow = nesterov ? m : 1.0f;

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int64_t last = first + TILE_P < COUNT ? first + TILE_P : COUNT;
        for (int64_t i = first; i < last; i++) {
            const float g = gradient[i] + wd * weights[i];
            const float buffer = first_step ? g : m * momentum[i] + g;
            momentum[i] = buffer;
            weights[i] -= lr * (ahead * g + follow * buffer);
        }
    }
}
