// Building chains: a tensor that is not in memory is expressed by pointwise steps over those that
// are. Shared by the parts of `fuse`.
#ifndef RX_PASS_CHAIN_H
#define RX_PASS_CHAIN_H

#include "gen/pass/region.h"

// What `fuse` knows of each tensor while it walks the nodes; arrays of n_tensors.
struct rx_fuse {
    struct rx_graph *g;
    struct rx_regions *list;
    enum rx_mode mode;
    char *ready;  // 1: in memory (maps), or computed (coefficients, partials)
    char *join;   // 1: a sum of two maps, to be stored once instead of computed at each reader
    int *alias;   // the tensor whose memory this one takes over, -1
    int *first_reader;  // readers of tensor t: reader[first_reader[t]] ..
                        // reader[first_reader[t+1]-1]
    int *reader;
    int *index;    // of a max pool's output: its INDEX tensor, -1
    int too_long;  // a chain did not fit; the node's number + 1
};

struct rx_builder {
    struct rx_fuse *f;
    struct rx_region *region;
    struct rx_chain *chain;
    enum rx_domain domain;
};

// The storage of a tensor: follows views and aliases, adding up the first channel.
int
rx_fuse_storage(const struct rx_fuse *f, int tensor, int *channel);

// 1 if the tensor can be expressed by steps over what is in memory now (joins: only once stored).
int
rx_chain_can_build(const struct rx_fuse *f, int tensor);

// Appends a step (or finds an equal one) and returns its value.
int
rx_chain_step(struct rx_builder *b, enum rx_step_op op, int x, int y, int operand, int row);

// Appends the steps that express channels [channel, ...) of a tensor; returns the value.
int
rx_chain_build(struct rx_builder *b, int tensor, int channel);

// Appends the steps of one node, given the value of its input `have` (-1: build all inputs).
int
rx_chain_apply(struct rx_builder *b, const struct rx_node *n, int have, int value, int channel);

// An operand of the chain's shape, found again or added.
int
rx_chain_operand(struct rx_builder *b, enum rx_operand_kind kind, int tensor, int channel,
                 int access);

// The geometry of a problem that works element by element on a map.
struct rx_geometry
rx_fuse_pointwise(const struct rx_tensor *t);

// The program that a graph's regions belong to.
int
rx_fuse_program(const struct rx_fuse *f);

// Appends the region of an anchor without chains; does nothing for other nodes.
void
rx_fuse_plain(struct rx_fuse *f, const struct rx_node *n);

#endif
