// The graph: nodes and tensors of a network, from the primitives that a model file asks for to the
// fused regions that become kernels. Nodes stand in execution order (every input is produced by an
// earlier node). Everything lives in the graph's arena.
#ifndef RX_IR_GRAPH_H
#define RX_IR_GRAPH_H

#include <stdint.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/plan.h"
#include "runtime/problem.h"

// Where a node was asked for, for messages and banners.
struct rx_where {
    const char *file;
    int line;
};

enum rx_op {
#define X(op, text, n_in, n_out, pointwise, shape, grad, macs) RX_OP_##op,
#include "gen/ir/ops.def"
#undef X
    RX_N_OPS
};

//   MAP      [N][h][w][c]
//   PARAM    a parameter or a running statistic; `param` says which
//   GRAD     the gradient of a parameter; `param` likewise
//   COEF     f32 [rows][c]
//   PARTIAL  f64 [threads][rows][c]
//   LABELS   i32 [N]
//   LOSSES   f32 [N]
// and what `layout` adds:
//   INDEX            u8 [N][h][w][c]
//   WEIGHTS_PARTIAL  f32 [threads][packed weights of `param`]
//   MOMENTUM         of PARAM
//   WEIGHTS_DGRAD    f32, the packed transposed weights of `param`
//   WEIGHTS_NARROW   BF16X2 or BF16, the weights of `param` or, for data gradients, the transposed
//   ones FLAT             f32 [count], parameters, gradients or momenta one after the other
enum rx_tensor_kind {
    RX_TENSOR_MAP,
    RX_TENSOR_PARAM,
    RX_TENSOR_GRAD,
    RX_TENSOR_COEF,
    RX_TENSOR_PARTIAL,
    RX_TENSOR_LABELS,
    RX_TENSOR_LOSSES,
    RX_TENSOR_INDEX,
    RX_TENSOR_MOMENTUM,
    RX_TENSOR_WEIGHTS_PARTIAL,
    RX_TENSOR_WEIGHTS_DGRAD,
    RX_TENSOR_WEIGHTS_NARROW,
    RX_TENSOR_FLAT,
};

struct rx_tensor {
    int id;
    const char *name;
    enum rx_tensor_kind kind;
    enum rx_dtype dtype;
    int h, w, c;
    int rows;
    int64_t count;      // FLAT: elements
    int param;          // PARAM, GRAD and the weights' copies: index in graph.param, else -1
    int base, channel;  // a view of the channels [channel, channel + c) of `base`; base -1: not one
    int producer;       // node, -1 for parameters
};

struct rx_node {
    enum rx_op op;
    const char *name;  // torchvision's: layer1.0.conv2
    struct rx_where where;
    int n_in, n_out;
    int *in, *out;                // tensors
    struct rx_geometry geometry;  // of convolutions and pools; slice: c = first channel
    int param;                    // of the gradients of parameters: the first one's
    int backward;                 // 1: added by `grad`
    int fc;                       // 1: a convolution that is the classifier
};

// A parameter or running statistic as this graph holds it (form a and b: a piece of a file tensor).
struct rx_param {
    const char *name;
    enum rx_param_kind kind;
    int rank;
    int64_t file_shape[RX_PARAM_RANK_MAX];
    int slice_dim;
    int64_t slice_first, slice_count;
    struct rx_geometry geometry;
    int tensor;    // its RX_TENSOR_PARAM
    int gradient;  // its RX_TENSOR_GRAD once `grad` has run, -1
    // Once `layout` has run: the flat tensors that hold its value, gradient and momentum (-1: it is
    // not trained), and its first element in each of them.
    int flat, flat_gradient, flat_momentum;
    int64_t flat_offset;
};

struct rx_graph {
    struct rx_arena arena;
    const char *name;  // of the model
    const char *form;  // "a", "b", "c"
    enum rx_dtype dtype;
    int classes;
    int n_tensors, n_nodes, n_params;
    int tensor_capacity, node_capacity, param_capacity;
    struct rx_tensor *tensor;
    struct rx_node *node;
    struct rx_param *param;
    int input, labels, logits, loss, dlogits, hyper;  // tensors, -1 until they exist
};

const char *
rx_op_text(enum rx_op op);
int
rx_op_is_pointwise(enum rx_op op);

void
rx_graph_open(struct rx_graph *g, const char *name);
void
rx_graph_close(struct rx_graph *g);

// Adds a tensor; `like` gives kind, dtype and shape. Returns its id.
int
rx_graph_add_tensor(struct rx_graph *g, const struct rx_tensor *like, const char *name);

// Adds a parameter and its tensor. Returns the tensor's id.
int
rx_graph_add_param(struct rx_graph *g, const struct rx_param *param);

// Appends a node: `node` gives everything but inputs and outputs; the latter are made by the op's
// shape rule and named after the node. Returns its first output; the others follow it.
int
rx_graph_emit(struct rx_graph *g, const struct rx_node *node, const int *in, int n_in);

// Takes all nodes out, so that a pass can append its own version of them. The taken list stays
// valid in the arena.
struct rx_node *
rx_graph_take(struct rx_graph *g, int *n_nodes);

// Appends a node of a taken list as it is, outputs included.
void
rx_graph_keep(struct rx_graph *g, const struct rx_node *node);

// What the op's shape rule says of output `i` of a node whose inputs and geometry are set.
struct rx_tensor
rx_shape_of(const struct rx_graph *g, const struct rx_node *node, int i);

// How many nodes read each tensor: an array of n_tensors in the arena.
int *
rx_graph_uses(struct rx_graph *g);

// The text of the graph, a node a line; equal graphs print equal.
void
rx_graph_print(const struct rx_graph *g, struct rx_text *text);

// Checks what every pass must keep: inputs are made before they are read, arities and shapes are
// what the rules say. Returns NULL, or the first fault as text in the arena.
const char *
rx_graph_verify(struct rx_graph *g);

// Trainable parameters, counted once for each file tensor, exactly as torchvision does.
int64_t
rx_graph_param_count(const struct rx_graph *g);

// Multiply-adds an image of the convolutions and the classifier, and elements of all convolutions'
// outputs (the classifier's not counted), as facts of the paper count them.
int64_t
rx_graph_macs(const struct rx_graph *g);
int64_t
rx_graph_conv_outputs(const struct rx_graph *g);

// Multiply-adds an image of one node (0 for what is not a convolution).
int64_t
rx_node_macs(const struct rx_node *node);

#endif
