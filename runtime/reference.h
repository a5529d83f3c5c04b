// The reference: executes any problem naively, one element at a time, in double precision. It is
// the oracle of the tests, of --only and of tuning; it shares no code with the kernels.
#ifndef RX_REFERENCE_H
#define RX_REFERENCE_H

#include "runtime/problem.h"

// Runs the problem on n images with real operand memory: `t` as a kernel gets it, for a session of
// `n_threads` threads. Everything is computed in double and rounded once where it is stored.
// Partials: thread 0's part gets the whole result, the others become zero.
void
rx_reference_run(const struct rx_problem *problem, int n, int n_threads, void *const *t);

// Bytes that an operand needs for n images and n_threads threads, from the pointer on.
int64_t
rx_reference_operand_bytes(const struct rx_problem *problem, int operand, int n, int n_threads);

#endif
