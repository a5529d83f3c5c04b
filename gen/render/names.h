// What operands are called in rendered code, and what the names in templates stand for.
#ifndef RX_RENDER_NAMES_H
#define RX_RENDER_NAMES_H

#include "gen/target/target.h"

// The name of an operand: the problem's, but for those that templates know by name.
const char *
rx_render_operand_name(const struct rx_problem *problem, int operand);

// "X0_PITCH" of operand x0.
void
rx_render_pitch_name(const struct rx_problem *problem, int operand, char *name, int n);

// Rows of a COEF: "scale", or "a" where it holds the coefficients of a gradient.
const char *
rx_render_row_name(const struct rx_operand *operand, int row);

// The value of a constant that a template may declare: 1, or 0 for an unknown name.
int
rx_render_constant(const struct rx_kernel *kernel, const char *name, int64_t *value);

// Whether a flag is set: 1, 0, or -1 for an unknown name.
int
rx_render_flag(const struct rx_machine *machine, const struct rx_kernel *kernel, const char *name);

// Whether channels of this map do not fill whole vectors.
int
rx_render_tail(const struct rx_kernel *kernel, enum rx_domain domain);

#endif
