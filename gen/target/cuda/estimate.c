// The roofline estimate: no device, the same answer everywhere.
#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/grouped.h"
#include "runtime/weights.h"

// An H100: what is compared is configs, on one device.
static const double memory_bytes_per_s = 0.90 * 3.35e12;
static const double flops_per_s = 132 * 128 * 2 * 1.755e9;  // FFMA
static const double mma_flops_per_s = 632e12;               // mma.sync, one in 6 cycles
static const double loads_per_multiply = 4;  // a shared load takes the issue of so many multiplies

// Groups of a few channels without tensor cores, as measured: each multiply loads its weights.
static const double narrow_flops_per_s = 9e12;

// Inputs that are transformed and staged, each once for each of its taps and each tile of outputs:
// as measured where groups are narrow.
static const double staged_per_s = 350e9;

static const double multiplies_waiting = 300;  // while other blocks' stages hide one that is loaded
static const double cache_times_faster = 2;    // than memory

static const double not_hidden = 0.1;  // of the shorter of the two

// Grouped kernels on tensor cores: a load of a block until its rows are staged; how much more
// memory takes if a pixel has few channels of a block, times these; what does not hide behind the
// longest.
static const double turn_s = 1.2e-6;
static const double narrow_channels = 4;
static const double grouped_not_hidden = 0.25;

enum { BATCH = 256 };

static double
round_up(double n, double to)
{
    const double tiles = (double)(int64_t)((n + to - 1) / to);
    return tiles * to;
}

// Threads of a block for each one that has a row of the filter.
static double
idle(const struct rx_problem *p, const struct rx_config *config)
{
    const int once = rx_cuda_row_phase(p, config);
    const int threads = rx_cuda_block(p, config);
    return (double)threads / (threads / once * once);
}

// Multiplies of whole tiles for each one that is needed.
static double
waste(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double cg = g->c / g->groups, kg = g->k / g->groups, taps = (double)g->r * g->s * cg;
    if (rx_cuda_is_row(config))
        return round_up(g->k, config->tile_w) / g->k * round_up(g->ow, config->tile_pixels) /
               g->ow * idle(p, config);
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return round_up(kg, config->tile_w) / kg * round_up(taps, config->tile_pixels) / taps;
    const double channels = p->op == RX_PROBLEM_CONV_DGRAD ? cg : kg;
    const double strided = p->op == RX_PROBLEM_CONV_DGRAD ? (double)g->stride * g->stride : 1;
    return round_up(channels, config->tile_w) / channels * strided;
}

// Share of the multiply peak that a thread's tile can reach.
static double
tile_share(const struct rx_config *config)
{
    const double multiplies = (double)config->tile_m * config->tile_n * config->lanes;
    const double loads = config->tile_m / 4.0 + config->tile_n * config->lanes / 4.0;
    return multiplies / (multiplies + loads_per_multiply * loads);
}

// The same of a thread with a row of the filter: neighbouring pixels have inputs in common.
static double
row_share(const struct rx_problem *p, const struct rx_config *config)
{
    const double gradients = config->tile_m * config->lanes;
    const double row = (rx_cuda_row_floats(p, config) - gradients) / config->lanes;
    const double step = row / p->geometry.s * p->geometry.stride;
    const double multiplies = row * gradients;
    const double loads = (row + (config->tile_m - 1) * step) / config->lanes + config->tile_m;
    const int phases = rx_cuda_block(p, config) / rx_cuda_row_phase(p, config);
    const double stage = row * config->lanes * config->tile_pixels / phases;
    return multiplies / (multiplies + loads_per_multiply * loads) * stage /
           (stage + multiplies_waiting);
}

// The same on tensor cores: loads of fragments for each product.
static double
mma_share(const struct rx_config *config)
{
    const double multiplies = 4.0 * config->tile_m * config->tile_n;
    return multiplies / (multiplies + config->tile_m + 2.0 * config->tile_n);
}

// Inputs that an image's blocks stage.
static double
staged(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double cg = g->c / g->groups, kg = g->k / g->groups, taps = (double)g->r * g->s;
    if (p->op == RX_PROBLEM_CONV_FWD)
        return (double)g->oh * g->ow * taps * g->c * round_up(kg, config->tile_w) / config->tile_w;
    if (p->op == RX_PROBLEM_CONV_DGRAD)
        return (double)g->h * g->w * taps * g->k * round_up(cg, config->tile_w) / config->tile_w;
    return 0;
}

static double
grouped_estimate(const struct rx_machine *machine, const struct rx_problem *p,
                 const struct rx_config *config, double memory)
{
    const double products =
        rx_problem_work(p).flops_image / mma_flops_per_s * rx_cuda_grouped_waste(p, config);
    const double traffic = memory * (1 + (rx_cuda_grouped_reread(p, config) - 1) / 2) *
                           (1 + narrow_channels / config->tile_w);
    const double turns = rx_cuda_grouped_turns(p, config) * turn_s / machine->multiprocessors;
    const double hidden = products > traffic ? products : traffic;
    const double most = hidden > turns ? hidden : turns;
    return most + grouped_not_hidden * (products + traffic + turns - most);
}

// How often a weight gradient of groups whose blocks have some taps each takes its maps from
// memory: inputs for each tap, gradients for each block's taps, but for the first time from the
// cache. What tiles waste is staged too.
static double
reads(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double taps = (double)g->r * g->s * (g->c / g->groups), inputs = (double)g->r * g->s;
    if (config->tile_m == 0)
        return 1 + (inputs - 1) / cache_times_faster;
    const double gradients = round_up(taps, config->tile_pixels) / config->tile_pixels;
    return (1 + ((inputs + gradients) / 2 - 1) / cache_times_faster) * waste(p, config);
}

double
rx_cuda_estimate(const struct rx_machine *machine, const struct rx_problem *p,
                 const struct rx_config *config)
{
    const struct rx_work work = rx_problem_work(p);
    double memory = (work.bytes_image + work.bytes_fixed / BATCH) / memory_bytes_per_s;
    if (rx_cuda_is_grouped(config))
        return grouped_estimate(machine, p, config, memory);
    double compute = work.flops_image + work.flops_fixed / BATCH;
    if (rx_cuda_is_mma(config))
        compute *= waste(p, config) / (mma_flops_per_s * mma_share(config));
    else if (rx_cuda_is_row(config))
        compute *= waste(p, config) / (flops_per_s * row_share(p, config));
    else if (config->tile_m > 0)
        compute *= waste(p, config) / (flops_per_s * tile_share(config));
    else
        compute /= p->op < RX_PROBLEM_CONV_WGRAD ? narrow_flops_per_s : flops_per_s;
    if (config->tile_m > 0)
        compute += staged(p, config) / staged_per_s;
    if (p->op == RX_PROBLEM_CONV_WGRAD && p->geometry.groups > 1 && !rx_cuda_is_row(config))
        memory *= reads(p, config);
    const double most = compute > memory ? compute : memory;
    return most + not_hidden * (compute + memory - most);
}
