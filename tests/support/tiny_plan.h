// A plan written by hand: a linear softmax classifier on 4x4 images of one channel, with five small
// kernels in C. It tests the runtime alone.
#ifndef RX_TESTS_TINY_PLAN_H
#define RX_TESTS_TINY_PLAN_H

#include "runtime/plan.h"

enum { RX_TINY_SIDE = 4, RX_TINY_FEATURES = 16, RX_TINY_CLASSES = 4 };

// Its tensors.
enum {
    RX_TINY_PARAMS,        // f32 [PARAMS]: packed weights, then the bias
    RX_TINY_GRADIENT,      // the same
    RX_TINY_MOMENTUM,      // the same
    RX_TINY_HYPER,         // f32 [RX_HYPER_N]
    RX_TINY_X,             // f32 [N][4][4][1], input of TRAIN
    RX_TINY_LABELS,        // i32 [N]
    RX_TINY_LOGITS,        // f32 [N][4]
    RX_TINY_LOSS,          // f32 [N]
    RX_TINY_DLOGITS,       // f32 [N][4]
    RX_TINY_PARTIAL,       // f32 [T][PARAMS]
    RX_TINY_X_INFER,       // f32 [N][4][4][1], input of INFER
    RX_TINY_LOGITS_INFER,  // f32 [N][4]
    RX_TINY_TENSORS
};

extern const struct rx_plan rx_tiny_plan;

#endif
