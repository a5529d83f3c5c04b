// The generated programs: train, eval, infer and bench are one binary, chosen by its name.
#ifndef RX_PROGRAM_H
#define RX_PROGRAM_H

#include "runtime/plan.h"

// Runs the command that argv[0] (or argv[1], under another name) names. Returns the exit status.
int
rx_program_main(const struct rx_plan *plan, int argc, char **argv);

#endif
