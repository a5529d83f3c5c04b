// Softmax cross-entropy with label smoothing, and its gradient for the mean over the batch.
//@ doc block: an image; grid: N
//@ consts
enum { K = 10 };                                 // classes
enum { THREADS = 128 };                          // of a block
enum { LOGITS_PITCH = 10, DLOGITS_PITCH = 10 };  // floats from one image to the next
enum { HYPER_SMOOTHING = 6 };                    // row of hyper
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ logits,  // [N][1][1][10]
          const int *__restrict__ labels,    // [N]
          const float *__restrict__ hyper,   // [16]
          float *__restrict__ dlogits,       // [N][1][1][10]
          float *__restrict__ loss)          // [N]
          //@ end
{
    __shared__ float largest[THREADS];
    __shared__ double sums[THREADS], sums_z[THREADS];
    const int thread = threadIdx.x, image = blockIdx.x;
    const float *const z = logits + (long long)image * LOGITS_PITCH;
    float *const dz = dlogits + (long long)image * DLOGITS_PITCH;

    // 1. The largest logit, from which exponentials do not overflow.
    float most = z[0];
    for (int k = thread; k < K; k += THREADS)
        most = fmaxf(most, z[k]);
    largest[thread] = most;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (thread < half)
            largest[thread] = fmaxf(largest[thread], largest[thread + half]);
        __syncthreads();
    }
    most = largest[0];
    // 2. Sums, in an order that is always the same.
    double sum = 0.0, sum_z = 0.0;
    for (int k = thread; k < K; k += THREADS) {
        sum += (double)expf(z[k] - most);
        sum_z += (double)(z[k] - most);
    }
    sums[thread] = sum;
    sums_z[thread] = sum_z;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
            sums_z[thread] += sums_z[thread + half];
        }
        __syncthreads();
    }
    // 3. The loss: the label's share, and the smoothing's of all classes.
    const double smoothing = (double)hyper[HYPER_SMOOTHING], other = smoothing / K;
    const double hit = 1.0 - smoothing, total = sums[0];
    const int label = labels[image];
    if (thread == 0) {
        const double log_sum = log(total), of_label = log_sum - (double)(z[label] - most);
        loss[image] = (float)(hit * of_label + other * (K * log_sum - sums_z[0]));
    }
    // 4. The gradient: probability minus target, of the mean over the batch.
    const double scale = 1.0 / n;
    for (int k = thread; k < K; k += THREADS) {
        const double probability = (double)expf(z[k] - most) / total;
        dz[k] = (float)((probability - other - (k == label ? hit : 0.0)) * scale);
    }
}
