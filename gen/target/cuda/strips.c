// The kernels that walk down strips, by their skeletons.
#include "gen/target/cuda/strips.h"

#include <string.h>

#include "gen/target/cuda/few.h"
#include "gen/target/cuda/few_wgrad.h"
#include "gen/target/cuda/grouped.h"
#include "gen/target/cuda/grouped_wgrad.h"

enum { RESERVED = 1 << 10 };  // bytes of shared memory that each block takes besides

const struct rx_cuda_strips *
rx_cuda_strips(const struct rx_config *config)
{
    static const struct rx_cuda_strips *const all[] = {&rx_cuda_grouped_fwd, &rx_cuda_grouped_dgrad,
                                                       &rx_cuda_grouped_wgrad, &rx_cuda_few_fwd,
                                                       &rx_cuda_few_wgrad};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->skeleton, config->skeleton) == 0)
            return all[i];
    return NULL;
}

int
rx_cuda_strips_resident(const struct rx_machine *machine, const struct rx_problem *p,
                        const struct rx_config *c)
{
    const struct rx_cuda_strips *kind = rx_cuda_strips(c);
    const int by_threads = kind->threads / kind->block(p, c);
    const int by_shared = machine->shared_bytes / (kind->shared(p, c) + RESERVED);
    return by_threads < by_shared ? by_threads : by_shared;
}

const char *
rx_cuda_strips_refuse(const struct rx_machine *machine, const struct rx_problem *p,
                      const struct rx_config *c)
{
    const struct rx_cuda_strips *kind = rx_cuda_strips(c);
    const char *why = kind->problem(p);
    if (why == NULL)
        why = kind->config(p, c);
    if (why == NULL && rx_cuda_strips_resident(machine, p, c) < 1)
        why = "more shared memory or threads than a multiprocessor has";
    return why;
}
