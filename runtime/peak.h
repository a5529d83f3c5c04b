// What this machine can do at most, measured: the roofline that kernels are held against.
#ifndef RX_PEAK_H
#define RX_PEAK_H

#include "runtime/base/error.h"
#include "runtime/plan.h"

struct rx_peak {
    double gflops;        // multiply-adds in registers, with the plan's instruction set and dtype
    double gbytes_per_s;  // of memory: the faster of reading, and of copying (both counted)
};

// Takes about half a second on `threads` threads. RX_REFUSED without memory to stream through.
int
rx_peak_measure(const struct rx_plan *plan, int threads, struct rx_peak *peak,
                struct rx_error *error);

#endif
