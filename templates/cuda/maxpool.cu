// Maximum pooling; taps outside the map are skipped, the first of equal ones wins.
//@ doc block: ROWS rows of threads, each row a pixel of TILE_W channels
//@ doc grid: ceil(pixels / TILE_P), or parts, times ceil(channels / TILE_W)
//@ consts
enum { H = 9, W = 7, C = 8 };            // input map
enum { OH = 5, OW = 4 };                 // output map
enum { K = C };                          // channels of both
enum { R = 3, S = 3, ST = 2, P = 1 };    // window, stride, padding
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
          const float *__restrict__ x0,           // [N][9][7][8]
          unsigned char *__restrict__ winner,     // [N][5][4][8]
          float *__restrict__ y0)                 // [N][5][4][8]
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
        for (int p = row; p < TILE_P && first + p < pixels && c < K; p += ROWS) {
            const int pixel = first + p;
            const long long out = pixel;
            const int image = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
            // 1. The best of the window, which starts below everything. All taps are loaded at
            // once; for those beside the map its first one is.
            rx_v best = rx_set1(__uint_as_float(0xff800000u));
            int won[RX_LANES] = {};  //@ when index
#pragma unroll
            for (int i = 0; i < R * S; i++) {
                const int h = oh * ST + i / S - P, w = ow * ST + i % S - P;
                const int inside = h >= 0 && h < H && w >= 0 && w < W;
                const long long at = inside ? ((long long)image * H + h) * W + w : 0;
                //@ prologue 0 pixel=at channel=c into=x
                const rx_v x = rx_load(x0 + at * C + c);
                //@ end
#pragma unroll
                for (int l = 0; l < RX_LANES; l++) {
                    const int wins = inside && x.v[l] > best.v[l];
                    won[l] = wins ? i : won[l];  //@ when index
                    best.v[l] = wins ? x.v[l] : best.v[l];
                }
            }
            // 2. Epilogue.
            //@ if index
            rx_store_bytes(winner + out * K + c, won);
            //@ end
            //@ epilogue pixel=out channel=c acc=best
            rx_store(y0 + out * K + c, best);
            //@ end
        }
    //@ if stats
    //@ epilogue_end channel=first_channel lanes=(K - first_channel)
    //@ end
    //@ end
}
