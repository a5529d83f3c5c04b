// Kernel cases: problems are selected, rendered, compiled together into one shared object, loaded,
// run and compared with the reference.
#ifndef RX_TESTS_KERNEL_CASE_H
#define RX_TESTS_KERNEL_CASE_H

#include "gen/target/target.h"

// One case. Fields that are zero have a sensible value: n 1, threads 1.
struct rx_kernel_case {
    const char *label;
    struct rx_problem problem;
    int n;                           // images
    int threads;                     // threads that share the kernel, run one after the other
    double tolerance;                // largest error of an operand, relative to its largest value,
                                     // before it is rounded to bf16
    const struct rx_config *config;  // NULL: the best candidate
    const float *hyper;              // [RX_HYPER_N], NULL: usual values
};

// Where the same cases run on another architecture, it is defined before they are included.
#ifndef RX_CASE_ARCH
#define RX_CASE_ARCH "native"
#endif

// Whether kernels of an architecture can run here: those of a CUDA device run on the emulated one,
// those of a foreign CPU as tests/support/foreign.h says.
int
rx_case_available(const char *arch);

// Runs all cases for an architecture ("native" ..., also one that this machine is not); returns how
// many failed, each with a line on stderr that says which operand was wrong by how much. A kernel
// that writes outside of its operands or of its scratch memory, or touches what it may only read,
// fails too.
int
rx_kernel_cases(const struct rx_kernel_case *cases, int n_cases, const char *arch);

// One case alone: 0 where it passes.
int
rx_kernel_case(const struct rx_problem *problem, int n, int threads, const char *arch,
               double tolerance);

// Appends the compiler and the flags that make kernels for a machine and let them run on this one.
int
rx_case_compiler(const struct rx_machine *machine, struct rx_text *command, struct rx_error *error);

// Building problems. Each returns the index of the new operand or value; pitch 0 is the channels
// (of a COEF or PARTIAL rounded up to 16).
int
rx_case_operand(struct rx_problem *problem, enum rx_operand_kind kind, enum rx_domain domain,
                int access, int64_t c, int rows, const char *name);
int
rx_case_step(struct rx_chain *chain, enum rx_step_op op, int a, int b, int operand, int row);

// Makes every map of a problem bf16.
void
rx_case_to_bf16(struct rx_problem *problem);

// Makes a convolution's products those of bf16, with weights in this form.
void
rx_case_to_products(struct rx_problem *problem, enum rx_dtype form);

// The geometry of a pointwise problem, and of a convolution or pooling (whose output follows).
struct rx_geometry
rx_case_map(int h, int w, int c);
struct rx_geometry
rx_case_conv(int h, int w, int c, int k, int groups, int taps, int stride, int pad);

#endif
