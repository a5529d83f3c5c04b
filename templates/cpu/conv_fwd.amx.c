// Forward convolution, dense, as a product of tiles of bf16: the inputs that TILE_P output pixels
// see are packed into a panel (prologue applied), multiplied with blocks of outputs, and each block
// goes through the epilogue while it lies in the cache.
//@ doc task: TILE_M consecutive pixels of the N * OH * OW output pixels, one part of the outputs;
//@ doc       a share is worked off in panels of TILE_P pixels at most
//@ doc       tasks = ceil(N * OH * OW / TILE_M) * parts, parts <= COLUMNS
//@ doc scratch floats: ROWS * (DEPTH + 16) + TILE_M * (TILE_W + 16) +
//@ doc       BLOCKS * 256, ROWS = TILE_P rounded up to a multiple of TILE_M, DEPTH = TAPS to one
//@ doc       of 16
//@ doc config: TILE_M 16 or 32 pixels, TILE_N 1 or 2 vectors, which divide K rounded up to 16;
//@ doc       TILE_P so many that weights are read seldom, and that the panel stays in the L2 cache;
//@ doc       TILE_W a multiple of TILE_N * 16
#include "tile_amx.h"

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 9, OW = 7, K = 32 };                           // output map
enum { R = 3, S = 3, ST = 1, P = 1 };                      // taps, stride, padding
enum { TILE_P = 96, TILE_M = 32, TILE_N = 2 };             // pixels a panel; tiles of a product
enum { TAPS = 144 };                                       // multiplies that make an output
enum { CHUNKS = (TAPS + RX_LANES - 1) / RX_LANES };        // tiles that they are cut into
enum { REST = TAPS % RX_LANES };                           // of the last one, where it is not full
enum { DEPTH = CHUNKS * RX_LANES, DEPTH_PITCH = DEPTH + 16 };  // of a panel row: no power of two
enum { PANEL = (TILE_P + TILE_M - 1) / TILE_M };           // products of the panel
enum { ROWS = PANEL * TILE_M };                            // pixels of the panel
enum { BLOCK = 16, BLOCKS = (K + BLOCK - 1) / BLOCK };     // outputs that lie together in w
enum { TILE_K = TILE_N * RX_LANES };                       // outputs of a product
enum { TILE_W = 32, ROW = TILE_W + 16 };                   // outputs that go through the epilogue
enum { AHEAD = 8 * TILE_M };                                 // prefetches in a product, at most
enum { SLACK = 32 };                                       // more than the maps of a pixel
enum { LINE = 16, PAIR = 2 * LINE };                       // f32, and bf16, of a cache line
enum { LINES = (C + PAIR - 1) / PAIR };                    // of a pixel of the panel
enum { LINES_AHEAD = LINES * TILE_M * TILE_K / K + 1 };    // of the next panel, with each product
enum { COLUMNS = (K + TILE_K - 1) / TILE_K };              // of all outputs
//@ end
// clang-format on

// out[i][k] = sum over taps of panel[i][tap] * w[tap][k], for TILE_M rows and TILE_K outputs. Each
// float of the panel and of w holds two taps in bf16. What is left of the taps lies in `rest`,
// filled up with zeros. On its way it prefetches, in order, what `ahead` lists: `each` a tile of
// taps.
static __attribute__((noinline)) void
multiply(const float *restrict panel,  // [TILE_M][DEPTH_PITCH]
         const float *restrict w,      // [..][TAPS][BLOCK]
         const float *restrict rest,   // [..][16][BLOCK]
         const void *const *ahead,     // [CHUNKS][each]
         int each,
         float *restrict out)  // [TILE_M][ROW]
{
#pragma GCC unroll 4
    for (int tile = 0; tile < 4; tile++)
        rx_tile_zero(tile);
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        const int full = REST == 0 || chunk < CHUNKS - 1;
        const float *const from = full ? w + chunk * RX_LANES * BLOCK : rest;
        const int64_t next = full ? TAPS * BLOCK : RX_LANES * BLOCK;
        rx_tile_load(6, from, BLOCK);
        if (TILE_N > 1)
            rx_tile_load(7, from + next, BLOCK);
        rx_tile_load(4, panel + chunk * RX_LANES, DEPTH_PITCH);
        rx_tile_dot2(0, 0);
        if (TILE_N > 1)
            rx_tile_dot2(0, 1);
        if (TILE_M / RX_ROWS > 1) {
            rx_tile_load(5, panel + RX_ROWS * DEPTH_PITCH + chunk * RX_LANES, DEPTH_PITCH);
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

//@ if rest
// The last taps of each block's weights and zeros, a whole tile.
static void
fill_rest(const float *restrict w,  // [BLOCKS][TAPS][BLOCK]
          float *restrict rest)     // [BLOCKS][16][BLOCK]
{
    for (int block = 0; block < BLOCKS; block++)
        for (int tap = 0; tap < RX_LANES; tap++)
            rx_store(rest + (block * RX_LANES + tap) * BLOCK,
                     tap < REST ? rx_load(w + (block * TAPS + TAPS - REST + tap) * BLOCK)
                                : rx_zero());
}
//@ end

// Products of the next panel: what is left of a part and of a share, in equal panels.
static inline int
panel_tiles(int64_t of_part, int64_t of_share)
{
    const int64_t left = of_part < of_share ? of_part : of_share;
    const int64_t panels = (left + PANEL - 1) / PANEL;
    return (int)((left + panels - 1) / panels);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict w = t[1];   // [BLOCKS][TAPS][BLOCK], pairs of bf16
    float *restrict y0 = t[2];        // [N][OH][OW][K]
    //@ end
    float *restrict panel = call->scratch;              // [ROWS][DEPTH_PITCH]
    float *restrict tile = panel + ROWS * DEPTH_PITCH;  // [TILE_M][ROW]
    float *restrict rest = tile + TILE_M * ROW;         // [BLOCKS][16][BLOCK]
    const int64_t pixels = (int64_t)call->n * OH * OW, units = (pixels + TILE_M - 1) / TILE_M;
    //@ clear
    //@ end
    fill_rest(w, rest);  //@ when rest
    rx_tiles_begin();

    for (int64_t task = call->first, next; task < call->last; task = next) {
        const int64_t part = task / units, unit = task % units, first = unit * TILE_M;
        const int tiles = panel_tiles(units - unit, call->last - task);
        const int rows = (int)(pixels - first < tiles * TILE_M ? pixels - first : tiles * TILE_M);
        const int begin = (int)(COLUMNS * part / call->parts);
        const int end = (int)(COLUMNS * (part + 1) / call->parts);
        next = task + tiles;
        //@ if pointwise
        // Of the next panel.
        const int64_t left = pixels - first - rows, share = (call->last - next) * TILE_M;
        const int64_t following = left < share ? left : share;
        const int lines = (int)(following < TILE_P ? following : TILE_P) * LINES;
        int line = 0;
        //@ end
        // 1. Pack the inputs of each pixel, transformed; taps outside the map are zero. Whole
        // vectors are stored: what exceeds a tap is overwritten by the next. Panel rows from `rows`
        // on keep what they held, as nothing reads their results.
        for (int i = 0; i < rows; i++) {
            uint16_t *restrict to = (uint16_t *)(panel + i * DEPTH_PITCH);
            //@ if pointwise
            for (int c = 0; c < C; c += RX_LANES) {
                const int left_c = C - c;                                 //@ when tail_in
                const int lanes = left_c < RX_LANES ? left_c : RX_LANES;  //@ when tail_in
                //@ prologue 0 pixel=(first + i) channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + (first + i) * C + c, lanes);
                //@ end
                rx_store_bf16(to + c, x);
            }
            //@ else
            int at = 0;  // in the row, of this tap's first input
            const int64_t n = (first + i) / (OH * OW);
            const int oh = (int)((first + i) % (OH * OW)) / OW, ow = (int)((first + i) % OW);
            for (int r = 0; r < R; r++) {
                //@ if images
                //@ if not prologue0
                // A row of taps inside the map lies together.
                const int hr = oh * ST + r - P, w0 = ow * ST - P;
                if (hr >= 0 && hr < H && w0 >= 0 && w0 + S <= W) {
                    const int64_t pixel = (n * H + hr) * W + w0;
                    for (int c = 0; c < S * C; c += RX_LANES) {
                        //@ if tail_in
                        const int lanes = S * C - c < RX_LANES ? S * C - c : RX_LANES;
                        //@ end
                        //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                        //@ end
                        rx_store_bf16(to + at + c, x);
                    }
                    at += S * C;
                    continue;
                }
                //@ end
                //@ end
                for (int s = 0; s < S; s++, at += C) {
                    const int h = oh * ST + r - P, wi = ow * ST + s - P;
                    if (h < 0 || h >= H || wi < 0 || wi >= W) {
                        for (int c = at; c < at + C; c += RX_LANES)
                            rx_store_bf16(to + c, rx_zero());
                        continue;
                    }
                    const int64_t pixel = (n * H + h) * W + wi;
                    for (int c = 0; c < C; c += RX_LANES) {
                        const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + pixel * C + c, lanes);
                        //@ end
                        rx_store_bf16(to + at + c, x);
                    }
                }
            }
            //@ end
            //@ if rest
            rx_store_bf16(to + R * S * C, rx_zero());
            rx_store_bf16(to + R * S * C + RX_LANES, rx_zero());
            //@ end
        }
        for (int column = begin, some; column < end; column += some) {
            const int k0 = column * TILE_K;
            some = end - column < TILE_W / TILE_K ? end - column : TILE_W / TILE_K;
            const int channels = K - k0 < some * TILE_K ? K - k0 : some * TILE_K;
            const int vectors = (channels + RX_LANES - 1) / RX_LANES;
            //@ if stats
            //@ epilogue_sums vectors=(TILE_W / RX_LANES)
            //@ end
            //@ end
            for (int i = 0; i < rows; i += TILE_M) {
                // What the epilogue will meet next: the rows or channels that follow.
                int row = i + TILE_M, channel = k0;
                if (row >= rows) {
                    const int more = column + some < end;
                    row = more ? 0 : rows;
                    channel = more ? k0 + channels : begin * TILE_K;
                }
                // 2. Multiply: TILE_M pixels, these outputs.
                for (int b = 0; b < channels; b += TILE_K) {
                    const void *ahead[AHEAD + SLACK + CHUNKS], **at = ahead;
                    const int turn = b % PAIR / TILE_K, turns = PAIR / TILE_K;
                    for (int j = turn; j < TILE_M && at < ahead + AHEAD; j += turns) {
                        const int64_t p = first + row + j;
                        //@ ahead_epilogue pixel=p channel=(channel + b) to=at
                        *at++ = y0 + p * K + channel + b;
                        //@ end
                    }
                    //@ if pointwise
                    const int upto = line + LINES_AHEAD < lines ? line + LINES_AHEAD : lines;
                    for (; line < upto && at < ahead + AHEAD; line++) {
                        const int64_t p = first + rows + line / LINES;
                        const int c = line % LINES * PAIR;
                        //@ ahead_prologue 0 pixel=p channel=c to=at
                        *at++ = x0 + p * C + c;
                        //@ end
                    }
                    //@ end
                    const int each = (int)(at - ahead + CHUNKS - 1) / CHUNKS;
                    while (at < ahead + each * CHUNKS)
                        *at++ = panel;
                    const int block = (k0 + b) / BLOCK;
                    multiply(panel + i * DEPTH_PITCH, w + (int64_t)block * (TAPS * BLOCK),
                             rest + block * (RX_LANES * BLOCK), ahead, each, tile + b);
                }
                // 3. Epilogue, a vector of channels after the other.
                const int last = rows - i < TILE_M ? rows : i + TILE_M;
                for (int v = 0; v < vectors; v++) {
                    const int k = k0 + v * RX_LANES;
                    const int left_k = K - k;                             //@ when tail_out
                    const int n = left_k < RX_LANES ? left_k : RX_LANES;  //@ when tail_out
                    for (int r = i; r < last; r++) {
                        const int64_t p = first + r;
                        const float *const o = tile + (r - i) * ROW + v * RX_LANES;
                        //@ epilogue pixel=p channel=k lanes=n at=o vector=v
                        rx_store_n(y0 + p * K + k, rx_load(o), n);
                        //@ end
                    }
                }
            }
            //@ if stats
            for (int v = 0; v < vectors; v++) {
                const int k = k0 + v * RX_LANES;
                const int left_k = K - k;                             //@ when tail_out
                const int n = left_k < RX_LANES ? left_k : RX_LANES;  //@ when tail_out
                //@ epilogue_end channel=k lanes=n vector=v
                (void)k, (void)n;
                //@ end
            }
            //@ end
        }
    }
    rx_tiles_end();
}
