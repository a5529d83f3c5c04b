// The data gradient of a convolution as a product of matrices: pixels of the input times taps, taps
// times inputs of a group. Of a strided 1x1 filter only pixels that were read are multiplied.
// Both factors are rounded to bf16 and multiplied by tensor cores, sums are f32. STAGES - 1 stages
// of them are on their way to a ring in shared memory while one is multiplied.
//@ doc block: TILE_P pixels times TILE_W channels, in warps of TILE_M * 16 pixels times TILE_N * 32
//@ doc grid: ceil(pixels / TILE_P), or parts, times groups * TILES
//@ consts
enum { H = 9, W = 8, C = 32 };                // input map
enum { OH = 9, OW = 8, K = 64 };              // output map
enum { G = 2 };                               // groups
enum { CG = C / G, KG = K / G };              // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };         // filter, stride, padding
enum { PIXELS = R * S == 1 && P == 0 ? OH * OW : H * W };  // of an image that are multiplied
enum { BLOCK = 16 };                          // inputs whose weights lie together
enum { BLOCKS = (CG + BLOCK - 1) / BLOCK };   // of a group
enum { TAPS = R * S * KG };                   // of an input
enum { TILE_P = 128, TILE_W = 64 };           // pixels and channels of a block
enum { TILE_M = 2, TILE_N = 1 };              // of a warp: 16 pixels, 32 channels
enum { RX_LANES = 8 };                        // channels of a vector
enum { STAGES = 3 };                          // of the ring
enum { DEPTH = 2 * BLOCK };                   // taps of a stage
enum { CHUNKS = DEPTH / RX_LANES };           // vectors of them
enum { TILES = (CG + TILE_W - 1) / TILE_W };  // of a group's channels
enum { WARPS_N = TILE_W / (32 * TILE_N) };    // warps side by side
enum { WIDTH = 32 * WARPS_N };                // channels of a vector of each thread of a row
enum { ROWS = TILE_P / (16 * TILE_M) };       // warps above each other
enum { THREADS = 256 };                       // of a block
enum { SUMS = 16 * TILE_M * TILE_N };         // of a thread
enum { AT_ONCE = SUMS > 64 ? 256 : SUMS > 32 || R * S > 1 ? 384 : 512 };  // threads, by registers
enum { RESIDENT = AT_ONCE / THREADS };        // blocks at once
enum { APART = THREADS / CHUNKS };            // rows between two vectors that a thread stages
enum { A_ITEMS = TILE_P / APART };            // vectors of each input map that it stages
enum { B_ITEMS = TILE_W / APART };            // and of the weights
enum { MAPS0 = 1 };                           // that the prologue reads
enum { A_MAP = TILE_P * DEPTH };              // bf16 elements of a map in a stage
enum { STAGE = MAPS0 * A_MAP + TILE_W * DEPTH };  // and of all of it
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

//@ if not one_tap
// The output pixel that read a pixel of the input for a tap; -1: there is none.
static __device__ __forceinline__ int
pixel_read(int pixel, int tap)
{
    const int down = pixel / W % H + P - tap / S, right = pixel % W + P - tap % S;
    const int oh = down / ST, ow = right / ST;
    const int inside = down >= 0 && right >= 0 && down % ST == 0 && right % ST == 0 && oh < OH &&
                       ow < OW;
    return inside ? (pixel / (H * W) * OH + oh) * OW + ow : -1;
}

//@ end
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][9][8][32]
          const unsigned short *__restrict__ w,  // [2][32][3][3][16]
          unsigned short *__restrict__ y0)        // [N][9][8][64]
          //@ end
{
    RX_DYNAMIC_SHARED(unsigned short, staged);  // [STAGES][STAGE]
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_row = warp / WARPS_N * (16 * TILE_M), warp_n = warp % WARPS_N;
    const int own_column = warp_n * 32 + lane % 4 * RX_LANES;
    const int own_row = threadIdx.x / CHUNKS, own_chunk = threadIdx.x % CHUNKS;  // that it stages
    const int group = blockIdx.y / TILES, k0 = blockIdx.y % TILES * TILE_W;
    const int pixels = n * PIXELS;
    //@ rows
    //@ end
    //@ epilogue_kept vectors=TILE_N
    //@ end

    // Copies of the stage that is STAGES - 1 ahead: inputs as they are, and weights.
    int ahead = blockIdx.x * TILE_P, ahead_d0 = 0, ahead_stage = 0;
    const auto fetch = [&]() {
        unsigned short *const a = staged + ahead_stage * STAGE, *const b = a + MAPS0 * A_MAP;
        const int d = ahead_d0 + own_chunk * RX_LANES, channel = group * KG + d % KG;
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++) {
            const int row = own_row + j * APART, pixel = ahead + row;
            int read = pixel < pixels && d < TAPS ? pixel : -1;
            //@ if not one_tap
            if (read >= 0)
                read = pixel_read(pixel, d / KG);
            //@ end
            unsigned short *const to = a + place(row, own_chunk);
            const long long from = read >= 0 ? read : 0;
            const int bytes = read >= 0 ? 2 * RX_LANES : 0;
            //@ copy 0 pixel=from channel=channel to=to apart=A_MAP bytes=bytes
            rx_cp_async16(to, x0 + from * K + channel, bytes);
            //@ end
        }
#pragma unroll
        for (int j = 0; j < B_ITEMS; j++) {
            const int row = own_row + j * APART, k = k0 + row;
            const int taken = ahead < pixels && k < BLOCKS * BLOCK && d < TAPS;
            rx_cp_async16(b + place(row_of(row), own_chunk),
                          w + (taken ? (group * BLOCKS * BLOCK + k) * TAPS + d : 0),
                          taken ? 2 * RX_LANES : 0);
        }
        rx_cp_commit();
        ahead_stage = ahead_stage + 1 < STAGES ? ahead_stage + 1 : 0;
        ahead_d0 += DEPTH;
        if (ahead_d0 >= TAPS) {
            ahead_d0 = 0;
            ahead += gridDim.x * TILE_P;
        }
    };
    //@ if prologue0
    // What this thread has copied of the stage that is multiplied next goes through the prologue;
    // padding is zero after it.
    int next = blockIdx.x * TILE_P, next_d0 = 0, next_stage = 0;
    const auto transform = [&]() {
        unsigned short *const a = staged + next_stage * STAGE;
        const int d = next_d0 + own_chunk * RX_LANES, channel = group * KG + d % KG;
        //@ prologue_begin 0 channel=channel
        //@ end
        uint4 raw[A_ITEMS][MAPS0];
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++)
#pragma unroll
            for (int m = 0; m < MAPS0; m++)
                raw[j][m] = rx_load16(a + m * A_MAP + place(own_row + j * APART, own_chunk));
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++) {
            const int row = own_row + j * APART, pixel = next + row;
            int read = pixel < pixels && d < TAPS ? pixel : -1;
            //@ if not one_tap
            if (read >= 0)
                read = pixel_read(pixel, d / KG);
            //@ end
            //@ prologue 0 pixel=((long long)read) channel=channel held=1 raw=raw[j] once=(read >= 0 && blockIdx.y % TILES == 0) into=x
            const rx_v x = rx_widen8(raw[j][0]);
            //@ end
            const uint4 item = rx_pack8(x), zero = {0, 0, 0, 0};
            rx_store16(a + place(row, own_chunk), read >= 0 ? item : zero);
        }
        next_stage = next_stage + 1 < STAGES ? next_stage + 1 : 0;
        next_d0 += DEPTH;
        if (next_d0 >= TAPS) {
            next_d0 = 0;
            next += gridDim.x * TILE_P;
        }
    };
    //@ end
#pragma unroll 1
    for (int s = 0; s < STAGES - 1; s++)
        fetch();
    rx_cp_wait<STAGES - 2>();
    //@ if prologue0
    transform();
    //@ end

    int stage = 0;
    for (int first = blockIdx.x * TILE_P; first < pixels; first += gridDim.x * TILE_P) {
        float acc[TILE_M][TILE_N][4][4] = {};
#pragma unroll 1
        for (int d0 = 0; d0 < TAPS; d0 += DEPTH) {
            const unsigned short *const a = staged + stage * STAGE, *const b = a + MAPS0 * A_MAP;
            __syncthreads();
            // 1. The stage that all have multiplied makes place for another.
            fetch();
            rx_cp_wait<STAGES - 2>();
            // 2. Products; meanwhile the next stage is made ready.
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
                        const rx_fragment y = rx_ldmatrix_x4(
                            b + place(from + lane / 16 * 8 + lane % 8, s * 2 + lane / 8 % 2));
#pragma unroll
                        for (int m = 0; m < TILE_M; m++) {
                            rx_mma_bf16(acc[m][v][t], x[m], y.v[0], y.v[1]);
                            rx_mma_bf16(acc[m][v][t + 1], x[m], y.v[2], y.v[3]);
                        }
                    }
                //@ if prologue0
                if (s == 0)
                    transform();
                //@ end
            }
            stage = stage + 1 < STAGES ? stage + 1 : 0;
        }
        // 3. Epilogue.
#pragma unroll
        for (int v = 0; v < TILE_N; v++) {
            const int k = k0 + v * WIDTH + own_column, channel = group * CG + (k < CG ? k : 0);
            //@ epilogue_begin channel=channel
            //@ end
            //@ if projection
            // Each pixel of the output has one of the input; those beside it have no gradient.
#pragma unroll
            for (int i = 0; i < 2 * TILE_M; i++) {
                const int pixel = first + first_row + i * 8 + lane / 4;
                if (pixel >= pixels || k >= CG)
                    continue;
#pragma unroll
                for (int s = 0; s < ST * ST; s++) {
                    const int h = pixel / OW % OH * ST + s / ST, across = pixel % OW * ST + s % ST;
                    if (h >= H || across >= W)
                        continue;
                    const long long out = ((long long)(pixel / (OH * OW)) * H + h) * W + across;
                    rx_v sum;
#pragma unroll
                    for (int l = 0; l < RX_LANES; l++)
                        sum.v[l] = s == 0 ? acc[i / 2][v][l / 2][i % 2 * 2 + l % 2] : 0.0f;
                    //@ epilogue pixel=out channel=channel acc=sum
                    rx_store_bf16(y0 + out * C + channel, sum);
                    //@ end
                }
            }
            //@ else
#pragma unroll
            for (int i = 0; i < 2 * TILE_M; i++) {
                const long long out = first + first_row + i * 8 + lane / 4;
                if (out >= pixels || k >= CG)
                    continue;
                rx_v sum;
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
                    sum.v[l] = acc[i / 2][v][l / 2][i % 2 * 2 + l % 2];
                //@ epilogue pixel=out channel=channel acc=sum
                rx_store_bf16(y0 + out * C + channel, sum);
                //@ end
            }
            //@ end
            //@ epilogue_fold vector=v
            //@ end
        }
    }
    rx_cp_wait<0>();
    //@ if stats
    // 4. The block's sums: a lane has one channel of each vector.
    float *const shared = (float *)staged;  // [3][ROWS][WIDTH]
    const int row = warp / WARPS_N, column = own_column + lane / 4;
    __syncthreads();
#pragma unroll
    for (int v = 0; v < TILE_N; v++) {
        const int k = k0 + v * WIDTH, channel = group * CG + k;
        //@ epilogue_end channel=channel vector=v kept=1 lanes=(CG - k)
        //@ end
    }
    //@ end
}
