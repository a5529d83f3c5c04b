// The roofline estimate: no device, the same answer everywhere.
#include <string.h>

#include <string.h>

#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

// A core of a few years ago: what is compared is configs, on one machine.
static const double clock_hz = 3e9;
static const double memory_bytes_per_s = 20e9;
static const double cache_bytes_per_s = 60e9;  // L3, for weights that every task reads again

static const double lanes_share = 0.7;  // of gconv_*: the rest expands rows

enum { FMA_PORTS = 2, LOAD_PORTS = 2, FMA_LATENCY = 4, BATCH = 16 };

static double
round_up(double n, double to)
{
    const double tiles = (double)(int64_t)((n + to - 1) / to);
    return tiles * to;
}

// Share of the multiply peak that a register tile can reach: it loads m + n values for m * n
// multiplies, and needs enough independent ones to hide their latency.
static double
tile_share(int m, int n)
{
    const double multiplies = (double)m * n / FMA_PORTS, loads = (double)(m + n) / LOAD_PORTS;
    const double independent = (double)m * n / (FMA_PORTS * FMA_LATENCY);
    const double share = multiplies / (multiplies > loads ? multiplies : loads);
    return share * (independent < 1 ? independent : 1);
}

struct shape {
    double rows, columns;  // of the product an image: pixels or taps, and channels
    double task_rows;      // rows of a task
};

static struct shape
product_shape(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double taps = (double)g->r * g->s * g->c / g->groups;
    if (p->op == RX_PROBLEM_CONV_DGRAD)
        return (struct shape){(double)g->h * g->w, (double)g->c / g->groups, config->tile_pixels};
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return (struct shape){taps, (double)g->k / g->groups, taps};
    return (struct shape){(double)g->oh * g->ow, (double)g->k / g->groups, config->tile_pixels};
}

// What tails of rows and columns multiply in vain.
static double
waste(const struct rx_problem *p, const struct rx_config *config)
{
    const struct shape s = product_shape(p, config);
    const double width = (double)config->tile_n * config->lanes;
    return round_up(s.columns, width) / s.columns * round_up(s.task_rows, config->tile_m) /
           s.task_rows;
}

// Weights (or the part of a weight gradient) go through the cache once a task.
static double
weight_seconds(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double pixels =
        p->op == RX_PROBLEM_CONV_DGRAD ? (double)g->h * g->w : (double)g->oh * g->ow;
    const double once = (double)rx_weights_count(g) * sizeof(float);
    const double times = p->op == RX_PROBLEM_CONV_WGRAD ? 2 : 1;
    return times * once * pixels / config->tile_pixels / cache_bytes_per_s;
}

// What the busiest thread has more than its share, on average over some numbers of threads, for a
// usual batch: tasks are whole.
static double
imbalance(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double image =
        p->op == RX_PROBLEM_CONV_DGRAD ? (double)g->h * g->w : (double)g->oh * g->ow;
    const double pixels = BATCH * image;
    double sum = 0;
    for (int threads = 2; threads <= 8; threads *= 2)
        sum += round_up(pixels, (double)config->tile_pixels * threads) / pixels;
    return sum / 3;
}

double
rx_cpu_estimate(const struct rx_machine *machine, const struct rx_problem *p,
                const struct rx_config *config)
{
    const struct rx_work work = rx_problem_work(p);
    const double peak = 2.0 * FMA_PORTS * machine->lanes * clock_hz;
    const double memory = (work.bytes_image + work.bytes_fixed / BATCH) / memory_bytes_per_s;
    double compute = (work.flops_image + work.flops_fixed / BATCH) / peak;
    if (config->tile_m > 0 && strncmp(config->skeleton, "gconv_", 6) == 0)
        compute /= tile_share(config->tile_m, 1) * lanes_share;
    else if (config->tile_m > 0)
        compute = compute * waste(p, config) * imbalance(p, config) /
                      tile_share(config->tile_m, config->tile_n) +
                  weight_seconds(p, config);
    return compute > memory ? compute : memory;
}
