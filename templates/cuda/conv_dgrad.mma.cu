// The data gradient of a convolution as a product of matrices: pixels of the input times taps, taps
// times inputs of a group.
// Both factors are rounded to bf16 and multiplied by tensor cores, sums are f32.
//@ doc block: TILE_P pixels times TILE_W channels, in warps of TILE_M * 16 pixels times TILE_N * 32
//@ doc grid: ceil(pixels / TILE_P), or parts, times groups * TILES
//@ consts
enum { H = 9, W = 8, C = 32 };                // input map
enum { OH = 9, OW = 8, K = 64 };              // output map
enum { G = 2 };                               // groups
enum { CG = C / G, KG = K / G };              // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };         // filter, stride, padding
enum { BLOCK = 16 };                          // inputs whose weights lie together
enum { BLOCKS = (CG + BLOCK - 1) / BLOCK };   // of a group
enum { TAPS = R * S * KG };                   // of an input
enum { TILE_P = 128, TILE_W = 64 };           // pixels and channels of a block
enum { TILE_M = 2, TILE_N = 1 };              // of a warp: 16 pixels, 32 channels
enum { RX_LANES = 8 };                        // channels of a vector
enum { DEPTH = 2 * BLOCK };                   // taps that are staged at once
enum { CHUNKS = DEPTH / RX_LANES };           // vectors of them
enum { TILES = (CG + TILE_W - 1) / TILE_W };   // of a group's channels
enum { WARPS_N = TILE_W / (32 * TILE_N) };    // warps side by side
enum { WIDTH = 32 * WARPS_N };                // channels of a vector of each thread of a row
enum { ROWS = TILE_P / (2 * TILE_M) };        // rows of threads: 8 of a warp
enum { THREADS = 256 };                       // of a block
enum { KEEP = 0 };                            // 1: statistics take registers too
enum { WIDE = TILE_M * TILE_N > 2 || KEEP || R * S > 1 };  // more than 128 registers
enum { RESIDENT = (WIDE ? 256 : 512) / THREADS };  // blocks at once
enum { A_ITEMS = TILE_P * CHUNKS / THREADS }; // vectors of inputs that a thread stages
enum { B_ITEMS = TILE_W / 4 * (DEPTH / 2) / THREADS };  // pairs of four weights
enum { STAGE = (TILE_P + TILE_W) * DEPTH };   // bf16 elements of both factors
enum { SUMMED = 2 * ROWS * (2 * WIDTH + 1) }; // that the block's sums go through
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
          const float *__restrict__ w,            // [2][2][3][3][16][16]
          unsigned short *__restrict__ y0)        // [N][9][8][64]
          //@ end
{
    //@ if stats
    __shared__ __align__(16) unsigned short staged[2 * STAGE > SUMMED ? 2 * STAGE : SUMMED];
    float *const shared = (float *)staged;  // [ROWS][2 * WIDTH + 1]
    //@ else
    __shared__ __align__(16) unsigned short staged[2 * STAGE];
    //@ end
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_row = warp / WARPS_N * (16 * TILE_M), warp_n = warp % WARPS_N;
    //@ if stats
    const int row = warp / WARPS_N * 8 + lane / 4;
    //@ end
    const int column = warp_n * 32 + lane % 4 * RX_LANES;
    const int group = blockIdx.y / TILES, k0 = blockIdx.y % TILES * TILE_W;
    const int pixels = n * (H * W);
    //@ rows
    //@ end
    //@ epilogue_sums vectors=TILE_N
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P) {
        float acc[TILE_M][TILE_N][4][4] = {};
        // One stage is loaded while the one before it is multiplied.
        for (int d0 = 0; d0 < TAPS + DEPTH; d0 += DEPTH) {
            uint4 a_next[A_ITEMS];
            unsigned b_next[B_ITEMS][4];
            // 1. Inputs of this block's pixels; padding is zero, after the prologue.
            const int d = d0 + threadIdx.x % CHUNKS * RX_LANES, channel = group * KG + d % KG;
            const int tap = d / KG;  //@ when not pointwise
            //@ prologue_begin 0 channel=channel
            //@ end
#pragma unroll
            for (int j = 0; j < A_ITEMS; j++) {
                const int pixel = first + (threadIdx.x + j * THREADS) / CHUNKS;
                //@ if pointwise
                const int inside = pixel < pixels && d < TAPS;
                const long long at = pixel;
                //@ else
                const int image = pixel / (H * W);
                const int down = pixel / W % H + P - tap / S, right = pixel % W + P - tap % S;
                const int oh = down / ST, ow = right / ST;
                const int inside = pixel < pixels && d < TAPS && down >= 0 && right >= 0 &&
                                   down % ST == 0 && right % ST == 0 && oh < OH && ow < OW;
                const long long at = ((long long)image * OH + oh) * OW + ow;
                //@ end
                a_next[j] = {0, 0, 0, 0};
                if (inside) {
                    //@ prologue 0 pixel=at channel=channel held=1 once=(blockIdx.y % TILES == 0) into=x
                    const rx_v x = rx_load_bf16(x0 + at * K + channel);
                    //@ end
                    a_next[j] = rx_pack8(x);
                }
            }
            // 2. Their weights: two taps of four channels.
#pragma unroll
            for (int j = 0; j < B_ITEMS; j++) {
                const int i = threadIdx.x + j * THREADS, first_tap = d0 + i % (DEPTH / 2) * 2;
                const int k = k0 + i / (DEPTH / 2) * 4;
#pragma unroll
                for (int l = 0; l < 4; l++)
                    b_next[j][l] = 0;
                if (first_tap < TAPS && k < BLOCKS * BLOCK) {
                    const float *const from =
                        w + ((group * BLOCKS + k / BLOCK) * TAPS + first_tap) * BLOCK + k % BLOCK;
                    const uint4 low = rx_load16(from), high = rx_load16(from + BLOCK);
                    b_next[j][0] = rx_pack_bf16(__uint_as_float(low.x), __uint_as_float(high.x));
                    b_next[j][1] = rx_pack_bf16(__uint_as_float(low.y), __uint_as_float(high.y));
                    b_next[j][2] = rx_pack_bf16(__uint_as_float(low.z), __uint_as_float(high.z));
                    b_next[j][3] = rx_pack_bf16(__uint_as_float(low.w), __uint_as_float(high.w));
                }
            }
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
            // 4. What was loaded goes to the other half.
            if (d0 < TAPS) {
                unsigned short *const a = staged + d0 / DEPTH % 2 * STAGE;
                unsigned short *const b = a + TILE_P * DEPTH;
#pragma unroll
                for (int j = 0; j < A_ITEMS; j++) {
                    const int i = threadIdx.x + j * THREADS;
                    rx_store16(a + place(i / CHUNKS, i % CHUNKS), a_next[j]);
                }
#pragma unroll
                for (int j = 0; j < B_ITEMS; j++) {
                    const int i = threadIdx.x + j * THREADS, pair = i % (DEPTH / 2);
                    const int k = i / (DEPTH / 2) * 4, odd = i / (DEPTH / 2) % 2;
                    // Half a warp begins with the even outputs, the other with the odd ones: rows
                    // of the same parity are in the same banks.
#pragma unroll
                    for (int l = 0; l < 4; l++) {
                        unsigned short *const to = b + place(row_of(k + (l ^ odd)), pair / 4);
                        *(unsigned *)(to + pair % 4 * 2) = odd ? b_next[j][l ^ 1] : b_next[j][l];
                    }
                }
            }
            __syncthreads();
        }
        // 5. Epilogue.
#pragma unroll
        for (int i = 0; i < 2 * TILE_M; i++) {
            const long long out = first + first_row + i * 8 + lane / 4;
            if (out >= pixels)
                continue;
#pragma unroll
            for (int v = 0; v < TILE_N; v++) {
                const int k = k0 + v * WIDTH + column, channel = group * CG + k;
                if (k >= CG)
                    continue;
                rx_v sum;
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
                    sum.v[l] = acc[i / 2][v][l / 2][i % 2 * 2 + l % 2];
                //@ epilogue pixel=out channel=channel vector=v acc=sum
                rx_store_bf16(y0 + out * C + channel, sum);
                //@ end
            }
        }
    }
    //@ if stats
    // 6. The block's sums.
#pragma unroll
    for (int v = 0; v < TILE_N; v++) {
        const int k = k0 + v * WIDTH, channel = group * CG + k;
        //@ epilogue_end channel=channel vector=v lanes=(CG - k)
        //@ end
    }
    //@ end
}
