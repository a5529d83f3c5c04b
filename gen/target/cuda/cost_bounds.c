// What a kernel takes of a multiprocessor, as its template's launch bounds and tiles have it, and
// how many of its blocks then run at once.
#include <string.h>

#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/strips.h"
#include "runtime/weights.h"

enum { WARP = 32, QUARTERS = 4 };  // of a multiprocessor, each with its registers and its warps
enum { REGISTERS = 64 << 10, REGISTERS_MAX = 255 };  // of a multiprocessor, of a thread
enum { REGISTERS_UNIT = 8, SHARED_UNIT = 128 };      // that are given out together
enum { SHARED_SYSTEM = 1 << 10 };                    // of each block
enum { PRODUCT_DEPTH = 16 };                         // of a stage
enum { REGISTERS_BESIDES = 64, REGISTERS_OF_STATS = 32, REGISTERS_OF_FLAT = 32 };

static int
larger(int a, int b)
{
    return a > b ? a : b;
}

// Blocks at once: RESIDENT of the templates.
static int
resident(const struct rx_problem *p, const struct rx_config *c, int block)
{
    if (rx_cuda_strips(c) != NULL)
        return rx_cuda_strips(c)->threads / block;
    if (rx_cuda_is_row(c))
        return rx_cuda_row_threads(p, c) / block;
    if (rx_cuda_is_mma(c))
        return rx_cuda_mma_resident(p, c);
    if (c->tile_m > 0)
        return c->tile_m * c->tile_n * c->lanes > 32 || c->lanes == 1 ? 1 : 2;
    return rx_cuda_simple_resident(p);
}

static int
product_shared(const struct rx_problem *p, const struct rx_config *c)
{
    const int rows = c->tile_pixels / c->tile_m, width = c->tile_w / c->tile_n;
    const int staged = PRODUCT_DEPTH * (c->tile_pixels + 4 + c->tile_w);
    const int summed = rx_cuda_has_sums(p) ? rows * (2 * width + 1) : 0;
    return larger(staged, summed) * (int)sizeof(float);
}

static int
row_shared(const struct rx_problem *p, const struct rx_config *c)
{
    const struct rx_geometry *g = &p->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    int inputs = c->tile_w / kg * cg * ((c->tile_pixels - 1) * g->stride + g->s);
    if (g->groups == 1) {
        const int step = g->stride * g->c, row = g->s * g->c;
        const int left = (g->pad * g->c + c->lanes - 1) / c->lanes * c->lanes;
        const int skip = left - g->pad * g->c;
        const int window = (skip + (c->tile_m - 1) * step + row + c->lanes - 1) / c->lanes;
        inputs = ((c->tile_pixels - c->tile_m) * step / c->lanes + window) * c->lanes;
    }
    const int staged = g->r * inputs + c->tile_pixels * c->tile_w;
    return larger(staged, g->r * g->s * cg * c->tile_w) * (int)sizeof(float);
}

// Totals of rows of threads in double; a row of logits.
static int
flat_shared(enum rx_problem_op op, int block)
{
    if (op == RX_PROBLEM_BN_COEF)
        return block * 3 * (int)sizeof(double);
    if (op == RX_PROBLEM_BN_GRAD_COEF)
        return block * 2 * (int)sizeof(double);
    return op == RX_PROBLEM_LOSS ? block * (int)(sizeof(float) + 2 * sizeof(double)) : 0;
}

// Sums of rows of threads, each with a vector.
static int
simple_shared(const struct rx_problem *p, const struct rx_config *c, int block)
{
    if (c->tile_w == 0)
        return flat_shared(p->op, block);
    const int rows = block / (c->tile_w / c->lanes);
    if (p->op == RX_PROBLEM_CONV_WGRAD)
        return rows * c->tile_w * (int)sizeof(float);
    return rx_cuda_has_sums(p) ? rows * (2 * c->tile_w + 1) * (int)sizeof(float) : 0;
}

static int
shared_bytes(const struct rx_kernel *k)
{
    const struct rx_problem *p = k->problem;
    const struct rx_config *c = &k->config;

    if (rx_cuda_is_mma(c))
        return k->shared_bytes;
    if (rx_cuda_is_row(c))
        return row_shared(p, c);
    return c->tile_m > 0 ? product_shared(p, c) : simple_shared(p, c, k->block);
}

// A compiler takes as many as the launch bounds allow, if a block has as many warps in each quarter
// of a multiprocessor, where it holds sums, of a product's or of a filter's row, and no more than
// it needs elsewhere.
static int
registers(const struct rx_kernel *k)
{
    const struct rx_config *c = &k->config;
    const int quarters = (k->block + WARP * QUARTERS - 1) / (WARP * QUARTERS);
    const int threads = larger(resident(k->problem, c, k->block), 1) * quarters * WARP * QUARTERS;
    const int bound = REGISTERS / threads / REGISTERS_UNIT * REGISTERS_UNIT;
    const int most = bound < REGISTERS_MAX ? bound : REGISTERS_MAX;
    if (rx_cuda_is_mma(c) || rx_cuda_is_row(c))
        return most;
    const int stats = rx_cuda_has_sums(k->problem) && c->tile_m > 0 ? REGISTERS_OF_STATS : 0;
    const int held = c->tile_m * c->tile_n * c->lanes + REGISTERS_BESIDES + stats;
    const int needed = c->tile_w > 0 ? held : REGISTERS_OF_FLAT;
    return needed < most ? needed : most;
}

void
rx_cuda_assume(const struct rx_kernel *k, struct rx_resources *resources)
{
    *resources = (struct rx_resources){.registers = registers(k), .shared_bytes = shared_bytes(k)};
}

int
rx_cuda_occupancy(const struct rx_target_device *device, int block, const struct rx_resources *r)
{
    const struct rx_target_device_data *d = device->data;
    const int warps = (block + WARP - 1) / WARP;
    const int each = (r->registers + REGISTERS_UNIT - 1) / REGISTERS_UNIT * REGISTERS_UNIT;
    const int warps_a_quarter = REGISTERS / QUARTERS / larger(each * WARP, 1);
    const int64_t shared =
        (r->shared_bytes + SHARED_SYSTEM + SHARED_UNIT - 1) / SHARED_UNIT * SHARED_UNIT;
    int blocks = d->blocks;
    const int64_t limit[] = {d->threads / (warps * WARP), warps_a_quarter * QUARTERS / warps,
                             d->shared_bytes / shared};
    for (int i = 0; i < 3; i++)
        blocks = limit[i] < blocks ? (int)limit[i] : blocks;
    return blocks;
}
