// Kernels with one fault each, the one that the name tells. 64 threads, x and y of 64 floats.

extern "C" __global__ void __launch_bounds__(64)
read_before_barrier(const float *__restrict__ x, float *__restrict__ y)
{
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = s[63 - threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64)
write_before_barrier(const float *__restrict__ x, float *__restrict__ y)
{
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[63 - threadIdx.x];
    s[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64)
lanes_without_warp_sync(const float *__restrict__ x, float *__restrict__ y)
{
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = s[threadIdx.x ^ 1];
}

extern "C" __global__ void __launch_bounds__(64)
two_blocks_write(const float *__restrict__ x, float *__restrict__ y)
{
    y[threadIdx.x] = x[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64)
global_out_of_bounds(const float *__restrict__ x, float *__restrict__ y)
{
    y[threadIdx.x] = x[threadIdx.x + 1];
}

extern "C" __global__ void __launch_bounds__(64)
shared_out_of_bounds(const float *__restrict__ x, float *__restrict__ y)
{
    RX_DYNAMIC_SHARED(float, s);
    s[threadIdx.x + 1] = x[threadIdx.x];
    y[threadIdx.x] = s[threadIdx.x + 1];
}

extern "C" __global__ void __launch_bounds__(64)
shared_never_written(const float *__restrict__ x, float *__restrict__ y)
{
    __shared__ float s[64];
    if (threadIdx.x != 5)
        s[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64)
misaligned(const float *__restrict__ x, float *__restrict__ y)
{
    if (threadIdx.x == 0)
        rx_store16(y + 1, rx_load16(x));
}

extern "C" __global__ void __launch_bounds__(64)
barrier_in_a_branch(const float *__restrict__ x, float *__restrict__ y)
{
    if (threadIdx.x < 32)
        __syncthreads();
    y[threadIdx.x] = x[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64)
shuffle_in_a_branch(const float *__restrict__ x, float *__restrict__ y)
{
    float v = x[threadIdx.x];
    if (threadIdx.x % 32 < 16)
        v = __shfl_xor_sync(0xffffffffu, v, 1);
    y[threadIdx.x] = v;
}

extern "C" __global__ void __launch_bounds__(64)
copy_without_wait(const float *__restrict__ x, float *__restrict__ y)
{
    RX_DYNAMIC_SHARED(float, s);
    if (threadIdx.x < 16)
        rx_cp_async16(s + threadIdx.x * 4, x + threadIdx.x * 4, 16);
    rx_cp_commit();
    if (threadIdx.x < 16)
        y[threadIdx.x] = s[threadIdx.x * 4];
    rx_cp_wait<0>();
}

extern "C" __global__ void __launch_bounds__(64)
copy_never_waited_for(const float *__restrict__ x, float *__restrict__ y)
{
    RX_DYNAMIC_SHARED(float, s);
    if (threadIdx.x < 16)
        rx_cp_async16(s + threadIdx.x * 4, x + threadIdx.x * 4, 16);
    rx_cp_commit();
    y[threadIdx.x] = 0;
}
