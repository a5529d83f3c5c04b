// Convolution problems with the chains that a network's training and evaluation have.
#ifndef RX_TESTS_CONV_PROBLEM_H
#define RX_TESTS_CONV_PROBLEM_H

#include "runtime/problem.h"

// What the prologue does to a map x.
enum rx_conv_prologue {
    RX_CONV_LOAD,     // x
    RX_CONV_BN_RELU,  // relu(scale * x + shift)
    RX_CONV_JOIN,     // relu(scale * x + shift + shortcut), stored too
    RX_CONV_BN_GRAD,  // a * x + b * (y - mean) + c
};

// What the epilogue does to the result.
enum rx_conv_epilogue {
    RX_CONV_STORE,     // stored
    RX_CONV_STATS,     // stored, and its statistics
    RX_CONV_BIAS,      // result + bias
    RX_CONV_EVAL,      // relu(scale * result + shift + shortcut)
    RX_CONV_MASK,      // 0 where a ReLU was off, which is recomputed from y; sums with y - mean
    RX_CONV_ADD_MASK,  // the same of result + another gradient, where the ReLU's output is kept
    RX_CONV_FAR,       // result + about 2000, and its statistics
};

// What a case is made of: `view` more channels lie between the pixels of every map.
struct rx_conv_spec {
    enum rx_problem_op op;
    struct rx_geometry geometry;
    enum rx_conv_prologue prologue0, prologue1;  // prologue1: weight gradients only
    enum rx_conv_epilogue epilogue;              // not of weight gradients
    int view;
};

struct rx_problem
rx_conv_problem(const struct rx_conv_spec *spec);

#endif
