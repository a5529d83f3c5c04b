// Weights as bf16, those of an output together, for products on tensor cores.
//@ doc block: THREADS vectors of weights; grid: ceil(G * BLOCKS * BLOCK * CHUNKS / THREADS)
//@ consts
enum { C = 36, K = 40, G = 2 };                // channels, groups
enum { CG = C / G, KG = K / G };               // channels of a group
enum { R = 3, S = 3 };                         // filter
enum { INPUTS = R * S * CG };                  // that an output sees
enum { RX_LANES = 1 };                         // weights of a vector
enum { CHUNKS = INPUTS / RX_LANES };           // vectors of an output
enum { BLOCK = 16 };                           // outputs that lie together
enum { BLOCKS = (KG + BLOCK - 1) / BLOCK };    // of a group
enum { THREADS = 256 };                        // of a block
//@ end

#include "tile_simt.cuh"  //@ tile

extern "C" __global__ void __launch_bounds__(THREADS, 2)
RX_KERNEL(int n,      // images
          int n_parts,  // that sums are split into, one a block
          //@ operands
          const float *__restrict__ w,       // [2][2][3][3][18][16]
          unsigned short *__restrict__ wp)   // [2][32][3][3][18]
          //@ end
{
    const int i = blockIdx.x * THREADS + threadIdx.x, lane = i % BLOCK;
    const int first = i / BLOCK % CHUNKS * RX_LANES, block = i / (BLOCK * CHUNKS);
    if (block >= G * BLOCKS)
        return;
    rx_v row;
#pragma unroll
    for (int l = 0; l < RX_LANES; l++)
        row.v[l] = w[(block * INPUTS + first + l) * BLOCK + lane];
    rx_store_bf16(wp + (block * BLOCK + lane) * INPUTS + first, row);
}
