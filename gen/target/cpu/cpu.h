// The CPU target's own parts; rx_target_cpu is what others see.
#ifndef RX_TARGET_CPU_CPU_H
#define RX_TARGET_CPU_CPU_H

#include "gen/target/target.h"

extern const struct rx_language rx_cpu_language;

int
rx_cpu_machine(const char *arch, struct rx_machine *machine, struct rx_error *error);
int
rx_cpu_applicable(const struct rx_machine *machine, const struct rx_problem *problem,
                  const struct rx_config *config, struct rx_text *why);
int
rx_cpu_candidates(const struct rx_machine *machine, const struct rx_problem *problem,
                  struct rx_config *config, int max);
int
rx_cpu_describe(const struct rx_machine *machine, const char *templates, const char *toolchain,
                const struct rx_problem *problem, const struct rx_config *config,
                struct rx_kernel *kernel, struct rx_error *error);

// Predicted seconds an image of a config on one core: the roofline of the problem, with what the
// register tile and the tails of channels lose.
double
rx_cpu_estimate(const struct rx_machine *machine, const struct rx_problem *problem,
                const struct rx_config *config);

// Scratch bytes a thread needs, as the skeleton lays it out.
int64_t
rx_cpu_scratch_bytes(const struct rx_problem *problem, const struct rx_config *config);

// Bytes of it that one unit of gconv_fwd or gconv_dgrad goes through again and again.
int64_t
rx_cpu_ring_bytes(const struct rx_problem *problem, const struct rx_config *config);

#endif
