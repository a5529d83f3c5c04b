// needs: regions; gives: every parameter's place in flat buffers, the kernels that follow from how
// weights lie in memory (transposed for data gradients, as pairs of bf16 where those are
// multiplied, summed over threads after weight gradients), and SGD; breaks: nothing.
//
// Sets of flat buffers (values, gradients, momenta at equal offsets): weights of convolutions and
// the classifier; its bias, because another kernel makes its gradient; batch norm, because its
// weight decay may differ; running statistics. The gradients of the first set are stored only where
// that is asked for; else each updates its weights where it is summed, once nothing needs the old
// weights any more.
#include <assert.h>

#include "gen/pass/region.h"
#include "runtime/weights.h"

enum { ROW_LANES = 8 };  // bf16 in 16 bytes

enum { SET_WEIGHTS, SET_BIAS, SET_BN, SET_RUNNING, SETS };
enum { VALUE, GRADIENT, MOMENTUM, COPIES };
enum { ALIGN_ELEMENTS = 16 };  // a parameter starts on a cache line

struct flats {
    int tensor[SETS][COPIES];
};

static int
set_of(enum rx_param_kind kind)
{
    if (kind == RX_PARAM_RUNNING_MEAN || kind == RX_PARAM_RUNNING_VAR)
        return SET_RUNNING;
    if (kind == RX_PARAM_FC_BIAS)
        return SET_BIAS;
    return kind == RX_PARAM_BN_WEIGHT || kind == RX_PARAM_BN_BIAS ? SET_BN : SET_WEIGHTS;
}

static int64_t
count_of(const struct rx_param *p)
{
    const int packed = p->kind == RX_PARAM_CONV_WEIGHT || p->kind == RX_PARAM_FC_WEIGHT;
    return packed ? rx_weights_count(&p->geometry) : p->slice_count;
}

static int
add_flat(struct rx_graph *g, int64_t count, const char *name)
{
    const struct rx_tensor like = {
        .kind = RX_TENSOR_FLAT, .dtype = RX_F32, .count = count, .param = -1};
    return rx_graph_add_tensor(g, &like, name);
}

static void
place_params(struct rx_graph *g, struct flats *flats)
{
    static const char *const name[SETS][COPIES] = {
        {"weights", "weights_gradient", "weights_momentum"},
        {"bias", "bias_gradient", "bias_momentum"},
        {"bn", "bn_gradient", "bn_momentum"},
        {"running", NULL, NULL},
    };
    int64_t total[SETS] = {0};
    for (int i = 0; i < g->n_params; i++) {
        int64_t *at = &total[set_of(g->param[i].kind)];
        g->param[i].flat_offset = *at;
        *at += (count_of(&g->param[i]) + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    }
    for (int s = 0; s < SETS; s++)
        for (int c = 0; c < COPIES; c++)
            flats->tensor[s][c] = name[s][c] != NULL ? add_flat(g, total[s], name[s][c]) : -1;
    for (int i = 0; i < g->n_params; i++) {
        const int set = set_of(g->param[i].kind);
        g->param[i].flat = flats->tensor[set][VALUE];
        g->param[i].flat_gradient = flats->tensor[set][GRADIENT];
        g->param[i].flat_momentum = flats->tensor[set][MOMENTUM];
    }
}

// A tensor of as many f32 as the parameter's weights.
static int
add_weights_tensor(struct rx_graph *g, enum rx_tensor_kind kind, int param, const char *name)
{
    const struct rx_tensor like = {.kind = kind,
                                   .dtype = RX_F32,
                                   .count = rx_weights_count(&g->param[param].geometry),
                                   .param = param};
    return rx_graph_add_tensor(g, &like, name);
}

static struct rx_node
node_of(const struct rx_region *r)
{
    return (struct rx_node){
        .name = r->label, .where = r->where, .geometry = r->problem.geometry, .param = -1};
}

static int
operand(struct rx_region *r, const struct rx_graph *g, enum rx_operand_kind kind, int tensor,
        int access, int64_t count)
{
    const int i = rx_region_operand(r, g, kind, tensor, 0, access);
    r->problem.operand[i].c = count;
    return i;
}

// What the pass works on.
struct layout {
    struct rx_graph *g;
    enum rx_mode mode;
    enum rx_gradients gradients;
    enum rx_dtype form;  // of weights where bf16 is multiplied; F32: nowhere
    struct rx_regions old, *list;
    int *partial;   // [n_params] the WEIGHTS_PARTIAL of its gradient
    int *last_use;  // [n_params] the last old region that makes it or reads the weights
};

// The parameter whose weights (or their gradient) an operand is, -1.
static int
weights_of(const struct layout *l, const struct rx_region *r, int i)
{
    const enum rx_operand_kind kind = r->problem.operand[i].kind;
    if (kind != RX_OPERAND_WEIGHTS && kind != RX_OPERAND_WEIGHTS_DGRAD &&
        kind != RX_OPERAND_WEIGHTS_PARTIAL)
        return -1;
    return l->g->tensor[r->tensor[i]].param;
}

static void
find_last_uses(struct layout *l)
{
    const size_t bytes = (size_t)l->g->n_params * sizeof(int);
    l->partial = rx_arena_alloc(&l->g->arena, bytes);
    l->last_use = rx_arena_alloc(&l->g->arena, bytes);
    for (int p = 0; p < l->g->n_params; p++)
        l->partial[p] = l->last_use[p] = -1;
    for (int i = 0; i < l->old.n; i++)
        for (int j = 0; j < l->old.region[i].problem.n_operands; j++) {
            const int p = weights_of(l, &l->old.region[i], j);
            if (p >= 0)
                l->last_use[p] = i;
        }
}

// Transposed weights for a data gradient, in bf16 where it multiplies that; returns their tensor.
static int
add_transpose(struct layout *l, const struct rx_region *old, enum rx_dtype products, int weights)
{
    struct rx_graph *g = l->g;
    const struct rx_node node = node_of(old);
    const struct rx_geometry turned = rx_weights_transposed(&node.geometry);
    const enum rx_dtype form = products == RX_BF16 ? l->form : RX_F32;
    const struct rx_tensor like = {.kind = form == RX_F32 ? RX_TENSOR_WEIGHTS_DGRAD
                                                          : RX_TENSOR_WEIGHTS_NARROW,
                                   .dtype = form,
                                   .count = rx_weights_count_of(&turned, form),
                                   .param = g->tensor[weights].param};
    const int to = rx_graph_add_tensor(g, &like, "transposed");
    struct rx_region *r = rx_regions_add(l->list, RX_PROBLEM_TRANSPOSE, &node, old->program);
    r->problem.products = products;
    operand(r, g, RX_OPERAND_WEIGHTS, weights, RX_READ, rx_weights_count(&node.geometry));
    const int i = operand(r, g, RX_OPERAND_WEIGHTS_DGRAD, to, RX_WRITE, like.count);
    r->problem.operand[i].dtype = form;
    return to;
}

// Weights in bf16; returns their tensor. Training makes them before each use, as the step before
// has changed them; evaluation once.
static int
add_narrow(struct layout *l, const struct rx_region *old, int weights)
{
    struct rx_graph *g = l->g;
    const struct rx_node node = node_of(old);
    const struct rx_tensor like = {.kind = RX_TENSOR_WEIGHTS_NARROW,
                                   .dtype = l->form,
                                   .count = rx_weights_count_of(&node.geometry, l->form),
                                   .param = g->tensor[weights].param};
    const int narrow = rx_graph_add_tensor(g, &like, "narrow");
    const int program = l->mode == RX_MODE_TRAIN ? old->program : RX_PROGRAM_FOLD;
    struct rx_region *r = rx_regions_add(l->list, RX_PROBLEM_PACK, &node, program);
    operand(r, g, RX_OPERAND_WEIGHTS, weights, RX_READ, rx_weights_count(&node.geometry));
    operand(r, g, RX_OPERAND_WEIGHTS, narrow, RX_WRITE, like.count);
    return narrow;
}

// Whether vectors of the maps that it reads, and those of weights, are whole.
static int
reads_whole_rows(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    int whole = g->c / g->groups % ROW_LANES == 0 && g->k / g->groups % ROW_LANES == 0;
    for (int i = 0; i < p->n_operands; i++)
        whole &= p->operand[i].kind != RX_OPERAND_MAP || p->operand[i].pitch % ROW_LANES == 0;
    for (int i = 0; i < RX_PROLOGUES; i++)
        for (int j = 0; j < p->prologue[i].n; j++) {
            const struct rx_step *s = &p->prologue[i].step[j];
            whole &= s->op != RX_STEP_LOAD || p->operand[s->operand].dtype == RX_BF16;
        }
    return whole;
}

// A data gradient pairs the outputs of each tap.
int
rx_pass_multiplies_bf16(const struct rx_problem *p, enum rx_dtype form)
{
    const struct rx_geometry *g = &p->geometry;
    if (p->op > RX_PROBLEM_CONV_WGRAD || form == RX_F32 || rx_weights_layout(g) != RX_LAYOUT_PANEL)
        return 0;
    if (form == RX_BF16)
        return reads_whole_rows(p);
    return g->groups == 1 && (p->op != RX_PROBLEM_CONV_DGRAD || g->k % 2 == 0);
}

// Appends a region of the old list, with the weights that it may need in another form before it.
static void
copy_region(struct layout *l, const struct rx_region *old)
{
    struct rx_graph *g = l->g;
    struct rx_region copy = *old;
    if (rx_pass_multiplies_bf16(&copy.problem, l->form))
        copy.problem.products = RX_BF16;
    for (int i = 0; i < copy.problem.n_operands; i++) {
        struct rx_operand *o = &copy.problem.operand[i];
        if (o->kind == RX_OPERAND_WEIGHTS_DGRAD) {
            copy.tensor[i] = add_transpose(l, old, copy.problem.products, old->tensor[i]);
            o->dtype = g->tensor[copy.tensor[i]].dtype;
            o->c = g->tensor[copy.tensor[i]].count;
        } else if (o->kind == RX_OPERAND_WEIGHTS_PARTIAL) {
            const int p = weights_of(l, old, i);
            copy.tensor[i] = l->partial[p] =
                add_weights_tensor(g, RX_TENSOR_WEIGHTS_PARTIAL, p, "partial");
        }
        if (o->kind == RX_OPERAND_WEIGHTS || o->kind == RX_OPERAND_WEIGHTS_PARTIAL)
            o->c = rx_weights_count(&copy.problem.geometry);
        if (o->kind == RX_OPERAND_WEIGHTS && copy.problem.products == RX_BF16) {
            copy.tensor[i] = add_narrow(l, old, old->tensor[i]);
            o->dtype = l->form;
            o->c = g->tensor[copy.tensor[i]].count;
        }
    }
    const struct rx_node node = node_of(old);
    *rx_regions_add(l->list, old->problem.op, &node, old->program) = copy;
}

// A parameter's gradient from the threads' parts, and what becomes of it.
static void
add_sum(struct layout *l, const struct rx_region *after, int param)
{
    struct rx_graph *g = l->g;
    const int update = l->gradients == RX_GRADIENTS_UPDATE, partial = l->partial[param];
    const int64_t count = g->tensor[partial].count;
    const struct rx_node node = node_of(after);
    struct rx_region *r = rx_regions_add(l->list, update ? RX_PROBLEM_UPDATE : RX_PROBLEM_REDUCE,
                                         &node, after->program);
    r->problem.geometry = (struct rx_geometry){0};
    operand(r, g, RX_OPERAND_WEIGHTS_PARTIAL, partial, RX_READ, count);
    if (!update) {
        operand(r, g, RX_OPERAND_VECTOR, g->param[param].gradient, RX_WRITE, count);
        return;
    }
    const int momentum = add_weights_tensor(g, RX_TENSOR_MOMENTUM, param, "momentum");
    operand(r, g, RX_OPERAND_VECTOR, g->param[param].tensor, RX_READ | RX_WRITE, count);
    operand(r, g, RX_OPERAND_VECTOR, momentum, RX_READ | RX_WRITE, count);
    operand(r, g, RX_OPERAND_HYPER, g->hyper, RX_READ, RX_HYPER_N);
    r->problem.hyper_row = RX_HYPER_WD;
}

static void
add_sgd(struct rx_graph *g, struct rx_regions *list, const int *copies, int hyper_row)
{
    const struct rx_node node = {.name = g->tensor[copies[VALUE]].name, .where = {"sgd", 0}};
    struct rx_region *r = rx_regions_add(list, RX_PROBLEM_SGD, &node, RX_PROGRAM_TRAIN);
    rx_region_operand(r, g, RX_OPERAND_VECTOR, copies[VALUE], 0, RX_READ | RX_WRITE);
    rx_region_operand(r, g, RX_OPERAND_VECTOR, copies[MOMENTUM], 0, RX_READ | RX_WRITE);
    rx_region_operand(r, g, RX_OPERAND_VECTOR, copies[GRADIENT], 0, RX_READ);
    rx_region_operand(r, g, RX_OPERAND_HYPER, g->hyper, 0, RX_READ);
    r->problem.hyper_row = hyper_row;
}

void
rx_pass_layout(struct rx_graph *g, enum rx_mode mode, enum rx_gradients gradients,
               enum rx_dtype form, struct rx_regions *list)
{
    struct flats flats;
    place_params(g, &flats);
    struct layout l = {
        .g = g, .mode = mode, .gradients = gradients, .form = form, .old = *list, .list = list};
    *list = (struct rx_regions){0};
    find_last_uses(&l);
    for (int i = 0; i < l.old.n; i++) {
        const struct rx_region *old = &l.old.region[i];
        copy_region(&l, old);
        for (int p = 0; p < g->n_params; p++)
            if (l.last_use[p] == i && l.partial[p] >= 0)
                add_sum(&l, old, p);
    }
    rx_regions_close(&l.old);
    if (mode != RX_MODE_TRAIN)
        return;
    if (gradients == RX_GRADIENTS_STORE)
        add_sgd(g, list, flats.tensor[SET_WEIGHTS], RX_HYPER_WD);
    if (g->tensor[flats.tensor[SET_BIAS][VALUE]].count > 0)
        add_sgd(g, list, flats.tensor[SET_BIAS], RX_HYPER_WD);
    if (g->tensor[flats.tensor[SET_BN][VALUE]].count > 0)
        add_sgd(g, list, flats.tensor[SET_BN], RX_HYPER_WD_BN);
}
