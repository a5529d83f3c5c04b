// The reference: chains, and the anchors that map one image tensor to another or to weight
// gradients. Plain loops in double precision; the problems without chains are in reference_plain.c.
#include "runtime/reference.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/bf16.h"
#include "runtime/base/memory.h"
#include "runtime/reference_plain.h"
#include "runtime/weights.h"

struct run {
    const struct rx_problem *problem;
    int n, n_threads;
    void *const *t;
};

// The shape of a domain's map.
struct map {
    int h, w, c;
};

static struct map
map_of(const struct rx_problem *p, enum rx_domain domain)
{
    const struct rx_geometry *g = &p->geometry;
    if (domain == RX_DOMAIN_IN)
        return (struct map){g->h, g->w, g->c};
    return (struct map){g->oh, g->ow, g->k};
}

static int64_t
map_pixels(const struct map *m, int n)
{
    return (int64_t)n * m->h * m->w;
}

static double *
new_map(const struct map *m, int n)
{
    return rx_memory_alloc((size_t)map_pixels(m, n) * (size_t)m->c * sizeof(double));
}

// Element (pixel, channel) of a map operand.
static double
load(const struct run *run, int operand, int64_t pixel, int channel)
{
    const struct rx_operand *o = &run->problem->operand[operand];
    const int64_t i = pixel * o->pitch + channel;
    assert(o->dtype == RX_F32 || o->dtype == RX_BF16);
    if (o->dtype == RX_BF16)
        return rx_bf16_widen(((const uint16_t *)run->t[operand])[i]);
    return ((const float *)run->t[operand])[i];
}

static void
store(const struct run *run, int operand, int64_t pixel, int channel, double value)
{
    const struct rx_operand *o = &run->problem->operand[operand];
    const int64_t i = pixel * o->pitch + channel;
    assert(o->dtype == RX_F32 || o->dtype == RX_BF16);
    if (o->dtype == RX_BF16)
        ((uint16_t *)run->t[operand])[i] = rx_bf16_round((float)value);
    else
        ((float *)run->t[operand])[i] = (float)value;
}

// What STORE hands on: bf16 is what memory holds; f32 keeps its double, which rounds too little to
// tell.
static double
stored(const struct run *run, int operand, double value)
{
    if (run->problem->operand[operand].dtype == RX_BF16)
        return rx_bf16_widen(rx_bf16_round((float)value));
    return value;
}

static double
coefficient(const struct run *run, const struct rx_step *s, int channel)
{
    const struct rx_operand *o = &run->problem->operand[s->operand];
    const float *row = (const float *)run->t[s->operand] + (int64_t)s->row * o->pitch;
    return row[channel];
}

// Welford's update of thread 0's {count, mean, M2}.
static void
add_to_stats(const struct run *run, int operand, int channel, double a)
{
    const int pitch = run->problem->operand[operand].pitch;
    double *part = (double *)run->t[operand] + channel;
    double *count = &part[RX_STATS_COUNT * pitch], *mean = &part[RX_STATS_MEAN * pitch];
    const double before = a - *mean;
    *count += 1;
    *mean += before / *count;
    part[RX_STATS_M2 * pitch] += before * (a - *mean);
}

static void
add_to_sums(const struct run *run, int operand, int channel, double a, double b)
{
    const int pitch = run->problem->operand[operand].pitch;
    double *part = (double *)run->t[operand] + channel;
    part[RX_SUMS_A * pitch] += a;
    part[RX_SUMS_AB * pitch] += a * b;
}

// One step at one element; v holds the values of the steps before it.
static double
step_value(const struct run *run, const struct rx_step *s, const double *v, double acc,
           int64_t pixel, int channel)
{
    const double a = s->a >= 0 ? v[s->a] : 0, b = s->b >= 0 ? v[s->b] : 0;
    switch (s->op) {
    case RX_STEP_ACC:
        return acc;
    case RX_STEP_LOAD:
        return load(run, s->operand, pixel, channel);
    case RX_STEP_COEF:
        return coefficient(run, s, channel);
    case RX_STEP_ADD:
        return a + b;
    case RX_STEP_SUB:
        return a - b;
    case RX_STEP_MUL:
        return a * b;
    case RX_STEP_RELU:
        return a > 0 ? a : 0;
    case RX_STEP_MASK:
        return b > 0 ? a : 0;
    case RX_STEP_STORE:
        store(run, s->operand, pixel, channel, a);
        return stored(run, s->operand, a);
    case RX_STEP_STATS:
        add_to_stats(run, s->operand, channel, a);
        return a;
    case RX_STEP_SUMS:
        add_to_sums(run, s->operand, channel, a, b);
        return a;
    case RX_STEP_N_OPS:
        break;
    }
    assert(!"a chain step that the reference does not know");
    return 0;
}

// Runs a chain over every element of its domain. acc (NULL in prologues) and result (NULL in
// epilogues) are [n][h][w][c] without pitch.
static void
run_chain(const struct run *run, const struct rx_chain *chain, enum rx_domain domain,
          const double *acc, double *result)
{
    const struct map m = map_of(run->problem, domain);
    double v[RX_CHAIN_MAX];
    for (int64_t pixel = 0; pixel < map_pixels(&m, run->n); pixel++)
        for (int c = 0; c < m.c; c++) {
            const int64_t e = pixel * m.c + c;
            for (int i = 0; i < chain->n; i++)
                v[i] = step_value(run, &chain->step[i], v, acc != NULL ? acc[e] : 0, pixel, c);
            if (result != NULL)
                result[e] = v[chain->result];
        }
}

// What the anchor reads, and multiplies: [n][h][w][c] of the prologue's domain. The caller frees
// it.
static double *
run_prologue(const struct run *run, int which)
{
    const enum rx_domain domain = rx_problem_prologue_domain(run->problem->op, which);
    const struct map m = map_of(run->problem, domain);
    double *x = new_map(&m, run->n);
    run_chain(run, &run->problem->prologue[which], domain, NULL, x);
    if (run->problem->products == RX_BF16)
        for (int64_t i = 0; i < map_pixels(&m, run->n) * m.c; i++)
            x[i] = rx_bf16_widen(rx_bf16_round((float)x[i]));
    return x;
}

// One tap of a convolution or pooling window: output pixel, input pixel, filter position.
struct tap {
    int64_t out, in;  // pixels
    int r, s;
};

typedef void
tap_fn(const struct run *run, const struct tap *tap, void *state);

// Calls fn for every tap inside the map: images, output rows and columns, then r and s, all
// ascending.
static void
for_taps(const struct run *run, tap_fn *fn, void *state)
{
    const struct rx_geometry *g = &run->problem->geometry;
    for (int64_t out = 0; out < (int64_t)run->n * g->oh * g->ow; out++) {
        const int64_t image = out / ((int64_t)g->oh * g->ow);
        const int oh = (int)(out / g->ow % g->oh), ow = (int)(out % g->ow);
        for (int r = 0; r < g->r; r++)
            for (int s = 0; s < g->s; s++) {
                const int ih = oh * g->stride + r - g->pad, iw = ow * g->stride + s - g->pad;
                if (ih < 0 || ih >= g->h || iw < 0 || iw >= g->w)
                    continue;
                const int64_t in = (image * g->h + ih) * g->w + iw;
                fn(run, &(struct tap){.out = out, .in = in, .r = r, .s = s}, state);
            }
    }
}

// A convolution's three maps in double; which of them is the result depends on the anchor.
struct conv {
    double *x;   // [n][h][w][c]
    double *wt;  // [r][s][k][c/groups]
    double *y;   // [n][oh][ow][k]
};

static double *
conv_weight(const struct run *run, const struct conv *v, int r, int s, int k)
{
    const struct rx_geometry *g = &run->problem->geometry;
    return v->wt + (((int64_t)r * g->s + s) * g->k + k) * (g->c / g->groups);
}

static void
conv_fwd_tap(const struct run *run, const struct tap *tap, void *state)
{
    const struct conv *v = state;
    const struct rx_geometry *g = &run->problem->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    for (int k = 0; k < g->k; k++) {
        const double *wt = conv_weight(run, v, tap->r, tap->s, k);
        const double *x = v->x + tap->in * g->c + k / kg * cg;
        for (int c = 0; c < cg; c++)
            v->y[tap->out * g->k + k] += x[c] * wt[c];
    }
}

static void
conv_dgrad_tap(const struct run *run, const struct tap *tap, void *state)
{
    const struct conv *v = state;
    const struct rx_geometry *g = &run->problem->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    for (int k = 0; k < g->k; k++) {
        const double *wt = conv_weight(run, v, tap->r, tap->s, k);
        double *dx = v->x + tap->in * g->c + k / kg * cg;
        for (int c = 0; c < cg; c++)
            dx[c] += v->y[tap->out * g->k + k] * wt[c];
    }
}

static void
conv_wgrad_tap(const struct run *run, const struct tap *tap, void *state)
{
    const struct conv *v = state;
    const struct rx_geometry *g = &run->problem->geometry;
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    for (int k = 0; k < g->k; k++) {
        double *dw = conv_weight(run, v, tap->r, tap->s, k);
        const double *x = v->x + tap->in * g->c + k / kg * cg;
        for (int c = 0; c < cg; c++)
            dw[c] += x[c] * v->y[tap->out * g->k + k];
    }
}

static double *
new_weights(const struct rx_geometry *g)
{
    const size_t count = (size_t)g->r * (size_t)g->s * (size_t)g->k * (size_t)(g->c / g->groups);
    return rx_memory_alloc(count * sizeof(double));
}

// Where wt[k][c][r][s] lies in an operand of forward or of data gradient weights.
static int64_t
packed_index(const struct rx_geometry *g, const struct rx_operand *o, int k, int c, int r, int s)
{
    const struct rx_geometry t = rx_weights_transposed(g);
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    if (o->kind == RX_OPERAND_WEIGHTS_DGRAD) {
        const int in = k % kg;
        k = k / kg * cg + c, c = in, g = &t;
    }
    return rx_weights_index_of(g, o->dtype, k, c, r, s);
}

// Copies between the packed weights of an operand and [r][s][k][c/groups].
enum direction { UNPACK, PACK };

static void
convert_weights(const struct run *run, enum rx_operand_kind kind, double *plain,
                enum direction direction)
{
    const struct rx_geometry *g = &run->problem->geometry;
    const int operand = rx_problem_find(run->problem, kind, 0);
    const struct rx_operand *o = &run->problem->operand[operand];
    void *packed = run->t[operand];
    for (int r = 0; r < g->r; r++)
        for (int s = 0; s < g->s; s++)
            for (int k = 0; k < g->k; k++)
                for (int c = 0; c < g->c / g->groups; c++, plain++) {
                    const int64_t at = packed_index(g, o, k, c, r, s);
                    if (direction == PACK)
                        ((float *)packed)[at] = (float)*plain;
                    else if (o->dtype != RX_F32)
                        *plain = rx_bf16_widen(((const uint16_t *)packed)[at]);
                    else
                        *plain = ((const float *)packed)[at];
                }
}

static void
run_conv_wgrad(const struct run *run)
{
    const struct rx_geometry *g = &run->problem->geometry;
    struct conv v = {.x = run_prologue(run, 0), .wt = new_weights(g), .y = run_prologue(run, 1)};
    for_taps(run, conv_wgrad_tap, &v);
    const int operand = rx_problem_find(run->problem, RX_OPERAND_WEIGHTS_PARTIAL, 0);
    const size_t count = (size_t)rx_weights_count(g) * (size_t)run->n_threads;
    memset(run->t[operand], 0, count * sizeof(float));
    convert_weights(run, RX_OPERAND_WEIGHTS_PARTIAL, v.wt, PACK);
    free(v.x), free(v.wt), free(v.y);
}

// The anchors that make a map: `x` is what prologue 0 gave, `acc` (zeroed) gets the result.

static void
run_conv_fwd(const struct run *run, double *x, double *acc)
{
    struct conv v = {.x = x, .wt = new_weights(&run->problem->geometry), .y = acc};
    convert_weights(run, RX_OPERAND_WEIGHTS, v.wt, UNPACK);
    for_taps(run, conv_fwd_tap, &v);
    free(v.wt);
}

static void
run_conv_dgrad(const struct run *run, double *x, double *acc)
{
    struct conv v = {.x = acc, .wt = new_weights(&run->problem->geometry), .y = x};
    convert_weights(run, RX_OPERAND_WEIGHTS_DGRAD, v.wt, UNPACK);
    for_taps(run, conv_dgrad_tap, &v);
    free(v.wt);
}

struct pool {
    double *x, *acc;
    uint8_t *index;  // [n][oh][ow][c], NULL: not kept
    uint8_t *seen;   // [n][oh][ow], 1 once the window's first tap was taken
};

static void
maxpool_tap(const struct run *run, const struct tap *tap, void *state)
{
    struct pool *pool = state;
    const struct rx_geometry *g = &run->problem->geometry;
    for (int c = 0; c < g->c; c++) {
        const int64_t o = tap->out * g->k + c;
        const double x = pool->x[tap->in * g->c + c];
        if (pool->seen[tap->out] && !(x > pool->acc[o]))
            continue;
        pool->acc[o] = x;
        if (pool->index != NULL)
            pool->index[o] = (uint8_t)(tap->r * g->s + tap->s);
    }
    pool->seen[tap->out] = 1;
}

static void
run_maxpool(const struct run *run, double *x, double *acc)
{
    const struct map out = map_of(run->problem, RX_DOMAIN_OUT);
    const int index = rx_problem_find(run->problem, RX_OPERAND_INDEX, 0);
    struct pool pool = {.x = x, .acc = acc, .index = index >= 0 ? run->t[index] : NULL};
    pool.seen = rx_memory_alloc((size_t)map_pixels(&out, run->n));
    for_taps(run, maxpool_tap, &pool);
    free(pool.seen);
}

static void
maxpool_grad_tap(const struct run *run, const struct tap *tap, void *state)
{
    struct pool *pool = state;
    const struct rx_geometry *g = &run->problem->geometry;
    for (int c = 0; c < g->c; c++) {
        const int64_t o = tap->out * g->k + c;
        if (pool->index[o] == tap->r * g->s + tap->s)
            pool->acc[tap->in * g->c + c] += pool->x[o];
    }
}

static void
run_maxpool_grad(const struct run *run, double *x, double *acc)
{
    const int index = rx_problem_find(run->problem, RX_OPERAND_INDEX, 0);
    struct pool pool = {.x = x, .acc = acc, .index = run->t[index]};
    for_taps(run, maxpool_grad_tap, &pool);
}

static void
run_gap(const struct run *run, double *x, double *acc)
{
    const struct map in = map_of(run->problem, RX_DOMAIN_IN);
    const int area = in.h * in.w;
    for (int64_t pixel = 0; pixel < map_pixels(&in, run->n); pixel++)
        for (int c = 0; c < in.c; c++)
            acc[pixel / area * in.c + c] += x[pixel * in.c + c] / area;
}

static void
run_gap_grad(const struct run *run, double *x, double *acc)
{
    const struct map in = map_of(run->problem, RX_DOMAIN_IN);
    const int area = in.h * in.w;
    for (int64_t pixel = 0; pixel < map_pixels(&in, run->n); pixel++)
        for (int c = 0; c < in.c; c++)
            acc[pixel * in.c + c] = x[pixel / area * in.c + c] / area;
}

static void
run_map(const struct run *run, double *x, double *acc)
{
    const struct map in = map_of(run->problem, RX_DOMAIN_IN);
    memcpy(acc, x, (size_t)map_pixels(&in, run->n) * (size_t)in.c * sizeof *x);
}

typedef void
anchor_fn(const struct run *run, double *x, double *acc);

static anchor_fn *
anchor_of(enum rx_problem_op op)
{
    static anchor_fn *const anchor[RX_PROBLEM_N_OPS] = {
        [RX_PROBLEM_CONV_FWD] = run_conv_fwd,
        [RX_PROBLEM_CONV_DGRAD] = run_conv_dgrad,
        [RX_PROBLEM_MAXPOOL] = run_maxpool,
        [RX_PROBLEM_GAP] = run_gap,
        [RX_PROBLEM_MAXPOOL_GRAD] = run_maxpool_grad,
        [RX_PROBLEM_GAP_GRAD] = run_gap_grad,
        [RX_PROBLEM_MAP] = run_map,
    };
    return anchor[op];
}

// Zeroes every thread's part of what the chains accumulate into.
static void
clear_partials(const struct run *run)
{
    for (int i = 0; i < run->problem->n_operands; i++) {
        const struct rx_operand *o = &run->problem->operand[i];
        if (o->kind != RX_OPERAND_PARTIAL || !(o->access & RX_WRITE))
            continue;
        for (int row = 0; row < run->n_threads * o->rows; row++)
            for (int64_t c = 0; c < o->c; c++)
                ((double *)run->t[i])[(int64_t)row * o->pitch + c] = 0;
    }
}

static void
run_anchor(const struct run *run, anchor_fn *anchor)
{
    const enum rx_domain domain = rx_problem_epilogue_domain(run->problem->op);
    const struct map m = map_of(run->problem, domain);
    double *x = run_prologue(run, 0), *acc = new_map(&m, run->n);
    anchor(run, x, acc);
    run_chain(run, &run->problem->epilogue, domain, acc, NULL);
    free(x), free(acc);
}

void
rx_reference_run(const struct rx_problem *problem, int n, int n_threads, void *const *t)
{
    const struct run run = {.problem = problem, .n = n, .n_threads = n_threads, .t = t};
    if (rx_reference_run_plain(problem, n, n_threads, t))
        return;
    clear_partials(&run);
    if (problem->op == RX_PROBLEM_CONV_WGRAD)
        run_conv_wgrad(&run);
    else
        run_anchor(&run, anchor_of(problem->op));
}
