// Batch norm in evaluation: the running statistics become scale and shift.
//@ doc block: THREADS channels; grid: ceil(COUNT / THREADS)
//@ consts
enum { COUNT = 10 };       // channels
enum { THREADS = 256 };    // of a block
enum { COEF_PITCH = 16 };  // floats from one row to the next
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ gamma,         // [10]
          const float *__restrict__ beta,          // [10]
          const float *__restrict__ running_mean,  // [10]
          const float *__restrict__ running_var,   // [10]
          float *__restrict__ coef)                // [4][16]
          //@ end
{
    const int c = blockIdx.x * THREADS + threadIdx.x;
    if (c >= COUNT)
        return;
    const double invstd = 1.0 / sqrt((double)running_var[c] + 1e-5);
    const double scale = (double)gamma[c] * invstd;
    coef[c] = (float)scale;
    coef[COEF_PITCH + c] = (float)((double)beta[c] - scale * (double)running_mean[c]);
    coef[2 * COEF_PITCH + c] = running_mean[c];
    coef[3 * COEF_PITCH + c] = (float)invstd;
}
