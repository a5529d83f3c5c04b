// Backward of batch norm: all threads' sums become the coefficients of dy = a*dz + b*(y - mean) +
// c, and the gradients of gamma and beta.
//@ doc task: TILE_P channels; tasks = ceil(COUNT / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { COUNT = 10 };                                              // channels
enum { H = 5, W = 7 };                                            // pixels of an image
enum { TILE_P = 16 };                                             // channels a task
enum { SUMS_PITCH = 16, COEF_PITCH = 16, GRAD_COEF_PITCH = 16 };  // elements from row to row
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const double *restrict sums = t[0];  // [T][2][16]
    const float *restrict coef = t[1];   // [4][16]
    const float *restrict gamma = t[2];  // [10]
    float *restrict grad_coef = t[3];    // [3][16]
    float *restrict dgamma = t[4];       // [10]
    float *restrict dbeta = t[5];        // [10]
    //@ end
    const double pixels = (double)call->n * (H * W);
    const int64_t last = call->last * TILE_P < COUNT ? call->last * TILE_P : COUNT;

    for (int64_t c = call->first * TILE_P; c < last; c++) {
        // 1. sum dz and sum dz * (y - mean), the threads' parts in their order.
        double sum = 0.0, product = 0.0;
        for (int thread = 0; thread < call->n_threads; thread++) {
            const double *part = sums + thread * 2 * SUMS_PITCH + c;
            sum += part[0];
            product += part[SUMS_PITCH];
        }
        // 2. What follows from them.
        const double invstd = (double)coef[3 * COEF_PITCH + c], a = (double)gamma[c] * invstd;
        grad_coef[c] = (float)a;
        grad_coef[GRAD_COEF_PITCH + c] = (float)(-a * invstd * invstd * product / pixels);
        grad_coef[2 * GRAD_COEF_PITCH + c] = (float)(-a * sum / pixels);
        dgamma[c] = (float)(product * invstd);
        dbeta[c] = (float)sum;
    }
}
