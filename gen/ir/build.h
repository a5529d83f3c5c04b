// Building the forward graph: one function a primitive of the vocabulary. Each checks its
// arguments, infers its output's shape at once, makes its parameters under torchvision's names
// (<name>.weight, <name>.running_mean ...) and returns RX_OK and the output tensor, or RX_USER with
// `where: op: what is wrong; nearest: what would be right`.
#ifndef RX_IR_BUILD_H
#define RX_IR_BUILD_H

#include "gen/ir/graph.h"
#include "runtime/base/error.h"

struct rx_conv_spec {
    int k;            // output channels
    int r, s;         // taps
    int stride, pad;  // the same in both directions
    int groups;
};

int
rx_build_input(struct rx_graph *g, struct rx_where where, int h, int w, int c, int *y,
               struct rx_error *error);
int
rx_build_conv(struct rx_graph *g, struct rx_where where, const char *name, int x,
              const struct rx_conv_spec *spec, int *y, struct rx_error *error);
int
rx_build_bn(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
            struct rx_error *error);
int
rx_build_relu(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
              struct rx_error *error);
int
rx_build_add(struct rx_graph *g, struct rx_where where, const char *name, int a, int b, int *y,
             struct rx_error *error);
int
rx_build_maxpool(struct rx_graph *g, struct rx_where where, const char *name, int x, int window,
                 int stride, int pad, int *y, struct rx_error *error);
int
rx_build_gap(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
             struct rx_error *error);

// The classifier: a 1x1 convolution on a 1x1 map and a bias. Sets graph.classes and graph.logits.
int
rx_build_fc(struct rx_graph *g, struct rx_where where, const char *name, int x, int classes, int *y,
            struct rx_error *error);

#endif
