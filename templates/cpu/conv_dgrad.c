// Data gradient of a convolution, dense or with wide groups, as a matrix product: the outputs'
// gradients that touch TILE_P input pixels are packed into a panel (prologue applied), multiplied
// with blocks of input channels, and each block goes through the epilogue while it lies in the
// cache.
//@ doc task: TILE_P consecutive pixels of the N * H * W input pixels, which are counted image by
//@ doc       image, phase by phase (h % ST, w % ST), row by row
//@ doc       tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: ROWS * (R * S * KG + 16) + ROWS * TILE_N * RX_LANES,
//@ doc       ROWS = TILE_P rounded up to a multiple of TILE_M
//@ doc config: TILE_N * RX_LANES divides 16 or is a multiple of 16 and divides CG rounded up;
//@ doc       registers and TILE_P as in conv_fwd; with a stride, TILE_P at most about H * W / ST^2
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 5, OW = 4, K = 32 };                           // output map
enum { G = 2, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 12, TILE_M = 3, TILE_N = 4 };              // pixels a task; register tile
enum { TAPS = R * S * KG };                                // outputs that an input touches
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { ROWS = (TILE_P + TILE_M - 1) / TILE_M * TILE_M };   // of the panel
enum { BLOCK = 16, BLOCKS = (CG + BLOCK - 1) / BLOCK };    // inputs that lie together in w
enum { TILE_C = TILE_N * RX_LANES };                       // inputs of a register tile
//@ end
// clang-format on

//@ if strided
// Where in an image a pixel is, counted phase by phase. Pixels of one phase are touched by the same
// taps: those r with r % ST == (h + P) % ST, and s likewise.
struct place {
    int ph, pw;  // phase: h % ST, w % ST
    int at;      // pixel within the phase
    int left;    // pixels of the phase from this one on
};

static struct place
locate(int pixel)
{
    struct place place = {0, 0, pixel, 0};
    for (int phase = 0; phase < ST * ST; phase++) {
        place.ph = phase / ST;
        place.pw = phase % ST;
        place.left = (H - place.ph + ST - 1) / ST * ((W - place.pw + ST - 1) / ST) - place.at;
        if (place.left > 0)
            break;
        place.at = -place.left;
    }
    return place;
}
//@ end

// The weights of vector v of a register tile, for its first tap.
static inline const float *
column(const float *w, int v)
{
    return w + v * RX_LANES / BLOCK * TAPS * BLOCK + v * RX_LANES % BLOCK;
}

// out[i][c] = sum over taps of panel[i][tap] * w[tap][c], for TILE_M rows and TILE_C inputs; the
// panel has the taps r0, r0 + ST ... and s0, s0 + ST ... only.
static inline void
multiply(const float *restrict panel,  // [TILE_M][TAPS_PITCH]
         const float *restrict w,      // [..][R][S][KG][BLOCK]
         int r0, int s0,
         float *restrict out)  // [TILE_M][TILE_C]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int r = r0; r < R; r += ST)
        for (int s = s0; s < S; s += ST, panel += KG)
            for (int k = 0; k < KG; k++) {
                rx_v b[TILE_N];
#pragma GCC unroll 16
                for (int v = 0; v < TILE_N; v++)
                    b[v] = rx_load(column(w, v) + ((r * S + s) * KG + k) * BLOCK);
#pragma GCC unroll 16
                for (int i = 0; i < TILE_M; i++) {
                    const rx_v a = rx_set1(panel[i * TAPS_PITCH + k]);
#pragma GCC unroll 16
                    for (int v = 0; v < TILE_N; v++)
                        acc[i][v] = rx_fma(a, b[v], acc[i][v]);
                }
            }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * TILE_C + v * RX_LANES, acc[i][v]);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][OH][OW][K]
    const float *restrict w = t[1];   // [G][BLOCKS][R][S][KG][BLOCK]
    float *restrict y0 = t[2];        // [N][H][W][C]
    //@ end
    float *restrict panel = call->scratch;             // [ROWS][TAPS_PITCH]
    float *restrict tile = panel + ROWS * TAPS_PITCH;  // [ROWS][TILE_C]
    int64_t pixel[TILE_P];                             // of each row of the panel
    const int64_t pixels = (int64_t)call->n * H * W;
    //@ clear
    //@ end

    const int64_t end = call->last * TILE_P < pixels ? call->last * TILE_P : pixels;
    for (int64_t first = call->first * TILE_P, next; first < end; first = next) {
        // 1. Choose the rows: to the end of the task, of one phase only.
        int rows = TILE_P - (int)(first % TILE_P);
        rows = end - first < rows ? (int)(end - first) : rows;
        int r0 = 0, s0 = 0;
        //@ if strided
        const struct place place = locate((int)(first % (H * W)));
        rows = place.left < rows ? place.left : rows;
        r0 = (place.ph + P) % ST;
        s0 = (place.pw + P) % ST;
        const int width = (W - place.pw + ST - 1) / ST;
        for (int i = 0; i < rows; i++) {
            const int h = place.ph + (place.at + i) / width * ST;
            pixel[i] = (first / (H * W) * H + h) * W + place.pw + (place.at + i) % width * ST;
        }
        //@ else
        for (int i = 0; i < rows; i++)
            pixel[i] = first + i;
        //@ end
        next = first + rows;
        for (int g = 0; g < G; g++) {
            // 2. Pack the gradients that touch each pixel, transformed; those outside the map are
            // zero. Whole vectors are stored: what exceeds a tap is overwritten by the next.
            for (int i = 0; i < rows; i++) {
                float *restrict to = panel + i * TAPS_PITCH;
                //@ if pointwise
                for (int k = 0; k < KG; k += RX_LANES) {
                    const int left = KG - k;                              //@ when tail_out
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_out
                    //@ prologue 0 pixel=pixel[i] channel=(g * KG + k) lanes=lanes into=x
                    const rx_v x = rx_load_n(x0 + pixel[i] * K + g * KG + k, lanes);
                    //@ end
                    rx_store(to + k, x);
                }
                //@ else
                const int64_t n = pixel[i] / (H * W);
                const int h = (int)(pixel[i] % (H * W)) / W, wi = (int)(pixel[i] % W);
                for (int r = r0; r < R; r += ST)
                    for (int s = s0; s < S; s += ST, to += KG) {
                        const int oh = (h + P - r) / ST, ow = (wi + P - s) / ST;
                        if (h + P < r || oh >= OH || wi + P < s || ow >= OW) {
                            for (int k = 0; k < KG; k += RX_LANES)
                                rx_store(to + k, rx_zero());
                            continue;
                        }
                        const int64_t from = (n * OH + oh) * OW + ow;
                        for (int k = 0; k < KG; k += RX_LANES) {
                            //@ if tail_out
                            const int lanes = KG - k < RX_LANES ? KG - k : RX_LANES;
                            //@ end
                            //@ prologue 0 pixel=from channel=(g * KG + k) lanes=lanes into=x
                            const rx_v x = rx_load_n(x0 + from * K + g * KG + k, lanes);
                            //@ end
                            rx_store(to + k, x);
                        }
                    }
                //@ end
            }
            for (int c0 = 0; c0 < CG; c0 += TILE_C) {
                // 3. Multiply: these inputs of all pixels, so that their weights are read once.
                const float *wc =
                    w + (g * BLOCKS + c0 / BLOCK) * (int64_t)(TAPS * BLOCK) + c0 % BLOCK;
                for (int i = 0; i < rows; i += TILE_M)
                    multiply(panel + i * TAPS_PITCH, wc, r0, s0, tile + i * TILE_C);
                // 4. Epilogue, a vector of channels at a time.
                for (int v = 0; v < TILE_C && c0 + v < CG; v += RX_LANES) {
                    float *out = tile + v;  // these inputs of all pixels
                    const int c = g * CG + c0 + v;
                    const int left = CG - c0 - v;                         //@ when tail_in
                    const int lanes = left < RX_LANES ? left : RX_LANES;  //@ when tail_in
                    //@ epilogue_begin channel=c lanes=lanes
                    //@ end
                    for (int i = 0; i < rows; i++) {
                        //@ epilogue pixel=pixel[i] channel=c lanes=lanes at=(out + i * TILE_C)
                        rx_store_n(y0 + pixel[i] * C + c, rx_load(out + i * TILE_C), lanes);
                        //@ end
                    }
                    //@ epilogue_end channel=c lanes=lanes at=(out + i * TILE_C) row=i rows=rows
                    //@ end
                }
            }
        }
    }
}
