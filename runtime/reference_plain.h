// The part of the reference for problems without chains.
#ifndef RX_REFERENCE_PLAIN_H
#define RX_REFERENCE_PLAIN_H

#include "runtime/problem.h"

// Runs the problem if it is one without chains, else returns 0. Arguments as rx_reference_run.
int
rx_reference_run_plain(const struct rx_problem *problem, int n, int n_threads, void *const *t);

#endif
