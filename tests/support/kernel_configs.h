// Configs that a kernel case can run with.
#ifndef RX_TESTS_KERNEL_CONFIGS_H
#define RX_TESTS_KERNEL_CONFIGS_H

#include "gen/target/target.h"

enum { RX_CASE_CONFIGS_MAX = 1024 };

// The target's candidates, best first, and what lies around them that no estimate would propose:
// tasks of one unit, of an odd number and of more than there are, more register tiles. All are
// applicable and none comes twice. Returns how many.
int
rx_case_configs(const struct rx_target *target, const struct rx_machine *machine,
                const struct rx_problem *problem, struct rx_config *config, int max);

#endif
