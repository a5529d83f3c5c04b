// The weight gradient of a convolution with narrow groups. A block has one tap of TILE_W outputs and
// its part of the pixels; a thread has every ROWS-th of these pixels.
//@ doc block: ROWS rows of threads, each of TILE_W outputs
//@ doc grid: parts, times R * S * ceil(K_PITCH / TILE_W)
//@ consts
enum { H = 6, W = 5, C = 32 };           // input map
enum { OH = 6, OW = 5, K = 32 };         // output map
enum { G = 8 };                          // groups
enum { CG = C / G, KG = K / G };         // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };    // filter, stride, padding
enum { BLOCK = 16 };                     // channels that lie together
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
enum { PART = R * S * CG * K_PITCH };    // floats of a part
enum { TILE_W = 32 };                    // outputs of a block
enum { TILES = (K_PITCH + TILE_W - 1) / TILE_W };  // of all outputs
enum { THREADS = 256 };                  // of a block
enum { RX_LANES = 4 };                   // outputs of a thread
enum { COLUMNS = TILE_W / RX_LANES };    // threads of a row
enum { ROWS = THREADS / COLUMNS };       // rows of threads
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][6][5][32]
          const float *__restrict__ x1,  // [N][6][5][32]
          float *__restrict__ dw)        // [T][3][3][4][32]
          //@ end
{
    __shared__ __align__(16) float shared[ROWS * TILE_W];
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int tap = blockIdx.y / TILES, r = tap / S, s = tap % S;
    const int k = blockIdx.y % TILES * TILE_W + column, group = k / KG;
    const int pixels = n * (OH * OW), share = (pixels + n_parts - 1) / n_parts;
    const int last = min((int)(blockIdx.x + 1) * share, pixels);
    //@ rows
    //@ end

    // 1. Products with the inputs of the group.
    rx_v acc[CG] = {};
    for (int pixel = blockIdx.x * share + row; pixel < last && k < K; pixel += ROWS) {
        const int image = pixel / (OH * OW);
        const int ih = pixel / OW % OH * ST + r - P, iw = pixel % OW * ST + s - P;
        if (ih < 0 || ih >= H || iw < 0 || iw >= W)
            continue;
        const long long at = ((long long)image * H + ih) * W + iw, out = pixel;
        //@ prologue 1 pixel=out channel=k into=u
        const rx_v u = rx_load(x1 + out * K + k);
        //@ end
#pragma unroll
        for (int i = 0; i < CG; i += RX_LANES) {
            const int channel = group * CG + i;
            //@ prologue 0 pixel=at channel=channel into=x
            const rx_v x = rx_load(x0 + at * C + channel);
            //@ end
#pragma unroll
            for (int l = 0; l < RX_LANES; l++)
                rx_axpy(acc[i + l], x.v[l], u);
        }
    }
    // 2. The rows of threads add up, in their order.
    float *const to = dw + (long long)blockIdx.x * PART + (long long)tap * (CG * K_PITCH);
#pragma unroll
    for (int i = 0; i < CG; i++) {
        rx_store(shared + row * TILE_W + column, acc[i]);
        __syncthreads();
        for (int j = threadIdx.x; j < TILE_W; j += THREADS) {
            const int channel = blockIdx.y % TILES * TILE_W + j;
            float sum = 0.0f;
            for (int other = 0; other < ROWS; other++)
                sum += shared[other * TILE_W + j];
            if (channel < K_PITCH)
                to[i * K_PITCH + channel] = sum;
        }
        __syncthreads();
    }
}
