// A convolution as a product of matrices: pixels times taps, taps times outputs of a group.
//@ doc block: TILE_P pixels times TILE_W channels; a thread has TILE_M pixels, TILE_N vectors
//@ doc grid: ceil(pixels / TILE_P), or parts, times groups * TILES
//@ consts
enum { H = 9, W = 8, C = 24 };                    // input map
enum { OH = 9, OW = 8, K = 40 };                  // output map
enum { G = 2 };                                   // groups
enum { CG = C / G, KG = K / G };                  // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };             // filter, stride, padding
enum { BLOCK = 16 };                              // outputs whose weights lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };       // of a group
enum { TAPS = R * S * CG };                       // of an output
enum { TILE_P = 64, TILE_W = 64 };                // pixels and channels of a block
enum { TILE_M = 4, TILE_N = 1 };                  // pixels and vectors of channels of a thread
enum { RX_LANES = 4 };                            // channels of a vector
enum { DEPTH = BLOCK };                           // taps that are staged at once
enum { TILES = (KG + TILE_W - 1) / TILE_W };       // of a group's channels
enum { COLUMNS = TILE_W / (TILE_N * RX_LANES) };  // threads of a row
enum { WIDTH = COLUMNS * RX_LANES };              // channels of a vector of each
enum { ROWS = TILE_P / TILE_M };                  // rows of threads
enum { THREADS = 256 };                           // of a block
enum { RESIDENT = TILE_M * TILE_N * RX_LANES > 32 || RX_LANES == 1 ? 1 : 2 };  // blocks at once
enum { A_PITCH = TILE_P + 4 };                    // floats from one tap of the inputs to the next
enum { STAGED = DEPTH * (A_PITCH + TILE_W) };     // floats of both factors
enum { SUMMED = ROWS * (2 * WIDTH + 1) };         // floats that the block's sums go through
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][9][8][24]
          const float *__restrict__ w,   // [2][2][3][3][12][16]
          float *__restrict__ y0)        // [N][9][8][40]
          //@ end
{
    //@ if stats
    __shared__ __align__(16) float shared[STAGED > SUMMED ? STAGED : SUMMED];
    //@ else
    __shared__ __align__(16) float shared[STAGED];
    //@ end
    float *const a = shared;                     // [DEPTH][A_PITCH]
    float *const b = shared + DEPTH * A_PITCH;  // [DEPTH][TILE_W]
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int group = blockIdx.y / TILES, k0 = blockIdx.y % TILES * TILE_W;
    const int pixels = n * (OH * OW);
    //@ rows
    //@ end
    //@ epilogue_sums vectors=TILE_N
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P) {
        rx_v acc[TILE_M][TILE_N] = {};
        for (int d0 = 0; d0 < TAPS; d0 += DEPTH) {
            // 1. Inputs of this block's pixels, transposed; padding is zero, after the prologue.
            for (int i = threadIdx.x; i < TILE_P * (DEPTH / RX_LANES); i += THREADS) {
                const int m = i / (DEPTH / RX_LANES), d = i % (DEPTH / RX_LANES) * RX_LANES;
                const int pixel = first + m;
                //@ if pointwise
                const int inside = pixel < pixels && d0 + d < TAPS;
                const long long at = pixel;
                //@ else
                const int tap = (d0 + d) / CG;
                const int image = pixel / (OH * OW);
                const int ih = pixel / OW % OH * ST + tap / S - P, iw = pixel % OW * ST + tap % S - P;
                const int inside = pixel < pixels && d0 + d < TAPS && ih >= 0 && ih < H && iw >= 0 &&
                                   iw < W;
                const long long at = ((long long)image * H + ih) * W + iw;
                //@ end
                rx_v value = rx_zero();
                if (inside) {
                    const int channel = group * CG + (d0 + d) % CG;
                    //@ prologue 0 pixel=at channel=channel once=(blockIdx.y % TILES == 0) into=x
                    const rx_v x = rx_load(x0 + at * C + channel);
                    //@ end
                    value = x;
                }
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
                    a[(d + l) * A_PITCH + m] = value.v[l];
            }
            // 2. Their weights, in blocks of BLOCK outputs.
            for (int i = threadIdx.x; i < DEPTH * (TILE_W / 4); i += THREADS) {
                const int d = i / (TILE_W / 4), k = i % (TILE_W / 4) * 4, block = (k0 + k) / BLOCK;
                uint4 four = {0, 0, 0, 0};
                if (d0 + d < TAPS && block < BLOCKS)
                    four = rx_load16(w + ((group * BLOCKS + block) * TAPS + d0 + d) * BLOCK +
                                     (k0 + k) % BLOCK);
                rx_store16(b + d * TILE_W + k, four);
            }
            __syncthreads();
            // 3. Their products.
#pragma unroll
            for (int d = 0; d < DEPTH; d++) {
                float x[TILE_M];
                rx_v y[TILE_N];
#pragma unroll
                for (int i = 0; i < TILE_M; i++)
                    x[i] = a[d * A_PITCH + row * TILE_M + i];
#pragma unroll
                for (int v = 0; v < TILE_N; v++)
                    y[v] = rx_load(b + d * TILE_W + v * WIDTH + column);
#pragma unroll
                for (int i = 0; i < TILE_M; i++)
#pragma unroll
                    for (int v = 0; v < TILE_N; v++)
                        rx_axpy(acc[i][v], x[i], y[v]);
            }
            __syncthreads();
        }
        // 4. Epilogue.
#pragma unroll
        for (int i = 0; i < TILE_M; i++) {
            const long long out = first + row * TILE_M + i;
            if (out >= pixels)
                continue;
#pragma unroll
            for (int v = 0; v < TILE_N; v++) {
                const int k = k0 + v * WIDTH + column, channel = group * KG + k;
                if (k >= KG)
                    continue;
                //@ epilogue pixel=out channel=channel vector=v acc=acc[i][v]
                rx_store(y0 + out * K + channel, acc[i][v]);
                //@ end
            }
        }
    }
    //@ if stats
    // 5. The block's sums.
#pragma unroll
    for (int v = 0; v < TILE_N; v++) {
        const int k = k0 + v * WIDTH, channel = group * KG + k;
        //@ epilogue_end channel=channel vector=v lanes=(KG - k)
        //@ end
    }
    //@ end
}
