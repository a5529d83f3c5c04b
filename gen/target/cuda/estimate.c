// The estimate that ranks configs is the model of docs/cuda-model.md, of kernels that are not
// compiled: no device, the same answer everywhere.
#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"

static const double memory_share = 0.90;

enum { BATCH = 256 };

double
rx_cuda_estimate(const struct rx_machine *machine, const struct rx_problem *p,
                 const struct rx_config *config)
{
    struct rx_kernel kernel = {.problem = p, .config = *config};
    const struct rx_load load = {.device = &rx_cuda_devices[rx_cuda_device_of(machine->arch)],
                                 .memory_share = memory_share,
                                 .images = BATCH};
    struct rx_prediction prediction;
    rx_cuda_launch(machine, &kernel);
    rx_cuda_predict(&kernel, &load, &prediction);
    return prediction.seconds / BATCH;
}
