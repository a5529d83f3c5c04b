// Gradient of a maximum pooling: each input pixel collects from the windows that it won.
//@ doc task: TILE_P consecutive pixels of the N * H * W; tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: TILE_P * RX_LANES, one vector of channels of a task's pixels
#include "tile_generic.h"  //@ tile
#include <string.h>

//@ consts
enum { H = 9, W = 7, C = 6 };          // input map
enum { OH = 5, OW = 4 };               // output map
enum { K = C };                        // channels of both
enum { R = 3, S = 3, ST = 2, P = 1 };  // window, stride, padding
enum { TILE_P = 64 };                  // pixels a task
//@ end

static inline rx_vi
load_bytes(const uint8_t *p, int n)
{
    typedef uint8_t bytes __attribute__((vector_size(RX_LANES)));
    bytes b = {0};
    memcpy(&b, p, (size_t)n);
    return __builtin_convertvector(b, rx_vi);
}

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];        // [N][5][4][6]
    const uint8_t *restrict winner = t[1];  // [N][5][4][6]
    float *restrict y0 = t[2];              // [N][9][7][6]
    //@ end
    float *restrict tile = call->scratch;  // [TILE_P][RX_LANES]  //@ when stats
    const int64_t pixels = (int64_t)call->n * H * W;
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int rows = (int)(pixels - first < TILE_P ? pixels - first : TILE_P);
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            for (int i = 0; i < rows; i++) {
                const int64_t in = first + i, n = in / (H * W);
                const int h = (int)(in / W % H), w = (int)(in % W);
                // 1. Windows whose tap (r, s) is this pixel.
                rx_v sum = rx_zero();
                for (int r = 0; r < R; r++) {
                    const int down = h + P - r, oh = down / ST;
                    if (down < 0 || down % ST != 0 || oh >= OH)
                        continue;
                    for (int s = 0; s < S; s++) {
                        const int right = w + P - s, ow = right / ST;
                        if (right < 0 || right % ST != 0 || ow >= OW)
                            continue;
                        const int64_t pixel = (n * OH + oh) * OW + ow;
                        //@ prologue 0 pixel=pixel channel=c lanes=lanes into=x
                        const rx_v x = rx_load_n(x0 + pixel * K + c, lanes);
                        //@ end
                        rx_vi won;
                        //@ if tail_in
                        won = load_bytes(winner + pixel * C + c, lanes);
                        //@ else
                        won = load_bytes(winner + pixel * C + c, RX_LANES);
                        //@ end
                        sum += (rx_v)((won == r * S + s) & (rx_vi)x);
                    }
                }
                // 2. Epilogue.
                //@ epilogue pixel=in channel=c lanes=lanes at=(tile + i * RX_LANES) acc=sum
                rx_store(tile + i * RX_LANES, sum);
                rx_store_n(y0 + in * C + c, sum, lanes);
                //@ end
            }
            //@ epilogue_end channel=c lanes=lanes at=(tile + i * RX_LANES) row=i rows=rows
            //@ end
        }
    }
}
