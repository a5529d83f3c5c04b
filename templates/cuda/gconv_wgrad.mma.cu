// The weight gradient of a grouped 3x3 convolution on tensor cores, bf16. A block has some channels
// of the rows of a strip and walks down it: a ring in shared memory holds the rows of the input
// that a step needs, after the prologue and with zeros for padding, beside them the gradients of
// the step's outputs, while those of the next step are loaded into registers.
//
// A product is 16 rows times 16 pixels times 8 outputs. A row is an input at a tap: 8 neighbouring
// inputs at one tap, and as many at another one or beside them. Of groups of 4 half of what comes
// out belongs to no weight.
//@ doc block: TILE_N warps of different pixels, times HALVES of different inputs of a group of 32,
//@ doc times SLICES of different outputs
//@ doc grid: parts, times ceil(channels / TILE_W)
//@ consts
enum { H = 6, W = 6, C = 64 };           // input map
enum { OH = 6, OW = 6, K = 64 };         // output map
enum { G = 8 };                          // groups
enum { CG = C / G };                     // channels of a group
enum { R = 3, S = 3, ST = 1, P = 1 };    // filter, stride, padding
enum { BLOCK = 16 };                     // channels that lie together
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
enum { PART = R * S * CG * K_PITCH };    // floats of a part
enum { TILE_P = 6 };                     // rows of a strip
enum { TILE_M = 2 };                     // rows of a step
enum { TILE_N = 2 };                     // warps of different pixels
enum { TILE_W = 32 };                    // channels of a block
enum { THREADS = 128 };                  // of a block
enum { RESIDENT = 384 / THREADS };       // blocks at once: 168 registers a thread
enum { RX_LANES = 8 };                   // channels that a thread loads at once
enum { MAPS0 = 1, MAPS1 = 1 };           // that the prologues read
enum { VECTORS = TILE_W / RX_LANES };    // of a pixel
enum { SLICES = TILE_W / 16 };           // of 16 outputs, a warp's
enum { WIDE_GROUPS = CG >= 16 };         // whose inputs both halves of a slice see
enum { HALVES = CG == 32 ? 2 : 1 };      // warps of different inputs
enum { MTILES = WIDE_GROUPS ? R * S : (R * S + 1) / 2 };  // products of a vector of outputs
enum { PIXELS = TILE_M * OW };           // of a step
enum { KTILES = (PIXELS + 15) / 16 };    // products one after the other
enum { BATCH = TILE_M * ST };            // rows that a step frees and loads
enum { HALO = R - ST };                  // rows that it shares with the next one
enum { BEFORE = (HALO + BATCH - 1) / BATCH };  // batches that bring them to the first one
enum { STEPS = (TILE_P + TILE_M - 1) / TILE_M };  // of a strip
enum { STRIPS = (OH + TILE_P - 1) / TILE_P };     // of an image
enum { RING = (STEPS > 1 ? 2 : 1) * BATCH + HALO };  // rows
enum { AGAIN = STEPS > 1 ? R - 1 : 0 };  // its first rows, again behind it: no window wraps
enum { WIDE = ((OW - 1) * ST + S + ST - 1) / ST * ST };  // vectors that rows need
enum { HALF = WIDE / ST };               // with a stride, even pixels lie before odd ones
enum { PITCH = WIDE + ((OW / ST - WIDE) & (8 / ST - 1)) };  // of a row: no conflicts
enum { HIGH = (RING + AGAIN) * PITCH };  // vectors of a plane
enum { PLANE = HIGH + ((8 / VECTORS - HIGH) & 7) };  // and to the next one
enum { U_PLANE = KTILES * 16 + 8 / VECTORS };        // the same of gradients
enum { HELD = VECTORS * (PLANE + 2 * U_PLANE) };     // vectors of both
enum { X_LOADS = (BATCH * W * VECTORS + THREADS - 1) / THREADS };  // vectors of a thread
enum { U_LOADS = (TILE_M * OW * VECTORS + THREADS - 1) / THREADS };
enum { OWNERS = SLICES * HALVES * 32 };  // threads of different sums
//@ end

#include "tile_simt.cuh"  //@ tile

// The tap of a product's upper (0) or lower (1) rows. Of the last one the lower rows are no tap.
static __device__ __forceinline__ int
tap_of(int m, int lower)
{
    if (WIDE_GROUPS || m == MTILES - 1)
        return WIDE_GROUPS ? m : R * S - 1;
    return m < S ? lower * S + m : 2 * S + lower;
}

// Where a tap's inputs lie, from those of the first one on.
static __device__ __forceinline__ int
tap_offset(int tap)
{
    return tap / S * PITCH + tap % S % ST * HALF + tap % S / ST;
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
RX_KERNEL(int n,        // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const unsigned short *__restrict__ x0,  // [N][6][6][64]
          const unsigned short *__restrict__ x1,  // [N][6][6][64]
          float *__restrict__ dw)                 // [T][3][3][8][64]
          //@ end
{
    RX_DYNAMIC_SHARED(uint4, ring);  // [VECTORS][PLANE], gradients [2][VECTORS][U_PLANE] behind it
    uint4 *const gradients = ring + VECTORS * PLANE;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, lower = lane / 8 % 2;
    const int slice = warp % SLICES, half = warp / SLICES % HALVES;
    const int mine = warp / (SLICES * HALVES);
    const int first_channel = blockIdx.y * TILE_W;
    //@ rows
    //@ end

    // 1. Zeros: padding beside the map, and gradients of no pixel, are never written.
    for (int i = threadIdx.x; i < HELD; i += THREADS)
        rx_store16(ring + i, {0, 0, 0, 0});
    __syncthreads();

    // The plane of the slice's first inputs.
    const int plane = WIDE_GROUPS ? slice * 16 / CG * (CG / 8) + half * 2 + lower : slice * 2;
    float acc[2][MTILES][4] = {};
    for (int strip = blockIdx.x; strip < n * STRIPS; strip += n_parts) {
        const int image = strip / STRIPS, top = strip % STRIPS * TILE_P;
        const int bottom = min(top + TILE_P, (int)OH);
        for (int batch = 0; batch < BEFORE + STEPS + 1; batch++) {
            // 2. The batch's rows, which start above the strip, and the gradients of a step.
            const int above = (batch - BEFORE) * BATCH + HALO;
            const int first_row = top + (batch - BEFORE) * TILE_M, loader = rx_opaque(threadIdx.x);
            const int channel = first_channel + loader % VECTORS * RX_LANES;
            uint4 x_raw[X_LOADS][MAPS0], u_raw[U_LOADS][MAPS1];
#pragma unroll
            for (int i = 0; i < X_LOADS; i++) {
                const int at = (i * THREADS + loader) / VECTORS;
                const int ih = top * ST - P + above + at / W;
                const int inside = at < BATCH * W && batch < BEFORE + STEPS && ih >= 0 && ih < H;
                const long long in = inside ? ((long long)image * H + ih) * W + at % W : 0;
                //@ fetch 0 pixel=in channel=channel into=x_raw[i]
                x_raw[i][0] = rx_load16(x0 + in * C + channel);
                //@ end
            }
#pragma unroll
            for (int i = 0; i < U_LOADS; i++) {
                const int at = (i * THREADS + loader) / VECTORS, oh = first_row + at / OW;
                const int inside = at < PIXELS && oh >= top && oh < bottom;
                const long long out = inside ? ((long long)image * OH + oh) * OW + at % OW : 0;
                //@ fetch 1 pixel=out channel=channel into=u_raw[i]
                u_raw[i][0] = rx_load16(x1 + out * K + channel);
                //@ end
            }
            // 3. The products of a step whose rows have come.
            const int step = batch - BEFORE - 1;
            const uint4 *const u = gradients + lane % 16 +
                                   (step % 2 * VECTORS + slice * 2 + lane / 16) * U_PLANE;
            for (int tile = mine; step >= 0 && tile < KTILES; tile += TILE_N) {
                const int pixel = min(tile * 16 + lane / 16 * 8 + lane % 8, PIXELS - 1);
                const uint4 *const x = ring + plane * PLANE +
                                       (step * BATCH + pixel / OW * ST) % RING * PITCH + pixel % OW;
                const rx_fragment b = rx_ldmatrix_x4_trans(u + tile * 16);
#pragma unroll
                for (int m = 0; m < MTILES; m++) {
                    const int offset = lower ? tap_offset(tap_of(m, 1)) : tap_offset(tap_of(m, 0));
                    rx_fragment a;
#pragma unroll
                    for (int v = 0; v < 2; v++) {
                        if (v == 0 || !WIDE_GROUPS)
                            a = rx_ldmatrix_x4_trans(x + v * PLANE + offset);
                        rx_mma_bf16(acc[v][m], a, b.v[v * 2], b.v[v * 2 + 1]);
                    }
                }
            }
            // 4. Rows and gradients go, through the prologues, to where no step reads now; padding
            // is zero after them.
            const int storer = rx_opaque(threadIdx.x), vector = storer % VECTORS;
            const int own = first_channel + vector * RX_LANES;
            {
                //@ prologue_begin 0 channel=own
                //@ end
#pragma unroll
                for (int i = 0; i < X_LOADS; i++) {
                    const int at = (i * THREADS + storer) / VECTORS, row = above + at / W;
                    const int ih = top * ST - P + row, to = row % RING;
                    if (at >= BATCH * W || batch >= BEFORE + STEPS || row < 0)
                        continue;
                    //@ prologue 0 pixel=(((long long)image * H + ih) * W + at % W) channel=own held=1 raw=x_raw[i] into=x
                    const rx_v x = rx_widen8(x_raw[i][0]);
                    //@ end
                    const uint4 item = rx_pack8(x), zero = {0, 0, 0, 0};
                    const int column = at % W + P;
                    uint4 *const place = ring + vector * PLANE + to * PITCH +
                                         column % ST * HALF + column / ST;
                    rx_store16(place, ih >= 0 && ih < H ? item : zero);
                    if (to < AGAIN)
                        rx_store16(place + RING * PITCH, ih >= 0 && ih < H ? item : zero);
                }
            }
            {
                //@ prologue_begin 1 channel=own
                //@ end
#pragma unroll
                for (int i = 0; i < U_LOADS; i++) {
                    const int at = (i * THREADS + storer) / VECTORS, oh = first_row + at / OW;
                    if (at >= PIXELS || oh < top || batch >= BEFORE + STEPS)
                        continue;
                    //@ prologue 1 pixel=(((long long)image * OH + oh) * OW + at % OW) channel=own held=1 raw=u_raw[i] into=u
                    const rx_v u = rx_widen8(u_raw[i][0]);
                    //@ end
                    const uint4 item = rx_pack8(u), zero = {0, 0, 0, 0};
                    rx_store16(gradients + ((step + 1) % 2 * VECTORS + vector) * U_PLANE + at,
                               oh < bottom ? item : zero);
                }
            }
            __syncthreads();
        }
    }
    // 5. Warps of different pixels add up, in their order.
    float *const shared = (float *)ring + warp % (SLICES * HALVES) * 32 + lane;  // [2 * MTILES * 4]
    for (int other = 1; other < TILE_N; other++) {
#pragma unroll
        for (int i = 0; i < 2 * MTILES * 4; i++)
            if (mine == other)
                shared[i * OWNERS] = acc[i / (MTILES * 4)][i / 4 % MTILES][i % 4];
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 2 * MTILES * 4; i++)
            if (mine == 0)
                acc[i / (MTILES * 4)][i / 4 % MTILES][i % 4] += shared[i * OWNERS];
        __syncthreads();
    }
    // 6. This part: a lane has an input's products with two outputs, at an upper and a lower tap.
    const int input = lane / 4, output = lane % 4 * 2;
    float *const to = dw + (long long)blockIdx.x * PART;
#pragma unroll
    for (int v = 0; v < 2; v++)
#pragma unroll
        for (int i = 0; i < 2 * MTILES; i++) {
            const int k = first_channel + slice * 16 + v * 8 + output, tap = tap_of(i / 2, i % 2);
            if (mine != 0 || (!WIDE_GROUPS && i == 2 * MTILES - 1))
                continue;
            //@ if panel
            const int c = (half * 2 + i % 2) * 8 + input;
            float *const at = to + ((k / BLOCK * (R * S) + tap) * CG + c) * BLOCK + k % BLOCK;
            //@ else
            if (input / CG != output / CG)
                continue;
            float *const at = to + (tap * CG + input % CG) * K_PITCH + k;
            //@ end
            rx_store8(at, {__float_as_uint(acc[v][i / 2][i % 2 * 2]),
                           __float_as_uint(acc[v][i / 2][i % 2 * 2 + 1])});
        }
}
