// Backward of batch norm: the parts of the sums become the coefficients of dy = a*dz + b*(y - mean) +
// c, and the gradients of gamma and beta.
//@ doc block: CHANNELS channels times ROWS shares of the parts; grid: ceil(COUNT / CHANNELS)
//@ consts
enum { COUNT = 10 };                         // channels
enum { THREADS = 256 };                      // of a block
enum { TILE_P = 32 };                        // channels of a block
enum { CHANNELS = TILE_P };
enum { ROWS = THREADS / CHANNELS };          // threads that share a channel's parts
enum { H = 5, W = 7 };                       // pixels of an image
enum { SUMS_PITCH = 16, COEF_PITCH = 16, GRAD_COEF_PITCH = 16 };  // elements from row to row
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const double *__restrict__ sums,  // [T][2][16]
          const float *__restrict__ coef,   // [4][16]
          const float *__restrict__ gamma,  // [10]
          float *__restrict__ grad_coef,    // [3][16]
          float *__restrict__ dgamma,       // [10]
          float *__restrict__ dbeta)        // [10]
          //@ end
{
    __shared__ double totals[ROWS][CHANNELS], products[ROWS][CHANNELS];
    const int row = threadIdx.x / CHANNELS, lane = threadIdx.x % CHANNELS;
    const int c = blockIdx.x * CHANNELS + lane;

    // 1. sum dz and sum dz * (y - mean): every ROWS-th part, then the rows, in their order.
    double sum = 0.0, product = 0.0;
    for (int part = row; part < n_parts && c < COUNT; part += ROWS) {
        sum += sums[part * (2 * SUMS_PITCH) + c];
        product += sums[part * (2 * SUMS_PITCH) + SUMS_PITCH + c];
    }
    totals[row][lane] = sum;
    products[row][lane] = product;
    __syncthreads();
    if (row > 0 || c >= COUNT)
        return;
    for (int other = 1; other < ROWS; other++) {
        sum += totals[other][lane];
        product += products[other][lane];
    }
    // 2. What follows from them.
    const double pixels = (double)n * (H * W), invstd = (double)coef[3 * COEF_PITCH + c];
    const double a = (double)gamma[c] * invstd;
    grad_coef[c] = (float)a;
    grad_coef[GRAD_COEF_PITCH + c] = (float)(-a * invstd * invstd * product / pixels);
    grad_coef[2 * GRAD_COEF_PITCH + c] = (float)(-a * sum / pixels);
    dgamma[c] = (float)(product * invstd);
    dbeta[c] = (float)sum;
}
