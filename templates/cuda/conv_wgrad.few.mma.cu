// The weight gradient of a dense convolution of few inputs on tensor cores, bf16: outputs times
// pixels, pixels times taps. A block has the output rows of a strip and walks down it: a ring in
// shared memory holds the input rows that a step needs, for each tap of a row of the filter what it
// meets at all pixels of an output row, and beside it are the gradients of a step, after their
// prologue; those of the next one are meanwhile copied, and inputs loaded into registers.
//@ doc block: TILE_N warps, each with all TILE_W outputs and OWN chunks of 8 taps
//@ doc grid: parts, times ceil(K / TILE_W)
//@ consts
enum { H = 9, W = 8, C = 3 };               // input map
enum { OH = 5, OW = 4, K = 40 };            // output map
enum { R = 3, S = 3, ST = 2, P = 1 };       // filter, stride, padding
enum { BLOCK = 16 };                        // outputs whose weights lie together
enum { BLOCKS = (K + BLOCK - 1) / BLOCK };  // of all outputs
enum { ROW = S * C };                       // taps of a row of the filter
enum { STEP = ST * C };                     // inputs from one pixel to the next
enum { PART = BLOCKS * R * ROW * BLOCK };   // floats of a part
enum { TILE_P = 5 };                        // rows of a strip
enum { TILE_M = 2 };                        // rows of a step
enum { TILE_N = 4 };                        // warps
enum { TILE_W = 64 };                       // outputs of a block
enum { THREADS = 128 };                     // of a block
enum { RESIDENT = 512 / THREADS };          // blocks at once: 128 registers a thread
enum { RX_LANES = 8 };                      // outputs that a thread loads at once
enum { MAPS1 = 1 };                         // that the prologue of gradients reads: 1 or 2
enum { VECTORS = TILE_W / RX_LANES };       // of a pixel
enum { MTILES = TILE_W / 16 };              // products of 16 outputs
enum { TOGETHER = W * C % 4 == 0 ? 4 : 1 };  // inputs that a thread loads at once
enum { ROW_CHUNKS = (ROW + 7) / 8 };        // of 8 taps
enum { CHUNKS = R * ROW_CHUNKS };           // of the filter
enum { OWN = (CHUNKS + TILE_N - 1) / TILE_N };  // of a warp
enum { COPIES = (ROW + STEP - 1) / STEP };  // taps that an input is for in a row
enum { KTILES = (OW + 15) / 16 };           // products one after the other of an output row
enum { PIXELS = TILE_M * OW };              // of a step
enum { BATCH = TILE_M * ST };               // rows that a step frees and loads
enum { HALO = R > ST ? R - ST : 0 };        // rows that it shares with the next one
enum { BEFORE = (HALO + BATCH - 1) / BATCH };  // batches that bring them to the first one
enum { STEPS = (TILE_P + TILE_M - 1) / TILE_M };  // of a strip
enum { STRIPS = (OH + TILE_P - 1) / TILE_P };     // of an image
enum { RING = (STEPS > 1 ? 2 : 1) * BATCH + HALO };  // rows
enum { PITCH = (KTILES * 2 + 1) * 8 };      // pixels of a tap: taps are in different banks
enum { ROW_HELD = ROW_CHUNKS * 8 * PITCH };  // bf16 elements of a row of the ring
enum { HELD = RING * ROW_HELD / 8 };        // vectors of the ring
enum { U_HELD = TILE_M * KTILES * 16 * VECTORS };  // and of gradients of a step
enum { ROW_ITEMS = W * C / TOGETHER };      // loads of an input row
enum { X_LOADS = (BATCH * ROW_ITEMS + THREADS - 1) / THREADS };  // of a thread
enum { U_LOADS = (PIXELS * VECTORS + THREADS - 1) / THREADS };   // vectors of it
//@ end

#include "tile_simt.cuh"  //@ tile

// Where a vector of a pixel's gradients lies: those of eight pixels are in different banks.
static __device__ __forceinline__ int
place(int pixel, int vector)
{
    return pixel * VECTORS + (vector ^ pixel / (8 / VECTORS) % VECTORS);
}

// Stores an input into a row of the ring, for each tap that meets it.
static __device__ __forceinline__ void
put(unsigned short *row, int input, float value)
{
    const int at = P * C + input, tap = at % STEP, pixel = at / STEP;
    const unsigned short rounded = (unsigned short)rx_pack_bf16(value, 0.0f);
#pragma unroll
    for (int i = 0; i < COPIES; i++)
        if (tap + i * STEP < ROW && pixel >= i && pixel - i < OW)
            row[(tap + i * STEP) * PITCH + pixel - i] = rounded;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ x0,           // [N][9][8][3]
          const unsigned short *__restrict__ x1,  // [N][5][4][40]
          float *__restrict__ dw)                 // [T][3][3][3][3][16]
          //@ end
{
    // [2][U_HELD], the ring [RING][ROW_HELD], and the other map of gradients as it was copied.
    RX_DYNAMIC_SHARED(uint4, gradients);
    unsigned short *const ring = (unsigned short *)(gradients + 2 * U_HELD);
    uint4 *const other = gradients + 2 * U_HELD + HELD;  // [MAPS1 - 1][U_HELD]
    const int lane = threadIdx.x % 32, first_chunk = threadIdx.x / 32 * OWN;
    const int k0 = blockIdx.y * TILE_W;
    //@ rows
    //@ end

    // 1. Zeros: padding beside the map, taps that there are not, and gradients of no pixel are never
    // written.
    for (int i = threadIdx.x; i < 2 * U_HELD + HELD; i += THREADS)
        rx_store16(gradients + i, {0, 0, 0, 0});
    __syncthreads();

    float acc[MTILES][OWN][4] = {};
    for (int strip = blockIdx.x; strip < n * STRIPS; strip += n_parts) {
        const int image = strip / STRIPS, top = strip % STRIPS * TILE_P;
        const int bottom = min(top + TILE_P, (int)OH);
        for (int batch = 0; batch < BEFORE + STEPS + 1; batch++) {
            // 2. The batch's rows, which start above the strip, and the gradients of a step.
            const int above = (batch - BEFORE) * BATCH + HALO;
            const int first_row = top + (batch - BEFORE) * TILE_M, loader = rx_opaque(threadIdx.x);
            float staged[X_LOADS][TOGETHER];
#pragma unroll
            for (int i = 0; i < X_LOADS; i++) {
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
            const int step = batch - BEFORE - 1;
            uint4 *const next = gradients + (step + 1 & 1) * U_HELD;
            const int apart = (int)(other - next);  // from the first map to the other
            const int own_k = k0 + loader % VECTORS * RX_LANES, loaded = own_k < K ? own_k : 0;
#pragma unroll
            for (int i = 0; i < U_LOADS; i++) {
                const int at = (i * THREADS + loader) / VECTORS, oh = first_row + at / OW;
                if (at >= PIXELS || oh < top || batch >= BEFORE + STEPS)
                    continue;
                const long long out = oh < bottom ? ((long long)image * OH + oh) * OW + at % OW : 0;
                const int bytes = oh < bottom && own_k < K ? 2 * RX_LANES : 0;
                uint4 *const to =
                    next + place(at / OW * (KTILES * 16) + at % OW, loader % VECTORS);
                //@ copy 1 pixel=out channel=loaded to=to apart=apart bytes=bytes
                rx_cp_async16(to, x1 + out * K + loaded, bytes);
                //@ end
            }
            rx_cp_commit();
            // 3. The products of a step whose rows and gradients have come.
            const uint4 *const u = gradients + (step & 1) * U_HELD;
#pragma unroll 1
            for (int tile = 0; step >= 0 && tile < TILE_M * KTILES; tile++) {
                rx_fragment a[MTILES];
#pragma unroll
                for (int m = 0; m < MTILES; m++)
                    a[m] = rx_ldmatrix_x4_trans(u + place(tile * 16 + lane / 16 * 8 + lane % 8,
                                                          m * 2 + lane / 8 % 2));
                const int first = (step * BATCH + tile / KTILES * ST) % RING;
                const unsigned short *const from = ring + tile % KTILES * 16 + lane / 8 % 2 * 8;
#pragma unroll
                for (int i = 0; i < OWN; i += 2) {
                    // The upper lanes have the second chunk, where there is one.
                    const int second = i + 1 < OWN && lane >= 16;
                    const int chunk = min(first_chunk + i + second, CHUNKS - 1);
                    const int row = (first + chunk / ROW_CHUNKS) % RING;
                    const rx_fragment b = rx_ldmatrix_x4(
                        from + row * ROW_HELD + (chunk % ROW_CHUNKS * 8 + lane % 8) * PITCH);
#pragma unroll
                    for (int m = 0; m < MTILES; m++) {
                        rx_mma_bf16(acc[m][i], a[m], b.v[0], b.v[1]);
                        if (i + 1 < OWN)
                            rx_mma_bf16(acc[m][i + 1 < OWN ? i + 1 : i], a[m], b.v[2], b.v[3]);
                    }
                }
            }
            // 4. Rows go to where no step reads now, and gradients, by the thread that copied them,
            // through the prologue.
            const int storer = rx_opaque(threadIdx.x);
#pragma unroll
            for (int i = 0; i < X_LOADS; i++) {
                const int item = i * THREADS + storer, row = item / ROW_ITEMS;
                if (row >= BATCH || batch >= BEFORE + STEPS || above + row < 0)
                    continue;
                unsigned short *const to = ring + (above + row) % RING * ROW_HELD;
#pragma unroll
                for (int j = 0; j < TOGETHER; j++)
                    put(to, item % ROW_ITEMS * TOGETHER + j, staged[i][j]);
            }
            const int vector = storer % VECTORS, k = k0 + vector * RX_LANES, channel = k < K ? k : 0;
            rx_cp_wait<0>();
            //@ prologue_begin 1 channel=channel
            //@ end
#pragma unroll
            for (int i = 0; i < U_LOADS; i++) {
                const int at = (i * THREADS + storer) / VECTORS, oh = first_row + at / OW;
                if (at >= PIXELS || oh < top || batch >= BEFORE + STEPS)
                    continue;
                uint4 *const to = next + place(at / OW * (KTILES * 16) + at % OW, vector);
                uint4 raw[MAPS1];
#pragma unroll
                for (int m = 0; m < MAPS1; m++)
                    raw[m] = rx_load16(to + (m > 0 ? apart : 0));
                //@ prologue 1 pixel=(((long long)image * OH + oh) * OW + at % OW) channel=channel held=1 raw=raw into=u
                const rx_v u = rx_widen8(raw[0]);
                //@ end
                const uint4 item = rx_pack8(u), zero = {0, 0, 0, 0};
                rx_store16(to, oh < bottom && k < K ? item : zero);
            }
            __syncthreads();
        }
    }
    // 5. This part: a lane has an output's products with two taps, and another's.
    float *const to = dw + (long long)blockIdx.x * PART;
#pragma unroll
    for (int m = 0; m < MTILES; m++)
#pragma unroll
        for (int i = 0; i < OWN; i++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const int k = k0 + m * 16 + lane / 4 + e / 2 * 8, chunk = first_chunk + i;
                const int tap = chunk % ROW_CHUNKS * 8 + lane % 4 * 2 + e % 2;
                if (chunk < CHUNKS && tap < ROW && k < BLOCKS * BLOCK)
                    to[((k / BLOCK * R + chunk / ROW_CHUNKS) * ROW + tap) * BLOCK + k % BLOCK] =
                        acc[m][i][e];
            }
}
