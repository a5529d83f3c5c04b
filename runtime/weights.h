// How convolution weights lie in memory. Files hold torchvision's [K][C/G][R][S]; kernels want the
// channels that a vector holds to be neighbours, in blocks of RX_BLOCK whatever the vector width.
//
//   PANEL  [G][ceil(KG/16)][R][S][CG][16]   dense and wide groups: one lane an output of the group
//   LANES  [R][S][CG][ceil(K/16)*16]        groups of at most 8: lanes run across groups
//
// Kernels that multiply bf16 take dense ones and those of wide groups in another form:
//
//   PAIRS  [G][ceil(KG/16)][ceil(R*S*CG/2)][16][2]   BF16X2: two neighbouring inputs, which are
//          multiplied together, lie side by side; the last one of an odd number goes with zero
//   ROWS   [G][ceil(KG/16)*16][R][S][CG]             BF16: an output's weights lie together
//
// KG = K/G outputs and CG = C/G inputs a group; unused lanes are zero and stay zero in training.
// The data gradient reads the same weights with the roles of inputs and outputs exchanged (taps are
// not flipped): the layout of the geometry that rx_weights_transposed returns.
// Weights of a fully connected layer are those of a 1x1 convolution on a 1x1 map.
#ifndef RX_WEIGHTS_H
#define RX_WEIGHTS_H

#include <stdint.h>

#include "runtime/problem.h"

enum { RX_BLOCK = 16, RX_LANES_GROUP_MAX = 8 };

enum rx_layout { RX_LAYOUT_PANEL, RX_LAYOUT_LANES };

// The layout that this geometry's weights have (a property of the shape, never of a config).
enum rx_layout
rx_weights_layout(const struct rx_geometry *g);

// f32 elements that the packed weights take.
int64_t
rx_weights_count(const struct rx_geometry *g);

// Where wt[k][c][r][s] lies; k counts all outputs, c the inputs within the group.
int64_t
rx_weights_index(const struct rx_geometry *g, int k, int c, int r, int s);

// The same in the form that a type of theirs stands for: how many elements of it the weights take,
// and where one lies (of PAIRS, which bf16).
int64_t
rx_weights_count_of(const struct rx_geometry *g, enum rx_dtype dtype);
int64_t
rx_weights_index_of(const struct rx_geometry *g, enum rx_dtype dtype, int k, int c, int r, int s);

// The geometry whose forward layout the data gradient's weights have: c and k exchanged. Output
// "k" of it is input channel g*CG+c, its input within the group is k within the group.
struct rx_geometry
rx_weights_transposed(const struct rx_geometry *g);

#endif
