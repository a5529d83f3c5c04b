// Chooses a config by its estimate and keeps the runner-up for --explain.
#include "gen/select/select.h"

#include <stdio.h>
#include <string.h>

static void
print_config(char *to, size_t n, const struct rx_config *c)
{
    if (c->tile_w > 0)
        snprintf(to, n, "%s P=%d tile=%dx%d W=%d", c->skeleton, c->tile_pixels, c->tile_m,
                 c->tile_n, c->tile_w);
    else if (c->tile_m > 0)
        snprintf(to, n, "%s P=%d tile=%dx%d", c->skeleton, c->tile_pixels, c->tile_m, c->tile_n);
    else
        snprintf(to, n, "%s P=%d", c->skeleton, c->tile_pixels);
}

int
rx_select_kernel(const struct rx_target *target, const struct rx_machine *machine,
                 const char *templates, const char *toolchain, const struct rx_problem *problem,
                 struct rx_kernel *kernel, struct rx_error *error)
{
    struct rx_config config[RX_CANDIDATES_MAX];
    const int n = target->candidates(machine, problem, config, RX_CANDIDATES_MAX);
    if (n < 1)
        return rx_error_refused(error, "%s: no kernel of target %s can compute it",
                                rx_problem_op_text(problem->op), target->name);
    if (n == 1)
        return target->describe(machine, templates, toolchain, problem, &config[0], kernel, error);
    struct rx_kernel second;
    int status =
        target->describe(machine, templates, toolchain, problem, &config[1], &second, error);
    if (status == RX_OK)
        status =
            target->describe(machine, templates, toolchain, problem, &config[0], kernel, error);
    if (status != RX_OK)
        return status;
    kernel->runner_up = config[1];
    kernel->runner_up_estimate = second.estimate;
    char other[64];
    print_config(other, sizeof other, &config[1]);
    const size_t used = strlen(kernel->why);
    snprintf(kernel->why + used, sizeof kernel->why - used, ", best of %d; runner-up %s %.4g us", n,
             other, second.estimate * 1e6);
    return RX_OK;
}
