// The CUDA target's own parts; rx_target_cuda is what others see.
#ifndef RX_TARGET_CUDA_CUDA_H
#define RX_TARGET_CUDA_CUDA_H

#include "gen/target/target.h"

extern const struct rx_language rx_cuda_language;

int
rx_cuda_machine(const char *arch, struct rx_machine *machine, struct rx_error *error);
int
rx_cuda_applicable(const struct rx_machine *machine, const struct rx_problem *problem,
                   const struct rx_config *config, struct rx_text *why);
int
rx_cuda_candidates(const struct rx_machine *machine, const struct rx_problem *problem,
                   struct rx_config *config, int max);
int
rx_cuda_describe(const struct rx_machine *machine, const char *templates, const char *toolchain,
                 const struct rx_problem *problem, const struct rx_config *config,
                 struct rx_kernel *kernel, struct rx_error *error);

// Predicted seconds an image of a large batch, on the architecture's device (device.h).
double
rx_cuda_estimate(const struct rx_machine *machine, const struct rx_problem *problem,
                 const struct rx_config *config);

// Whether a skeleton multiplies on tensor cores: a variant NAME.mma.
int
rx_cuda_is_mma(const struct rx_config *config);

// Whether a thread has a row of the filter.
int
rx_cuda_is_row(const struct rx_config *config);

// The threads of a block that have different rows of the filter or vectors of channels, and how
// many threads a multiprocessor holds.
int
rx_cuda_row_phase(const struct rx_problem *problem, const struct rx_config *config);
int
rx_cuda_row_threads(const struct rx_problem *problem, const struct rx_config *config);

// Sums and gradients that each of them holds.
int
rx_cuda_row_floats(const struct rx_problem *problem, const struct rx_config *config);

enum { RX_CUDA_MMA_ROWS = 16, RX_CUDA_MMA_COLUMNS = 32, RX_CUDA_MMA_LANES = 8 };

// Blocks of a product on tensor cores that a multiprocessor has registers for, and the ring that
// each has in shared memory: its stages, 0 where not even the fewest fit, and all bytes.
int
rx_cuda_mma_resident(const struct rx_problem *problem, const struct rx_config *config);
void
rx_cuda_mma_ring(const struct rx_machine *machine, const struct rx_problem *problem,
                 const struct rx_config *config, int *stages, int *bytes);

// Blocks of a kernel that does not multiply, as its launch bounds have it.
int
rx_cuda_simple_resident(const struct rx_problem *problem);

// Whether the epilogue takes sums, of which each block writes a part.
int
rx_cuda_has_sums(const struct rx_problem *problem);

// Threads of a block of this config.
int
rx_cuda_block(const struct rx_problem *problem, const struct rx_config *config);

// Sets grid, block, stages, product and parts of a kernel whose problem and config are set.
void
rx_cuda_launch(const struct rx_machine *machine, struct rx_kernel *kernel);

// Blocks side by side that make one tile of pixels (or, of a weight gradient, one part).
int
rx_cuda_columns(const struct rx_problem *problem, const struct rx_config *config);

// What cuBLAS may compute in the kernel's place; blocks = 0 where it may not.
struct rx_plan_gemm
rx_cuda_gemm(const struct rx_problem *problem);

// Units of a block of a kernel without chains: an image, some channels, or an element a thread.
int
rx_cuda_flat_units(enum rx_problem_op op);

// Channels of the maps that a vector of `lanes` must divide: 1 where it does.
int
rx_cuda_lanes_fit(const struct rx_problem *problem, int lanes);

#endif
