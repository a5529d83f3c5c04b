// Data gradient of a dense convolution as a product of tiles of bf16: the outputs' gradients that
// touch TILE_P input pixels are packed into a panel (prologue applied), multiplied with blocks of
// input channels, and each block goes through the epilogue while it lies in the cache.
//@ doc task: TILE_P consecutive pixels of the N * H * W input pixels, which are counted image by
//@ doc       image, phase by phase (h % ST, w % ST), row by row
//@ doc       tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: ROWS * (TAPS + 16) + TILE_M * (TILE_W + 16),
//@ doc       ROWS = TILE_P rounded up to a multiple of TILE_M
//@ doc config: as in conv_fwd.amx, of C in the place of K; 32 divides K; with a stride, TILE_P at
//@ doc       most about H * W / ST^2
#include "tile_amx.h"

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 5, OW = 4, K = 32 };                           // output map
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 96, TILE_M = 32, TILE_N = 2 };             // pixels a task; tiles of a product
enum { TERMS = 16 };                                       // multiplies for a tap's outputs
enum { CHUNKS = TERMS / RX_LANES };                        // tiles that they are cut into
enum { TAPS = R * S * TERMS };                             // and for all taps
enum { TAPS_PITCH = TAPS + 16 };                           // of a panel row: never a power of two
enum { ROWS = (TILE_P + TILE_M - 1) / TILE_M * TILE_M };   // of the panel
enum { BLOCK = 16, BLOCKS = (C + BLOCK - 1) / BLOCK };     // inputs that lie together in w
enum { TILE_C = TILE_N * RX_LANES };                       // inputs of a product
enum { TILE_W = 32, ROW = TILE_W + 16 };                   // inputs that go through the epilogue
enum { AHEAD = 8 * TILE_M };                                 // prefetches in a product, at most
enum { SLACK = 32 };                                       // more than the maps of a pixel
enum { LINE = 16, PAIR = 2 * LINE };                       // f32, and bf16, of a cache line
enum { LINES = (K + PAIR - 1) / PAIR };                    // of a pixel of the panel
enum { LINES_AHEAD = LINES * TILE_M * TILE_C / C + 1 };    // of the next panel, with each product
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

// out[i][c] = sum over taps of panel[i][tap] * w[tap][c], for TILE_M rows and TILE_C inputs; the
// panel has the taps r0, r0 + ST ... and s0, s0 + ST ... only. Each float of the panel and of w
// holds two outputs in bf16. On its way it prefetches, in order, what `ahead` lists: `each` a tile
// of outputs.
static __attribute__((noinline)) void
multiply(const float *restrict panel,  // [TILE_M][TAPS_PITCH]
         const float *restrict w,      // [..][R][S][TERMS][BLOCK]
         int r0, int s0,
         const void *const *ahead,  // [R][S][CHUNKS][each]
         int each,
         float *restrict out)  // [TILE_M][ROW]
{
#pragma GCC unroll 4
    for (int tile = 0; tile < 4; tile++)
        rx_tile_zero(tile);
    for (int r = r0; r < R; r += ST)
        for (int s = s0; s < S; s += ST)
            for (int chunk = 0; chunk < CHUNKS; chunk++, panel += RX_LANES) {
                const float *const from = w + ((r * S + s) * TERMS + chunk * RX_LANES) * BLOCK;
                rx_tile_load(6, from, BLOCK);
                if (TILE_N > 1)
                    rx_tile_load(7, from + TAPS * BLOCK, BLOCK);
                rx_tile_load(4, panel, TAPS_PITCH);
                rx_tile_dot2(0, 0);
                if (TILE_N > 1)
                    rx_tile_dot2(0, 1);
                if (TILE_M / RX_ROWS > 1) {
                    rx_tile_load(5, panel + RX_ROWS * TAPS_PITCH, TAPS_PITCH);
                    rx_tile_dot2(1, 0);
                    if (TILE_N > 1)
                        rx_tile_dot2(1, 1);
                }
                for (int i = 0; i < each; i++)
                    rx_prefetch(*ahead++);
            }
#pragma GCC unroll 4
    for (int tile = 0; tile < 4; tile++)
        if (tile / 2 * RX_ROWS < TILE_M && tile % 2 < TILE_N)
            rx_tile_store(tile, out + tile / 2 * RX_ROWS * ROW + tile % 2 * RX_LANES, ROW);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][OH][OW][K]
    const float *restrict w = t[1];   // [BLOCKS][R][S][TERMS][BLOCK], pairs of bf16
    float *restrict y0 = t[2];        // [N][H][W][C]
    //@ end
    float *restrict panel = call->scratch;             // [ROWS][TAPS_PITCH]
    float *restrict tile = panel + ROWS * TAPS_PITCH;  // [TILE_M][ROW]
    int64_t pixel[ROWS + TILE_M];                      // of each row of the panel
    const int64_t pixels = (int64_t)call->n * H * W;
    //@ clear
    //@ end
    rx_tiles_begin();

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
        const int64_t following = end - next < TILE_P ? end - next : TILE_P;
        const int lines = (int)following * LINES;
        int line = 0;
        //@ end
        // 2. Pack the gradients that touch each pixel, transformed; those outside the map are
        // zero.
        for (int i = 0; i < rows; i++) {
            uint16_t *restrict to = (uint16_t *)(panel + i * TAPS_PITCH);
            //@ if pointwise
            for (int k = 0; k < K; k += RX_LANES) {
                //@ prologue 0 pixel=pixel[i] channel=k lanes=RX_LANES into=x
                const rx_v x = rx_load(x0 + pixel[i] * K + k);
                //@ end
                rx_store_bf16(to + k, x);
            }
            //@ else
            int at = 0;  // in the row, of this tap's first output
            const int64_t n = pixel[i] / (H * W);
            const int h = (int)(pixel[i] % (H * W)) / W, wi = (int)(pixel[i] % W);
            for (int r = r0; r < R; r += ST)
                for (int s = s0; s < S; s += ST, at += K) {
                    const int oh = (h + P - r) / ST, ow = (wi + P - s) / ST;
                    if (h + P < r || oh >= OH || wi + P < s || ow >= OW) {
                        for (int k = at; k < at + K; k += RX_LANES)
                            rx_store_bf16(to + k, rx_zero());
                        continue;
                    }
                    const int64_t from = (n * OH + oh) * OW + ow;
                    for (int k = 0; k < K; k += RX_LANES) {
                        //@ prologue 0 pixel=from channel=k lanes=RX_LANES into=x
                        const rx_v x = rx_load(x0 + from * K + k);
                        //@ end
                        rx_store_bf16(to + at + k, x);
                    }
                }
            //@ end
        }
        for (int c0 = 0; c0 < C; c0 += TILE_W) {
            const int columns = C - c0 < TILE_W ? C - c0 : TILE_W;
            const int vectors = (columns + RX_LANES - 1) / RX_LANES;
            //@ if stats
            //@ epilogue_sums vectors=(TILE_W / RX_LANES)
            //@ end
            //@ end
            for (int i = 0; i < rows; i += TILE_M) {
                // What the epilogue will meet next: the rows or channels that follow.
                int row = i + TILE_M, channel = c0;
                if (row >= rows) {
                    row = c0 + TILE_W < C ? 0 : rows;
                    channel = c0 + TILE_W < C ? channel + TILE_W : 0;
                }
                // 3. Multiply: TILE_M pixels, these inputs.
                for (int b = 0; b < columns; b += TILE_C) {
                    const void *ahead[AHEAD + SLACK + R * S * CHUNKS], **at = ahead;
                    const int turn = b % PAIR / TILE_C, turns = PAIR / TILE_C;
                    for (int j = turn; j < TILE_M && at < ahead + AHEAD; j += turns) {
                        const int64_t p = pixel[row + j];
                        //@ ahead_epilogue pixel=p channel=(channel + b) to=at
                        *at++ = y0 + p * C + channel + b;
                        //@ end
                    }
                    //@ if pointwise
                    const int upto = line + LINES_AHEAD < lines ? line + LINES_AHEAD : lines;
                    for (; line < upto && at < ahead + AHEAD; line++) {
                        const int64_t p = next + line / LINES;
                        const int k = line % LINES * PAIR;
                        //@ ahead_prologue 0 pixel=p channel=k to=at
                        *at++ = x0 + p * K + k;
                        //@ end
                    }
                    //@ end
                    const int each = (int)(at - ahead + R * S * CHUNKS - 1) / (R * S * CHUNKS);
                    while (at < ahead + each * (R * S * CHUNKS))
                        *at++ = panel;
                    multiply(panel + i * TAPS_PITCH,
                             w + (int64_t)((c0 + b) / BLOCK) * (TAPS * BLOCK), r0, s0, ahead, each,
                             tile + b);
                }
                // 4. Epilogue, a vector of channels after the other.
                const int last = rows - i < TILE_M ? rows : i + TILE_M;
                for (int v = 0; v < vectors; v++) {
                    const int c = c0 + v * RX_LANES;
                    //@ if tail_in
                    const int left = C - c0 - v * RX_LANES;
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
                const int c = c0 + v * RX_LANES;
                //@ if tail_in
                const int left = C - c0 - v * RX_LANES;
                const int lanes = left < RX_LANES ? left : RX_LANES;
                //@ end
                //@ epilogue_end channel=c lanes=lanes vector=v
                (void)c, (void)lanes;
                //@ end
            }
            //@ end
        }
    }
    rx_tiles_end();
}
