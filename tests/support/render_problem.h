// Problems that exercise rendering: every kind of step in their chains.
#ifndef RX_TESTS_RENDER_PROBLEM_H
#define RX_TESTS_RENDER_PROBLEM_H

#include "gen/target/target.h"

// A convolution of relu(scale * x + shift), masked by another map, with statistics and sums.
struct rx_problem
rx_render_conv_problem(enum rx_problem_op op, struct rx_geometry geometry);

// The same of a pointwise problem.
struct rx_problem
rx_render_map_problem(int h, int w, int c);

// The kernel chosen for an architecture; fails the test where there is none.
void
rx_render_choose(const char *toolchain, const char *arch, const struct rx_problem *problem,
                 struct rx_kernel *kernel);

#endif
