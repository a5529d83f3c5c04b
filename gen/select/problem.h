// The printed problem: canonical text that is at once name, key and formula.
#ifndef RX_SELECT_PROBLEM_H
#define RX_SELECT_PROBLEM_H

#include "runtime/base/text.h"
#include "runtime/problem.h"

// Appends the canonical text of a problem, a few lines; every field that changes what is computed
// is in it, so equal texts mean equal problems.
void
rx_problem_print(const struct rx_problem *problem, struct rx_text *text);

// Appends the problem's formula for people, one line or more:
//   y0[n,h,w,k] = sum_{r,s,c} relu(coef0.scale[c] * x0[n,h+r-1,w+s-1,c] + coef0.shift[c]) * w[...]
void
rx_problem_print_formula(const struct rx_problem *problem, struct rx_text *text);

// Terms of a convolution's sum that one multiplication takes: 2 where products are of bf16.
int
rx_problem_per_multiply(const struct rx_problem *problem);

// Work an image and fixed: floating point operations (a multiply-add is two) of the anchor, and
// bytes of operands read or written once.
struct rx_work {
    double flops_image, flops_fixed, bytes_image, bytes_fixed;
};
struct rx_work
rx_problem_work(const struct rx_problem *problem);

#endif
