// A batch of kernel cases on the emulated CUDA device.
#ifndef RX_TESTS_CUDA_BATCH_H
#define RX_TESTS_CUDA_BATCH_H

#include "tests/support/kernel_case.h"

// Where `make emu` puts the device's libraries, and whether it has.
const char *
rx_cuda_batch_folder(void);
int
rx_cuda_batch_available(void);

// Makes it the one that programs find.
void
rx_cuda_batch_select(void);

// Runs cases, each of which has a config, every fourth (with RXGEN_TEST_CONFIGS=all: each) under
// five orders of threads, the others under one; returns how many failed, as rx_kernel_cases does.
// What the emulator finds (races, bounds, reads of what nothing wrote ...) fails a case too.
int
rx_cuda_batch(const struct rx_kernel_case *cases, int n_cases, const struct rx_machine *machine);

#endif
