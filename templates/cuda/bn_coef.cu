// Batch norm in training: the parts of the statistics become scale and shift, and move the running
// statistics.
//@ doc block: CHANNELS channels times ROWS shares of the parts; grid: ceil(COUNT / CHANNELS)
//@ consts
enum { COUNT = 10 };                         // channels
enum { THREADS = 256 };                      // of a block
enum { TILE_P = 32 };                        // channels of a block
enum { CHANNELS = TILE_P };
enum { ROWS = THREADS / CHANNELS };          // threads that share a channel's parts
enum { STATS_PITCH = 16, COEF_PITCH = 16 };  // elements from one row to the next
enum { HYPER_BN_MOMENTUM = 7 };              // row of hyper
//@ end

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const double *__restrict__ stats,  // [T][3][16]
          const float *__restrict__ gamma,   // [10]
          const float *__restrict__ beta,    // [10]
          float *__restrict__ running_mean,  // [10]
          float *__restrict__ running_var,   // [10]
          const float *__restrict__ hyper,   // [16]
          float *__restrict__ coef)          // [4][16]
          //@ end
{
    __shared__ double counts[ROWS][CHANNELS], means[ROWS][CHANNELS], m2s[ROWS][CHANNELS];
    const int row = threadIdx.x / CHANNELS, lane = threadIdx.x % CHANNELS;
    const int c = blockIdx.x * CHANNELS + lane;

    // 1. Every ROWS-th part, in their order, by Chan's formula.
    double count = 0.0, mean = 0.0, m2 = 0.0;
    for (int part = row; part < n_parts && c < COUNT; part += ROWS) {
        const double *const from = stats + part * (3 * STATS_PITCH) + c;
        const double seen = from[0], delta = from[STATS_PITCH] - mean, total = count + seen;
        if (seen == 0.0)
            continue;
        m2 += from[2 * STATS_PITCH] + delta * delta * count * seen / total;
        mean += delta * seen / total;
        count = total;
    }
    counts[row][lane] = count;
    means[row][lane] = mean;
    m2s[row][lane] = m2;
    __syncthreads();
    if (row > 0 || c >= COUNT)
        return;
    // 2. The rows, in their order.
    for (int other = 1; other < ROWS; other++) {
        const double seen = counts[other][lane], total = count + seen;
        const double delta = means[other][lane] - mean;
        if (seen == 0.0)
            continue;
        m2 += m2s[other][lane] + delta * delta * count * seen / total;
        mean += delta * seen / total;
        count = total;
    }
    // 3. y = scale * x + shift.
    const double invstd = 1.0 / sqrt(m2 / count + 1e-5), scale = (double)gamma[c] * invstd;
    coef[c] = (float)scale;
    coef[COEF_PITCH + c] = (float)((double)beta[c] - scale * mean);
    coef[2 * COEF_PITCH + c] = (float)mean;
    coef[3 * COEF_PITCH + c] = (float)invstd;
    // 4. Running statistics; their variance is the unbiased one.
    const double momentum = (double)hyper[HYPER_BN_MOMENTUM];
    const double old_mean = (double)running_mean[c], old_var = (double)running_var[c];
    running_mean[c] = (float)(old_mean + momentum * (mean - old_mean));
    running_var[c] = (float)(old_var + momentum * (m2 / (count - 1.0) - old_var));
}
