// A network on its way through the generator: its two graphs (training and evaluation), their
// regions, the kernels that compute them, and at the end its plan.
#ifndef RX_PLAN_NETWORK_H
#define RX_PLAN_NETWORK_H

#include "gen/front/front.h"
#include "gen/pass/region.h"
#include "gen/target/target.h"

struct rx_unit {
    enum rx_mode mode;
    struct rx_graph graph;
    struct rx_front_output front;
    struct rx_regions regions;
    struct rx_memory memory;
};

enum { RX_UNIT_TRAIN, RX_UNIT_INFER, RX_UNITS };

// A kernel of the network and where it was first needed.
struct rx_network_kernel {
    struct rx_problem problem;
    struct rx_kernel kernel;  // kernel.problem points at the problem above
    const char *text;         // the printed problem, its key
    const char *label;
    struct rx_where where;
    int uses;
};

struct rx_network {
    struct rx_arena arena;
    struct rx_unit unit[RX_UNITS];
    const struct rx_target *target;
    struct rx_machine machine;
    const char *toolchain;  // "gcc 12.2.0"
    int n_kernels;
    struct rx_network_kernel **kernel;
    struct rx_plan plan;
};

void
rx_network_close(struct rx_network *net);

// Chooses a kernel for every region of both units; equal problems share one.
int
rx_network_select(struct rx_network *net, const char *templates, struct rx_error *error);

// Fills net->plan (in the arena) from units and kernels.
void
rx_network_assemble(struct rx_network *net);

// Decides whether evaluation runs its first steps on a few images at a time; says so in the plan.
void
rx_network_slice(struct rx_network *net);

// Appends plan.c: the plan as C data, and main.
void
rx_network_print_plan(const struct rx_network *net, struct rx_text *text);

// Appends plan.txt: the steps and their tensors, for people.
void
rx_network_print_steps(const struct rx_network *net, struct rx_text *text);

#endif
