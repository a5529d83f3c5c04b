// Batch norm in evaluation: the running statistics become scale and shift.
//@ doc task: TILE_P channels; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile
#include <math.h>

//@ consts
enum { COUNT = 10 };       // channels
enum { TILE_P = 16 };      // channels a task
enum { COEF_PITCH = 16 };  // floats from one row to the next
//@ end

static const double eps = 1e-5;

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict gamma = t[0];         // [10]
    const float *restrict beta = t[1];          // [10]
    const float *restrict running_mean = t[2];  // [10]
    const float *restrict running_var = t[3];   // [10]
    float *restrict coef = t[4];                // [4][16]
    //@ end
    const int64_t last = call->last * TILE_P < COUNT ? call->last * TILE_P : COUNT;

    for (int64_t c = call->first * TILE_P; c < last; c++) {
        const double invstd = 1.0 / sqrt((double)running_var[c] + eps);
        const double scale = (double)gamma[c] * invstd;
        coef[c] = (float)scale;
        coef[COEF_PITCH + c] = (float)((double)beta[c] - scale * (double)running_mean[c]);
        coef[2 * COEF_PITCH + c] = running_mean[c];
        coef[3 * COEF_PITCH + c] = (float)invstd;
    }
}
