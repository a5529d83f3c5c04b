// The roofline estimate: no device, the same answer everywhere.
#include <string.h>

#include "gen/select/problem.h"
#include "gen/select/units.h"
#include "gen/target/cpu/cpu.h"
#include "runtime/weights.h"

// A core of a few years ago: what is compared is configs, on one machine.
static const double clock_hz = 3e9;
static const double memory_bytes_per_s = 20e9;
static const double cache_bytes_per_s = 60e9;  // L3, for weights that every task reads again

static const double near_bytes_per_s = 72e9;  // L2, for what of a step is larger than L1

static const double ring_share = 0.85;        // of gconv_*: the rest transforms rows
static const double rows_order_share = 0.95;  // of gconv_fwd.rows, which reads rows in order
static const double pack_cycles = 2.5;        // a vector of a panel of several taps
static const double widen_share = 0.3;  // of pairs of bf16 where no instruction multiplies them

// A multiply of tiles takes so many cycles, its result so many more; a load half as many.
enum { TILE_CYCLES = 16, TILE_LATENCY = 52, TILE_PRODUCTS = 16 * 16 * 32 };

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

// The same of m by n tiles.
static double
tiles_share(int m, int n)
{
    const double multiplies = (double)m * n, loads = (double)(m + n) / LOAD_PORTS;
    const double independent = multiplies * TILE_CYCLES / TILE_LATENCY;
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
    const double rows = (double)g->oh * g->ow;
    return (struct shape){rows, (double)g->k / g->groups, BATCH * rows};
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
    const int wgrad = p->op == RX_PROBLEM_CONV_WGRAD;
    const double once =
        (double)rx_weights_count(g) * sizeof(float) / (wgrad ? 1 : rx_problem_per_multiply(p));
    const double times = wgrad ? 2 : 1;
    return times * once * pixels / config->tile_pixels / cache_bytes_per_s;
}

// What the busiest thread has more than its share, on average over some numbers of threads, for a
// usual batch: tasks are whole. Those of conv_fwd are register tiles.
static double
imbalance(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const double image =
        p->op == RX_PROBLEM_CONV_DGRAD ? (double)g->h * g->w : (double)g->oh * g->ow;
    const double pixels = BATCH * image;
    const int task = p->op == RX_PROBLEM_CONV_FWD ? config->tile_m : config->tile_pixels;
    double sum = 0;
    for (int threads = 2; threads <= 8; threads *= 2)
        sum += round_up(pixels, (double)task * threads) / pixels;
    return sum / 3;
}

// Whether inputs are spread over their groups' lanes by a shuffle, which AVX-512 runs where it
// multiplies; else loads do it.
static int
shuffles(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    return config->lanes == 16 && rx_units_permuted(g, config->lanes) &&
           g->c / g->groups < config->lanes;
}

// Cycles that a register tile of m pixels and n vectors takes for a row of taps: its multiplies,
// its loads or the latency of its sums, whatever is most. With one vector the taps share the loads.
static double
ring_cycles(const struct rx_geometry *g, int m, int n, int shuffled)
{
    const double inputs = shuffled ? (m - 1.0) * g->stride + g->s : 0;
    const double multiplies = ((double)m * n * g->s + inputs) / FMA_PORTS,
                 latency = FMA_LATENCY * (double)g->s;
    const double loads = n == 1 ? (m - 1.0) * g->stride + 2 * g->s : (double)(m + n) * g->s;
    const double most = multiplies > loads / LOAD_PORTS ? multiplies : loads / LOAD_PORTS;
    return most > latency ? most : latency;
}

// Share of the multiply peak that the tiles of a row reach.
static double
ring_tiles_share(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD, step = dgrad ? g->stride : 1;
    const int row = dgrad ? (g->w + step - 1) / step : g->ow;
    const int m = config->tile_m / step, n = config->tile_n, tiles = (row + m - 1) / m;
    const int large = row - tiles * (m - 1), shuffled = shuffles(p, config);
    const double cycles = large * ring_cycles(g, m * step, n, shuffled) +
                          (tiles - large) * ring_cycles(g, (m - 1) * step, n, shuffled);
    return (double)row * step * n * g->s / FMA_PORTS / cycles;
}

// The same of gconv_fwd.rows: a loaded (spread) input meets R * S taps.
static double
rows_share(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int tiles = (g->w + config->tile_m - 1) / config->tile_m;
    const double multiplies = (double)g->w * g->r * g->s;
    const double inputs = g->w + tiles * (g->s - 1.0), weights = (double)tiles * g->r * g->s;
    const double ports = (multiplies + shuffles(p, config) * inputs) / FMA_PORTS,
                 loads = (inputs + weights) / LOAD_PORTS;
    const double independent = (double)config->tile_m * g->r / (FMA_PORTS * FMA_LATENCY);
    return multiplies / FMA_PORTS / (ports > loads ? ports : loads) *
           (independent < 1 ? independent : 1);
}

// What packing the taps of every pixel costs beside multiplying them.
static double
pack_share(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    const double outputs = (double)(p->op == RX_PROBLEM_CONV_DGRAD ? g->c : g->k) / g->groups;
    return g->r * g->s > 1 ? 1 / (1 + FMA_PORTS * pack_cycles / outputs) : 1;
}

// A step of gconv_wgrad adds to a unit's weight gradient. One that is much larger than the L1 cache
// comes and goes each time.
static double
step_seconds(const struct rx_machine *machine, const struct rx_problem *p,
             const struct rx_config *config)
{
    const struct rx_geometry *g = &p->geometry;
    const int units = rx_units_of(g, config->lanes).n;
    const double dw = (double)rx_weights_count(g) * sizeof(float) / units;
    const double rows = (double)rx_cpu_scratch_bytes(p, config) / config->tile_n;
    const double steps = units * round_up(g->oh, config->tile_pixels) / config->tile_pixels;
    return dw > 2.0 * (double)machine->l1_bytes ? steps * (2 * dw + rows) / near_bytes_per_s : 0;
}

// Seconds that multiplying by tiles takes.
static double
tiles_seconds(const struct rx_problem *p, const struct rx_config *config)
{
    const struct rx_work work = rx_problem_work(p);
    const double peak = 2.0 * TILE_PRODUCTS / TILE_CYCLES * clock_hz;
    const int rows = config->tile_m / RX_BLOCK;
    return work.flops_image / peak * waste(p, config) * imbalance(p, config) /
               tiles_share(rows, config->tile_n) +
           weight_seconds(p, config);
}

double
rx_cpu_estimate(const struct rx_machine *machine, const struct rx_problem *p,
                const struct rx_config *config)
{
    const struct rx_work work = rx_problem_work(p);
    const double pairs = rx_problem_per_multiply(p) == 1 ? 1 : machine->dot2 ? 2 : widen_share;
    const double peak = 2.0 * FMA_PORTS * machine->lanes * clock_hz * pairs;
    const double memory = (work.bytes_image + work.bytes_fixed / BATCH) / memory_bytes_per_s;
    double compute = (work.flops_image + work.flops_fixed / BATCH) / peak;
    if (strstr(config->skeleton, ".amx") != NULL)
        compute = tiles_seconds(p, config);
    else if (strcmp(config->skeleton, "gconv_wgrad") == 0)
        compute = compute / (tile_share(config->tile_m, p->geometry.s) * ring_share) +
                  step_seconds(machine, p, config);
    else if (strcmp(config->skeleton, "gconv_fwd.rows") == 0)
        compute /= rows_share(p, config) * rows_order_share;
    else if (strncmp(config->skeleton, "gconv_", 6) == 0)
        compute /= ring_tiles_share(p, config) * ring_share;
    else if (config->tile_m > 0)
        compute = compute * waste(p, config) * imbalance(p, config) /
                      (tile_share(config->tile_m, config->tile_n) * pack_share(p)) +
                  weight_seconds(p, config);
    // Beside tiles, memory takes as long as multiplying: neither hides the other.
    if (p->products == RX_BF16 && machine->tiles[0] != '\0')
        return compute + memory;
    return compute > memory ? compute : memory;
}
