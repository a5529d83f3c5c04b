// Gradient of a maximum pooling: each input pixel collects from the windows that it won.
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
enum { NEAR = (R + ST - 1) / ST };       // windows above each other that a pixel can lie in
enum { BESIDE = (S + ST - 1) / ST };     // and side by side
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, 4)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,              // [N][5][4][8]
          const unsigned char *__restrict__ winner,  // [N][5][4][8]
          float *__restrict__ y0)                    // [N][9][7][8]
          //@ end
{
    __shared__ __align__(16) float shared[ROWS * (2 * WIDTH + 1)];  //@ when stats
    const int row = threadIdx.x / COLUMNS, column = threadIdx.x % COLUMNS * RX_LANES;
    const int first_channel = blockIdx.y * TILE_W, c = first_channel + column;
    const int pixels = n * (H * W);
    //@ rows
    //@ end
    //@ epilogue_begin channel=c only=sums
    //@ end

    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P)
        for (int p = row; p < TILE_P && first + p < pixels && c < C; p += ROWS) {
            const int pixel = first + p;
            const long long in = pixel;
            const int image = pixel / (H * W), h = pixel / W % H, w = pixel % W;
            // 1. Windows whose tap (r, s) is this pixel. All are loaded at once; for those
            // that do not exist the map's first one is.
            rx_v sum = rx_zero();
#pragma unroll
            for (int i = 0; i < NEAR * BESIDE; i++) {
                const int r = (h + P) % ST + i / BESIDE * ST, s = (w + P) % ST + i % BESIDE * ST;
                const int oh = (h + P - r) / ST, ow = (w + P - s) / ST;
                const int inside = r < R && r <= h + P && oh < OH && s < S && s <= w + P && ow < OW;
                const long long at = inside ? ((long long)image * OH + oh) * OW + ow : 0;
                const rx_bytes won = rx_load_bytes(winner + at * C + c);
                //@ prologue 0 pixel=at channel=c into=x
                const rx_v x = rx_load(x0 + at * K + c);
                //@ end
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
                    sum.v[l] += inside && rx_byte(won, l) == r * S + s ? x.v[l] : 0.0f;
            }
            // 2. Epilogue. Coefficients are loaded anew: registers are for what is on its way.
            const int held = rx_opaque(c);  //@ when coefs
            //@ epilogue_begin channel=held only=coefs
            //@ end
            //@ epilogue pixel=in channel=c acc=sum
            rx_store(y0 + in * C + c, sum);
            //@ end
        }
    //@ if stats
    //@ epilogue_end channel=first_channel lanes=(C - first_channel)
    //@ end
    //@ end
}
