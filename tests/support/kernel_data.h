// Operands of a kernel case: memory with guards around it, deterministic contents, comparison.
#ifndef RX_TESTS_KERNEL_DATA_H
#define RX_TESTS_KERNEL_DATA_H

#include <stddef.h>

#include "tests/support/kernel_case.h"

enum { RX_GUARD_BYTES = 64 };

// Operand memory of one run; t[i] is 64-byte aligned and has guards before and behind it.
struct rx_case_data {
    const struct rx_problem *problem;
    int n, threads;
    void *block[RX_OPERANDS_MAX];
    void *t[RX_OPERANDS_MAX];
    size_t bytes[RX_OPERANDS_MAX];
};

// Allocates and fills; two calls for one case give the same contents.
void
rx_case_data_open(struct rx_case_data *data, const struct rx_kernel_case *c);
void
rx_case_data_close(struct rx_case_data *data);

// Guarded memory of its own: rx_guarded_alloc fills it with 0xff (NaN), rx_guarded_intact says
// whether the guards are as they were.
void *
rx_guarded_alloc(size_t bytes, void **block);
int
rx_guarded_intact(const void *block, size_t bytes);

// Compares what the kernel wrote with the reference; what it may only read must be as it was.
// Prints what differs and returns the number of wrong operands.
int
rx_case_data_compare(const struct rx_kernel_case *c, const struct rx_case_data *kernel,
                     const struct rx_case_data *reference);

#endif
