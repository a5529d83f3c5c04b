// Gradient of the global average pooling: each pixel gets its share of the mean's gradient.
//@ doc block: ROWS rows of threads, each row a pixel of TILE_W channels
//@ doc grid: ceil(pixels / TILE_P), or parts, times ceil(channels / TILE_W)
//@ consts
enum { H = 7, W = 7, C = 8 };            // input map; the output is 1x1
enum { K = C };                          // channels of both
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
          const float *__restrict__ x0,  // [N][1][1][8]
          float *__restrict__ y0)        // [N][7][7][8]
          //@ end
{
    __shared__ __align__(16) float shared[ROWS * (2 * WIDTH + 1)];  //@ when stats
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int first_channel = blockIdx.y * TILE_W, c = first_channel + column;
    const int pixels = n * (H * W);
    //@ rows
    //@ end
    const int held = c < C ? c : 0;  // whose coefficients a thread has  //@ when coefs
    //@ epilogue_begin channel=held
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P)
        for (int i = row; i < TILE_P && first + i < pixels && c < C; i += ROWS) {
            const int pixel = first + i;
            const long long at = pixel, image = pixel / (H * W);
            //@ prologue 0 pixel=image channel=c into=x
            const rx_v x = rx_load(x0 + image * K + c);
            //@ end
            const rx_v share = x * rx_set1(1.0f / (H * W));
            //@ epilogue pixel=at channel=c acc=share
            rx_store(y0 + at * C + c, share);
            //@ end
        }
    //@ if stats
    //@ epilogue_end channel=first_channel lanes=(C - first_channel)
    //@ end
    //@ end
}
