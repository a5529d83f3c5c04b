// Weights for the data gradient: inputs and outputs of each group change roles.
//@ doc block: THREADS vectors; grid: ceil(vectors / THREADS)
//@ consts
enum { C = 36, K = 40, G = 2 };                      // channels, groups
enum { CG = C / G, KG = K / G };                     // channels of a group
enum { R = 3, S = 3 };                               // filter
enum { TAPS = R * S };                               // of a filter
enum { BLOCK = 16 };                                 // channels that lie together
enum { C_BLOCKS = (CG + BLOCK - 1) / BLOCK };        // of a group's inputs
enum { K_BLOCKS = (KG + BLOCK - 1) / BLOCK };        // of a group's outputs
enum { C_PITCH = (C + BLOCK - 1) / BLOCK * BLOCK };  // inputs of all groups
enum { K_PITCH = (K + BLOCK - 1) / BLOCK * BLOCK };  // outputs of all groups
enum { RX_LANES = 1 };                               // outputs of a vector
enum { THREADS = 256 };                              // of a block
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ w,  // [2][2][3][3][18][16]
          float *__restrict__ wt)       // [2][2][3][3][20][16]
          //@ end
{
    const int i = blockIdx.x * THREADS + threadIdx.x;
    //@ if rows
    const int lane = i % BLOCK, k = i / BLOCK % (KG / RX_LANES) * RX_LANES;
    const int tap = i / (BLOCK * (KG / RX_LANES)) % TAPS;
    const int block = i / (BLOCK * (KG / RX_LANES) * TAPS) % C_BLOCKS;
    const int g = i / (BLOCK * (KG / RX_LANES) * TAPS * C_BLOCKS), c = block * BLOCK + lane;
    if (g >= G)
        return;
    const int from = (((g * K_BLOCKS + k / BLOCK) * TAPS + tap) * CG + c) * BLOCK + k % BLOCK;
    const int to = ((g * C_BLOCKS * BLOCK + c) * TAPS + tap) * KG + k;
    rx_store_bf16(wt + to, c < CG ? rx_load(w + from) : rx_zero());
    //@ end
    //@ if columns
    const int lane = i % BLOCK, k = i / BLOCK % KG, tap = i / (BLOCK * KG) % TAPS;
    const int block = i / (BLOCK * KG * TAPS) % C_BLOCKS, g = i / (BLOCK * KG * TAPS * C_BLOCKS);
    const int c = block * BLOCK + lane;
    if (g >= G)
        return;
    const int from = (((g * K_BLOCKS + k / BLOCK) * TAPS + tap) * CG + c) * BLOCK + k % BLOCK;
    wt[i] = c < CG ? w[from] : 0.0f;
    //@ end
    //@ if not panel
    const int c = i % C_PITCH, k = i / C_PITCH % KG, tap = i / (C_PITCH * KG), g = c / CG;
    if (tap >= TAPS)
        return;
    wt[i] = c < C ? w[(tap * CG + c % CG) * K_PITCH + g * KG + k] : 0.0f;
    //@ end
}
