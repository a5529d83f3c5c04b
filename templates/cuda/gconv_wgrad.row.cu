// The weight gradient of a convolution with narrow groups. A block has all taps of TILE_W outputs, a
// thread a row of the filter of RX_LANES inputs and as many outputs; it goes down a column of segments of TILE_P pixels, which are staged
// with the input rows under them. Each part has its own range of these segments.
//@ doc block: PHASES times R filter rows times SPLIT vectors of inputs times COLUMNS of outputs; a
//@ doc phase has every PHASES-th group of TILE_M pixels. Of the R staged input rows ST are new in the next segment
//@ doc grid: parts, times TILES
//@ consts
enum { H = 6, W = 5, C = 32 };           // input map
enum { OH = 6, OW = 5, K = 32 };         // output map
enum { G = 8 };                          // groups
enum { CG = C / G, KG = K / G };         // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };    // filter, stride, padding
enum { BLOCK = 16 };                     // channels that lie together
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
enum { PART = R * S * CG * K_PITCH };    // floats of a part
enum { TILE_P = 4, TILE_W = 32 };        // pixels of a segment, outputs of a block
enum { TILE_M = 2 };                     // pixels that a thread multiplies at once
enum { TILES = (K_PITCH + TILE_W - 1) / TILE_W };  // of all outputs
enum { SEGMENTS = (OW + TILE_P - 1) / TILE_P };    // of an output row
enum { RX_LANES = 4 };                   // inputs and outputs of a thread
enum { COLUMNS = TILE_W / RX_LANES, SPLIT = CG / RX_LANES };  // vectors of outputs, inputs
enum { THREADS = 96 };                   // of a block
enum { FLOATS = (S * RX_LANES + TILE_M) * RX_LANES };         // sums and gradients of a thread
enum { RESIDENT = (FLOATS > 64 ? 384 : 512) / THREADS };      // blocks at once
enum { PHASES = THREADS / (R * SPLIT * COLUMNS) };            // some threads may be left over
enum { INPUTS = TILE_W / KG * CG };      // of a block
enum { CHUNKS = INPUTS / RX_LANES };     // vectors of them
enum { WIDTH = (TILE_P - 1) * ST + S };  // pixels of an input row under a segment
enum { KEPT = R > ST ? R - ST : 0 };     // input rows that two segments have in common
enum { STAGED = R * WIDTH * INPUTS + TILE_P * TILE_W, SUMMED = R * S * CG * TILE_W };
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,  // [N][6][5][32]
          const float *__restrict__ x1,  // [N][6][5][32]
          float *__restrict__ dw)        // [T][3][3][4][32]
          //@ end
{
    __shared__ __align__(16) float shared[STAGED > SUMMED ? STAGED : SUMMED];
    float *const a = shared;                         // [R][WIDTH][INPUTS]
    float *const b = shared + R * WIDTH * INPUTS;  // [TILE_P][TILE_W]
    const int column = threadIdx.x % COLUMNS * RX_LANES, k = blockIdx.y * TILE_W + column;
    const int r = threadIdx.x / (COLUMNS * SPLIT) % R, phase = threadIdx.x / (COLUMNS * SPLIT * R);
    const int input = threadIdx.x / COLUMNS % SPLIT * RX_LANES;  // in its group
    const int chunk = threadIdx.x % CHUNKS * RX_LANES, c = blockIdx.y * INPUTS + chunk;
    const int units = n * (OH * SEGMENTS), share = (units + n_parts - 1) / n_parts;
    const int begin = blockIdx.x * share, last = min(begin + share, units);
    //@ rows
    //@ end

    rx_v acc[S][RX_LANES] = {};
    for (int unit = begin; unit < last; unit++) {
        const int image = unit / (OH * SEGMENTS), oh = unit % OH;
        const int ow0 = unit / OH % SEGMENTS * TILE_P;
        // 1. Inputs under the segment; padding is zero, after the prologue.
        const int channel = c < C ? c : 0, first = unit == begin || oh == 0 ? 0 : KEPT;
        //@ prologue_begin 0 channel=channel
        //@ end
#pragma unroll 4
        for (int i = first * WIDTH * CHUNKS + threadIdx.x; i < R * WIDTH * CHUNKS; i += THREADS) {
            const int line = oh * ST + i / (WIDTH * CHUNKS), w = i / CHUNKS % WIDTH;
            const int ih = line - P, iw = ow0 * ST + w - P;
            rx_v value = rx_zero();
            if (ih >= 0 && ih < H && iw >= 0 && iw < W && c < C) {
                const long long at = ((long long)image * H + ih) * W + iw;
                //@ prologue 0 pixel=at channel=channel held=1 into=x
                const rx_v x = rx_load(x0 + at * C + channel);
                //@ end
                value = x;
            }
            rx_store(a + (line % R * WIDTH + w) * INPUTS + chunk, value);
        }
        // 2. Gradients of the outputs.
        const int output = k < K ? k : 0;
        //@ prologue_begin 1 channel=output
        //@ end
#pragma unroll 4
        for (int i = threadIdx.x; i < TILE_P * COLUMNS; i += THREADS) {
            const int ow = ow0 + i / COLUMNS;
            rx_v value = rx_zero();
            if (ow < OW && k < K) {
                const long long out = ((long long)image * OH + oh) * OW + ow;
                //@ prologue 1 pixel=out channel=output held=1 into=u
                const rx_v u = rx_load(x1 + out * K + output);
                //@ end
                value = u;
            }
            rx_store(b + i * RX_LANES, value);
        }
        __syncthreads();
        // 3. Products with the inputs of the group: neighbouring pixels have some in common.
        const int group = column / KG * CG;
        const float *const from = a + (oh * ST + r) % R * (WIDTH * INPUTS) + group + input;
        for (int p = phase * TILE_M; p < TILE_P && phase < PHASES; p += PHASES * TILE_M) {
            rx_v y[TILE_M];
#pragma unroll
            for (int m = 0; m < TILE_M; m++)
                y[m] = rx_load(b + (p + m) * TILE_W + column);
#pragma unroll
            for (int w = 0; w < (TILE_M - 1) * ST + S; w++) {
                const rx_v x = rx_load(from + (p * ST + w) * INPUTS);
#pragma unroll
                for (int m = 0; m < TILE_M; m++)
                    if (w >= m * ST && w < m * ST + S) {
#pragma unroll
                        for (int i = 0; i < RX_LANES; i++)
                            rx_axpy(acc[w - m * ST][i], x.v[i], y[m]);
                    }
            }
        }
        __syncthreads();
    }
    // 4. The phases add up, in their order.
    float *const own = shared + (r * S * CG + input) * TILE_W + column;  // [S][CG][TILE_W]
    for (int other = 1; other < PHASES; other++) {
#pragma unroll
        for (int s = 0; s < S; s++)
#pragma unroll
            for (int i = 0; i < RX_LANES; i++)
                if (phase == other)
                    rx_store(own + (s * CG + i) * TILE_W, acc[s][i]);
        __syncthreads();
#pragma unroll
        for (int s = 0; s < S; s++)
#pragma unroll
            for (int i = 0; i < RX_LANES; i++)
                if (phase == 0)
                    acc[s][i] += rx_load(own + (s * CG + i) * TILE_W);
        __syncthreads();
    }
    // 5. This part, with zeros for outputs that there are not.
    const int pitch = BLOCK, first = k / BLOCK * (R * S * CG * BLOCK) + k % BLOCK;  //@ when panel
    const int pitch = K_PITCH, first = k;  //@ when not panel
    float *const to = dw + (long long)blockIdx.x * PART + first + (r * S * CG + input) * pitch;
#pragma unroll
    for (int s = 0; s < S; s++)
#pragma unroll
        for (int i = 0; i < RX_LANES; i++)
            if (phase == 0 && k < K_PITCH)
                rx_store(to + (s * CG + i) * pitch, acc[s][i]);
}
