// What the skeletons are made of: a vector of RX_LANES neighbouring channels that a thread holds,
// loads and stores of it, and the sums of a block's threads. A kernel holds the parts that it uses.
#ifndef RX_TILE_SIMT_CUH
#define RX_TILE_SIMT_CUH

#include "rx_ptx.cuh"

//@ part rx_v
struct rx_v {
    float v[RX_LANES];

    __device__ __forceinline__ rx_v operator+(const rx_v &b) const
    {
        rx_v r;
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            r.v[i] = v[i] + b.v[i];
        return r;
    }
    __device__ __forceinline__ rx_v operator-(const rx_v &b) const
    {
        rx_v r;
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            r.v[i] = v[i] - b.v[i];
        return r;
    }
    __device__ __forceinline__ rx_v operator*(const rx_v &b) const
    {
        rx_v r;
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            r.v[i] = v[i] * b.v[i];
        return r;
    }
    __device__ __forceinline__ void operator+=(const rx_v &b)
    {
        *this = *this + b;
    }
};

//@ part rx_set1
static __device__ __forceinline__ rx_v
rx_set1(float x)
{
    rx_v r;
#pragma unroll
    for (int i = 0; i < RX_LANES; i++)
        r.v[i] = x;
    return r;
}

//@ part rx_zero
static __device__ __forceinline__ rx_v
rx_zero()
{
    return rx_set1(0.0f);
}

//@ part rx_relu
// a > 0 ? a : 0
static __device__ __forceinline__ rx_v
rx_relu(rx_v a)
{
#pragma unroll
    for (int i = 0; i < RX_LANES; i++)
        a.v[i] = fmaxf(a.v[i], 0.0f);
    return a;
}

//@ part rx_mask
// b > 0 ? a : 0
static __device__ __forceinline__ rx_v
rx_mask(rx_v a, rx_v b)
{
#pragma unroll
    for (int i = 0; i < RX_LANES; i++)
        a.v[i] = b.v[i] > 0.0f ? a.v[i] : 0.0f;
    return a;
}

//@ part rx_axpy
// acc += a * x
static __device__ __forceinline__ void
rx_axpy(rx_v &acc, float a, const rx_v &x)
{
#pragma unroll
    for (int i = 0; i < RX_LANES; i++)
        acc.v[i] = fmaf(a, x.v[i], acc.v[i]);
}

//@ part rx_load
static __device__ __forceinline__ rx_v
rx_load(const float *p)
{
    rx_v r;
    if constexpr (RX_LANES % 4 == 0) {
#pragma unroll
        for (int i = 0; i < RX_LANES; i += 4) {
            const uint4 u = rx_load16(p + i);
            r.v[i] = __uint_as_float(u.x);
            r.v[i + 1] = __uint_as_float(u.y);
            r.v[i + 2] = __uint_as_float(u.z);
            r.v[i + 3] = __uint_as_float(u.w);
        }
    } else {
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            r.v[i] = p[i];
    }
    return r;
}

//@ part rx_store
static __device__ __forceinline__ void
rx_store(float *p, const rx_v &a)
{
    if constexpr (RX_LANES % 4 == 0) {
#pragma unroll
        for (int i = 0; i < RX_LANES; i += 4)
            rx_store16(p + i, {__float_as_uint(a.v[i]), __float_as_uint(a.v[i + 1]),
                               __float_as_uint(a.v[i + 2]), __float_as_uint(a.v[i + 3])});
    } else {
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            p[i] = a.v[i];
    }
}

//@ part rx_widen_bf16
// bf16 is the upper half of an f32; two of them in a word.
static __device__ __forceinline__ void
rx_widen_bf16(rx_v &a, int i, unsigned pair)
{
    a.v[i] = __uint_as_float(pair << 16);
    a.v[i + 1] = __uint_as_float(pair & 0xffff0000u);
}

//@ part rx_bytes
// A byte of each channel of a vector, in words.
struct rx_bytes {
    unsigned word[(RX_LANES + 3) / 4];
};

//@ part rx_load_bytes
static __device__ __forceinline__ rx_bytes
rx_load_bytes(const unsigned char *p)
{
    rx_bytes r;
    if constexpr (RX_LANES == 8) {
        const uint2 u = rx_load8(p);
        r.word[0] = u.x;
        r.word[1] = u.y;
    } else if constexpr (RX_LANES == 4) {
        r.word[0] = rx_load4(p);
    } else {
        r.word[0] = *p;
    }
    return r;
}

//@ part rx_byte
static __device__ __forceinline__ int
rx_byte(const rx_bytes &a, int lane)
{
    return a.word[lane / 4] >> lane % 4 * 8 & 255;
}

//@ part rx_store_bytes
static __device__ __forceinline__ void
rx_store_bytes(unsigned char *p, const int (&value)[RX_LANES])
{
    if constexpr (RX_LANES % 4 == 0) {
        unsigned word[RX_LANES / 4] = {};
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            word[i / 4] |= (unsigned)value[i] << i % 4 * 8;
        if constexpr (RX_LANES == 8)
            rx_store8(p, {word[0], word[1]});
        else
            rx_store4(p, word[0]);
    } else {
#pragma unroll
        for (int l = 0; l < RX_LANES; l++)
            p[l] = (unsigned char)value[l];
    }
}

//@ part rx_widen8
// Eight channels of a map in bf16.
static __device__ __forceinline__ rx_v
rx_widen8(uint4 u)
{
    rx_v r;
    rx_widen_bf16(r, 0, u.x);
    rx_widen_bf16(r, 2, u.y);
    rx_widen_bf16(r, 4, u.z);
    rx_widen_bf16(r, 6, u.w);
    return r;
}

//@ part rx_load_bf16
static __device__ __forceinline__ rx_v
rx_load_bf16(const unsigned short *p)
{
    rx_v r;
    if constexpr (RX_LANES % 8 == 0) {
#pragma unroll
        for (int i = 0; i < RX_LANES; i += 8) {
            const uint4 u = rx_load16(p + i);
            rx_widen_bf16(r, i, u.x);
            rx_widen_bf16(r, i + 2, u.y);
            rx_widen_bf16(r, i + 4, u.z);
            rx_widen_bf16(r, i + 6, u.w);
        }
    } else if constexpr (RX_LANES == 4) {
        const uint2 u = rx_load8(p);
        rx_widen_bf16(r, 0, u.x);
        rx_widen_bf16(r, 2, u.y);
    } else {
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            r.v[i] = __uint_as_float((unsigned)p[i] << 16);
    }
    return r;
}

//@ part rx_store_bf16
// To nearest, ties to even; a NaN becomes quiet. Returns what was stored.
static __device__ __forceinline__ rx_v
rx_store_bf16(unsigned short *p, const rx_v &a)
{
    rx_v r;
    unsigned bits[RX_LANES];
#pragma unroll
    for (int i = 0; i < RX_LANES; i++) {
        const unsigned u = __float_as_uint(a.v[i]);
        const unsigned up = a.v[i] != a.v[i] ? u | 0x400000u : u + 0x7fffu + (u >> 16 & 1u);
        bits[i] = up & 0xffff0000u;
        r.v[i] = __uint_as_float(bits[i]);
    }
    if constexpr (RX_LANES % 8 == 0) {
#pragma unroll
        for (int i = 0; i < RX_LANES; i += 8)
            rx_store_global16(
                p + i, {bits[i] >> 16 | bits[i + 1], bits[i + 2] >> 16 | bits[i + 3],
                        bits[i + 4] >> 16 | bits[i + 5], bits[i + 6] >> 16 | bits[i + 7]});
    } else if constexpr (RX_LANES == 4) {
        rx_store8(p, {bits[0] >> 16 | bits[1], bits[2] >> 16 | bits[3]});
    } else {
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            p[i] = (unsigned short)(bits[i] >> 16);
    }
    return r;
}

//@ part rx_load_some
// TOGETHER neighbouring values, 4 or 1.
static __device__ __forceinline__ void
rx_load_some(float (&x)[TOGETHER], const float *p)
{
    if constexpr (TOGETHER == 4) {
        const uint4 u = rx_load16(p);
        const unsigned bits[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
        for (int i = 0; i < TOGETHER; i++)
            x[i] = __uint_as_float(bits[i]);
    } else {
        x[0] = *p;
    }
}

//@ part rx_load_some_bf16
static __device__ __forceinline__ void
rx_load_some_bf16(float (&x)[TOGETHER], const unsigned short *p)
{
    if constexpr (TOGETHER == 4) {
        const uint2 u = rx_load8(p);
        const unsigned bits[4] = {u.x << 16, u.x & 0xffff0000u, u.y << 16, u.y & 0xffff0000u};
#pragma unroll
        for (int i = 0; i < TOGETHER; i++)
            x[i] = __uint_as_float(bits[i]);
    } else {
        x[0] = __uint_as_float((unsigned)*p << 16);
    }
}

//@ part rx_store_some_bf16
static __device__ __forceinline__ void
rx_store_some_bf16(unsigned short *p, const float (&x)[TOGETHER])
{
    if constexpr (TOGETHER == 4)
        rx_store8(p, {rx_pack_bf16(x[0], x[1 % TOGETHER]),
                      rx_pack_bf16(x[2 % TOGETHER], x[3 % TOGETHER])});
    else
        *p = (unsigned short)rx_pack_bf16(x[0], 0.0f);
}

//@ part rx_pack8
// Eight channels as bf16.
static __device__ __forceinline__ uint4
rx_pack8(const rx_v &a)
{
    return {rx_pack_bf16(a.v[0], a.v[1]), rx_pack_bf16(a.v[2], a.v[3]),
            rx_pack_bf16(a.v[4], a.v[5]), rx_pack_bf16(a.v[6], a.v[7])};
}

//@ part rx_exchange_pairs
// Of four products side by side, each of a group of 4 channels at two pixels, a lane has two columns.
// Neighbours swap, so that an even lane has all channels of the first two groups, an odd one of the
// last two, at pixel lane / 2 % 2. `half` is 1 for the lower rows.
static __device__ __forceinline__ rx_v
rx_exchange_pairs(const float (&acc)[4][4], int half, int lane)
{
    const bool odd = lane % 2;
    rx_v r;
#pragma unroll
    for (int t = 0; t < 2; t++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            const float low = acc[t][half * 2 + e], high = acc[t + 2][half * 2 + e];
            const float other = __shfl_xor_sync(0xffffffff, odd ? low : high, 1);
            r.v[t * 4 + e] = odd ? other : low;
            r.v[t * 4 + 2 + e] = odd ? high : other;
        }
    return r;
}

//@ part rx_exchange_quads
// Of four products side by side a lane has two columns each. Four neighbours swap, so that lane i of
// them has all columns of product i.
static __device__ __forceinline__ rx_v
rx_exchange_quads(const float (&acc)[4][4], int half, int lane)
{
    const bool odd = lane % 2, upper = lane / 2 % 2;
    float mine[2][2][2];  // [product of the half][half of the lanes][column]
#pragma unroll
    for (int t = 0; t < 2; t++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            const float low = acc[t][half * 2 + e], high = acc[t + 2][half * 2 + e];
            const float other = __shfl_xor_sync(0xffffffff, upper ? low : high, 2);
            mine[t][0][e] = upper ? other : low;
            mine[t][1][e] = upper ? high : other;
        }
    rx_v r;
#pragma unroll
    for (int s = 0; s < 2; s++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            const float other = __shfl_xor_sync(0xffffffff, odd ? mine[0][s][e] : mine[1][s][e], 1);
            r.v[s * 4 + e] = odd ? other : mine[0][s][e];
            r.v[s * 4 + 2 + e] = odd ? mine[1][s][e] : other;
        }
    return r;
}

//@ part rx_gather_spread
// Where the columns of four products were spread so that a lane's are 8 neighbours.
static __device__ __forceinline__ rx_v
rx_gather_spread(const float (&acc)[4][4], int half)
{
    rx_v r;
#pragma unroll
    for (int t = 0; t < 4; t++)
#pragma unroll
        for (int e = 0; e < 2; e++)
            r.v[t * 2 + e] = acc[t][half * 2 + e];
    return r;
}

//@ part rx_moments
// Count, sum and sum of squares of what a thread has seen, from its first value on: the shift keeps
// the digits that sums of raw squares lose where the mean is far from zero.
struct rx_moments {
    float count;
    rx_v shift, sum, square;
};

//@ part rx_moments_add
static __device__ __forceinline__ void
rx_moments_add(rx_moments &m, const rx_v &x)
{
    if (m.count == 0.0f)
        m.shift = x;
    m.count += 1.0f;
    const rx_v d = x - m.shift;
    m.sum += d;
    m.square += d * d;
}

//@ part rx_block_sum
// Adds up what the ROWS rows of a block's threads have for WIDTH channels, in the rows' order;
// part[0 .. channels) gets it. `shared` holds ROWS * WIDTH floats.
template <int ROWS, int WIDTH>
static __device__ __forceinline__ void
rx_block_sum(double *part, float *shared, const rx_v &own, int row, int column, int channels)
{
    rx_store(shared + row * WIDTH + column, own);
    __syncthreads();
    for (int i = row * (WIDTH / RX_LANES) + column / RX_LANES; i < WIDTH;
         i += ROWS * (WIDTH / RX_LANES)) {
        double sum = 0.0;
        for (int r = 0; r < ROWS; r++)
            sum += (double)shared[r * WIDTH + i];
        if (i < channels)
            part[i] = sum;
    }
    __syncthreads();
}

//@ part rx_block_moments
// The same for count, mean and sum of squared deviations, which are rows of part, `pitch` apart:
// merged by Chan, Golub, LeVeque 1979, eq. 2.1. `shared` holds ROWS * (2 * WIDTH + 1) floats.
template <int ROWS, int WIDTH>
static __device__ __forceinline__ void
rx_block_moments(double *part, int pitch, float *shared, const rx_moments &own, int row, int column,
                 int channels)
{
    float *const means = shared, *const m2s = means + ROWS * WIDTH, *const counts = m2s + ROWS * WIDTH;
    const rx_v inverse = rx_set1(own.count > 0.0f ? 1.0f / own.count : 0.0f);
    const rx_v delta = own.sum * inverse;
    rx_store(means + row * WIDTH + column, own.shift + delta);
    rx_store(m2s + row * WIDTH + column, own.square - own.sum * delta);
    if (column == 0)
        counts[row] = own.count;
    __syncthreads();
    for (int i = row * (WIDTH / RX_LANES) + column / RX_LANES; i < WIDTH;
         i += ROWS * (WIDTH / RX_LANES)) {
        double count = 0.0, mean = 0.0, m2 = 0.0;
        for (int r = 0; r < ROWS; r++) {
            const double rows = (double)counts[r];
            if (rows == 0.0)
                continue;
            const double total = count + rows, apart = (double)means[r * WIDTH + i] - mean;
            m2 += (double)m2s[r * WIDTH + i] + apart * apart * count * rows / total;
            mean += apart * rows / total;
            count = total;
        }
        if (i < channels) {
            part[i] = count;
            part[pitch + i] = mean;
            part[2 * pitch + i] = m2;
        }
    }
    __syncthreads();
}

//@ part rx_fold_sum
// Adds up what the eight lanes have whose lane % 4 is the same; a lane gets channel lane / 4.
static __device__ __forceinline__ float
rx_fold_sum(rx_v a, int lane)
{
#pragma unroll
    for (int half = RX_LANES / 2; half > 0; half /= 2) {
        const int upper = lane & half * 4;
#pragma unroll
        for (int i = 0; i < half; i++) {
            const float other = upper ? a.v[i] : a.v[i + half];
            a.v[i] = (upper ? a.v[i + half] : a.v[i]) + __shfl_xor_sync(0xffffffffu, other, half * 4);
        }
    }
    return a.v[0];
}

//@ part rx_kept
// Count, mean and sum of squared deviations of a channel.
struct rx_kept {
    float count, mean, m2;
};

//@ part rx_keep
// Merges two sets of values: Chan, Golub, LeVeque 1979, eq. 2.1. `share` is more.count of the total.
static __device__ __forceinline__ void
rx_keep(float &mean, float &m2, float count, float share, float more_mean, float more_m2)
{
    const float apart = more_mean - mean;
    mean += apart * share;
    m2 += more_m2 + apart * apart * count * share;
}

//@ part rx_fold_moments
// The same of moments, which are added to those that a lane keeps.
static __device__ __forceinline__ void
rx_fold_moments(rx_kept &kept, const rx_moments &own, int lane)
{
    const rx_v delta = own.sum * rx_set1(own.count > 0.0f ? 1.0f / own.count : 0.0f);
    rx_v mean = own.shift + delta, m2 = own.square - own.sum * delta;
    float count = own.count;
#pragma unroll
    for (int half = RX_LANES / 2; half > 0; half /= 2) {
        const int upper = lane & half * 4;
        const float more = __shfl_xor_sync(0xffffffffu, count, half * 4), total = count + more;
        const float share = total > 0.0f ? more / total : 0.0f;
#pragma unroll
        for (int i = 0; i < half; i++) {
            const float more_mean = __shfl_xor_sync(
                0xffffffffu, upper ? mean.v[i] : mean.v[i + half], half * 4);
            const float more_m2 =
                __shfl_xor_sync(0xffffffffu, upper ? m2.v[i] : m2.v[i + half], half * 4);
            mean.v[i] = upper ? mean.v[i + half] : mean.v[i];
            m2.v[i] = upper ? m2.v[i + half] : m2.v[i];
            rx_keep(mean.v[i], m2.v[i], count, share, more_mean, more_m2);
        }
        count = total;
    }
    const float total = kept.count + count;
    rx_keep(kept.mean, kept.m2, kept.count, total > 0.0f ? count / total : 0.0f, mean.v[0], m2.v[0]);
    kept.count = total;
}

//@ part rx_block_kept_sum
// Adds up what ROWS threads have of each of WIDTH channels, in the rows' order; part[0 .. channels)
// gets it. `shared` holds ROWS * WIDTH floats.
template <int ROWS, int WIDTH>
static __device__ __forceinline__ void
rx_block_kept_sum(double *part, float *shared, float kept, int row, int column, int channels)
{
    shared[row * WIDTH + column] = kept;
    __syncthreads();
    for (int i = threadIdx.x; i < WIDTH; i += blockDim.x) {
        double sum = 0.0;
        for (int r = 0; r < ROWS; r++)
            sum += (double)shared[r * WIDTH + i];
        if (i < channels)
            part[i] = sum;
    }
    __syncthreads();
}

//@ part rx_block_kept
// The same for count, mean and sum of squared deviations, which are rows of part, `pitch` apart.
// `shared` holds 3 * ROWS * WIDTH floats.
template <int ROWS, int WIDTH>
static __device__ __forceinline__ void
rx_block_kept(double *part, int pitch, float *shared, const rx_kept &kept, int row, int column,
              int channels)
{
    float *const means = shared, *const m2s = means + ROWS * WIDTH, *const counts = m2s + ROWS * WIDTH;
    means[row * WIDTH + column] = kept.mean;
    m2s[row * WIDTH + column] = kept.m2;
    counts[row * WIDTH + column] = kept.count;
    __syncthreads();
    for (int i = threadIdx.x; i < WIDTH; i += blockDim.x) {
        double count = 0.0, mean = 0.0, m2 = 0.0;
        for (int r = 0; r < ROWS; r++) {
            const double rows = (double)counts[r * WIDTH + i];
            if (rows == 0.0)
                continue;
            const double total = count + rows, apart = (double)means[r * WIDTH + i] - mean;
            m2 += (double)m2s[r * WIDTH + i] + apart * apart * count * rows / total;
            mean += apart * rows / total;
            count = total;
        }
        if (i < channels) {
            part[i] = count;
            part[pitch + i] = mean;
            part[2 * pitch + i] = m2;
        }
    }
    __syncthreads();
}

//@ part end_of_parts
#endif
