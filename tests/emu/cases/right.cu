// Kernels without a fault, each with a result that is easily worked out.

// y[i] = sum of x over the block, by a tree in shared memory and one in registers. 256 threads.
extern "C" __global__ void __launch_bounds__(256)
sum_block(const float *__restrict__ x, float *__restrict__ y)
{
    __shared__ float part[8];
    float sum = x[blockIdx.x * 256 + threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = sum;
    __syncthreads();
    float total = 0;
    for (int i = 0; i < 8; i++)
        total += part[i];
    y[blockIdx.x * 256 + threadIdx.x] = total;
}

// c[16][8] = a[16][16] b[16][8], bf16 in and f32 out, through cp.async, ldmatrix and mma. One warp.
extern "C" __global__ void __launch_bounds__(32)
multiply(const unsigned *__restrict__ a, const unsigned short *__restrict__ b,
         float *__restrict__ c)
{
    RX_DYNAMIC_SHARED(unsigned char, shared);
    const int lane = (int)threadIdx.x;
    rx_cp_async16(shared + lane * 16, a + lane * 4, 16);
    rx_cp_commit();
    rx_cp_wait<0>();
    __syncwarp();
    const rx_fragment f = rx_ldmatrix_x4(shared + lane % 16 * 32 + lane / 16 * 16);
    const int k = lane % 4 * 2, n = lane / 4;
    const unsigned b0 = b[k * 8 + n] | (unsigned)b[(k + 1) * 8 + n] << 16;
    const unsigned b1 = b[(k + 8) * 8 + n] | (unsigned)b[(k + 9) * 8 + n] << 16;
    float sum[4] = {0, 0, 0, 0};
    rx_mma_bf16(sum, f, b0, b1);
    for (int i = 0; i < 4; i++)
        c[(n + i / 2 * 8) * 8 + k + i % 2] = sum[i];
}

// y[i] = x[i * stride]: its sectors and its bank conflicts can be counted by hand. 32 threads.
extern "C" __global__ void __launch_bounds__(32)
gather(const float *__restrict__ x, float *__restrict__ y, int stride)
{
    __shared__ float column[32 * 32];
    const int lane = (int)threadIdx.x;
    column[lane * stride] = x[lane * stride];
    __syncthreads();
    y[lane] = column[lane * stride];
}
