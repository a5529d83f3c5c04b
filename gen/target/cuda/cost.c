// How long a launch takes: the longest of what its parts take, and some of the others, which it
// does not hide. docs/cuda-model.md says where each figure is from.
#include "gen/target/cuda/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gen/target/cuda/cuda.h"

enum { WARP = 32, QUARTERS = 4 };  // of a multiprocessor: each issues an instruction a cycle
enum { PORT_BYTES = 128, MMA_FLOPS = 2 * 16 * 8 * 16 };

// Fitted to one H100 (docs/cuda-model.md): from a load to its data while memory is busy; how much
// of what could hide behind the longest does not, where one block runs at once, and divided by the
// cube root of their number where several do.
static const double latency_s = 0.58e-6;
static const double not_hidden = 0.35;

// Assumption: from one kernel of a graph to the next.
static const double launch_s = 2e-6;

enum limit { MEMORY, CACHE, PORT, TENSOR, FLOAT, ISSUE, LATENCY, LIMITS };

static const char *const name[LIMITS] = {"memory", "L2",          "L1 port", "tensor cores",
                                         "FFMA",   "issue slots", "latency"};

// Seconds that blocks take one after the other on the busiest multiprocessor.
static double
chain(const struct rx_cuda_work *w, const struct rx_target_device_data *d, int64_t a_multiprocessor,
      int resident)
{
    const double turns = ceil((double)a_multiprocessor / resident);
    const double busy = w->round_cycles / d->clock_hz;
    const double at_once = w->rounds < w->ahead ? w->rounds : w->ahead;
    const double waited = at_once > 0 ? w->rounds / at_once * (latency_s + busy) : 0;
    const double worked = w->rounds * busy;
    return turns * ((waited > worked ? waited : worked) + w->waits * latency_s +
                    w->block_cycles / d->clock_hz);
}

// What comes from memory passes the caches too, so of these three the longest stands for all.
static double
combine(const double seconds[LIMITS], int blocks, enum limit *longest)
{
    double sum = 0, moved = 0;
    *longest = MEMORY;
    for (int i = 0; i < LIMITS; i++) {
        if (seconds[i] > seconds[*longest])
            *longest = (enum limit)i;
        if (i <= PORT)
            moved = seconds[i] > moved ? seconds[i] : moved;
        else
            sum += seconds[i];
    }
    return seconds[*longest] + not_hidden / cbrt(blocks) * (sum + moved - seconds[*longest]);
}

void
rx_cuda_predict(const struct rx_kernel *k, const struct rx_load *load, struct rx_prediction *p)
{
    const struct rx_target_device_data *d = load->device->data;
    struct rx_cuda_work w;
    rx_cuda_work(k, load, &w);
    *p = (struct rx_prediction){.bytes = w.memory_bytes, .resources = load->resources};
    if (p->resources.registers == 0)
        rx_cuda_assume(k, &p->resources);
    p->blocks = rx_cuda_occupancy(load->device, k->block, &p->resources);
    const int running = p->blocks > 0 ? p->blocks : 1;
    p->occupancy = (double)p->blocks * k->block / d->threads;
    p->flops = w.mma * MMA_FLOPS + w.multiply_adds * 2 * WARP;
    const int64_t each = (w.blocks + d->multiprocessors - 1) / d->multiprocessors;
    // What one multiprocessor does more than its share, as blocks are whole.
    const double uneven = (double)each * d->multiprocessors / (double)w.blocks;
    const double cycles = uneven / d->multiprocessors / d->clock_hz;
    const double seconds[LIMITS] = {
        [MEMORY] = w.memory_bytes / (d->memory_bytes_per_s * load->memory_share),
        [CACHE] = w.cache_bytes / d->cache_bytes_per_s,
        [PORT] = w.port_bytes / PORT_BYTES * cycles,
        [TENSOR] = w.mma * d->mma_cycles / QUARTERS * cycles,
        [FLOAT] = w.multiply_adds * WARP / d->multiply_adds * cycles,
        [ISSUE] = w.issued / QUARTERS * cycles,
        [LATENCY] = chain(&w, d, each, running),
    };
    enum limit longest;
    p->seconds = combine(seconds, running, &longest) + launch_s;
    snprintf(p->limit, sizeof p->limit, "%s", p->seconds > 2 * launch_s ? name[longest] : "launch");
}
