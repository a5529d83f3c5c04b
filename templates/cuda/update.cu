// A weight gradient from its parts, summed in their order, and at once one SGD step with it, by
// PyTorch's rule.
//@ doc block: THREADS elements; grid: ceil(COUNT / THREADS)
//@ consts
enum { COUNT = 1000 };    // elements of a part
enum { THREADS = 256 };   // of a block
enum { HYPER_LR = 0, HYPER_MOMENTUM = 1 };     // rows of hyper
enum { HYPER_WD = 2 };                         // the weight decay of these parameters
enum { HYPER_NESTEROV = 4, HYPER_FIRST = 5 };  // flags, 1 or 0
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ parts,  // [T][1000]
          float *__restrict__ weights,          // [1000]
          float *__restrict__ momentum,         // [1000]
          const float *__restrict__ hyper)      // [16]
          //@ end
{
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= COUNT)
        return;
    float sum = parts[i];
#pragma unroll 16
    for (long long part = 1; part < n_parts; part++)
        sum += parts[part * COUNT + i];
    const float lr = hyper[HYPER_LR], m = hyper[HYPER_MOMENTUM], wd = hyper[HYPER_WD];
    const int first_step = hyper[HYPER_FIRST] > 0.0f, nesterov = hyper[HYPER_NESTEROV] > 0.0f;
    const float g = sum + wd * weights[i];
    const float buffer = first_step ? g : m * momentum[i] + g;
    momentum[i] = buffer;
    weights[i] -= lr * (nesterov ? g + m * buffer : buffer);
}
