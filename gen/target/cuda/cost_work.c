// What a launch asks of a device, whatever its skeleton: blocks, bytes of operands, chains.
#include <math.h>
#include <string.h>

#include "gen/select/problem.h"
#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"
#include "gen/target/cuda/strips.h"
#include "runtime/weights.h"

// Instructions of a step for one lane; what a load or a store takes besides.
static const double step_instructions[RX_STEP_N_OPS] = {
    [RX_STEP_ADD] = 1,  [RX_STEP_SUB] = 1,     [RX_STEP_MUL] = 1,   [RX_STEP_RELU] = 1,
    [RX_STEP_MASK] = 2, [RX_STEP_STORE] = 0.5, [RX_STEP_STATS] = 3, [RX_STEP_SUMS] = 2,
};
enum { ADDRESS = 3 };

// Fitted to one H100: what a block waits for before its first round and after its last, in loads.
static const double block_waits = 3.5;

double
rx_cuda_chain_instructions(const struct rx_problem *p, const struct rx_chain *chain, int lanes)
{
    double n = 0;
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        n += step_instructions[s->op] * lanes;
        if (s->op == RX_STEP_LOAD || s->op == RX_STEP_STORE)
            n += ADDRESS;
        if (s->op == RX_STEP_LOAD && p->operand[s->operand].dtype == RX_BF16)
            n += lanes;
    }
    return n;
}

double
rx_cuda_chain_bytes(const struct rx_problem *p, const struct rx_chain *chain)
{
    double bytes = 0;
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        if (s->op == RX_STEP_LOAD || s->op == RX_STEP_STORE)
            bytes += (double)rx_dtype_bytes(p->operand[s->operand].dtype);
    }
    return bytes;
}

int
rx_cuda_chain_loads(const struct rx_chain *chain)
{
    int n = 0;
    for (int i = 0; i < chain->n; i++)
        n += chain->step[i].op == RX_STEP_LOAD;
    return n;
}

// Bytes of the operands that exist once a part, of one part.
static double
part_bytes(const struct rx_problem *p)
{
    double bytes = 0;
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        const double rows = o->kind == RX_OPERAND_PARTIAL ? o->rows : 1;
        if (o->kind != RX_OPERAND_PARTIAL && o->kind != RX_OPERAND_WEIGHTS_PARTIAL)
            continue;
        double count = (double)o->c;
        if (o->kind == RX_OPERAND_WEIGHTS_PARTIAL && p->op == RX_PROBLEM_CONV_WGRAD)
            count = (double)rx_weights_count(&p->geometry);
        bytes += rows * count * (double)rx_dtype_bytes(o->dtype);
    }
    return bytes;
}

// Blocks side by side read the same inputs. Those of sums run at once; others one column of blocks
// after the other, so that memory is read again unless the maps stay in the cache.
static double
read_again(const struct rx_kernel *k, int images, const struct rx_target_device_data *d)
{
    const struct rx_problem *p = k->problem;
    if (p->op > RX_PROBLEM_CONV_DGRAD || k->parts > 0)
        return 0;
    const struct rx_geometry *g = &p->geometry;
    const int back = p->op == RX_PROBLEM_CONV_DGRAD, groups = g->groups;
    const double pixels = back ? (double)g->oh * g->ow : (double)g->h * g->w;
    const double bytes =
        images * pixels * (back ? g->k : g->c) * rx_cuda_chain_bytes(p, &p->prologue[0]);
    const double times = (double)k->columns / groups - 1;
    return bytes > (double)d->cache_bytes && times > 0 ? times * bytes : 0;
}

// Images, pixels or elements are cut into units, a block's tiles; those of sums by parts.
static int64_t
units_of(const struct rx_kernel *k, int images)
{
    return (images * k->task_image + k->task_fixed + k->task_divisor - 1) / k->task_divisor;
}

static int64_t
blocks_of(const struct rx_kernel *k, const struct rx_load *load)
{
    const int64_t parts = load->parts > 0 ? load->parts : k->parts;
    return (k->parts > 0 ? parts : units_of(k, load->images)) * k->columns;
}

static void
add_family(const struct rx_cuda_share *share, struct rx_cuda_work *w)
{
    const struct rx_config *c = &share->kernel->config;
    if (rx_cuda_strips(c) != NULL)
        rx_cuda_strips(c)->work(share, w);
    else if (rx_cuda_is_mma(c))
        rx_cuda_work_mma(share, w);
    else if (rx_cuda_is_row(c))
        rx_cuda_work_row(share, w);
    else if (c->tile_m > 0)
        rx_cuda_work_tile(share, w);
    else if (c->tile_w > 0)
        rx_cuda_work_pixels(share, w);
    else
        rx_cuda_work_flat(share, w);
}

void
rx_cuda_work(const struct rx_kernel *k, const struct rx_load *load, struct rx_cuda_work *w)
{
    const struct rx_work work = rx_problem_work(k->problem);
    const int asked = load->parts > 0 ? load->parts : k->parts, parts = asked > 0 ? asked : 1;
    struct rx_cuda_share share = {.kernel = k, .images = load->images, .parts = parts};
    *w = (struct rx_cuda_work){.ahead = 1, .blocks = blocks_of(k, load), .waits = block_waits};
    share.tiles = ceil((double)units_of(k, load->images) * k->columns / (double)w->blocks);
    w->memory_bytes = load->images * work.bytes_image + work.bytes_fixed +
                      (parts - 1) * part_bytes(k->problem) +
                      read_again(k, load->images, load->device->data);
    add_family(&share, w);
}
