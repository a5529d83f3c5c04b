// The weight gradient of a dense convolution with few inputs. A block has all taps of TILE_W outputs,
// a thread a row of the filter; it goes along an output row, of which TILE_P pixels are staged at
// once with the inputs under them. Each part has its own range of these segments.
//@ doc block: PHASES times R filter rows times COLUMNS vectors of outputs; a phase has every PHASES-th
//@ doc group of TILE_M pixels. Inputs are staged as they lie, in vectors across pixels
//@ doc grid: parts, times TILES
//@ consts
enum { H = 9, W = 8, C = 3 };                     // input map
enum { OH = 5, OW = 4, K = 40 };                  // output map
enum { R = 3, S = 3, ST = 2, P = 1 };             // filter, stride, padding
enum { BLOCK = 16 };                              // outputs whose weights lie together
enum { BLOCKS = (K + BLOCK - 1) / BLOCK };        // of all outputs
enum { TAPS = R * S * C };                        // of an output
enum { PART = BLOCKS * TAPS * BLOCK };            // floats of a part
enum { TILE_P = 4, TILE_W = 32 };                 // pixels of a segment, outputs of a block
enum { TILE_M = 2 };                              // pixels that a thread multiplies at once
enum { RX_LANES = 4 };                            // outputs of a thread, inputs that are loaded at once
enum { TILES = (BLOCKS * BLOCK + TILE_W - 1) / TILE_W };  // of all outputs
enum { SEGMENTS = (OW + TILE_P - 1) / TILE_P };   // of an output row
enum { COLUMNS = TILE_W / RX_LANES };             // threads that share a filter row
enum { THREADS = 96 };                            // of a block
enum { RESIDENT = 384 / THREADS };                // blocks at once: 168 registers a thread
enum { PHASES = THREADS / (R * COLUMNS) };        // some threads may be left over
enum { ROW = S * C };                             // taps of a thread
enum { STEP = ST * C };                           // inputs from one pixel to the next
enum { LEFT = (P * C + RX_LANES - 1) / RX_LANES * RX_LANES };  // inputs before a segment's own
enum { SKIP = LEFT - P * C };                     // of which the first tap is this one
enum { WINDOW = (SKIP + (TILE_M - 1) * STEP + ROW + RX_LANES - 1) / RX_LANES };  // of TILE_M pixels
enum { A_CHUNKS = (TILE_P - TILE_M) * STEP / RX_LANES + WINDOW };  // of a segment: vectors of a row
enum { A_ITEMS = (R * A_CHUNKS + THREADS - 1) / THREADS };         // of a thread
enum { B_ITEMS = (TILE_P * COLUMNS + THREADS - 1) / THREADS };
enum { STAGED = R * A_CHUNKS * RX_LANES + TILE_P * TILE_W, SUMMED = TAPS * TILE_W };
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][9][8][3]
          const float *__restrict__ x1,  // [N][5][4][40]
          float *__restrict__ dw)        // [T][3][3][3][3][16]
          //@ end
{
    __shared__ __align__(16) float shared[STAGED > SUMMED ? STAGED : SUMMED];
    float *const a = shared;                              // [R][A_CHUNKS * RX_LANES]
    float *const b = shared + R * A_CHUNKS * RX_LANES;  // [TILE_P][TILE_W]
    const int column = threadIdx.x % COLUMNS * RX_LANES, k = blockIdx.y * TILE_W + column;
    const int r = threadIdx.x / COLUMNS % R, phase = threadIdx.x / (COLUMNS * R);
    const int units = n * (OH * SEGMENTS), share = (units + n_parts - 1) / n_parts;
    const int last = min((int)(blockIdx.x + 1) * share, units);
    //@ rows
    //@ end

    rx_v acc[ROW] = {};
    for (int unit = blockIdx.x * share; unit < last; unit++) {
        const int image = unit / (OH * SEGMENTS), oh = unit / SEGMENTS % OH;
        const int ow0 = unit % SEGMENTS * TILE_P;
        // 1. Inputs under the segment; padding is zero.
#pragma unroll 4
        for (int j = 0; j < A_ITEMS; j++) {
            const int i = threadIdx.x + j * THREADS, line = i / A_CHUNKS;
            const int ih = oh * ST + line - P;
            const int element = ow0 * STEP - LEFT + i % A_CHUNKS * RX_LANES;
            rx_v value = rx_zero();
            if (line < R && ih >= 0 && ih < H && element >= 0 && element < W * C) {
                const long long from = ((long long)image * H + ih) * W;
                //@ prologue 0 pixel=from channel=element into=x
                const rx_v x = rx_load(x0 + from * C + element);
                //@ end
                value = x;
            }
            if (line < R)
                rx_store(a + i * RX_LANES, value);
        }
        // 2. Gradients of the outputs.
        const int output = k < K ? k : 0;
        //@ prologue_begin 1 channel=output
        //@ end
#pragma unroll 4
        for (int j = 0; j < B_ITEMS; j++) {
            const int i = threadIdx.x + j * THREADS, ow = ow0 + i / COLUMNS;
            rx_v value = rx_zero();
            if (i < TILE_P * COLUMNS && ow < OW && k < K) {
                const long long out = ((long long)image * OH + oh) * OW + ow;
                //@ prologue 1 pixel=out channel=output held=1 into=u
                const rx_v u = rx_load(x1 + out * K + output);
                //@ end
                value = u;
            }
            if (i < TILE_P * COLUMNS)
                rx_store(b + i * RX_LANES, value);
        }
        __syncthreads();
        // 3. Their products: neighbouring pixels have inputs in common.
        for (int p = phase * TILE_M; p < TILE_P && phase < PHASES; p += PHASES * TILE_M) {
            rx_v y[TILE_M];
#pragma unroll
            for (int m = 0; m < TILE_M; m++)
                y[m] = rx_load(b + (p + m) * TILE_W + column);
#pragma unroll
            for (int i = 0; i < WINDOW; i++) {
                const rx_v x = rx_load(a + r * (A_CHUNKS * RX_LANES) + p * STEP + i * RX_LANES);
#pragma unroll
                for (int l = 0; l < RX_LANES; l++)
#pragma unroll
                    for (int m = 0; m < TILE_M; m++) {
                        const int tap = i * RX_LANES + l - SKIP - m * STEP;
                        if (tap >= 0 && tap < ROW)
                            rx_axpy(acc[tap], x.v[l], y[m]);
                    }
            }
        }
        __syncthreads();
    }
    // 4. The phases add up, in their order.
    float *const own = shared + r * (ROW * TILE_W) + column;  // [ROW][TILE_W]
    for (int other = 1; other < PHASES; other++) {
#pragma unroll
        for (int i = 0; i < ROW; i++)
            if (phase == other)
                rx_store(own + i * TILE_W, acc[i]);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ROW; i++)
            if (phase == 0)
                acc[i] += rx_load(own + i * TILE_W);
        __syncthreads();
    }
    // 5. This part, with zeros for outputs that there are not.
    float *const to = dw + (long long)blockIdx.x * PART + k / BLOCK * (TAPS * BLOCK) + k % BLOCK;
#pragma unroll
    for (int i = 0; i < ROW; i++)
        if (phase == 0 && k < BLOCKS * BLOCK)
            rx_store(to + (r * ROW + i) * BLOCK, acc[i]);
}
