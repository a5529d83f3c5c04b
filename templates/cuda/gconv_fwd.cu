// Convolution with narrow groups: a thread has some outputs of one group, which all need the same
// inputs.
//@ doc block: ROWS rows of threads, each row a pixel of TILE_W channels
//@ doc grid: ceil(pixels / TILE_P), or parts, times ceil(channels / TILE_W)
//@ consts
enum { H = 6, W = 5, C = 32 };           // input map
enum { OH = 6, OW = 5, K = 32 };         // output map
enum { G = 8 };                          // groups
enum { CG = C / G, KG = K / G };         // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };    // filter, stride, padding
enum { BLOCK = 16 };                     // channels that lie together
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
enum { TILE_P = 64 };                    // pixels that a block takes at once
enum { TILE_W = 32 };                    // channels of a block
enum { THREADS = 256 };                  // of a block
enum { RX_LANES = 4 };                   // channels of a thread
enum { WIDTH = TILE_W };                 // channels of a row of threads
enum { COLUMNS = TILE_W / RX_LANES };    // threads of a row
enum { ROWS = THREADS / COLUMNS };       // rows of threads
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][6][5][32]
          const float *__restrict__ w,   // [3][3][4][32]
          float *__restrict__ y0)        // [N][6][5][32]
          //@ end
{
    __shared__ __align__(16) float shared[ROWS * (2 * WIDTH + 1)];  //@ when stats
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int first_channel = blockIdx.y * TILE_W, c = first_channel + column;
    const int pixels = n * (OH * OW);
    //@ rows
    //@ end
    const int held = c < K ? c : 0;  // whose coefficients a thread has  //@ when coefs
    //@ epilogue_begin channel=held
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P)
        for (int i = row; i < TILE_P && first + i < pixels && c < K; i += ROWS) {
            const int pixel = first + i;
            const long long out = pixel;
            const int image = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
            const int group = c / KG;
            // 1. The taps inside the map; padding is zero, after the prologue.
            rx_v acc = rx_zero();
            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++) {
                    const int ih = oh * ST + r - P, iw = ow * ST + s - P;
                    if (ih < 0 || ih >= H || iw < 0 || iw >= W)
                        continue;
                    const long long in = ((long long)image * H + ih) * W + iw;
            #pragma unroll
                    for (int i = 0; i < CG; i += RX_LANES) {
                        const int channel = group * CG + i;
                        //@ prologue 0 pixel=in channel=channel into=x
                        const rx_v x = rx_load(x0 + in * C + channel);
                        //@ end
                        const float *const from = w + ((r * S + s) * CG + i) * K_PITCH + c;
            #pragma unroll
                        for (int l = 0; l < RX_LANES; l++)
                            rx_axpy(acc, x.v[l], rx_load(from + l * K_PITCH));
                    }
                }
            // 2. Epilogue.
            //@ epilogue pixel=out channel=c acc=acc
            rx_store(y0 + out * K + c, acc);
            //@ end
        }
    //@ if stats
    //@ epilogue_end channel=first_channel lanes=(K - first_channel)
    //@ end
    //@ end
}
