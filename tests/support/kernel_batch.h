// A batch of kernel cases that are compiled together.
#ifndef RX_TESTS_KERNEL_BATCH_H
#define RX_TESTS_KERNEL_BATCH_H

#include "tests/support/kernel_case.h"

// Runs cases, each of which has a config; returns how many failed, as rx_kernel_cases does.
int
rx_kernel_batch(const struct rx_kernel_case *cases, int n_cases, const struct rx_machine *machine);

#endif
