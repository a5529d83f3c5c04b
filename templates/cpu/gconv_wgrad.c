// Weight gradient of a convolution with groups. Rows of inputs and gradients are transformed once
// and lie in scratch, each block of channels by itself; S * TILE_M sums stay in registers over the
// pixels of TILE_P rows. The lanes of a vector are outputs: an input is spread over its group's.
//@ doc task: one row of an output map, for a slice of TILE_N units of channels (all
//@ doc       images' rows of the first slice, then of the next)
//@ doc       tasks = ceil(UNITS / TILE_N) * N * OH
//@ doc scratch floats: TILE_N * X_UNIT + VECTORS * TILE_P * U_ROW
//@ doc config: TILE_P output rows a step; TILE_M inputs at a time: S * TILE_M sums and a few more
//@ doc       vectors fit into registers; where a vector holds several groups, TILE_M is CG
#include "tile_generic.h"  //@ tile
#include <string.h>

// clang-format off
//@ consts
enum { H = 9, W = 7, C = 32 };                             // input map
enum { OH = 5, OW = 4, K = 32 };                           // output map
enum { G = 16, CG = C / G, KG = K / G };                   // groups, channels of each
enum { R = 3, S = 3, ST = 2, P = 1 };                      // taps, stride, padding
enum { TILE_P = 2, TILE_M = 2, TILE_N = 1 };               // rows, inputs, units at a time
enum { UNITS = 2, UNIT_IN = 16, UNIT_OUT = 16 };           // units, channels of each
enum { COLUMN = 16 };                                      // floats of an input pixel of a unit
enum { OWN = 1 };                                          // 1: lanes multiply their own groups
enum { TAPS = R * S * CG };                                // inputs that an output sees
enum { PANEL = CG > 8 || KG > 8 };                         // dw is [G][W_BLOCKS][TAPS][16]
enum { W_BLOCKS = (KG + 15) / 16 };
enum { W_PITCH = (K + 15) / 16 * 16 };                     // or else [TAPS][W_PITCH]
enum { DW_PITCH = PANEL ? 16 : W_PITCH };                  // from one tap to the next
enum { DW_COUNT = TAPS * (PANEL ? G * W_BLOCKS * 16 : W_PITCH) };
enum { STEP = PANEL || OWN ? 1 : RX_LANES };               // floats from one input to the next
enum { VECTORS = (UNIT_OUT + RX_LANES - 1) / RX_LANES };   // of a unit's outputs
enum { U0 = P / ST };                                      // the first output column with inputs,
enum { SEEN = (OW - 1) * ST + S < P + W ? (OW - 1) * ST + S : P + W };
enum { U1 = (SEEN + ST - 1) / ST };                        // the end of those with their first taps
enum { BEFORE = P - U0 * ST };                             // columns of padding in scratch
enum { COLUMNS = SEEN - P };                               // columns of inputs that are seen
enum { BACK = (S - 1) / ST };                              // neighbours whose taps meet an input
enum { LEFT = BACK - U0 > 0 ? BACK - U0 : 0 };                 // zeros beside a row of gradients
enum { RIGHT = U1 - OW > 0 ? U1 - OW : 0 };
enum { X_ROW = (U1 - U0) * ST * COLUMN };                  // floats of a row of a unit
enum { U_ROW = (LEFT + OW + RIGHT) * RX_LANES };           // floats of a row of a vector
enum { HOP = H - (OH - 1) * ST > ST ? H - (OH - 1) * ST : ST };
enum { ROWS = (TILE_P - 1) * HOP + R };                    // input rows that a step sees
enum { LINE = 16, MAPS0 = 1, MAPS1 = 1 };                  // of a cache line; maps that chains read
enum { LINES1 = (UNIT_OUT + LINE - 1) / LINE * MAPS1 };    // of a pixel of a unit
enum { LINES0 = (UNIT_IN + LINE - 1) / LINE * MAPS0 };
enum { SWEEPS = VECTORS * R * ((CG + TILE_M - 1) / TILE_M) };  // over a row of gradients
enum { ROW_LINES = LINES1 + ST * ST * LINES0 };            // that it needs for each of its pixels
enum { EVERY = SWEEPS >= 4 * ROW_LINES ? 4 : SWEEPS >= 2 * ROW_LINES ? 2 : 1 };
enum { SPAN = (U1 - U0 + EVERY - 1) / EVERY };             // pixels that a sweep prefetches
enum { SPANS1 = (OW + SPAN - 1) / SPAN, SPANS0 = (W + SPAN - 1) / SPAN };  // of a row
enum { AHEAD = TILE_P * SPANS1 * LINES1 + ROWS * SPANS0 * LINES0 };
enum { NEAR = ((RX_LANES - 1) / KG + 2) * CG };            // inputs that a vector of outputs sees
enum { X_UNIT = ROWS * X_ROW + 16 };                       // apart in the cache's sets
//@ end
// clang-format on

// Input c of each lane's group.
static inline rx_v
input(const float *x, int c)
{
    //@ if panel
    return rx_set1(x[c]);
    //@ else
    //@ if permuted
    return rx_spread(x, CG, c);
    //@ else
    return rx_load(x + c * RX_LANES);
    //@ end
    //@ end
}

// dw[s][i][k] += sum over the pixels of some rows of x[ow * ST + s][i] * u[ow][k], for TILE_M
// inputs of which the first `inputs` exist. A column of inputs meets all gradients that see it.
// Not inlined, because it needs all registers.
static __attribute__((noinline)) void
multiply(const float *const *restrict xs,  // rows: [(U1 - U0) * ST][COLUMN], from x_at on
         const float *const *restrict us,  // rows: [LEFT + OW + RIGHT][RX_LANES], from u_at on
         int rows, int x_at, int u_at, int inputs, const void *const *ahead,
         const void *const *beside,
         float *restrict dw)  // [S][CG][DW_PITCH]
{
    rx_v acc[S][TILE_M];
#pragma GCC unroll 16
    for (int s = 0; s < S; s++)
#pragma GCC unroll 16
        for (int i = 0; i < TILE_M; i++)
            acc[s][i] = rx_zero();
    for (int row = 0; row < rows; row++) {
        const float *restrict x = xs[row] + x_at;
        const float *restrict u = us[row] + u_at;
        const char *line = ahead[row];
        const int64_t step = (const char *)beside[row] - line;
#pragma GCC unroll 1
        for (int ow = 0; ow < U1 - U0; ow++, x += ST * COLUMN, u += RX_LANES) {
            if (ow % EVERY == 0) {
                rx_prefetch(line);
                line += step;
            }
            rx_v b[BACK + 1];
#pragma GCC unroll 16
            for (int back = 0; back <= BACK; back++)
                b[back] = rx_load(u - back * RX_LANES);
#pragma GCC unroll 16
            for (int column = 0; column < ST; column++)
#pragma GCC unroll 16
                for (int i = 0; i < TILE_M; i++) {
                    const rx_v a = input(x + column * COLUMN, i);
#pragma GCC unroll 16
                    for (int s = column; s < S; s += ST)
                        acc[s][i] = rx_fma(a, b[s / ST], acc[s][i]);
                }
        }
    }
#pragma GCC unroll 16
    for (int s = 0; s < S; s++)
#pragma GCC unroll 16
        for (int i = 0; i < TILE_M; i++) {
            float *to = dw + (s * CG + i) * DW_PITCH;
            if (CG % TILE_M == 0 || i < inputs)
                rx_store(to, rx_load(to) + acc[s][i]);
        }
}

// What is done between two looks at dw: some rows of gradients, for each unit of a slice.
struct step {
    int unit, units;      // the slice
    int64_t row;          // the first row of gradients; rows count through all images
    int rows;             // 0: nothing is left to do
    int fresh;            // rows of inputs that they see and that no row before them saw
    int64_t input[ROWS];  // which
    int64_t next;         // the first row of inputs that none of them saw
};

// The step that begins with a task, where rows of inputs from `next` on are not in scratch.
static struct step
plan(const struct rx_call *call, int64_t task, int64_t next)
{
    const int64_t height = (int64_t)call->n * OH, row = task % height;
    const int64_t left = call->last - task < height - row ? call->last - task : height - row;
    struct step step = {.unit = (int)(task / height) * TILE_N,
                        .row = row,
                        .rows = left < TILE_P ? (int)left : TILE_P,
                        .next = row == 0 ? 0 : next};
    step.units = UNITS - step.unit < TILE_N ? UNITS - step.unit : TILE_N;
    for (int i = 0; i < step.rows; i++) {
        const int64_t n = (row + i) / OH;
        const int top = (int)((row + i) % OH) * ST - P;
        for (int h = top > 0 ? top : 0; h < top + R && h < H; h++)
            if (n * H + h >= step.next) {
                step.input[step.fresh++] = n * H + h;
                step.next = n * H + h + 1;
            }
    }
    return step;
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][H][W][C]
    const float *restrict u0 = t[1];  // [N][OH][OW][K]
    float *restrict dw = t[2];        // [T][DW_COUNT]
    //@ end
    float *restrict inputs = call->scratch;                // [TILE_N][ROWS][..][COLUMN]
    float *restrict gradients = inputs + TILE_N * X_UNIT;  // [VECTORS][TILE_P][U_ROW]
    float *restrict part = dw + call->thread * (int64_t)DW_COUNT;
    memset(part, 0, DW_COUNT * sizeof *part);
    // What is beside the map stays zero.
    memset(inputs, 0, (TILE_N * X_UNIT + VECTORS * TILE_P * U_ROW) * sizeof *inputs);

    struct step step = plan(call, call->first, 0), soon;
    for (int64_t task = call->first; task < call->last; task += step.rows, step = soon) {
        soon = plan(call, task + step.rows, step.next);
        const float *xs[R][TILE_P], *us[R][TILE_P];
        int met[R] = {0};  // rows of gradients whose row of inputs under this tap exists
        for (int row = 0; row < step.rows; row++)
            for (int r = 0; r < R; r++) {
                const int h = (int)((step.row + row) % OH) * ST + r - P;
                if (h < 0 || h >= H)
                    continue;
                const int64_t input = (step.row + row) / OH * H + h;
                xs[r][met[r]] = inputs + input % ROWS * X_ROW;
                us[r][met[r]++] = gradients + row * U_ROW + (LEFT + U0) * RX_LANES;
            }
        for (int i = 0; i < step.units; i++) {
            const int unit = step.unit + i;
            // 1. Pack the gradients, transformed; lanes beyond the last output are zero.
            for (int row = 0; row < step.rows; row++)
                for (int ow = 0; ow < OW; ow++) {
                    float *restrict to = gradients + row * U_ROW + (LEFT + ow) * RX_LANES;
                    const int64_t pixel = (step.row + row) * OW + ow;
#pragma GCC unroll 4
                    for (int j = 0; j < UNIT_OUT; j += RX_LANES) {
                        const int k = unit * UNIT_OUT + j;
                        //@ if tail_out
                        const int beyond = PANEL ? UNIT_OUT - j : K - k;
                        const int lanes = beyond < RX_LANES ? beyond : RX_LANES;
                        //@ end
                        //@ prologue 1 pixel=pixel channel=k lanes=lanes into=u
                        const rx_v u = rx_load_n(u0 + pixel * K + k, lanes);
                        //@ end
                        rx_store(to + j / RX_LANES * TILE_P * U_ROW, u);
                    }
                }
            // 2. Pack the fresh inputs, transformed.
            for (int row = 0; row < step.fresh; row++) {
                float *restrict to =
                    inputs + i * X_UNIT + step.input[row] % ROWS * X_ROW + BEFORE * COLUMN;
                const int64_t pixel = step.input[row] * W;
                //@ if panel
                for (int wi = 0; wi < COLUMNS; wi++)
#pragma GCC unroll 4
                    for (int j = 0; j < UNIT_IN; j += RX_LANES) {
                        const int c = unit * UNIT_IN + j;
                        const int beyond = UNIT_IN - j;                           //@ when tail_in
                        const int lanes = beyond < RX_LANES ? beyond : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=(pixel + wi) channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + (pixel + wi) * C + c, lanes);
                        //@ end
                        rx_store(to + wi * COLUMN + j, x);
                    }
                //@ else
                //@ if permuted
                for (int wi = 0; wi < COLUMNS; wi++)
#pragma GCC unroll 4
                    for (int j = 0; j < UNIT_IN; j += RX_LANES) {
                        const int c = unit * UNIT_IN + j;
                        const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=(pixel + wi) channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + (pixel + wi) * C + c, lanes);
                        //@ end
                        rx_store(to + wi * COLUMN + j, x);
                    }
                //@ else
                // The inputs of each output's group, from the first that is loaded.
                int of[RX_LANES];
                const int k = unit * UNIT_OUT, k1 = k + UNIT_OUT < K ? k + UNIT_OUT : K;
                const int near = k / KG * CG / RX_LANES * RX_LANES;
                const int far = ((k1 - 1) / KG + 1) * CG;
                for (int lane = 0; lane < RX_LANES; lane++)
                    of[lane] = (k + lane < k1 ? k + lane : k1 - 1) / KG * CG - near;
                for (int wi = 0; wi < COLUMNS; wi++) {
                    float x_near[NEAR + 2 * RX_LANES];
                    for (int c = near; c < far; c += RX_LANES) {
                        const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                        //@ prologue 0 pixel=(pixel + wi) channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + (pixel + wi) * C + c, lanes);
                        //@ end
                        rx_store(x_near + c - near, x);
                    }
                    for (int c = 0; c < CG; c++)
                        for (int lane = 0; lane < RX_LANES; lane++)
                            to[wi * COLUMN + c * RX_LANES + lane] = x_near[of[lane] + c];
                }
                //@ end
                //@ end
            }
            // 3. Note what will be packed next: this step's next unit, or the next step's first.
            const struct step *const then = i + 1 < step.units ? &step : &soon;
            const int then_unit = i + 1 < step.units ? unit + 1 : soon.unit;
            const void *ahead[2][AHEAD + TILE_P], **to = ahead[0], **beside = ahead[1];
            for (int row = 0; row < then->rows; row++)
                for (int ow = 0; ow < OW; ow += SPAN)
                    for (int j = 0; j < UNIT_OUT; j += LINE) {
                        const int64_t pixel = (then->row + row) * OW + ow;
                        const int k = then_unit * UNIT_OUT + j;
                        //@ ahead_prologue 1 pixel=pixel channel=k to=to
                        *to++ = u0 + pixel * K + k;
                        //@ end
                        //@ ahead_prologue 1 pixel=(pixel + 1) channel=k to=beside
                        *beside++ = u0 + (pixel + 1) * K + k;
                        //@ end
                    }
            for (int row = 0; row < then->fresh; row++)
                for (int wi = 0; wi < W; wi += SPAN)
                    for (int j = 0; j < UNIT_IN; j += LINE) {
                        const int64_t pixel = then->input[row] * W + wi;
                        const int c = then_unit * UNIT_IN + j;
                        //@ ahead_prologue 0 pixel=pixel channel=c to=to
                        *to++ = x0 + pixel * C + c;
                        //@ end
                        //@ ahead_prologue 0 pixel=(pixel + 1) channel=c to=beside
                        *beside++ = x0 + (pixel + 1) * C + c;
                        //@ end
                    }
            const int idle = (int)(to - ahead[0]);
            for (int row = 0; row < TILE_P; row++)
                *to++ = *beside++ = inputs;
            int use = 0;
            // 4. Multiply.
            for (int j = 0; j < UNIT_OUT; j += RX_LANES) {
                float *at = part;
                if (PANEL)
                    at += (unit * W_BLOCKS + j / 16) * (int64_t)(TAPS * 16) + j % 16;
                else
                    at += unit * UNIT_OUT + j;
                const int u_at = j / RX_LANES * TILE_P * U_ROW;
                for (int r = 0; r < R; r++)
                    for (int c = 0; c < CG && met[r] > 0; c += TILE_M) {
                        multiply(xs[r], us[r], met[r], i * X_UNIT + OWN * j + c * STEP, u_at,
                                 CG - c, ahead[0] + use, ahead[1] + use,
                                 at + (r * S * CG + c) * DW_PITCH);
                        use = use + met[r] < idle ? use + met[r] : idle;
                    }
            }
        }
    }
}
