// The weight gradient of a convolution as a product of matrices: taps times pixels, pixels times
// outputs of a group. Each part has its own range of the pixels.
// Both factors are rounded to bf16 and multiplied by tensor cores, sums are f32. STAGES - 1 stages
// of them are on their way to a ring in shared memory while one is multiplied.
//@ doc block: TILE_P taps times TILE_W outputs, in warps of TILE_M * 16 taps times TILE_N * 32
//@ doc grid: parts, times groups * TAP_TILES * TILES
//@ consts
enum { H = 9, W = 8, C = 32 };                // input map
enum { OH = 9, OW = 8, K = 64 };              // output map
enum { G = 2 };                               // groups
enum { CG = C / G, KG = K / G };              // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };         // filter, stride, padding
enum { BLOCK = 16 };                          // outputs whose weights lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };   // of a group
enum { TAPS = R * S * CG };                   // of an output
enum { PART = G * BLOCKS * TAPS * BLOCK };    // floats of a part
enum { TILE_P = 64, TILE_W = 64 };            // taps and outputs of a block
enum { TILE_M = 2, TILE_N = 1 };              // of a warp: 16 taps, 32 outputs
enum { RX_LANES = 8 };                        // channels of a vector
enum { STAGES = 3 };                          // of the ring
enum { DEPTH = 2 * BLOCK };                   // pixels of a stage
enum { TAP_TILES = (TAPS + TILE_P - 1) / TILE_P };
enum { TILES = (BLOCKS * BLOCK + TILE_W - 1) / TILE_W };  // of a group's outputs
enum { WARPS_N = TILE_W / (32 * TILE_N) };    // warps side by side
enum { THREADS = 128 };                       // of a block
enum { MAPS0 = 1, MAPS1 = 1 };                // that the prologues read
enum { SUMS = 16 * TILE_M * TILE_N };         // of a thread
enum { AT_ONCE = SUMS > 32 || R * S > 1 ? 256 : 512 };  // threads, by registers
enum { RESIDENT = AT_ONCE / THREADS };        // blocks at once
enum { A_CHUNKS = TILE_P / RX_LANES, B_CHUNKS = TILE_W / RX_LANES };  // vectors of a pixel
enum { A_APART = THREADS / A_CHUNKS, B_APART = THREADS / B_CHUNKS };  // pixels between a thread's
enum { A_ITEMS = DEPTH / A_APART, B_ITEMS = DEPTH / B_APART };  // that it stages of each map
enum { A_MAP = TILE_P * DEPTH, B_MAP = TILE_W * DEPTH };  // bf16 elements of a map in a stage
enum { STAGE = MAPS0 * A_MAP + MAPS1 * B_MAP };  // and of all of it
//@ end

#include "tile_simt.cuh"  //@ tile

// Where a vector of a pixel lies: those of eight pixels are in different banks.
template <int CHANNELS>
static __device__ __forceinline__ int
place(int pixel, int chunk)
{
    constexpr int chunks = CHANNELS / RX_LANES < 8 ? CHANNELS / RX_LANES : 8;
    return pixel * CHANNELS + (chunk ^ pixel / (8 / chunks) % chunks) * RX_LANES;
}

//@ if not pointwise
// The input pixel that a pixel of the output reads for a tap; -1: it is padding.
static __device__ __forceinline__ int
pixel_read(int pixel, int tap)
{
    const int ih = pixel / OW % OH * ST + tap / S - P, iw = pixel % OW * ST + tap % S - P;
    const int inside = ih >= 0 && ih < H && iw >= 0 && iw < W;
    return inside ? (pixel / (OH * OW) * H + ih) * W + iw : -1;
}

//@ end
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][9][8][32]
          const unsigned short *__restrict__ x1,  // [N][9][8][64]
          float *__restrict__ dw)                 // [T][2][2][3][3][16][16]
          //@ end
{
    RX_DYNAMIC_SHARED(unsigned short, staged);  // [STAGES][STAGE]
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_tap = warp / WARPS_N * (16 * TILE_M), first_k = warp % WARPS_N * (32 * TILE_N);
    const int group = blockIdx.y / (TILES * TAP_TILES), k0 = blockIdx.y % TILES * TILE_W;
    const int m0 = blockIdx.y / TILES % TAP_TILES * TILE_P;
    const int pixels = n * (OH * OW), share = (pixels + n_parts - 1) / n_parts;
    const int begin = blockIdx.x * share, last = min(begin + share, pixels);
    // What this thread stages: a vector of inputs of some pixels, and one of gradients.
    const int a_row = threadIdx.x / A_CHUNKS, a_chunk = threadIdx.x % A_CHUNKS;
    const int b_row = threadIdx.x / B_CHUNKS, b_chunk = threadIdx.x % B_CHUNKS;
    const int own_m = m0 + a_chunk * RX_LANES, own_k = k0 + b_chunk * RX_LANES;
    const int input = group * CG + own_m % CG, output = group * KG + (own_k < KG ? own_k : 0);
    //@ rows
    //@ end

    // Copies of the stage that is STAGES - 1 ahead, as it lies in memory.
    int ahead = begin, ahead_stage = 0;
    const auto fetch = [&]() {
        unsigned short *const a = staged + ahead_stage * STAGE, *const b = a + MAPS0 * A_MAP;
        if (ahead < last) {
#pragma unroll
            for (int j = 0; j < A_ITEMS; j++) {
                const int row = a_row + j * A_APART, pixel = ahead + row;
                int read = pixel < last && own_m < TAPS ? pixel : -1;
                //@ if not pointwise
                if (read >= 0)
                    read = pixel_read(pixel, own_m / CG);
                //@ end
                unsigned short *const to = a + place<TILE_P>(row, a_chunk);
                const long long from = read >= 0 ? read : 0;
                const int bytes = read >= 0 ? 2 * RX_LANES : 0;
                //@ copy 0 pixel=from channel=input to=to apart=A_MAP bytes=bytes
                rx_cp_async16(to, x0 + from * C + input, bytes);
                //@ end
            }
#pragma unroll
            for (int j = 0; j < B_ITEMS; j++) {
                const int row = b_row + j * B_APART, pixel = ahead + row;
                const int taken = pixel < last && own_k < KG;
                unsigned short *const to = b + place<TILE_W>(row, b_chunk);
                const long long from = taken ? pixel : 0;
                const int bytes = taken ? 2 * RX_LANES : 0;
                //@ copy 1 pixel=from channel=output to=to apart=B_MAP bytes=bytes
                rx_cp_async16(to, x1 + from * K + output, bytes);
                //@ end
            }
        }
        rx_cp_commit();
        ahead_stage = ahead_stage + 1 < STAGES ? ahead_stage + 1 : 0;
        ahead += DEPTH;
    };
#pragma unroll 1
    for (int s = 0; s < STAGES - 1; s++)
        fetch();

    float acc[TILE_M][TILE_N][4][4] = {};
    int stage = 0;
#pragma unroll 1
    for (int first = begin; first < last; first += DEPTH) {
        unsigned short *const a = staged + stage * STAGE, *const b = a + MAPS0 * A_MAP;
        rx_cp_wait<STAGES - 2>();
        // 1. What this thread copied goes through the prologues; padding is zero after them.
        //@ if prologue0
        uint4 a_raw[A_ITEMS][MAPS0];
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++)
#pragma unroll
            for (int m = 0; m < MAPS0; m++)
                a_raw[j][m] =
                    rx_load16(a + m * A_MAP + place<TILE_P>(a_row + j * A_APART, a_chunk));
        //@ prologue_begin 0 channel=input
        //@ end
#pragma unroll
        for (int j = 0; j < A_ITEMS; j++) {
            const int row = a_row + j * A_APART, pixel = first + row;
            int read = pixel < last && own_m < TAPS ? pixel : -1;
            //@ if not pointwise
            if (read >= 0)
                read = pixel_read(pixel, own_m / CG);
            //@ end
            //@ prologue 0 pixel=((long long)read) channel=input held=1 raw=a_raw[j] once=(read >= 0) into=x
            const rx_v x = rx_widen8(a_raw[j][0]);
            //@ end
            const uint4 item = rx_pack8(x), zero = {0, 0, 0, 0};
            rx_store16(a + place<TILE_P>(row, a_chunk), read >= 0 ? item : zero);
        }
        //@ end
        //@ if prologue1
        uint4 b_raw[B_ITEMS][MAPS1];
#pragma unroll
        for (int j = 0; j < B_ITEMS; j++)
#pragma unroll
            for (int m = 0; m < MAPS1; m++)
                b_raw[j][m] =
                    rx_load16(b + m * B_MAP + place<TILE_W>(b_row + j * B_APART, b_chunk));
        //@ prologue_begin 1 channel=output
        //@ end
#pragma unroll
        for (int j = 0; j < B_ITEMS; j++) {
            const int row = b_row + j * B_APART, pixel = first + row;
            const int taken = pixel < last && own_k < KG;
            //@ prologue 1 pixel=((long long)pixel) channel=output held=1 raw=b_raw[j] once=taken into=u
            const rx_v u = rx_widen8(b_raw[j][0]);
            //@ end
            const uint4 item = rx_pack8(u), zero = {0, 0, 0, 0};
            rx_store16(b + place<TILE_W>(row, b_chunk), taken ? item : zero);
        }
        //@ end
        __syncthreads();
        // 2. The stage that all have multiplied makes place for another.
        fetch();
        // 3. Products.
#pragma unroll
        for (int s = 0; s < DEPTH; s += 16) {
            rx_fragment x[TILE_M];
#pragma unroll
            for (int m = 0; m < TILE_M; m++)
                x[m] = rx_ldmatrix_x4_trans(
                    a + place<TILE_P>(s + lane / 16 * 8 + lane % 8,
                                      first_tap / 8 + m * 2 + lane / 8 % 2));
#pragma unroll
            for (int v = 0; v < TILE_N; v++)
#pragma unroll
                for (int t = 0; t < 4; t += 2) {
                    const rx_fragment y = rx_ldmatrix_x4_trans(
                        b + place<TILE_W>(s + lane % 16, first_k / 8 + v * 4 + t + lane / 16));
#pragma unroll
                    for (int m = 0; m < TILE_M; m++) {
                        rx_mma_bf16(acc[m][v][t], x[m], y.v[0], y.v[1]);
                        rx_mma_bf16(acc[m][v][t + 1], x[m], y.v[2], y.v[3]);
                    }
                }
        }
        stage = stage + 1 < STAGES ? stage + 1 : 0;
    }
    // 4. This part, with zeros for outputs that the group does not have.
    float *const to = dw + (long long)blockIdx.x * PART + group * (BLOCKS * TAPS * BLOCK);
#pragma unroll
    for (int i = 0; i < 2 * TILE_M; i++)
#pragma unroll
        for (int v = 0; v < TILE_N; v++)
#pragma unroll
            for (int t = 0; t < 4; t++) {
                const int m = m0 + first_tap + i * 8 + lane / 4;
                const int k = k0 + first_k + v * 32 + t * 8 + lane % 4 * 2;
                if (m >= TAPS || k >= BLOCKS * BLOCK)
                    continue;
                rx_store8(to + (k / BLOCK * TAPS + m) * BLOCK + k % BLOCK,
                          {__float_as_uint(acc[i / 2][v][t][i % 2 * 2]),
                           __float_as_uint(acc[i / 2][v][t][i % 2 * 2 + 1])});
            }
}
