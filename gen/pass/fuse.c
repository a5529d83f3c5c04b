// needs: a lowered graph; gives: its regions, in order; breaks: nothing in the graph itself but
// views (the parts of a concatenation become channel ranges of it).
//
// Nodes are walked in order. An anchor (convolution, pooling, ...) becomes a region:
//   its epilogue takes in the pointwise nodes that follow, as long as each is the one reader of the
//   value and everything else it reads is in memory by then; then the value is stored, and the
//   reductions that read it (statistics, BN-gradient sums) ride along;
//   its prologue expresses what it reads by pointwise steps over what is in memory.
// So batch statistics put the border at bn in training (the coefficients are not there yet), and
// none in evaluation (they come from the running statistics). A join, relu(bn(y) + shortcut), is
// stored once: by the first reader's prologue where that reads every element exactly once (1x1
// stride 1), else by a kernel of its own.
#include <assert.h>

#include "gen/pass/chain.h"

static void
find_readers(struct rx_fuse *f)
{
    struct rx_graph *g = f->g;
    int total = 0;
    for (int i = 0; i < g->n_nodes; i++)
        total += g->node[i].n_in;
    f->reader = rx_arena_alloc(&g->arena, (size_t)total * sizeof *f->reader);
    f->first_reader = rx_arena_alloc(&g->arena, (size_t)(g->n_tensors + 2) * sizeof(int));
    int *next = f->first_reader + 1;
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in; j++)
            next[g->node[i].in[j] + 1]++;
    for (int t = 0; t < g->n_tensors; t++)
        next[t + 1] += next[t];
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in; j++)
            f->reader[next[g->node[i].in[j]]++] = i;
}

static int
is_reduction(enum rx_op op)
{
    return op == RX_OP_BN_STATS || op == RX_OP_BN_SUMS;
}

// 1 if the tensor is what this reduction adds up.
static int
reduces(const struct rx_node *n, int tensor)
{
    return is_reduction(n->op) && n->in[0] == tensor;
}

// The one pointwise node that reads a value which nothing else reads; NULL if there is no such.
static const struct rx_node *
only_pointwise_reader(const struct rx_fuse *f, int tensor)
{
    const int first = f->first_reader[tensor], last = f->first_reader[tensor + 1];
    if (last - first != 1)
        return NULL;
    const struct rx_node *n = &f->g->node[f->reader[first]];
    return rx_op_is_pointwise(n->op) && n->op != RX_OP_SLICE ? n : NULL;
}

static void
find_joins(struct rx_fuse *f)
{
    for (int i = 0; i < f->g->n_nodes; i++) {
        const struct rx_node *n = &f->g->node[i];
        if (n->op != RX_OP_ADD)
            continue;
        const struct rx_node *next = only_pointwise_reader(f, n->out[0]);
        f->join[next != NULL && next->op == RX_OP_RELU ? next->out[0] : n->out[0]] = 1;
    }
}

static void
make_views(struct rx_fuse *f)
{
    for (int i = 0; i < f->g->n_nodes; i++) {
        const struct rx_node *n = &f->g->node[i];
        if (n->op != RX_OP_CONCAT && n->op != RX_OP_CONCAT_STATS)
            continue;
        int first = 0;
        for (int j = 0; j < n->n_in; j++) {
            struct rx_tensor *t = &f->g->tensor[n->in[j]];
            t->base = n->out[0];
            t->channel = first;
            first += t->c;
        }
    }
}

static struct rx_builder
builder(struct rx_fuse *f, struct rx_region *r, struct rx_chain *chain, enum rx_domain domain)
{
    return (struct rx_builder){.f = f, .region = r, .chain = chain, .domain = domain};
}

// Adds the reductions that read the stored value.
static void
add_reductions(struct rx_builder *b, int tensor, int value)
{
    struct rx_fuse *f = b->f;
    for (int i = f->first_reader[tensor]; i < f->first_reader[tensor + 1]; i++) {
        const struct rx_node *n = &f->g->node[f->reader[i]];
        if (!reduces(n, tensor) || f->ready[n->out[0]])
            continue;
        int centred = -1;
        if (n->op == RX_OP_BN_SUMS) {
            if (!rx_chain_can_build(f, n->in[1]) || !f->ready[n->in[2]])
                continue;
            const int x = rx_chain_build(b, n->in[1], 0);
            const int o = rx_chain_operand(b, RX_OPERAND_COEF, n->in[2], 0, RX_READ);
            const int mean = rx_chain_step(b, RX_STEP_COEF, -1, -1, o, RX_COEF_MEAN);
            centred = rx_chain_step(b, RX_STEP_SUB, x, mean, -1, 0);
        }
        const int o = rx_chain_operand(b, RX_OPERAND_PARTIAL, n->out[0], 0, RX_WRITE);
        rx_chain_step(b, n->op == RX_OP_BN_STATS ? RX_STEP_STATS : RX_STEP_SUMS, value, centred, o,
                      0);
        f->ready[n->out[0]] = 1;
    }
}

// Stores a value; returns what memory holds of it, which is what reductions are to see.
static int
store(struct rx_builder *b, int tensor, int value)
{
    const int o = rx_chain_operand(b, RX_OPERAND_MAP, tensor, 0, RX_WRITE);
    b->f->ready[tensor] = 1;
    return rx_chain_step(b, RX_STEP_STORE, value, -1, o, 0);
}

// A kernel of its own that stores a tensor, with the reductions that read it.
static void
emit_map(struct rx_fuse *f, int tensor)
{
    const struct rx_tensor *t = &f->g->tensor[tensor];
    struct rx_node node = f->g->node[t->producer];
    node.geometry = rx_fuse_pointwise(t);
    struct rx_region *r = rx_regions_add(f->list, RX_PROBLEM_MAP, &node, rx_fuse_program(f));
    struct rx_builder b = builder(f, r, &r->problem.prologue[0], RX_DOMAIN_IN);
    b.chain->result = rx_chain_apply(&b, &f->g->node[t->producer], -1, -1, 0);
    b.chain = &r->problem.epilogue;
    const int acc = rx_chain_step(&b, RX_STEP_ACC, -1, -1, -1, 0);
    add_reductions(&b, tensor, store(&b, tensor, acc));
}

// Brings into memory the joins that a tensor is made of, except `root` (which the caller stores).
static void
need_joins(struct rx_fuse *f, int tensor, int root)
{
    const struct rx_tensor *t = &f->g->tensor[tensor];
    if (t->kind != RX_TENSOR_MAP || f->ready[tensor])
        return;
    const struct rx_node *n = &f->g->node[t->producer];
    assert(rx_op_is_pointwise(n->op));
    for (int i = 0; i < n->n_in; i++)
        need_joins(f, n->in[i], root);
    if (f->join[tensor] && tensor != root)
        emit_map(f, tensor);
}

static int
reads_once(const struct rx_node *n)
{
    const struct rx_geometry *q = &n->geometry;
    return n->op == RX_OP_GAP || (n->op == RX_OP_CONV && q->r == 1 && q->s == 1 && q->stride == 1 &&
                                  q->pad == 0 && q->groups == 1);
}

static int
is_reduced(const struct rx_fuse *f, int tensor)
{
    for (int i = f->first_reader[tensor]; i < f->first_reader[tensor + 1]; i++)
        if (reduces(&f->g->node[f->reader[i]], tensor))
            return 1;
    return 0;
}

// 1 if this anchor's prologue is where the join is to be stored.
static int
stores_join(const struct rx_fuse *f, const struct rx_node *n, int tensor)
{
    return f->join[tensor] && !f->ready[tensor] && reads_once(n) && !is_reduced(f, tensor);
}

static void
emit_prologue(struct rx_fuse *f, struct rx_region *r, int which, int tensor, int stores)
{
    const enum rx_domain domain = rx_problem_prologue_domain(r->problem.op, which);
    struct rx_builder b = builder(f, r, &r->problem.prologue[which], domain);
    b.chain->result = rx_chain_build(&b, tensor, 0);
    if (stores)
        store(&b, tensor, b.chain->result);
}

// 1 if a pointwise node can follow the value `tensor` in an epilogue.
static int
can_absorb(const struct rx_fuse *f, const struct rx_node *n, int tensor)
{
    if (n->op == RX_OP_RELU_GRAD && n->in[0] != tensor)
        return 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != tensor && !rx_chain_can_build(f, n->in[i]))
            return 0;
    return 1;
}

// 1 if the tensor is in memory and nothing but one node reads it: its memory can be taken over.
static int
is_last_reader(const struct rx_fuse *f, int tensor)
{
    return f->ready[tensor] && tensor != f->g->input && f->g->tensor[tensor].base < 0 &&
           f->first_reader[tensor + 1] - f->first_reader[tensor] == 1;
}

// Takes the pointwise nodes that follow an anchor into its epilogue; returns the tensor to store. A
// running sum that nothing else reads (the paths of form (a)) goes on in the same memory.
static int
absorb(struct rx_builder *b, int tensor, int *value)
{
    struct rx_fuse *f = b->f;
    int over = -1;
    for (;;) {
        const struct rx_node *n = only_pointwise_reader(f, tensor);
        if (n == NULL || !can_absorb(f, n, tensor))
            break;
        const int have = n->n_in > 1 && n->in[1] == tensor;
        if (n->op == RX_OP_ADD && is_last_reader(f, n->in[1 - have]))
            over = n->in[1 - have];
        *value = rx_chain_apply(b, n, have, *value, 0);
        tensor = n->out[0];
    }
    f->alias[tensor] = over;
    return tensor;
}

static void
emit_epilogue(struct rx_fuse *f, struct rx_region *r, int tensor)
{
    struct rx_builder b =
        builder(f, r, &r->problem.epilogue, rx_problem_epilogue_domain(r->problem.op));
    int value = rx_chain_step(&b, RX_STEP_ACC, -1, -1, -1, 0);
    const int stored = absorb(&b, tensor, &value);
    add_reductions(&b, stored, store(&b, stored, value));
}

// A convolution forward, its data gradient, a pooling or its gradient: one map in, one map out.
static void
emit_map_anchor(struct rx_fuse *f, enum rx_problem_op op, const struct rx_node *n)
{
    const int joins = stores_join(f, n, n->in[0]);
    need_joins(f, n->in[0], joins ? n->in[0] : -1);
    struct rx_region *r = rx_regions_add(f->list, op, n, rx_fuse_program(f));
    emit_prologue(f, r, 0, n->in[0], joins);
    if (op == RX_PROBLEM_CONV_FWD)
        rx_region_operand(r, f->g, RX_OPERAND_WEIGHTS, n->in[1], 0, RX_READ);
    if (op == RX_PROBLEM_CONV_DGRAD)
        rx_region_operand(r, f->g, RX_OPERAND_WEIGHTS_DGRAD, n->in[1], 0, RX_READ);
    if (op == RX_PROBLEM_MAXPOOL && f->index[n->out[0]] >= 0)
        rx_region_operand(r, f->g, RX_OPERAND_INDEX, f->index[n->out[0]], 0, RX_WRITE);
    if (op == RX_PROBLEM_MAXPOOL_GRAD)
        rx_region_operand(r, f->g, RX_OPERAND_INDEX, f->index[n->in[1]], 0, RX_READ);
    emit_epilogue(f, r, n->out[0]);
}

static void
emit_wgrad(struct rx_fuse *f, const struct rx_node *n)
{
    need_joins(f, n->in[0], -1);
    need_joins(f, n->in[1], -1);
    struct rx_region *r = rx_regions_add(f->list, RX_PROBLEM_CONV_WGRAD, n, rx_fuse_program(f));
    emit_prologue(f, r, 0, n->in[0], 0);
    emit_prologue(f, r, 1, n->in[1], 0);
    rx_region_operand(r, f->g, RX_OPERAND_WEIGHTS_PARTIAL, n->out[0], 0, RX_WRITE);
}

// Reductions mostly ride on the kernel that stores what they read; what is left of them here reads
// a value that no anchor stored, which gets a kernel of its own.
static void
finish_reduction(struct rx_fuse *f, const struct rx_node *n)
{
    if (f->ready[n->out[0]])
        return;
    need_joins(f, n->in[0], n->in[0]);
    emit_map(f, n->in[0]);
    assert(f->ready[n->out[0]]);
}

// The anchors without chains read what is in memory.
static void
emit_plain(struct rx_fuse *f, const struct rx_node *n)
{
    if (n->op == RX_OP_BIAS_GRAD)
        need_joins(f, n->in[0], -1);
    rx_fuse_plain(f, n);
}

static void
emit_node(struct rx_fuse *f, const struct rx_node *n)
{
    static const enum rx_problem_op map_anchor[RX_N_OPS] = {
        [RX_OP_CONV] = RX_PROBLEM_CONV_FWD,   [RX_OP_CONV_DGRAD] = RX_PROBLEM_CONV_DGRAD,
        [RX_OP_MAXPOOL] = RX_PROBLEM_MAXPOOL, [RX_OP_MAXPOOL_GRAD] = RX_PROBLEM_MAXPOOL_GRAD,
        [RX_OP_GAP] = RX_PROBLEM_GAP,         [RX_OP_GAP_GRAD] = RX_PROBLEM_GAP_GRAD,
    };
    if (rx_op_is_pointwise(n->op))
        return;
    if (n->op == RX_OP_CONV || map_anchor[n->op] != RX_PROBLEM_CONV_FWD)
        emit_map_anchor(f, map_anchor[n->op], n);
    else if (n->op == RX_OP_CONV_WGRAD)
        emit_wgrad(f, n);
    else if (is_reduction(n->op))
        finish_reduction(f, n);
    else if (n->op != RX_OP_BN_FOLD)  // those are first of all, see fold_first
        emit_plain(f, n);
    if (!is_reduction(n->op))
        for (int i = 0; i < n->n_out; i++)
            if (f->g->tensor[n->out[i]].kind != RX_TENSOR_MAP || n->op == RX_OP_INPUT ||
                n->op == RX_OP_CONCAT || n->op == RX_OP_LOSS)
                f->ready[n->out[i]] = 1;
}

// The coefficients of evaluation depend on nothing but parameters, so they are there from the
// start.
static void
fold_first(struct rx_fuse *f)
{
    for (int i = 0; i < f->g->n_nodes; i++) {
        const struct rx_node *n = &f->g->node[i];
        if (n->op != RX_OP_BN_FOLD)
            continue;
        rx_fuse_plain(f, n);
        f->ready[n->out[0]] = 1;
    }
}

// A max pool whose gradient is taken remembers which tap won.
static void
make_indices(struct rx_fuse *f)
{
    struct rx_graph *g = f->g;
    f->index = rx_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof *f->index);
    for (int i = 0; i < g->n_tensors; i++)
        f->index[i] = -1;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct rx_node *n = &g->node[i];
        if (n->op != RX_OP_MAXPOOL_GRAD)
            continue;
        struct rx_tensor like = g->tensor[n->in[1]];
        like.kind = RX_TENSOR_INDEX;
        like.dtype = RX_U8;
        f->index[n->in[1]] = rx_graph_add_tensor(g, &like, "index");
    }
}

int
rx_pass_fuse(struct rx_graph *g, enum rx_mode mode, struct rx_regions *list, struct rx_error *error)
{
    const struct rx_tensor hyper = {
        .kind = RX_TENSOR_FLAT, .dtype = RX_F32, .count = RX_HYPER_N, .param = -1};
    g->hyper = rx_graph_add_tensor(g, &hyper, "hyper");
    struct rx_fuse f = {.g = g, .list = list, .mode = mode};
    make_indices(&f);
    const size_t n = (size_t)g->n_tensors;
    f.ready = rx_arena_alloc(&g->arena, n);
    f.join = rx_arena_alloc(&g->arena, n);
    f.alias = rx_arena_alloc(&g->arena, n * sizeof *f.alias);
    for (size_t i = 0; i < n; i++)
        f.alias[i] = -1;
    find_readers(&f);
    make_views(&f);
    find_joins(&f);
    fold_first(&f);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct rx_node *node = &g->node[i];
        emit_node(&f, node);
        if (f.too_long)
            return rx_error_user(error,
                                 "%s:%d: %s: more pointwise layers in a row than one kernel can "
                                 "take: put a convolution between them",
                                 node->where.file, node->where.line, node->name);
    }
    return RX_OK;
}
