// The table of bench --kernels: each kernel's time, held against the machine's peaks.
#ifndef RX_BENCH_KERNELS_H
#define RX_BENCH_KERNELS_H

#include <jansson.h>

#include "runtime/peak.h"

// Adds `kernels` to the result of a program on n images, the slowest first; seconds[n_steps of the
// program].
void
rx_bench_kernels_add(json_t *result, const struct rx_plan *plan, int program, int n,
                     const double *seconds);

// Adds the peaks, as measured before and after, to the result, and shares of them: a kernel's
// `share` is that of the peak which it comes closer to, the whole step's that of multiply-adds.
void
rx_bench_kernels_rate(json_t *result, const struct rx_peak *before, const struct rx_peak *after);

void
rx_bench_kernels_print(const json_t *result);

#endif
