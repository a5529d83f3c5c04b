// The weight gradient of a convolution as a product of matrices: taps times pixels, pixels times
// outputs of a group. Each part has its own range of the pixels.
// Both factors are rounded to bf16 and multiplied by tensor cores, sums are f32.
//@ doc block: TILE_P taps times TILE_W outputs, in warps of TILE_M * 16 taps times TILE_N * 32
//@ doc grid: parts, times groups * TAP_TILES * TILES
//@ consts
enum { H = 9, W = 8, C = 32 };                // input map
enum { OH = 9, OW = 8, K = 64 };              // output map
enum { G = 2 };                               // groups
enum { CG = C / G, KG = K / G };              // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };         // filter, stride, padding
enum { BLOCK = 16 };                          // outputs whose weights lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };   // of a group
enum { TAPS = R * S * CG };                   // of an output
enum { PART = G * BLOCKS * TAPS * BLOCK };    // floats of a part
enum { TILE_P = 64, TILE_W = 64 };            // taps and outputs of a block
enum { TILE_M = 2, TILE_N = 1 };              // of a warp: 16 taps, 32 outputs
enum { RX_LANES = 8 };                        // channels of a vector
enum { DEPTH = 2 * BLOCK };                   // pixels that are staged at once
enum { TAP_TILES = (TAPS + TILE_P - 1) / TILE_P };
enum { TILES = (BLOCKS * BLOCK + TILE_W - 1) / TILE_W };  // of a group's outputs
enum { WARPS_N = TILE_W / (32 * TILE_N) };    // warps side by side
enum { THREADS = 128 };                       // of a block
enum { MAPS0 = 1, MAPS1 = 1 };                 // that the prologues read
enum { WIDE = TILE_M * TILE_N > 2 || R * S > 1 };  // more than 128 registers
enum { RESIDENT = (WIDE ? 256 : 512) / THREADS };  // blocks at once
enum { A_CHUNKS = TILE_P / RX_LANES, B_CHUNKS = TILE_W / RX_LANES };  // vectors of a pixel
enum { A_ITEMS = DEPTH * A_CHUNKS / THREADS, B_ITEMS = DEPTH * B_CHUNKS / THREADS };  // of a thread
enum { STAGE = (TILE_P + TILE_W) * DEPTH };   // bf16 elements of both factors
//@ end

#include "tile_simt.cuh"  //@ tile

// Where a vector of a pixel lies: those of eight pixels are in different banks.
template <int CHANNELS>
static __device__ __forceinline__ int
place(int pixel, int chunk)
{
    constexpr int chunks = CHANNELS / RX_LANES < 8 ? CHANNELS / RX_LANES : 8;
    return pixel * CHANNELS + (chunk ^ pixel % chunks) * RX_LANES;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][9][8][32]
          const unsigned short *__restrict__ x1,  // [N][9][8][64]
          float *__restrict__ dw)                 // [T][2][2][3][3][16][16]
          //@ end
{
    __shared__ __align__(16) unsigned short staged[2 * STAGE];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_tap = warp / WARPS_N * (16 * TILE_M), first_k = warp % WARPS_N * (32 * TILE_N);
    const int group = blockIdx.y / (TILES * TAP_TILES), k0 = blockIdx.y % TILES * TILE_W;
    const int m0 = blockIdx.y / TILES % TAP_TILES * TILE_P;
    const int pixels = n * (OH * OW), share = (pixels + n_parts - 1) / n_parts;
    const int begin = blockIdx.x * share, last = min(begin + share, pixels);
    //@ rows
    //@ end

    float acc[TILE_M][TILE_N][4][4] = {};
    // One stage is loaded while the one before it is multiplied.
    for (int first = begin; first < last + DEPTH; first += DEPTH) {
        const int stage = (first - begin) / DEPTH;
        uint4 a_raw[A_ITEMS][MAPS0], b_raw[B_ITEMS][MAPS1];
        long long at[A_ITEMS];
        unsigned a_inside = 0, b_inside = 0;
        // 1. Inputs as they are.
        const int m = m0 + threadIdx.x % A_CHUNKS * RX_LANES, channel = group * CG + m % CG;
        const int tap = m / CG;  //@ when not pointwise
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++) {
            const int pixel = first + (threadIdx.x + j * THREADS) / A_CHUNKS;
            //@ if pointwise
            const int in = pixel < last && m < TAPS;
            at[j] = pixel;
            //@ else
            const int image = pixel / (OH * OW);
            const int ih = pixel / OW % OH * ST + tap / S - P, iw = pixel % OW * ST + tap % S - P;
            const int in = pixel < last && m < TAPS && ih >= 0 && ih < H && iw >= 0 && iw < W;
            at[j] = ((long long)image * H + ih) * W + iw;
            //@ end
            if (in) {
                a_inside |= 1u << j;
                //@ fetch 0 pixel=at[j] channel=channel into=a_raw[j]
                a_raw[j][0] = rx_load16(x0 + at[j] * C + channel);
                //@ end
            }
        }
        // 2. Gradients of the outputs.
        const int k = k0 + threadIdx.x % B_CHUNKS * RX_LANES;
        const int output = group * KG + (k < KG ? k : 0);
#pragma unroll
        for (int j = 0; j < B_ITEMS; j++) {
            const long long out = first + (threadIdx.x + j * THREADS) / B_CHUNKS;
            if (out < last && k < KG) {
                b_inside |= 1u << j;
                //@ fetch 1 pixel=out channel=output into=b_raw[j]
                b_raw[j][0] = rx_load16(x1 + out * K + output);
                //@ end
            }
        }
        // 3. Products of the stage before.
        if (stage > 0) {
            const unsigned short *const a = staged + (stage - 1) % 2 * STAGE;
            const unsigned short *const b = a + TILE_P * DEPTH;
#pragma unroll
            for (int s = 0; s < DEPTH; s += 16) {
                rx_fragment x[TILE_M];
#pragma unroll
                for (int m = 0; m < TILE_M; m++)
                    x[m] = rx_ldmatrix_x4_trans(
                        a + place<TILE_P>(s + lane / 16 * 8 + lane % 8,
                                          first_tap / 8 + m * 2 + lane / 8 % 2));
#pragma unroll
                for (int v = 0; v < TILE_N; v++)
#pragma unroll
                    for (int t = 0; t < 4; t += 2) {
                        const rx_fragment y = rx_ldmatrix_x4_trans(
                            b + place<TILE_W>(s + lane % 16,
                                              first_k / 8 + v * 4 + t + lane / 16));
#pragma unroll
                        for (int m = 0; m < TILE_M; m++) {
                            rx_mma_bf16(acc[m][v][t], x[m], y.v[0], y.v[1]);
                            rx_mma_bf16(acc[m][v][t + 1], x[m], y.v[2], y.v[3]);
                        }
                    }
            }
        }
        // 4. Both go to the other half; padding is zero, after the prologue.
        if (first < last) {
            unsigned short *const a = staged + stage % 2 * STAGE;
            unsigned short *const b = a + TILE_P * DEPTH;
            //@ prologue_begin 0 channel=channel
            //@ end
#pragma unroll
            for (int j = 0; j < A_ITEMS; j++) {
                uint4 item = {0, 0, 0, 0};
                if (a_inside >> j & 1) {
                    //@ prologue 0 pixel=at[j] channel=channel held=1 raw=a_raw[j] into=x
                    const rx_v x = rx_widen8(a_raw[j][0]);
                    //@ end
                    item = rx_pack8(x);
                }
                const int i = threadIdx.x + j * THREADS;
                rx_store16(a + place<TILE_P>(i / A_CHUNKS, i % A_CHUNKS), item);
            }
            //@ prologue_begin 1 channel=output
            //@ end
#pragma unroll
            for (int j = 0; j < B_ITEMS; j++) {
                uint4 item = {0, 0, 0, 0};
                const int i = threadIdx.x + j * THREADS;
                if (b_inside >> j & 1) {
                    //@ prologue 1 pixel=(first + i / B_CHUNKS) channel=output held=1 raw=b_raw[j] into=u
                    const rx_v u = rx_widen8(b_raw[j][0]);
                    //@ end
                    item = rx_pack8(u);
                }
                rx_store16(b + place<TILE_W>(i / B_CHUNKS, i % B_CHUNKS), item);
            }
        }
        __syncthreads();
    }
    // 5. This part, with zeros for outputs that the group does not have.
    float *const to = dw + (long long)blockIdx.x * PART + group * (BLOCKS * TAPS * BLOCK);
#pragma unroll
    for (int i = 0; i < 2 * TILE_M; i++)
#pragma unroll
        for (int v = 0; v < TILE_N; v++)
#pragma unroll
            for (int t = 0; t < 4; t++) {
                const int m = m0 + first_tap + i * 8 + lane / 4;
                const int k = k0 + first_k + v * 32 + t * 8 + lane % 4 * 2;
                if (m >= TAPS || k >= BLOCKS * BLOCK)
                    continue;
                rx_store8(to + (k / BLOCK * TAPS + m) * BLOCK + k % BLOCK,
                          {__float_as_uint(acc[i / 2][v][t][i % 2 * 2]),
                           __float_as_uint(acc[i / 2][v][t][i % 2 * 2 + 1])});
            }
}
