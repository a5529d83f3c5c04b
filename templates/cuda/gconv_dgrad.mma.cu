// The data gradient of a grouped convolution on tensor cores, bf16: a convolution of the outputs'
// gradient, with zeros between its pixels where there is a stride, with the filter turned. It goes
// as gconv_fwd.mma does: a ring of rows in shared memory, which the rows of the next step follow.
//@ doc block: TILE_N warps of different pixels, times TILE_W / SLICE of different channels
//@ doc grid: strips, or parts, times ceil(channels / TILE_W)
//@ consts
enum { H = 6, W = 6, C = 64 };           // input map
enum { OH = 6, OW = 6, K = 64 };         // output map
enum { G = 8 };                          // groups
enum { CG = C / G, KG = K / G };         // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };    // filter, stride, padding
enum { IH = OH, IW = OW, IG = KG };      // map that is read
enum { YH = H, YW = W, YG = CG };        // map that is written
enum { STEP = 1 };                       // of the window over the map that is read
enum { PAD = R - 1 - P };                // around it
enum { APART = ST };                     // between its pixels in the ring
enum { BLOCK = 16 };                     // channels that lie together
enum { W_PITCH = (C + BLOCK - 1) / BLOCK * BLOCK };  // weights of all groups
enum { TILE_P = 6 };                     // rows of a strip
enum { TILE_M = 2 };                     // rows of a step
enum { TILE_N = 4 };                     // warps of different pixels
enum { TILE_W = 32 };                    // channels of a block
enum { THREADS = 128 };                  // of a block
enum { RESIDENT = 512 / THREADS };       // blocks at once: 128 registers a thread
enum { RX_LANES = 8 };                   // channels that a thread loads and stores at once
enum { VECTORS = TILE_W / RX_LANES };    // of a pixel
enum { PX = IG == 4 ? 2 : 1 };           // pixels of a product's row
enum { TILES = 4 };                      // products side by side of a warp
enum { SLICE = TILES * 8 / PX };         // channels of a warp
enum { SAME = PX == 2 ? 1 : YG < 32 ? YG / 8 : TILES };  // products of one group
enum { UNITS = PX == 2 ? (STEP + S + 1) / 2 : S };  // of 16 bytes below a product's row
enum { DEEP = PX == 2 ? 1 : IG / 8 };    // planes of a group
enum { PLANES = PX == 2 ? 2 * VECTORS : VECTORS };  // of 8 channels, or of a group of 4
enum { CHUNKS = R * UNITS * DEEP };      // of 8 values
enum { KSTEPS = (CHUNKS + 1) / 2 };      // products one after the other
enum { YWP = YW / PX };                  // products' rows of an output row
enum { MROWS = TILE_M * YWP };           // of a step
enum { MTILES = (MROWS + 15) / 16 };     // products of a step
enum { BATCH = TILE_M * STEP };          // rows that a step frees and loads
enum { HALO = R - STEP };                // rows that it shares with the next one
enum { STEPS = (TILE_P + TILE_M - 1) / TILE_M };  // of a strip
enum { STRIPS = (YH + TILE_P - 1) / TILE_P };     // of an image
enum { RING = (STEPS > 1 ? 2 : 1) * BATCH + HALO };  // rows
enum { WIDE = ((YWP - 1) * STEP + UNITS + STEP - 1) / STEP * STEP };  // units that rows need
enum { HALF = WIDE / STEP };             // with a stride, even units lie before odd ones
enum { PITCH = WIDE + ((YWP / STEP - WIDE) & (8 / STEP - 1)) };  // units of a row: no conflicts
enum { SPREAD = PX == 2 ? 4 : 8 };       // planes' offsets count modulo this
enum { PLANE = RING * PITCH + ((SPREAD / VECTORS - RING * PITCH) & (SPREAD - 1)) };  // units
enum { LOADS = (BATCH * IW * VECTORS + THREADS - 1) / THREADS };  // vectors of a thread
enum { MAPS0 = 1 };                      // that the prologue reads
enum { RAW_MAP = LOADS * THREADS };      // vectors of a map that are on their way
enum { WIDTH = TILE_W, ROWS = THREADS / (TILE_W / RX_LANES) };  // threads, where they add up
enum { SUMMED = (ROWS * (2 * WIDTH + 1) + 3) / 4 };  // units that sums take
enum { HELD = PLANES * PLANE };          // units of the ring
enum { WEIGHTS = TILE_W / SLICE * KSTEPS * (TILES / 2) * 32 };  // units of weights
//@ end

#include "tile_simt.cuh"  //@ tile

// The weight of value `value` of a chunk for a column of a warp's product `tile`.
template <typename W>
static __device__ __forceinline__ float
weight_at(const W *w, int first, int tile, int column, int chunk, int value)
{
    if (chunk >= CHUNKS)
        return 0.0f;
    //@ if pixel_pairs
    const int k = first + tile * 4 + column % 4, i = value % 4;
    const int r = chunk / UNITS, s = chunk % UNITS * 2 + value / 4 - column / 4 * STEP;
    if (s < 0 || s >= S)
        return 0.0f;
    const int tap = R * S - 1 - (r * S + s);
    //@ else
    //@ if spread
    const int k = first + column / 2 * 8 + tile * 2 + column % 2;
    //@ else
    const int k = first + tile * 8 + column;
    //@ end
    const int tap = R * S - 1 - chunk / DEEP, i = chunk % DEEP * 8 + value;
    //@ end
    //@ if rows
    return __uint_as_float((unsigned)w[(k * (R * S) + tap) * IG + i] << 16);
    //@ end
    return w[(tap * IG + i) * W_PITCH + k];  //@ when not panel
}

// A lane's part of a product's factor.
template <typename W>
static __device__ __forceinline__ uint2
weights_of(const W *w, int first, int tile, int kstep, int lane)
{
    const int column = lane / 4, value = lane % 4 * 2, chunk = kstep * 2;
    uint2 b;
    b.x = rx_pack_bf16(weight_at(w, first, tile, column, chunk, value),
                       weight_at(w, first, tile, column, chunk, value + 1));
    b.y = rx_pack_bf16(weight_at(w, first, tile, column, chunk + 1, value),
                       weight_at(w, first, tile, column, chunk + 1, value + 1));
    return b;
}

// Where a chunk lies, from the row of the ring on that its tap has.
static __device__ __forceinline__ int
chunk_offset(int chunk)
{
    const int t = chunk / DEEP % UNITS;
    return chunk % DEEP * PLANE + t % STEP * HALF + t / STEP;
}

static __device__ __forceinline__ int
chunk_row(int chunk)
{
    return chunk / DEEP / UNITS;
}

// Stores a vector of a pixel of the map into a row of the ring.
static __device__ __forceinline__ void
put(uint4 *ring, int vector, int row, int pixel, uint4 v)
{
    const int at = pixel * APART + PAD, unit = at / PX;
    uint4 *const to = ring + row * PITCH + unit % STEP * HALF + unit / STEP;
    //@ if pixel_pairs
    rx_store8((char *)(to + vector * 2 * PLANE) + at % 2 * 8, {v.x, v.y});
    rx_store8((char *)(to + (vector * 2 + 1) * PLANE) + at % 2 * 8, {v.z, v.w});
    //@ else
    rx_store16(to + vector * PLANE, v);
    //@ end
}

// Whether the map has element `at` of a batch of rows, of which `first` is the first.
static __device__ __forceinline__ int
is_read(int at, int first)
{
    const int ih = first + at / IW;
    return at < BATCH * IW && ih >= 0 && ih / APART < IH && ih % APART == 0;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][6][6][64]
          const float *__restrict__ w,   // [3][3][8][64]
          unsigned short *__restrict__ y0)        // [N][6][6][64]
          //@ end
{
    RX_DYNAMIC_SHARED(uint4, weights);  // [WEIGHTS], then the ring [HELD], raw [MAPS0][RAW_MAP]
    uint4 *const ring = weights + WEIGHTS, *const raw = ring + HELD;
    float *const shared = (float *)ring;  // sums, in the end  //@ when stats
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int slice = warp % (TILE_W / SLICE), mine = warp / (TILE_W / SLICE);
    const int first_channel = blockIdx.y * TILE_W;
    //@ if pixel_pairs
    const int row = mine * 16 + lane / 2;  //@ when stats
    const int column = slice * SLICE + lane % 2 * RX_LANES;
    //@ else
    const int row = mine * 8 + lane / 4;  //@ when stats
    const int column = slice * SLICE + lane % 4 * RX_LANES;
    //@ end
    const int c = first_channel + column;
    //@ rows
    //@ end
    //@ epilogue_begin channel=c
    //@ end

    // 1. Weights as products want them, and a ring of zeros: padding is never written.
    for (int i = warp; i < WEIGHTS / 32; i += THREADS / 32) {
        const int from = first_channel + i / (KSTEPS * (TILES / 2)) * SLICE;
        const int kstep = i / (TILES / 2) % KSTEPS, tile = i % (TILES / 2) * 2;
        const uint2 even = weights_of(w, from, tile, kstep, lane);
        const uint2 odd = weights_of(w, from, tile + 1, kstep, lane);
        rx_store16(weights + i * 32 + lane, {even.x, even.y, odd.x, odd.y});
    }
    for (int i = threadIdx.x; i < HELD; i += THREADS)
        rx_store16(ring + i, {0, 0, 0, 0});
    __syncthreads();

    for (int strip = blockIdx.x; strip < n * STRIPS; strip += gridDim.x) {
        const int image = strip / STRIPS, top = strip % STRIPS * TILE_P;
        const int bottom = min(top + TILE_P, (int)YH);
        for (int batch = 0; batch < STEPS + 2; batch++) {
            // 2. The batch's rows, which start above the strip, are copied as they lie in memory.
            const int above = (batch - 1) * BATCH + HALO, loader = rx_opaque(threadIdx.x);
            const int channel = first_channel + loader % VECTORS * RX_LANES;
#pragma unroll
            for (int i = 0; i < LOADS; i++) {
                const int at = (i * THREADS + loader) / VECTORS;
                const int inside = batch <= STEPS && is_read(at, top * STEP - PAD + above);
                const int h = (top * STEP - PAD + above + at / IW) / APART;
                const long long in = inside ? ((long long)image * IH + h) * IW + at % IW : 0;
                const int bytes = inside ? 2 * RX_LANES : 0;
                uint4 *const to = raw + i * THREADS + loader;
                //@ copy 0 pixel=in channel=channel to=to apart=RAW_MAP bytes=bytes
                rx_cp_async16(to, x0 + in * K + channel, bytes);
                //@ end
            }
            rx_cp_commit();
            // 3. The products of a step whose rows have come.
            const int step = batch - 2;
            for (int tile = mine; step >= 0 && tile < MTILES; tile += TILE_N) {
                const int m = min(tile * 16 + lane % 16, MROWS - 1);
                const uint4 *rows[R];
#pragma unroll
                for (int r = 0; r < R; r++)
                    rows[r] = ring + (step * BATCH + m / YWP * STEP + r) % RING * PITCH + m % YWP +
                              slice * (PLANES / (TILE_W / SLICE)) * PLANE;
                float acc[TILES][4] = {};
#pragma unroll
                for (int kstep = 0; kstep < KSTEPS; kstep++) {
                    const int low = kstep * 2, high = low + 1 < CHUNKS ? low + 1 : 0;
                    const uint4 *const at = lane < 16 ? rows[chunk_row(low)] + chunk_offset(low)
                                                      : rows[chunk_row(high)] + chunk_offset(high);
                    rx_fragment a;
#pragma unroll
                    for (int j = 0; j < TILES; j++) {
                        if (j % SAME == 0)
                            a = rx_ldmatrix_x4(at + j / SAME * DEEP * PLANE);
                        const uint4 b = rx_load16(
                            weights + ((slice * KSTEPS + kstep) * (TILES / 2) + j / 2) * 32 + lane);
                        rx_mma_bf16(acc[j], a, j % 2 ? b.z : b.x, j % 2 ? b.w : b.y);
                    }
                }
                // 4. A thread gets 8 neighbouring channels of a pixel; epilogue.
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const rx_v sum = rx_exchange_pairs(acc, half, lane);  //@ when pixel_pairs
                    const rx_v sum = rx_gather_spread(acc, half);  //@ when spread
                    const rx_v sum = rx_exchange_quads(acc, half, lane);  //@ when quads
                    const int y = tile * 16 + half * 8 + lane / 4;
                    const int oh = top + step * TILE_M + y / YWP;
                    //@ if pixel_pairs
                    const int ow = y % YWP * 2 + lane / 2 % 2;
                    //@ else
                    const int ow = y % YWP;
                    //@ end
                    if (y >= MROWS || oh >= bottom)
                        continue;
                    const long long out = ((long long)image * YH + oh) * YW + ow;
                    //@ epilogue pixel=out channel=c acc=sum
                    rx_store_bf16(y0 + out * C + c, sum);
                    //@ end
                }
            }
            // 5. What this thread copied goes, through the prologue, to rows that no step reads now;
            // what is missing of the map is zero after it.
            rx_cp_wait<0>();
            const int storer = rx_opaque(threadIdx.x), vector = storer % VECTORS;
            //@ prologue_begin 0 channel=(first_channel+vector*RX_LANES)
            //@ end
#pragma unroll
            for (int i = 0; i < LOADS; i++) {
                const int at = (i * THREADS + storer) / VECTORS, to = above + at / IW;
                const int inside = is_read(at, top * STEP - PAD + above);
                if (at >= BATCH * IW || batch > STEPS || to < 0)
                    continue;
                uint4 as_read[MAPS0];
#pragma unroll
                for (int m = 0; m < MAPS0; m++)
                    as_read[m] = rx_load16(raw + m * RAW_MAP + i * THREADS + storer);
                //@ prologue 0 pixel=(((long long)image * IH + (top * STEP - PAD + to) / APART) * IW + at % IW) channel=(first_channel+vector*RX_LANES) held=1 raw=as_read once=inside into=x
                const rx_v x = rx_widen8(as_read[0]);
                //@ end
                const uint4 item = rx_pack8(x), zero = {0, 0, 0, 0};
                put(ring, vector, to % RING, at % IW, inside ? item : zero);
            }
            __syncthreads();
        }
    }
    //@ if stats
    //@ epilogue_end channel=first_channel lanes=(C - first_channel)
    //@ end
    //@ end
}
