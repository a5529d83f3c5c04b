// A weight gradient from its parts, summed in their order.
//@ doc block: THREADS elements; grid: ceil(COUNT / THREADS)
//@ consts
enum { COUNT = 1000 };    // elements of a part
enum { THREADS = 256 };   // of a block
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ parts,  // [T][1000]
          float *__restrict__ dw)               // [1000]
          //@ end
{
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= COUNT)
        return;
    float sum = parts[i];
#pragma unroll 16
    for (long long part = 1; part < n_parts; part++)
        sum += parts[part * COUNT + i];
    dw[i] = sum;
}
