// A pointwise kernel: the chain of a map that no other kernel could take in, with statistics of
// what it stores.
//@ doc task: TILE_P consecutive pixels of the N * H * W; tasks = ceil(N * H * W / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { H = 5, W = 7, C = 8 };  // map
enum { TILE_P = 64 };          // pixels a task
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict x0 = t[0];  // [N][5][7][8]
    float *restrict y0 = t[1];        // [N][5][7][8]
    //@ end
    const int64_t pixels = (int64_t)call->n * H * W;
    //@ clear
    //@ end

    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t first = task * TILE_P;
        const int rows = (int)(pixels - first < TILE_P ? pixels - first : TILE_P);
        //@ if stats
        // A vector of channels at a time, so that its sums stay in registers.
        for (int c = 0; c < C; c += RX_LANES) {
            const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
            //@ epilogue_begin channel=c lanes=lanes
            //@ end
            for (int i = 0; i < rows; i++) {
                //@ prologue 0 pixel=(first + i) channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + (first + i) * C + c, lanes);
                //@ end
                //@ epilogue pixel=(first + i) channel=c lanes=lanes acc=x
                //@ end
            }
            //@ epilogue_end channel=c lanes=lanes
            //@ end
        }
        //@ else
        for (int i = 0; i < rows; i++)
            for (int c = 0; c < C; c += RX_LANES) {
                const int lanes = C - c < RX_LANES ? C - c : RX_LANES;  //@ when tail_in
                //@ epilogue_begin channel=c lanes=lanes
                //@ end
                //@ prologue 0 pixel=(first + i) channel=c lanes=lanes into=x
                const rx_v x = rx_load_n(x0 + (first + i) * C + c, lanes);
                //@ end
                //@ epilogue pixel=(first + i) channel=c lanes=lanes acc=x
                rx_store_n(y0 + (first + i) * C + c, x, lanes);
                //@ end
            }
        //@ end
    }
}
