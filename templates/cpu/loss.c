// Softmax cross-entropy with label smoothing, and its gradient for the mean over the batch.
//@ doc task: an image; tasks = N
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile
#include <math.h>

//@ consts
enum { K = 10 };                                 // classes
enum { LOGITS_PITCH = 10, DLOGITS_PITCH = 10 };  // floats from one image to the next
enum { HYPER_SMOOTHING = 6 };                    // row of hyper
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict logits = t[0];    // [N][1][1][10]
    const int32_t *restrict labels = t[1];  // [N]
    const float *restrict hyper = t[2];     // [16]
    float *restrict dlogits = t[3];         // [N][1][1][10]
    float *restrict loss = t[4];            // [N]
    //@ end
    const double smoothing = (double)hyper[HYPER_SMOOTHING];
    const double other = smoothing / K, hit = 1.0 - smoothing;

    for (int64_t n = call->first; n < call->last; n++) {
        const float *z = logits + n * LOGITS_PITCH;
        float *dz = dlogits + n * DLOGITS_PITCH;
        const int label = labels[n];
        // 1. log sum exp, from the largest down so that nothing overflows.
        float largest = z[0];
        for (int k = 1; k < K; k++)
            largest = z[k] > largest ? z[k] : largest;
        double sum = 0.0, sum_z = 0.0;
        for (int k = 0; k < K; k++) {
            dz[k] = expf(z[k] - largest);
            sum += (double)dz[k];
            sum_z += (double)(z[k] - largest);
        }
        const double log_sum = log(sum);
        // 2. The loss: the label's share, and the smoothing's of all classes.
        const double of_label = log_sum - (double)(z[label] - largest);
        loss[n] = (float)(hit * of_label + other * (K * log_sum - sum_z));
        // 3. The gradient: probability minus target, of the mean over the batch.
        const double scale = 1.0 / call->n;
        for (int k = 0; k < K; k++)
            dz[k] = (float)(((double)dz[k] / sum - other) * scale);
        dz[label] = (float)((exp((double)(z[label] - largest)) / sum - other - hit) * scale);
    }
}
