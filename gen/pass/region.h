// Regions: what `fuse` makes of a lowered graph. A region is a problem (what one kernel computes)
// and the tensors that are its operands; a list of regions in order is a program.
#ifndef RX_PASS_REGION_H
#define RX_PASS_REGION_H

#include "gen/ir/graph.h"
#include "gen/pass/pass.h"

struct rx_region {
    struct rx_problem problem;
    int tensor[RX_OPERANDS_MAX];   // of each operand: storage, never a view
    int channel[RX_OPERANDS_MAX];  // the operand's first channel in it
    const char *label;             // the node it came from
    struct rx_where where;
    int program;  // RX_PROGRAM_*
    int kernel;   // set by selection
};

struct rx_regions {
    int n, capacity;
    struct rx_region *region;
};

void
rx_regions_close(struct rx_regions *list);

// Appends an empty region for a node.
struct rx_region *
rx_regions_add(struct rx_regions *list, enum rx_problem_op op, const struct rx_node *node,
               int program);

// Adds an operand; returns its index. Name, dtype, rows and pitch follow from kind and tensor.
int
rx_region_operand(struct rx_region *region, const struct rx_graph *g, enum rx_operand_kind kind,
                  int tensor, int channel, int access);

// Forms the regions of a lowered graph. RX_USER if a chain of pointwise layers is too long to fuse.
int
rx_pass_fuse(struct rx_graph *g, enum rx_mode mode, struct rx_regions *list,
             struct rx_error *error);

// Gives every parameter its place in flat buffers, and adds what follows from the weights' layout:
// transposed weights before data gradients, sums over threads after weight gradients, SGD; where
// convolutions are to multiply bf16, their weights in the form for that (BF16X2 or BF16, see
// runtime/weights.h; F32: none does).
void
rx_pass_layout(struct rx_graph *g, enum rx_mode mode, enum rx_gradients gradients,
               enum rx_dtype form, struct rx_regions *list);

// Whether a problem is one of those that multiply bf16 where weights have this form. Pairs: dense
// convolutions; rows: all but those of narrow groups, where vectors of bf16 are whole.
int
rx_pass_multiplies_bf16(const struct rx_problem *problem, enum rx_dtype form);

// The text of a list of regions, for --dump and tests.
void
rx_regions_print(const struct rx_graph *g, const struct rx_regions *list, struct rx_text *text);

// `buffer` gets, for each graph tensor that is storage of some operand, its plan tensor's number,
// -1 for others; arrays live in the graph's arena.
struct rx_memory {
    int n;
    struct rx_plan_tensor *tensor;
    int *buffer;
};
void
rx_pass_memory(struct rx_graph *g, enum rx_mode mode, const struct rx_regions *list,
               struct rx_memory *memory);

// The tensor that holds an operand: the flat buffer of a parameter or a gradient, else itself.
int
rx_pass_storage(const struct rx_graph *g, int tensor);

#endif
