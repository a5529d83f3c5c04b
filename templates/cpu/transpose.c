// Weights for the data gradient: inputs and outputs of each group change roles.
//@ doc task: a tap (r, s) of a block of 16 inputs of a group; of all inputs in the layout LANES
//@ doc       tasks = R * S * G * ceil(CG / 16), or R * S
//@ doc scratch floats: none
#include "tile_generic.h"  //@ tile

//@ consts
enum { C = 36, K = 40, G = 2 };                      // channels, groups
enum { CG = C / G, KG = K / G };                     // channels of a group
enum { R = 3, S = 3 };                               // filter
enum { TAPS = R * S };                               // of a filter
enum { TERMS = 20 };                                 // a group's outputs, or pairs of them
enum { BLOCK = 16 };                                 // channels that lie together
enum { C_BLOCKS = (CG + BLOCK - 1) / BLOCK };        // of a group's inputs
enum { K_BLOCKS = (KG + BLOCK - 1) / BLOCK };        // of a group's outputs
enum { C_PITCH = (C + BLOCK - 1) / BLOCK * BLOCK };  // inputs of all groups
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
//@ end

void
RX_KERNEL(const struct rx_call *call, void *const *t)
{
    //@ operands
    const float *restrict w = t[0];  // [2][2][3][3][18][16]
    float *restrict wt = t[1];       // [2][2][3][3][20][16]
    //@ end

    //@ if panel
    for (int64_t task = call->first; task < call->last; task++) {
        const int64_t g = task / (C_BLOCKS * TAPS);
        const int block = (int)(task / TAPS % C_BLOCKS), tap = (int)(task % TAPS);
        const int channels = CG - block * BLOCK < BLOCK ? CG - block * BLOCK : BLOCK;
        float *to = wt + ((g * C_BLOCKS + block) * TAPS + tap) * (TERMS * BLOCK);
        for (int k0 = 0; k0 < KG; k0 += BLOCK) {
            // One block of 16 inputs by 16 outputs: from[c][k] becomes to[k][c].
            const float *from = w + ((g * K_BLOCKS + k0 / BLOCK) * TAPS + tap) * (CG * BLOCK) +
                                block * BLOCK * BLOCK;
            const int outputs = KG - k0 < BLOCK ? KG - k0 : BLOCK;
            //@ if pairs
            //@ if avx512
            rx_v row[RX_LANES];
            for (int c = 0; c < BLOCK; c++)
                row[c] = c < channels ? rx_load(from + c * BLOCK) : rx_zero();
            rx_transpose(row);
            for (int k = 0; k < outputs; k += 2)
                rx_store(to + (k0 + k) / 2 * BLOCK, rx_pair(row[k], row[k + 1]));
            //@ else
            for (int k = 0; k < outputs; k += 2) {
                float first[BLOCK] = {0}, second[BLOCK] = {0};
                for (int c = 0; c < channels; c++) {
                    first[c] = from[c * BLOCK + k];
                    second[c] = from[c * BLOCK + k + 1];
                }
                for (int c = 0; c < BLOCK; c += RX_LANES)
                    rx_store(to + (k0 + k) / 2 * BLOCK + c,
                             rx_pair(rx_load(first + c), rx_load(second + c)));
            }
            //@ end
            //@ else
            for (int k = 0; k < outputs; k++)
                for (int c = 0; c < BLOCK; c++)
                    to[(k0 + k) * BLOCK + c] = c < channels ? from[c * BLOCK + k] : 0.0f;
            //@ end
        }
    }
    //@ else
    for (int64_t tap = call->first; tap < call->last; tap++) {
        const float *from = w + tap * (CG * K_PITCH);
        float *to = wt + tap * (KG * C_PITCH);
        for (int i = 0; i < KG * C_PITCH; i++)
            to[i] = 0.0f;
        for (int g = 0; g < G; g++)
            for (int k = 0; k < KG; k++)
                for (int c = 0; c < CG; c++)
                    to[k * C_PITCH + g * CG + c] = from[c * K_PITCH + g * KG + k];
    }
    //@ end
}
