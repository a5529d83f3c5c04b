// Weights as pairs of bf16, for multiplies that take two inputs at once.
//@ doc task: TILE_P consecutive pairs of inputs of a block of 16 outputs
//@ doc       tasks = ceil(G * BLOCKS * PAIRS / TILE_P)
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { C = 18, K = 20, G = 2, CG = C / G, KG = K / G };  // channels, groups, channels of each
enum { R = 3, S = 3 };                                   // filter
enum { INPUTS = R * S * CG, PAIRS = (INPUTS + 1) / 2 };  // that an output sees
enum { BLOCK = 16, BLOCKS = (KG + BLOCK - 1) / BLOCK };  // outputs that lie together
enum { TILE_P = 64 };                                    // pairs a task
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict w = t[0];  // [2][1][3][3][9][16]
    float *restrict wp = t[1];       // [2][1][41][16], pairs of bf16
    //@ end

    const int64_t pairs = G * BLOCKS * PAIRS;
    const int64_t last = call->last * TILE_P < pairs ? call->last * TILE_P : pairs;
    for (int64_t i = call->first * TILE_P; i < last; i++) {
        const int64_t input = i / PAIRS * INPUTS + i % PAIRS * 2;
        // The last one of an odd number goes with zero.
        const int both = INPUTS % 2 == 0 || i % PAIRS < PAIRS - 1;
        for (int k = 0; k < BLOCK; k += RX_LANES) {
            const float *from = w + input * BLOCK + k;
            rx_store(wp + i * BLOCK + k,
                     rx_pair(rx_load(from), both ? rx_load(from + BLOCK) : rx_zero()));
        }
    }
}
