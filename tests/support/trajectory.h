// Comparing a generated network with a trajectory that PyTorch computed in double precision
// (tests/golden/*.json, made by make_goldens.py).
#ifndef RX_TESTS_TRAJECTORY_H
#define RX_TESTS_TRAJECTORY_H

#include "runtime/problem.h"

// Builds the golden's network in this form in a temporary folder, then compares logits, and, of
// every training run of the golden (or of the first alone), rates, losses, first gradients and last
// weights. Fails the test where one differs by more than f32 can explain.
enum rx_trajectory_runs { RX_TRAJECTORY_FIRST, RX_TRAJECTORY_ALL };

void
rx_trajectory_check(const char *golden, const char *form, enum rx_trajectory_runs runs);

// Trains the same network in bf16: the losses of the golden's first run stay as near to those of
// PyTorch's autocast (tests/golden/bf16.json) as two roundings do.
void
rx_trajectory_check_bf16(const char *golden, const char *form);

// The same on the CUDA device that RXGEN_CUDA_LIB_DIR names: four steps of the first run (or two),
// which come out the same bits twice.
void
rx_trajectory_check_cuda(const char *golden, const char *form, enum rx_dtype dtype,
                         enum rx_trajectory_runs runs);

#endif
