// needs: the forward graph on primitives; gives: its blocks in form (a), (b) or (c) of Fig. 3;
// breaks: nothing.
//
// A block is 1x1 conv, bn, relu, grouped 3x3 conv, bn, relu, 1x1 conv. Form (c) is that. Form (b)
// has G paths of dense convolutions, concatenated before the last 1x1; its second bn works per
// channel, so it stands behind the concatenation. Form (a) has G whole paths, summed. Path i owns
// the channels [i*D, (i+1)*D); its parameters are pieces of the block's, so all forms share one
// file.
#include <assert.h>

#include "gen/pass/pass.h"

enum { CONV1, BN1, RELU1, CONV2, BN2, RELU2, CONV3, PARTS };

// The nodes of one block, indices into the taken list.
struct block {
    int part[PARTS];
};

struct rewrite {
    struct rx_graph *g;
    const struct rx_node *old;
    int n_old;
    int *reader;    // the one node that reads a tensor, -1 for none or several
    int *producer;  // the node that makes a tensor
};

static void
find_readers(struct rewrite *r)
{
    struct rx_graph *g = r->g;
    r->reader = rx_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof *r->reader);
    r->producer = rx_arena_alloc(&g->arena, (size_t)g->n_tensors * sizeof *r->producer);
    const int *uses = rx_graph_uses(g);
    for (int i = 0; i < g->n_tensors; i++)
        r->reader[i] = r->producer[i] = -1;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int j = 0; j < g->node[i].n_in; j++)
            if (uses[g->node[i].in[j]] == 1)
                r->reader[g->node[i].in[j]] = i;
        for (int j = 0; j < g->node[i].n_out; j++)
            r->producer[g->node[i].out[j]] = i;
    }
}

static int
is_dense_1x1(const struct rx_node *n)
{
    const struct rx_geometry *q = &n->geometry;
    return n->op == RX_OP_CONV && q->groups == 1 && q->r == 1 && q->s == 1 && !n->fc;
}

// Walks from the grouped convolution to both ends of its block; 1 if all of it is there.
static int
match(const struct rewrite *r, int conv2, struct block *b)
{
    static const enum rx_op want[PARTS] = {RX_OP_CONV, RX_OP_BN,   RX_OP_RELU, RX_OP_CONV,
                                           RX_OP_BN,   RX_OP_RELU, RX_OP_CONV};
    b->part[CONV2] = conv2;
    for (int p = CONV2; p > CONV1; p--) {
        const int x = r->old[b->part[p]].in[0];
        b->part[p - 1] = r->reader[x] == b->part[p] ? r->producer[x] : -1;
        if (b->part[p - 1] < 0 || r->old[b->part[p - 1]].op != want[p - 1])
            return 0;
    }
    for (int p = CONV2; p < CONV3; p++) {
        b->part[p + 1] = r->reader[r->old[b->part[p]].out[0]];
        if (b->part[p + 1] < 0 || r->old[b->part[p + 1]].op != want[p + 1])
            return 0;
    }
    return is_dense_1x1(&r->old[b->part[CONV1]]) && is_dense_1x1(&r->old[b->part[CONV3]]);
}

// Path `i` of `n`'s piece of a parameter along `dim`; for weights with the piece's geometry.
static int
piece(struct rx_graph *g, int tensor, int dim, int i, int n, const struct rx_geometry *geometry)
{
    struct rx_param p = g->param[g->tensor[tensor].param];
    p.slice_dim = dim;
    p.slice_count = p.file_shape[dim] / n;
    p.slice_first = i * p.slice_count;
    if (geometry != NULL)
        p.geometry = *geometry;
    return rx_graph_add_param(g, &p);
}

static int
emit_conv(const struct rewrite *r, const struct rx_node *like, int x, int dim, int i, int n)
{
    struct rx_node node = *like;
    struct rx_geometry *q = &node.geometry;
    q->groups = 1;
    q->c = r->g->tensor[x].c;
    q->k = dim == 0 ? q->k / n : q->k;
    const int in[] = {x, piece(r->g, like->in[1], dim, i, n, q)};
    return rx_graph_emit(r->g, &node, in, 2);
}

static int
emit_bn_relu(const struct rewrite *r, const struct rx_node *bn, const struct rx_node *relu, int x,
             int i, int n)
{
    int in[5] = {x};
    for (int j = 1; j < 5; j++)
        in[j] = piece(r->g, bn->in[j], 0, i, n, NULL);
    const int y = rx_graph_emit(r->g, bn, in, 5);
    return rx_graph_emit(r->g, relu, &y, 1);
}

// One path up to its 3x3 convolution.
static int
emit_path(const struct rewrite *r, const struct block *b, int i, int n)
{
    const struct rx_node *old = r->old;
    const struct rx_node *conv1 = &old[b->part[CONV1]];
    const int y1 = emit_conv(r, conv1, conv1->in[0], 0, i, n);
    const int a1 = emit_bn_relu(r, &old[b->part[BN1]], &old[b->part[RELU1]], y1, i, n);
    return emit_conv(r, &old[b->part[CONV2]], a1, 0, i, n);
}

// Makes the block's output the tensor that its readers know.
static void
rename_output(const struct rewrite *r, int y, int known)
{
    struct rx_node *last = &r->g->node[r->g->n_nodes - 1];
    assert(last->out[0] == y);
    last->out[0] = known;
    r->g->tensor[known].producer = r->g->n_nodes - 1;
}

static void
emit_a(const struct rewrite *r, const struct block *b, int n)
{
    const struct rx_node *conv3 = &r->old[b->part[CONV3]];
    int sum = -1;
    for (int i = 0; i < n; i++) {
        const int y2 = emit_path(r, b, i, n);
        const int a2 = emit_bn_relu(r, &r->old[b->part[BN2]], &r->old[b->part[RELU2]], y2, i, n);
        const int y3 = emit_conv(r, conv3, a2, 1, i, n);
        const struct rx_node add = {
            .op = RX_OP_ADD, .name = conv3->name, .where = conv3->where, .param = -1};
        const int in[] = {sum, y3};
        sum = i == 0 ? y3 : rx_graph_emit(r->g, &add, in, 2);
    }
    rename_output(r, sum, conv3->out[0]);
}

static void
emit_b(const struct rewrite *r, const struct block *b, int n)
{
    struct rx_graph *g = r->g;
    int *path = rx_arena_alloc(&g->arena, (size_t)n * sizeof *path);
    for (int i = 0; i < n; i++)
        path[i] = emit_path(r, b, i, n);
    const struct rx_node *conv2 = &r->old[b->part[CONV2]];
    const struct rx_node concat = {
        .op = RX_OP_CONCAT, .name = conv2->name, .where = conv2->where, .param = -1};
    const int y = rx_graph_emit(g, &concat, path, n);
    rename_output(r, y, conv2->out[0]);
    for (int p = BN2; p <= CONV3; p++)
        rx_graph_keep(g, &r->old[b->part[p]]);
}

// Takes out the parameters that no node reads any more: their pieces stand for them.
static void
drop_unread(struct rx_graph *g)
{
    const int *uses = rx_graph_uses(g);
    int n = 0;
    for (int i = 0; i < g->n_params; i++) {
        if (uses[g->param[i].tensor] == 0)
            continue;
        g->tensor[g->param[i].tensor].param = n;
        g->param[n++] = g->param[i];
    }
    g->n_params = n;
}

void
rx_pass_form(struct rx_graph *g, enum rx_form form)
{
    static const char *const name[] = {"a", "b", "c"};
    g->form = name[form];
    if (form == RX_FORM_C)
        return;
    struct rewrite r = {.g = g};
    find_readers(&r);
    r.old = rx_graph_take(g, &r.n_old);
    struct block *at = rx_arena_alloc(&g->arena, (size_t)r.n_old * sizeof *at);
    char *inside = rx_arena_alloc(&g->arena, (size_t)r.n_old);
    for (int i = 0; i < r.n_old; i++) {
        struct block b;
        if (r.old[i].op != RX_OP_CONV || r.old[i].geometry.groups < 2 || !match(&r, i, &b))
            continue;
        for (int p = 0; p < PARTS; p++)
            inside[b.part[p]] = 1;
        at[b.part[CONV3]] = b;
    }
    for (int i = 0; i < r.n_old; i++) {
        const int n = at[i].part[CONV2] > 0 ? r.old[at[i].part[CONV2]].geometry.groups : 0;
        if (!inside[i])
            rx_graph_keep(g, &r.old[i]);
        else if (n > 0)
            form == RX_FORM_A ? emit_a(&r, &at[i], n) : emit_b(&r, &at[i], n);
    }
    drop_unread(g);
}
