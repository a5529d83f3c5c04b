// Choosing a kernel for a problem.
#ifndef RX_SELECT_SELECT_H
#define RX_SELECT_SELECT_H

#include "gen/target/target.h"

// Chooses the config with the best estimate and describes the kernel.
int
rx_select_kernel(const struct rx_target *target, const struct rx_machine *machine,
                 const char *templates, const char *toolchain, const struct rx_problem *problem,
                 struct rx_kernel *kernel, struct rx_error *error);

#endif
