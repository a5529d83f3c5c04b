// A dense convolution of few inputs on tensor cores, bf16. A block has the output rows of a strip
// and walks down it: a ring in shared memory holds the rows of the input that a step needs, rounded
// and with zeros for padding, while those of the next step are loaded into registers.
//
// A row of the filter sees neighbouring inputs, whichever their channel, so a pixel's factors lie
// in the ring as they are multiplied, pairs of them in a word, and no matrix of taps is made. A row
// is whole chunks of 8 values; weights of those that are no tap are zero.
//@ doc block: TILE_N warps, each with 32 pixels of a step at a time and all TILE_W outputs of them
//@ doc grid: strips, or parts, times ceil(K / TILE_W)
//@ consts
enum { H = 9, W = 8, C = 3 };               // input map
enum { OH = 5, OW = 4, K = 40 };            // output map
enum { R = 3, S = 3, ST = 2, P = 1 };       // filter, stride, padding
enum { BLOCK = 16 };                        // outputs whose weights lie together
enum { ROW = S * C };                       // taps of a row of the filter
enum { STEP = ST * C };                     // inputs from one pixel to the next
enum { TILE_P = 5 };                        // rows of a strip
enum { TILE_M = 2 };                        // rows of a step
enum { TILE_N = 4 };                        // warps
enum { TILE_W = 64 };                       // outputs of a block
enum { THREADS = 128 };                     // of a block
enum { RESIDENT = 384 / THREADS };          // blocks at once: 168 registers a thread
enum { RX_LANES = 8 };                      // outputs that a thread stores at once
enum { SLICES = TILE_W / 32 };              // of 32 outputs
enum { WIDTH = TILE_W / SLICES };            // of a slice
enum { TOGETHER = W * C % 4 == 0 ? 4 : 1 };  // inputs that a thread loads at once
enum { LEFT = (P * C + TOGETHER - 1) / TOGETHER * TOGETHER };  // where a row begins in the ring
enum { LEAD = STEP % 2 == 0 ? (LEFT - P * C) % 2 : 0 };  // values before the taps: pairs are words
enum { BEGIN = LEFT - P * C - LEAD };       // where the first pixel's values do
enum { ROW_CHUNKS = (LEAD + ROW + 7) / 8 };  // of 8 values
enum { CHUNKS = R * ROW_CHUNKS };           // of the filter
enum { KSTEPS = (CHUNKS + 1) / 2 };         // products one after the other
enum { PIXELS = TILE_M * OW };              // of a step
enum { BATCH = TILE_M * ST };               // rows that a step frees and loads
enum { HALO = R > ST ? R - ST : 0 };        // rows that it shares with the next one
enum { BEFORE = (HALO + BATCH - 1) / BATCH };  // batches that bring them to the first one
enum { STEPS = (TILE_P + TILE_M - 1) / TILE_M };  // of a strip
enum { STRIPS = (OH + TILE_P - 1) / TILE_P };     // of an image
enum { RING = (STEPS > 1 ? 2 : 1) * BATCH + HALO };  // rows
enum { AGAIN = STEPS > 1 ? R - 1 : 0 };     // its first rows, again behind it: no window wraps
enum { NEEDED = BEGIN + (OW - 1) * STEP + ROW_CHUNKS * 8 };  // values that windows reach over
enum { PITCH = ((LEFT + W * C > NEEDED ? LEFT + W * C : NEEDED) + 7) / 8 * 8 };  // of a row
enum { HELD = (RING + AGAIN) * PITCH };     // bf16 elements of the ring
enum { FACTORS = SLICES * KSTEPS * 2 * 32 };  // vectors of weights
enum { ROW_ITEMS = W * C / TOGETHER };      // loads of a row
enum { LOADS = (BATCH * ROW_ITEMS + THREADS - 1) / THREADS };  // of a thread
enum { ROWS = TILE_N };                     // warps that add up
//@ end

#include "tile_simt.cuh"  //@ tile

// The weight of a value of a chunk for an output.
static __device__ __forceinline__ float
weight_at(const float *w, int k, int chunk, int value)
{
    const int tap = chunk % ROW_CHUNKS * 8 + value - LEAD;
    if (chunk >= CHUNKS || tap < 0 || tap >= ROW || k >= (K + BLOCK - 1) / BLOCK * BLOCK)
        return 0.0f;
    return w[((k / BLOCK * R + chunk / ROW_CHUNKS) * ROW + tap) * BLOCK + k % BLOCK];
}

// A lane's pair of them.
static __device__ __forceinline__ unsigned
weights_of(const float *w, int k, int chunk, int lane)
{
    const int value = lane % 4 * 2;
    return rx_pack_bf16(weight_at(w, k, chunk, value), weight_at(w, k, chunk, value + 1));
}

// Two neighbouring values of the ring.
static __device__ __forceinline__ unsigned
pair_at(const unsigned short *p)
{
    if constexpr (STEP % 2 == 0)
        return rx_load4(p);
    else
        return rx_load_halves(p, p + 1);
}

// Where a chunk's values lie, from a pixel's first one on.
static __device__ __forceinline__ int
chunk_offset(int chunk)
{
    return chunk / ROW_CHUNKS * PITCH + chunk % ROW_CHUNKS * 8;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,     // [N][9][8][3]
          const float *__restrict__ w,      // [3][3][3][3][16]
          unsigned short *__restrict__ y0)  // [N][5][4][40]
          //@ end
{
    RX_DYNAMIC_SHARED(uint4, weights);  // [SLICES][KSTEPS][2][32], and the ring behind them
    unsigned short *const ring = (unsigned short *)(weights + FACTORS);  // [RING + AGAIN][PITCH]
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int own_column = lane % 4 * RX_LANES, k0 = blockIdx.y * TILE_W;
    //@ rows
    //@ end
    //@ epilogue_kept vectors=SLICES
    //@ end

    // 1. Weights as products want them, so that a lane's results are neighbouring outputs; and a
    // ring of zeros: padding beside the map is never written.
    for (int i = warp; i < FACTORS / 32; i += TILE_N) {
        const int chunk = i / 2 % KSTEPS * 2, column = lane / 4;
        const int k = k0 + i / (KSTEPS * 2) * WIDTH + column / 2 * 8 + i % 2 * 4 + column % 2;
        rx_store16(weights + i * 32 + lane,
                   {weights_of(w, k, chunk, lane), weights_of(w, k, chunk + 1, lane),
                    weights_of(w, k + 2, chunk, lane), weights_of(w, k + 2, chunk + 1, lane)});
    }
    for (int i = threadIdx.x; i < HELD / 8; i += THREADS)
        rx_store16(ring + i * 8, {0, 0, 0, 0});
    __syncthreads();

    for (int strip = blockIdx.x; strip < n * STRIPS; strip += gridDim.x) {
        const int image = strip / STRIPS, top = strip % STRIPS * TILE_P;
        const int bottom = min(top + TILE_P, (int)OH);
        for (int batch = 0; batch < BEFORE + STEPS + 1; batch++) {
            // 2. The batch's rows, which start above the strip: what is missing of them is zero.
            const int above = (batch - BEFORE) * BATCH + HALO, loader = rx_opaque(threadIdx.x);
            float staged[LOADS][TOGETHER];
#pragma unroll
            for (int i = 0; i < LOADS; i++) {
                const int item = i * THREADS + loader, row = item / ROW_ITEMS;
                const int ih = top * ST - P + above + row;
#pragma unroll
                for (int j = 0; j < TOGETHER; j++)
                    staged[i][j] = 0.0f;
                if (row >= BATCH || batch >= BEFORE + STEPS || ih < 0 || ih >= H)
                    continue;
                const long long from =
                    ((long long)image * H + ih) * (W * C) + item % ROW_ITEMS * TOGETHER;
                rx_load_some(staged[i], x0 + from);  //@ when images
                rx_load_some_bf16(staged[i], x0 + from);  //@ when not images
            }
            // 3. The products of a step whose rows have come.
            const int step = batch - BEFORE - 1;
            for (int tile = warp * 32; step >= 0 && tile < PIXELS; tile += TILE_N * 32) {
                const unsigned short *from[4];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int pixel = min(tile + i * 8 + lane / 4, PIXELS - 1);
                    from[i] = ring + (step * BATCH + pixel / OW * ST) % RING * PITCH + BEGIN +
                              pixel % OW * STEP + lane % 4 * 2;
                }
                float acc[2][SLICES][4][4] = {};
#pragma unroll
                for (int kstep = 0; kstep < KSTEPS; kstep++) {
                    const int low = chunk_offset(kstep * 2);
                    const int high = chunk_offset(min(kstep * 2 + 1, CHUNKS - 1));
                    rx_fragment a[2];
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        a[i / 2].v[i % 2] = pair_at(from[i] + low);
                        a[i / 2].v[i % 2 + 2] = pair_at(from[i] + high);
                    }
#pragma unroll
                    for (int v = 0; v < SLICES; v++)
#pragma unroll
                        for (int t = 0; t < 4; t += 2) {
                            const uint4 b =
                                rx_load16(weights + ((v * KSTEPS + kstep) * 2 + t / 2) * 32 + lane);
#pragma unroll
                            for (int m = 0; m < 2; m++) {
                                rx_mma_bf16(acc[m][v][t], a[m], b.x, b.y);
                                rx_mma_bf16(acc[m][v][t + 1], a[m], b.z, b.w);
                            }
                        }
                }
                // 4. Epilogue.
#pragma unroll
                for (int v = 0; v < SLICES; v++) {
                    const int k = k0 + v * WIDTH + own_column, channel = k < K ? k : 0;
                    //@ epilogue_begin channel=channel
                    //@ end
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const int pixel = tile + i * 8 + lane / 4;
                        const int oh = top + step * TILE_M + pixel / OW;
                        if (pixel >= PIXELS || oh >= bottom || k >= K)
                            continue;
                        rx_v sum;
#pragma unroll
                        for (int l = 0; l < RX_LANES; l++)
                            sum.v[l] = acc[i / 2][v][l / 2][i % 2 * 2 + l % 2];
                        const long long out = ((long long)image * OH + oh) * OW + pixel % OW;
                        //@ epilogue pixel=out channel=channel acc=sum
                        rx_store_bf16(y0 + out * K + channel, sum);
                        //@ end
                    }
                    //@ epilogue_fold vector=v
                    //@ end
                }
            }
            // 5. The batch goes to rows that no step reads now.
            const int storer = rx_opaque(threadIdx.x);
#pragma unroll
            for (int i = 0; i < LOADS; i++) {
                const int item = i * THREADS + storer, row = item / ROW_ITEMS;
                if (row >= BATCH || batch >= BEFORE + STEPS || above + row < 0)
                    continue;
                const int to = (above + row) % RING;
                unsigned short *const at = ring + to * PITCH + LEFT + item % ROW_ITEMS * TOGETHER;
                rx_store_some_bf16(at, staged[i]);
                if (to < AGAIN)
                    rx_store_some_bf16(at + RING * PITCH, staged[i]);
            }
            __syncthreads();
        }
    }
    //@ if stats
    // 6. The block's sums: a lane has one channel of each vector.
    float *const shared = (float *)weights;  // [3][ROWS][WIDTH]
    const int row = warp, column = own_column + lane / 4;
#pragma unroll
    for (int v = 0; v < SLICES; v++) {
        const int k = k0 + v * WIDTH;
        //@ epilogue_end channel=k vector=v kept=1 lanes=(K - k)
        //@ end
    }
    //@ end
}
