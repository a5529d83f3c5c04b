// A batch of kernel cases on the emulated CUDA device; or on this machine's own, where
// RXGEN_TEST_DEVICE names its architecture.
#ifndef RX_TESTS_CUDA_BATCH_H
#define RX_TESTS_CUDA_BATCH_H

#include "tests/support/kernel_case.h"

// The folder of the device's libraries: where `make emu` puts them; NULL: this machine's own, which
// are found as in the programs. Then whether they are there.
const char *
rx_cuda_batch_folder(void);
int
rx_cuda_batch_available(void);

// Makes an emulated one the one that programs find.
void
rx_cuda_batch_select(void);

// The architecture that cases for `arch` are made for: that of RXGEN_TEST_DEVICE, if it is given.
const char *
rx_cuda_batch_arch(const char *arch);

// Runs cases, each of which has a config, every fourth (with RXGEN_TEST_CONFIGS=all: each) under
// five orders of threads, the others under one; returns how many failed, as rx_kernel_cases does.
// What the emulator finds (races, bounds, reads of what nothing wrote ...) fails a case too.
int
rx_cuda_batch(const struct rx_kernel_case *cases, int n_cases, const struct rx_machine *machine);

#endif
