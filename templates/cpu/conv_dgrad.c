// Data gradient of a convolution, dense or with wide groups, as a matrix product: the outputs'
// gradients that touch TILE_P input pixels are packed into a panel (prologue applied), multiplied
// with blocks of input channels, and each block goes through the epilogue while it lies in the
// cache.
//@ doc task: TILE_P consecutive pixels of the N * H * W input pixels, which are counted image by
//@ doc       image, phase by phase (h % ST, w % ST), row by row
//@ doc       tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: ROWS * (TAPS + 16) + TILE_M * (TILE_W + 16),
//@ doc       ROWS = TILE_P rounded up to a multiple of TILE_M
//@ doc config: TILE_N * RX_LANES divides 16 or is a multiple of 16 and divides CG rounded up;
//@ doc       registers, TILE_P and TILE_W as in conv_fwd; with a stride, TILE_P at most about
//@ doc       H * W / ST^2
#include "tile_generic.h"  //@ tile

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 5, OW = 4, K = 32 };                           // output map
enum { G = 2, CG = C / G, KG = K / G };                    // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 12, TILE_M = 3, TILE_N = 4 };              // pixels a task; register tile
enum { TERMS = 16 };                                       // multiplies for a tap's outputs
enum { TAPS = R * S * TERMS };                             // and for all taps
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { ROWS = (TILE_P + TILE_M - 1) / TILE_M * TILE_M };   // of the panel
enum { BLOCK = 16, BLOCKS = (CG + BLOCK - 1) / BLOCK };    // inputs that lie together in w
enum { TILE_C = TILE_N * RX_LANES };                       // inputs of a register tile
enum { TILE_W = 16, ROW = TILE_W + 16 };                   // inputs that go through the epilogue
enum { STEP = TERMS < 128 ? 4 : 8 };                       // multiplies between two prefetches
enum { AHEAD = R * S * ((TERMS + STEP - 1) / STEP) };      // prefetches in a register tile
enum { SLACK = 32 };                                       // more than the maps of a pixel
enum { LINE = 16, PAIR = 2 * LINE };                       // elements of a cache line, of two
enum { TURNS = PAIR / TILE_C > 1 ? PAIR / TILE_C : 1 };      // register tiles that share two lines
enum { PAIRS = (KG + PAIR - 1) / PAIR };                   // of a pixel of the panel
enum { PAIRS_AHEAD = PAIRS * TILE_M * TILE_C / CG + 1 };   // of the next panel, with each tile
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
//@ if pairs
// Each float of the panel and of w holds two outputs in bf16, which are multiplied together.
//@ end
// On its way it prefetches, in order, what `ahead` lists. It is no part of its caller, so that its
// sums have the registers for themselves.
static __attribute__((noinline)) void
multiply(const float *restrict panel,  // [TILE_M][TAPS_PITCH]
         const float *restrict w,      // [..][R][S][TERMS][BLOCK]
         int r0, int s0,
         const void *const *ahead,  // [AHEAD]
         float *restrict out)       // [TILE_M][ROW]
{
    rx_v acc[TILE_M][TILE_N];
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            acc[i][v] = rx_zero();
    for (int r = r0; r < R; r += ST)
        for (int s = s0; s < S; s += ST, panel += TERMS)
            for (int k0 = 0; k0 < TERMS; k0 += STEP) {
                const int stop = TERMS % STEP == 0 || k0 + STEP < TERMS ? k0 + STEP : TERMS;
                rx_prefetch(*ahead);
                rx_prefetch((const float *)*ahead++ + LINE);
#pragma GCC unroll 4
                for (int k = k0; k < stop; k++) {
                    rx_v b[TILE_N];
#pragma GCC unroll 16
                    for (int v = 0; v < TILE_N; v++)
                        b[v] = rx_load(column(w, v) + ((r * S + s) * TERMS + k) * BLOCK);
#pragma GCC unroll 16
                    for (int i = 0; i < TILE_M; i++) {
                        const rx_v a = rx_set1(panel[i * TAPS_PITCH + k]);
#pragma GCC unroll 16
                        for (int v = 0; v < TILE_N; v++) {
                            acc[i][v] = rx_fma(a, b[v], acc[i][v]);   //@ when not pairs
                            acc[i][v] = rx_dot2(a, b[v], acc[i][v]);  //@ when pairs
                        }
                    }
                }
            }
#pragma GCC unroll 16
    for (int i = 0; i < TILE_M; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_N; v++)
            rx_store(out + i * ROW + v * RX_LANES, acc[i][v]);
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
    float *restrict tile = panel + ROWS * TAPS_PITCH;  // [TILE_M][ROW]
    int64_t pixel[ROWS + TILE_M];                      // of each row of the panel
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
        for (int i = 0; i < TILE_M; i++)
            pixel[rows + i] = next + i;
        //@ if pointwise
        const int64_t following = G > 1 ? 0 : end - next < TILE_P ? end - next : TILE_P;
        const int pairs = (int)following * PAIRS;
        int pair = 0;
        //@ end
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
                    rx_store(to + k, x);                   //@ when not pairs
                    rx_store_bf16((uint16_t *)to + k, x);  //@ when pairs
                }
                //@ else
                int at = 0;  // in the row, of this tap's first output
                const int64_t n = pixel[i] / (H * W);
                const int h = (int)(pixel[i] % (H * W)) / W, wi = (int)(pixel[i] % W);
                for (int r = r0; r < R; r += ST)
                    for (int s = s0; s < S; s += ST, at += KG) {
                        const int oh = (h + P - r) / ST, ow = (wi + P - s) / ST;
                        if (h + P < r || oh >= OH || wi + P < s || ow >= OW) {
                            for (int k = at; k < at + KG; k += RX_LANES) {
                                rx_store(to + k, rx_zero());                   //@ when not pairs
                                rx_store_bf16((uint16_t *)to + k, rx_zero());  //@ when pairs
                            }
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
                            rx_store(to + at + k, x);                   //@ when not pairs
                            rx_store_bf16((uint16_t *)to + at + k, x);  //@ when pairs
                        }
                    }
                //@ end
            }
            for (int c0 = 0; c0 < CG; c0 += TILE_W) {
                const int columns = CG - c0 < TILE_W ? CG - c0 : TILE_W;
                const int vectors = (columns + RX_LANES - 1) / RX_LANES;
                //@ if stats
                //@ epilogue_sums vectors=(TILE_W / RX_LANES)
                //@ end
                //@ end
                for (int i = 0; i < rows; i += TILE_M) {
                    // What the epilogue will meet next: the rows or channels that follow.
                    int row = i + TILE_M, channel = g * CG + c0;
                    if (row >= rows) {
                        row = c0 + TILE_W < CG ? 0 : rows;
                        channel = c0 + TILE_W < CG ? channel + TILE_W : g * CG;
                    }
                    // 3. Multiply: TILE_M pixels, these inputs.
                    for (int b = 0; b < columns; b += TILE_C) {
                        const void *ahead[AHEAD + SLACK], **at = ahead;
                        const int turn = b / TILE_C % TURNS;
                        for (int j = turn; j < TILE_M && at < ahead + AHEAD; j += TURNS) {
                            const int64_t p = pixel[row + j];
                            for (int c = b / PAIR * PAIR; c < b + TILE_C; c += PAIR) {
                                //@ ahead_epilogue pixel=p channel=(channel + c) to=at
                                *at++ = y0 + p * C + channel + c;
                                //@ end
                            }
                        }
                        //@ if pointwise
                        const int upto = pair + PAIRS_AHEAD < pairs ? pair + PAIRS_AHEAD : pairs;
                        for (; pair < upto && at < ahead + AHEAD; pair++) {
                            const int64_t p = next + pair / PAIRS;
                            const int k = pair % PAIRS * PAIR;
                            //@ ahead_prologue 0 pixel=p channel=k to=at
                            *at++ = x0 + p * K + k;
                            //@ end
                        }
                        //@ end
                        while (at < ahead + AHEAD)
                            *at++ = panel;
                        const float *wc =
                            w + (g * BLOCKS + (c0 + b) / BLOCK) * (int64_t)(TAPS * BLOCK) +
                            (c0 + b) % BLOCK;
                        multiply(panel + i * TAPS_PITCH, wc, r0, s0, ahead, tile + b);
                    }
                    // 4. Epilogue, a vector of channels after the other.
                    const int last = rows - i < TILE_M ? rows : i + TILE_M;
                    for (int v = 0; v < vectors; v++) {
                        const int c = g * CG + c0 + v * RX_LANES;
                        //@ if tail_in
                        const int left = CG - c0 - v * RX_LANES;
                        const int n = left < RX_LANES ? left : RX_LANES;
                        //@ end
                        for (int r = i; r < last; r++) {
                            const int64_t p = pixel[r];
                            const float *const o = tile + (r - i) * ROW + v * RX_LANES;
                            //@ epilogue pixel=p channel=c lanes=n at=o vector=v
                            rx_store_n(y0 + p * C + c, rx_load(o), n);
                            //@ end
                        }
                    }
                }
                //@ if stats
                for (int v = 0; v < vectors; v++) {
                    const int c = g * CG + c0 + v * RX_LANES;
                    //@ if tail_in
                    const int left = CG - c0 - v * RX_LANES;
                    const int lanes = left < RX_LANES ? left : RX_LANES;
                    //@ end
                    //@ epilogue_end channel=c lanes=lanes vector=v
                    (void)c, (void)lanes;
                    //@ end
                }
                //@ end
            }
        }
    }
}
