// Batch norm in training: all threads' statistics become scale and shift, and move the running
// statistics.
//@ doc task: TILE_P channels; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile
#include <math.h>

//@ consts
enum { COUNT = 10 };                         // channels
enum { TILE_P = 16 };                        // channels a task
enum { STATS_PITCH = 16, COEF_PITCH = 16 };  // elements from one row to the next
enum { HYPER_BN_MOMENTUM = 7 };              // row of hyper
//@ end

static const double eps = 1e-5;

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const double *restrict stats = t[0];  // [T][3][16]
    const float *restrict gamma = t[1];   // [10]
    const float *restrict beta = t[2];    // [10]
    float *restrict running_mean = t[3];  // [10]
    float *restrict running_var = t[4];   // [10]
    const float *restrict hyper = t[5];   // [16]
    float *restrict coef = t[6];          // [4][16]
    //@ end
    const double momentum = (double)hyper[HYPER_BN_MOMENTUM];
    const int64_t last = call->last * TILE_P < COUNT ? call->last * TILE_P : COUNT;

    for (int64_t c = call->first * TILE_P; c < last; c++) {
        // 1. The threads' statistics in their order, by Chan's formula.
        double count = 0.0, mean = 0.0, m2 = 0.0;
        for (int thread = 0; thread < call->n_threads; thread++) {
            const double *part = stats + thread * 3 * STATS_PITCH + c;
            const double rows = part[0];
            if (rows <= 0.0)
                continue;
            const double delta = part[STATS_PITCH] - mean, total = count + rows;
            m2 += part[2 * STATS_PITCH] + delta * delta * count * rows / total;
            mean += delta * rows / total;
            count = total;
        }
        // 2. y = scale * x + shift.
        const double invstd = 1.0 / sqrt(m2 / count + eps), scale = (double)gamma[c] * invstd;
        coef[c] = (float)scale;
        coef[COEF_PITCH + c] = (float)((double)beta[c] - scale * mean);
        coef[2 * COEF_PITCH + c] = (float)mean;
        coef[3 * COEF_PITCH + c] = (float)invstd;
        // 3. Running statistics; their variance is the unbiased one.
        const double old_mean = (double)running_mean[c], old_var = (double)running_var[c];
        running_mean[c] = (float)(old_mean + momentum * (mean - old_mean));
        running_var[c] = (float)(old_var + momentum * (m2 / (count - 1.0) - old_var));
    }
}
