// Gradient of a bias: the sum of the output's gradient over the batch.
//@ doc block: THREADS channels; grid: ceil(COUNT / THREADS)
//@ consts
enum { COUNT = 10 };     // channels
enum { THREADS = 256 };  // of a block
enum { DY_PITCH = 10 };  // floats from one image to the next
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ dy,  // [N][1][1][10]
          float *__restrict__ db)        // [10]
          //@ end
{
    const int k = blockIdx.x * THREADS + threadIdx.x;
    if (k >= COUNT)
        return;
    double sum = 0.0;
    for (long long image = 0; image < n; image++)
        sum += (double)dy[image * DY_PITCH + k];
    db[k] = (float)sum;
}
