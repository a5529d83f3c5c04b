// The weight gradient of a convolution as a product of matrices: taps times pixels, pixels times
// outputs of a group. Each part has its own range of the pixels.
//@ doc block: TILE_P taps times TILE_W outputs; a thread has TILE_M taps, TILE_N vectors of outputs
//@ doc grid: parts, times groups * TAP_TILES * TILES
//@ consts
enum { H = 9, W = 8, C = 24 };                    // input map
enum { OH = 9, OW = 8, K = 40 };                  // output map
enum { G = 2 };                                   // groups
enum { CG = C / G, KG = K / G };                  // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };             // filter, stride, padding
enum { BLOCK = 16 };                              // outputs whose weights lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };       // of a group
enum { TAPS = R * S * CG };                       // of an output
enum { PART = G * BLOCKS * TAPS * BLOCK };        // floats of a part
enum { TILE_P = 64, TILE_W = 64 };                // taps and outputs of a block
enum { TILE_M = 4, TILE_N = 1 };                  // taps and vectors of outputs of a thread
enum { RX_LANES = 4 };                            // channels of a vector
enum { DEPTH = BLOCK };                           // pixels that are staged at once
enum { TAP_TILES = (TAPS + TILE_P - 1) / TILE_P };
enum { TILES = (BLOCKS * BLOCK + TILE_W - 1) / TILE_W };  // of a group's outputs
enum { COLUMNS = TILE_W / (TILE_N * RX_LANES) };  // threads of a row
enum { WIDTH = COLUMNS * RX_LANES };              // outputs of a vector of each
enum { THREADS = 256 };                           // of a block
enum { RESIDENT = TILE_M * TILE_N * RX_LANES > 32 || RX_LANES == 1 ? 1 : 2 };  // blocks at once
enum { A_PITCH = TILE_P + 4 };                    // floats from one pixel of the inputs to the next
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][9][8][24]
          const float *__restrict__ x1,  // [N][9][8][40]
          float *__restrict__ dw)        // [T][2][2][3][3][12][16]
          //@ end
{
    __shared__ __align__(16) float shared[DEPTH * (A_PITCH + TILE_W)];
    float *const a = shared;                     // [DEPTH][A_PITCH]
    float *const b = shared + DEPTH * A_PITCH;  // [DEPTH][TILE_W]
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int group = blockIdx.y / (TILES * TAP_TILES), k0 = blockIdx.y % TILES * TILE_W;
    const int m0 = blockIdx.y / TILES % TAP_TILES * TILE_P;
    const int pixels = n * (OH * OW), share = (pixels + n_parts - 1) / n_parts;
    const int last = min((int)(blockIdx.x + 1) * share, pixels);
    //@ rows
    //@ end

    rx_v acc[TILE_M][TILE_N] = {};
    for (int first = blockIdx.x * share; first < last; first += DEPTH) {
        // 1. Inputs; padding is zero, after the prologue.
        for (int i = threadIdx.x; i < DEPTH * (TILE_P / RX_LANES); i += THREADS) {
            const int p = i / (TILE_P / RX_LANES), m = i % (TILE_P / RX_LANES) * RX_LANES;
            const int pixel = first + p;
            //@ if pointwise
            const int inside = pixel < last && m0 + m < TAPS;
            const long long at = pixel;
            //@ else
            const int tap = (m0 + m) / CG;
            const int image = pixel / (OH * OW);
            const int ih = pixel / OW % OH * ST + tap / S - P, iw = pixel % OW * ST + tap % S - P;
            const int inside =
                pixel < last && m0 + m < TAPS && ih >= 0 && ih < H && iw >= 0 && iw < W;
            const long long at = ((long long)image * H + ih) * W + iw;
            //@ end
            rx_v value = rx_zero();
            if (inside) {
                const int channel = group * CG + (m0 + m) % CG;
                //@ prologue 0 pixel=at channel=channel into=x
                const rx_v x = rx_load(x0 + at * C + channel);
                //@ end
                value = x;
            }
            rx_store(a + p * A_PITCH + m, value);
        }
        // 2. Gradients of the outputs.
        for (int i = threadIdx.x; i < DEPTH * (TILE_W / RX_LANES); i += THREADS) {
            const int p = i / (TILE_W / RX_LANES), k = i % (TILE_W / RX_LANES) * RX_LANES;
            const long long out = first + p;
            rx_v value = rx_zero();
            if (out < last && k0 + k < KG) {
                const int channel = group * KG + k0 + k;
                //@ prologue 1 pixel=out channel=channel into=u
                const rx_v u = rx_load(x1 + out * K + channel);
                //@ end
                value = u;
            }
            rx_store(b + p * TILE_W + k, value);
        }
        __syncthreads();
        // 3. Their products.
#pragma unroll
        for (int p = 0; p < DEPTH; p++) {
            float x[TILE_M];
            rx_v y[TILE_N];
#pragma unroll
            for (int i = 0; i < TILE_M; i++)
                x[i] = a[p * A_PITCH + row * TILE_M + i];
#pragma unroll
            for (int v = 0; v < TILE_N; v++)
                y[v] = rx_load(b + p * TILE_W + v * WIDTH + column);
#pragma unroll
            for (int i = 0; i < TILE_M; i++)
#pragma unroll
                for (int v = 0; v < TILE_N; v++)
                    rx_axpy(acc[i][v], x[i], y[v]);
        }
        __syncthreads();
    }
    // 4. This part, with zeros for outputs that the group does not have.
    float *const to = dw + (long long)blockIdx.x * PART + group * (BLOCKS * TAPS * BLOCK);
#pragma unroll
    for (int i = 0; i < TILE_M; i++)
#pragma unroll
        for (int v = 0; v < TILE_N; v++) {
            const int m = m0 + row * TILE_M + i, k = k0 + v * WIDTH + column;
            if (m < TAPS && k < BLOCKS * BLOCK)
                rx_store(to + (k / BLOCK * TAPS + m) * BLOCK + k % BLOCK, acc[i][v]);
        }
}
