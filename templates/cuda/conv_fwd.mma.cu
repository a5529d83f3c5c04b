// A convolution as a product of matrices: pixels times taps, taps times outputs of a group.
// Both factors are rounded to bf16 and multiplied by tensor cores, sums are f32.
//@ doc block: TILE_P pixels times TILE_W channels, in warps of TILE_M * 16 pixels times TILE_N * 32
//@ doc grid: ceil(pixels / TILE_P), or parts, times groups * TILES
//@ consts
enum { H = 9, W = 8, C = 32 };                // input map
enum { OH = 9, OW = 8, K = 64 };              // output map
enum { G = 2 };                               // groups
enum { CG = C / G, KG = K / G };              // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };         // filter, stride, padding
enum { BLOCK = 16 };                          // outputs whose weights lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };   // of a group
enum { TAPS = R * S * CG };                   // of an output
enum { TILE_P = 128, TILE_W = 64 };           // pixels and channels of a block
enum { TILE_M = 2, TILE_N = 1 };              // of a warp: 16 pixels, 32 channels
enum { RX_LANES = 8 };                        // channels of a vector
enum { DEPTH = 2 * BLOCK };                   // taps that are staged at once
enum { CHUNKS = DEPTH / RX_LANES };           // vectors of them
enum { TILES = (KG + TILE_W - 1) / TILE_W };   // of a group's channels
enum { WARPS_N = TILE_W / (32 * TILE_N) };    // warps side by side
enum { WIDTH = 32 * WARPS_N };                // channels of a vector of each thread of a row
enum { ROWS = TILE_P / (16 * TILE_M) };       // warps above each other
enum { THREADS = 256 };                       // of a block
enum { WIDE = TILE_M * TILE_N > 2 || R * S > 1 };  // more than 128 registers, at most 168
enum { RESIDENT = (WIDE ? 384 : 512) / THREADS };  // blocks at once
enum { A_ITEMS = TILE_P * CHUNKS / THREADS }; // vectors of inputs that a thread stages
enum { B_ITEMS = TILE_W * CHUNKS / THREADS }; // vectors of weights
enum { MAPS0 = 1 };                           // that the prologue reads
enum { STAGE = (TILE_P + TILE_W) * DEPTH };   // bf16 elements of both factors
enum { SUMMED = 2 * 3 * ROWS * WIDTH };        // that the block's sums go through
//@ end

#include "tile_simt.cuh"  //@ tile

// Where a vector of taps lies: those of eight rows, and those of a row, are in different banks.
static __device__ __forceinline__ int
place(int row, int chunk)
{
    return row * DEPTH + (chunk ^ (row / 2 % CHUNKS)) * RX_LANES;
}

// The row of B that makes the output come out in order: of the four 16x8 products of 32 channels, a
// thread has two columns of each, which are to be eight neighbours.
static __device__ __forceinline__ int
row_of(int channel)
{
    return channel / 32 * 32 + channel % 8 / 2 * 8 + channel % 32 / 8 * 2 + channel % 2;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][9][8][32]
          const unsigned short *__restrict__ w,  // [2][32][3][3][16]
          unsigned short *__restrict__ y0)        // [N][9][8][64]
          //@ end
{
    //@ if stats
    __shared__ __align__(16) unsigned short staged[2 * STAGE > SUMMED ? 2 * STAGE : SUMMED];
    float *const shared = (float *)staged;  // [3][ROWS][WIDTH]
    //@ else
    __shared__ __align__(16) unsigned short staged[2 * STAGE];
    //@ end
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_row = warp / WARPS_N * (16 * TILE_M), warp_n = warp % WARPS_N;
    const int own_column = warp_n * 32 + lane % 4 * RX_LANES;
    const int group = blockIdx.y / TILES, k0 = blockIdx.y % TILES * TILE_W;
    const int pixels = n * (OH * OW);
    //@ rows
    //@ end
    //@ epilogue_kept vectors=TILE_N
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P) {
        float acc[TILE_M][TILE_N][4][4] = {};
        // One stage is loaded while the one before it is multiplied.
        for (int d0 = 0; d0 < TAPS + DEPTH; d0 += DEPTH) {
            unsigned short *const a_to = staged + d0 / DEPTH % 2 * STAGE;
            uint4 raw[A_ITEMS][MAPS0];
            long long at[A_ITEMS];
            unsigned inside = 0;
            // 1. Inputs of this block's pixels, as they are.
            const int d = d0 + threadIdx.x % CHUNKS * RX_LANES, channel = group * CG + d % CG;
            const int tap = d / CG;  //@ when not pointwise
#pragma unroll
            for (int j = 0; j < A_ITEMS; j++) {
                const int pixel = first + (threadIdx.x + j * THREADS) / CHUNKS;
                //@ if pointwise
                const int in = pixel < pixels && d < TAPS;
                at[j] = pixel;
                //@ else
                const int image = pixel / (OH * OW);
                const int ih = pixel / OW % OH * ST + tap / S - P;
                const int iw = pixel % OW * ST + tap % S - P;
                const int in =
                    pixel < pixels && d < TAPS && ih >= 0 && ih < H && iw >= 0 && iw < W;
                at[j] = ((long long)image * H + ih) * W + iw;
                //@ end
                if (in) {
                    inside |= 1u << j;
                    //@ fetch 0 pixel=at[j] channel=channel into=raw[j]
                    raw[j][0] = rx_load16(x0 + at[j] * C + channel);
                    //@ end
                }
            }
            // 2. Their weights.
            if (d0 < TAPS)
#pragma unroll
                for (int j = 0; j < B_ITEMS; j++) {
                    const int i = threadIdx.x + j * THREADS, k = k0 + i / CHUNKS;
                    const int taken = k < BLOCKS * BLOCK && d < TAPS;
                    rx_cp_async16(a_to + TILE_P * DEPTH + place(row_of(i / CHUNKS), i % CHUNKS),
                                  w + (taken ? (group * BLOCKS * BLOCK + k) * TAPS + d : 0),
                                  taken ? RX_LANES * 2 : 0);
                }
            rx_cp_commit();
            // 3. Products of the stage before.
            if (d0 > 0) {
                const unsigned short *const a = staged + (d0 / DEPTH - 1) % 2 * STAGE;
                const unsigned short *const b = a + TILE_P * DEPTH;
#pragma unroll
                for (int s = 0; s < DEPTH / 16; s++) {
                    rx_fragment x[TILE_M];
#pragma unroll
                    for (int m = 0; m < TILE_M; m++)
                        x[m] = rx_ldmatrix_x4(
                            a + place(first_row + m * 16 + lane % 16, s * 2 + lane / 16));
#pragma unroll
                    for (int v = 0; v < TILE_N; v++)
#pragma unroll
                        for (int t = 0; t < 4; t += 2) {
                            const int from = v * WIDTH + warp_n * 32 + t * 8;
                            const rx_fragment y =
                                rx_ldmatrix_x4(b + place(from + lane / 16 * 8 + lane % 8,
                                                         s * 2 + lane / 8 % 2));
#pragma unroll
                            for (int m = 0; m < TILE_M; m++) {
                                rx_mma_bf16(acc[m][v][t], x[m], y.v[0], y.v[1]);
                                rx_mma_bf16(acc[m][v][t + 1], x[m], y.v[2], y.v[3]);
                            }
                        }
                }
            }
            // 4. The inputs go to the other half; padding is zero, after the prologue.
            if (d0 < TAPS) {
                //@ prologue_begin 0 channel=channel
                //@ end
#pragma unroll
                for (int j = 0; j < A_ITEMS; j++) {
                    uint4 item = {0, 0, 0, 0};
                    if (inside >> j & 1) {
                        //@ prologue 0 pixel=at[j] channel=channel held=1 raw=raw[j] once=(blockIdx.y % TILES == 0) into=x
                        const rx_v x = rx_widen8(raw[j][0]);
                        //@ end
                        item = rx_pack8(x);
                    }
                    const int i = threadIdx.x + j * THREADS;
                    rx_store16(a_to + place(i / CHUNKS, i % CHUNKS), item);
                }
            }
            rx_cp_wait<0>();
            __syncthreads();
        }
        // 5. Epilogue.
#pragma unroll
        for (int v = 0; v < TILE_N; v++) {
            const int k = k0 + v * WIDTH + own_column, channel = group * KG + (k < KG ? k : 0);
            //@ epilogue_begin channel=channel
            //@ end
#pragma unroll
            for (int i = 0; i < 2 * TILE_M; i++) {
                const long long out = first + first_row + i * 8 + lane / 4;
                if (out >= pixels || k >= KG)
                    continue;
                rx_v sum;
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
                    sum.v[l] = acc[i / 2][v][l / 2][i % 2 * 2 + l % 2];
                //@ epilogue pixel=out channel=channel acc=sum
                rx_store_bf16(y0 + out * K + channel, sum);
                //@ end
            }
            //@ epilogue_fold vector=v
            //@ end
        }
    }
    //@ if stats
    // 6. The block's sums: a lane has one channel of each vector.
    const int row = warp / WARPS_N, column = own_column + lane / 4;
#pragma unroll
    for (int v = 0; v < TILE_N; v++) {
        const int k = k0 + v * WIDTH, channel = group * KG + k;
        //@ epilogue_end channel=channel vector=v kept=1 lanes=(KG - k)
        //@ end
    }
    //@ end
}
