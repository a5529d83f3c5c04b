// needs: regions; gives: every parameter's place in flat buffers, the kernels that follow from how
// weights lie in memory (transposed for data gradients, summed over threads after weight
// gradients), and SGD; breaks: nothing.
//
// Two sets of flat buffers (values, gradients, momenta at equal offsets): convolutions with the
// classifier, and batch norm, because weight decay may differ. Running statistics are a third.
#include <assert.h>

#include "gen/pass/region.h"
#include "runtime/weights.h"

enum { SET_WEIGHTS, SET_BN, SET_RUNNING, SETS };
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

static int
add_weights_tensor(struct rx_graph *g, enum rx_tensor_kind kind, int param, const char *name)
{
    const struct rx_geometry *q = &g->param[param].geometry;
    const struct rx_geometry turned = rx_weights_transposed(q);
    const struct rx_tensor like = {
        .kind = kind,
        .dtype = RX_F32,
        .count = rx_weights_count(kind == RX_TENSOR_WEIGHTS_DGRAD ? &turned : q),
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

// Appends a region of the old list, with what its weights need before and after it.
static void
copy_region(struct rx_graph *g, struct rx_regions *list, const struct rx_region *old)
{
    const int dgrad = rx_problem_find(&old->problem, RX_OPERAND_WEIGHTS_DGRAD, 0);
    const int wgrad = rx_problem_find(&old->problem, RX_OPERAND_WEIGHTS_PARTIAL, 0);
    const struct rx_node node = node_of(old);
    struct rx_region copy = *old;
    if (dgrad >= 0) {
        const int weights = old->tensor[dgrad];
        const int turned =
            add_weights_tensor(g, RX_TENSOR_WEIGHTS_DGRAD, g->tensor[weights].param, "transposed");
        struct rx_region *r = rx_regions_add(list, RX_PROBLEM_TRANSPOSE, &node, old->program);
        operand(r, g, RX_OPERAND_WEIGHTS, weights, RX_READ, rx_weights_count(&node.geometry));
        operand(r, g, RX_OPERAND_WEIGHTS_DGRAD, turned, RX_WRITE, g->tensor[turned].count);
        copy.tensor[dgrad] = turned;
    }
    int partial = -1;
    if (wgrad >= 0) {
        partial = add_weights_tensor(g, RX_TENSOR_WEIGHTS_PARTIAL,
                                     g->tensor[old->tensor[wgrad]].param, "partial");
        copy.tensor[wgrad] = partial;
    }
    for (int i = 0; i < copy.problem.n_operands; i++) {
        struct rx_operand *o = &copy.problem.operand[i];
        if (o->kind == RX_OPERAND_WEIGHTS || o->kind == RX_OPERAND_WEIGHTS_PARTIAL)
            o->c = rx_weights_count(&copy.problem.geometry);
        else if (o->kind == RX_OPERAND_WEIGHTS_DGRAD)
            o->c = g->tensor[copy.tensor[i]].count;
    }
    *rx_regions_add(list, old->problem.op, &node, old->program) = copy;
    if (partial >= 0) {
        const int64_t count = g->tensor[partial].count;
        struct rx_region *r = rx_regions_add(list, RX_PROBLEM_REDUCE, &node, old->program);
        r->problem.geometry = (struct rx_geometry){0};
        operand(r, g, RX_OPERAND_WEIGHTS_PARTIAL, partial, RX_READ, count);
        operand(r, g, RX_OPERAND_VECTOR, old->tensor[wgrad], RX_WRITE, count);
    }
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
rx_pass_layout(struct rx_graph *g, enum rx_mode mode, struct rx_regions *list)
{
    struct flats flats;
    place_params(g, &flats);
    struct rx_regions old = *list;
    *list = (struct rx_regions){0};
    for (int i = 0; i < old.n; i++)
        copy_region(g, list, &old.region[i]);
    rx_regions_close(&old);
    if (mode != RX_MODE_TRAIN)
        return;
    add_sgd(g, list, flats.tensor[SET_WEIGHTS], RX_HYPER_WD);
    if (g->tensor[flats.tensor[SET_BN][VALUE]].count > 0)
        add_sgd(g, list, flats.tensor[SET_BN], RX_HYPER_WD_BN);
}
