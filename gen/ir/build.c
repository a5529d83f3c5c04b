// Building the forward graph, one function a primitive, with the checks that a model's author sees.
#include "gen/ir/build.h"

#include <string.h>

enum {
    CHANNELS_MAX = 1 << 16,
    TAPS_MAX = 15,
    STRIDE_MAX = 8,
    SIDE_MAX = 1 << 12,
    NODES_MAX = 1 << 16
};

// Starts every message: "models/a.lua:41: conv".
#define WHERE "%s:%d: %s: "
#define AT(op) where.file, where.line, op

static int
check_tensor(const struct rx_graph *g, struct rx_where where, const char *op, int x,
             struct rx_error *error)
{
    if (g->n_nodes >= NODES_MAX)
        return rx_error_user(error, WHERE "the network has more than %d nodes: make it smaller",
                             AT(op), NODES_MAX);
    if (x < 0 || x >= g->n_tensors || g->tensor[x].kind != RX_TENSOR_MAP)
        return rx_error_user(error, WHERE "the argument is not a layer's output", AT(op));
    return RX_OK;
}

static int
add_vector(struct rx_graph *g, const char *name, const char *suffix, enum rx_param_kind kind, int c)
{
    const struct rx_param param = {.name = rx_arena_printf(&g->arena, "%s.%s", name, suffix),
                                   .kind = kind,
                                   .rank = 1,
                                   .file_shape = {c},
                                   .slice_dim = RX_SLICE_NONE,
                                   .slice_count = c};
    return rx_graph_add_param(g, &param);
}

static int
add_weights(struct rx_graph *g, const char *name, enum rx_param_kind kind,
            const struct rx_geometry *geometry)
{
    struct rx_param param = {
        .name = rx_arena_printf(&g->arena, "%s.weight", name),
        .kind = kind,
        .rank = kind == RX_PARAM_FC_WEIGHT ? 2 : 4,
        .file_shape = {geometry->k, geometry->c / geometry->groups, geometry->r, geometry->s},
        .slice_dim = RX_SLICE_NONE,
        .slice_count = geometry->k,
        .geometry = *geometry};
    return rx_graph_add_param(g, &param);
}

// Two layers of one name would share a tensor of the weights file.
static int
check_name(const struct rx_graph *g, struct rx_where where, const char *op, const char *name,
           struct rx_error *error)
{
    const size_t n = strlen(name);
    for (int i = 0; i < g->n_params; i++)
        if (strncmp(g->param[i].name, name, n) == 0 && g->param[i].name[n] == '.' &&
            strchr(g->param[i].name + n + 1, '.') == NULL)
            return rx_error_user(error, WHERE "a layer is named %s already: choose another name",
                                 AT(op), name);
    return RX_OK;
}

static struct rx_node
make(struct rx_graph *g, struct rx_where where, enum rx_op op, const char *name)
{
    const struct rx_where kept = {rx_arena_text(&g->arena, where.file), where.line};
    return (struct rx_node){
        .op = op, .name = rx_arena_text(&g->arena, name), .where = kept, .param = -1};
}

int
rx_build_input(struct rx_graph *g, struct rx_where where, int h, int w, int c, int *y,
               struct rx_error *error)
{
    if (g->input >= 0)
        return rx_error_user(error, WHERE "there is one already: a network has one input",
                             AT("input"));
    if (h < 1 || w < 1 || c < 1 || h > SIDE_MAX || w > SIDE_MAX || c > RX_MEAN_MAX)
        return rx_error_user(error,
                             WHERE "%dx%d pixels of %d channels: sides are 1..%d, channels 1..%d",
                             AT("input"), h, w, c, SIDE_MAX, RX_MEAN_MAX);
    struct rx_node node = make(g, where, RX_OP_INPUT, "input");
    node.geometry = (struct rx_geometry){.h = h, .w = w, .c = c};
    *y = g->input = rx_graph_emit(g, &node, NULL, 0);
    return RX_OK;
}

// The divisor of `groups` next below, and the multiple next above, a number of channels.
static int
wrong_groups(struct rx_where where, int groups, int channels, struct rx_error *error)
{
    const int below = channels / groups * groups;
    const int above = below + groups;
    if (below == 0)
        return rx_error_user(error, WHERE "groups %d does not divide channels %d; nearest: %d",
                             AT("conv"), groups, channels, above);
    return rx_error_user(error, WHERE "groups %d does not divide channels %d; nearest: %d, %d",
                         AT("conv"), groups, channels, below, above);
}

static int
out_side(int side, int taps, int stride, int pad)
{
    return side + 2 * pad < taps ? 0 : (side + 2 * pad - taps) / stride + 1;
}

static int
check_window(const struct rx_tensor *x, struct rx_where where, const char *op,
             const struct rx_conv_spec *spec, struct rx_error *error)
{
    if (spec->r < 1 || spec->s < 1 || spec->r > TAPS_MAX || spec->s > TAPS_MAX)
        return rx_error_user(error, WHERE "a window of %dx%d: sides are 1..%d", AT(op), spec->r,
                             spec->s, TAPS_MAX);
    if (spec->stride < 1 || spec->stride > STRIDE_MAX)
        return rx_error_user(error, WHERE "stride %d: it is 1..%d", AT(op), spec->stride,
                             STRIDE_MAX);
    if (spec->pad < 0 || spec->pad >= spec->r || spec->pad >= spec->s)
        return rx_error_user(error, WHERE "pad %d: it is 0..%d, less than the window", AT(op),
                             spec->pad, (spec->r < spec->s ? spec->r : spec->s) - 1);
    if (out_side(x->h, spec->r, spec->stride, spec->pad) < 1 ||
        out_side(x->w, spec->s, spec->stride, spec->pad) < 1)
        return rx_error_user(error,
                             WHERE "a window of %dx%d does not fit a map of %dx%d: "
                                   "a larger image or fewer strides would do",
                             AT(op), spec->r, spec->s, x->h, x->w);
    return RX_OK;
}

static struct rx_geometry
geometry_of(const struct rx_tensor *x, const struct rx_conv_spec *spec)
{
    return (struct rx_geometry){.h = x->h,
                                .w = x->w,
                                .c = x->c,
                                .oh = out_side(x->h, spec->r, spec->stride, spec->pad),
                                .ow = out_side(x->w, spec->s, spec->stride, spec->pad),
                                .k = spec->k,
                                .groups = spec->groups,
                                .r = spec->r,
                                .s = spec->s,
                                .stride = spec->stride,
                                .pad = spec->pad};
}

int
rx_build_conv(struct rx_graph *g, struct rx_where where, const char *name, int x,
              const struct rx_conv_spec *spec, int *y, struct rx_error *error)
{
    int status = check_tensor(g, where, "conv", x, error);
    if (status == RX_OK)
        status = check_name(g, where, "conv", name, error);
    if (status != RX_OK)
        return status;
    const int c = g->tensor[x].c;
    if (spec->k < 1 || spec->k > CHANNELS_MAX)
        return rx_error_user(error, WHERE "%d output channels: they are 1..%d", AT("conv"), spec->k,
                             CHANNELS_MAX);
    if (spec->groups < 1)
        return rx_error_user(error, WHERE "groups %d: they are at least 1", AT("conv"),
                             spec->groups);
    if (c % spec->groups != 0)
        return wrong_groups(where, spec->groups, c, error);
    if (spec->k % spec->groups != 0)
        return wrong_groups(where, spec->groups, spec->k, error);
    status = check_window(&g->tensor[x], where, "conv", spec, error);
    if (status != RX_OK)
        return status;
    struct rx_node node = make(g, where, RX_OP_CONV, name);
    node.geometry = geometry_of(&g->tensor[x], spec);
    const int in[] = {x, add_weights(g, name, RX_PARAM_CONV_WEIGHT, &node.geometry)};
    *y = rx_graph_emit(g, &node, in, 2);
    return RX_OK;
}

int
rx_build_bn(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
            struct rx_error *error)
{
    int status = check_tensor(g, where, "bn", x, error);
    if (status == RX_OK)
        status = check_name(g, where, "bn", name, error);
    if (status != RX_OK)
        return status;
    const int c = g->tensor[x].c;
    const struct rx_node node = make(g, where, RX_OP_BN, name);
    const int in[] = {x, add_vector(g, name, "weight", RX_PARAM_BN_WEIGHT, c),
                      add_vector(g, name, "bias", RX_PARAM_BN_BIAS, c),
                      add_vector(g, name, "running_mean", RX_PARAM_RUNNING_MEAN, c),
                      add_vector(g, name, "running_var", RX_PARAM_RUNNING_VAR, c)};
    *y = rx_graph_emit(g, &node, in, 5);
    return RX_OK;
}

int
rx_build_relu(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
              struct rx_error *error)
{
    const int status = check_tensor(g, where, "relu", x, error);
    if (status != RX_OK)
        return status;
    const struct rx_node node = make(g, where, RX_OP_RELU, name);
    *y = rx_graph_emit(g, &node, &x, 1);
    return RX_OK;
}

int
rx_build_add(struct rx_graph *g, struct rx_where where, const char *name, int a, int b, int *y,
             struct rx_error *error)
{
    int status = check_tensor(g, where, "add", a, error);
    if (status == RX_OK)
        status = check_tensor(g, where, "add", b, error);
    if (status != RX_OK)
        return status;
    const struct rx_tensor *p = &g->tensor[a], *q = &g->tensor[b];
    if (p->h != q->h || p->w != q->w || p->c != q->c)
        return rx_error_user(error,
                             WHERE "%dx%dx%d and %dx%dx%d (height, width, channels) differ: "
                                   "a projection makes the shortcut fit",
                             AT("add"), p->h, p->w, p->c, q->h, q->w, q->c);
    const struct rx_node node = make(g, where, RX_OP_ADD, name);
    const int in[] = {a, b};
    *y = rx_graph_emit(g, &node, in, 2);
    return RX_OK;
}

int
rx_build_maxpool(struct rx_graph *g, struct rx_where where, const char *name, int x, int window,
                 int stride, int pad, int *y, struct rx_error *error)
{
    int status = check_tensor(g, where, "maxpool", x, error);
    if (status != RX_OK)
        return status;
    const int c = g->tensor[x].c;
    const struct rx_conv_spec spec = {
        .k = c, .r = window, .s = window, .stride = stride, .pad = pad, .groups = c};
    status = check_window(&g->tensor[x], where, "maxpool", &spec, error);
    if (status != RX_OK)
        return status;
    struct rx_node node = make(g, where, RX_OP_MAXPOOL, name);
    node.geometry = geometry_of(&g->tensor[x], &spec);
    *y = rx_graph_emit(g, &node, &x, 1);
    return RX_OK;
}

int
rx_build_gap(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
             struct rx_error *error)
{
    const int status = check_tensor(g, where, "gap", x, error);
    if (status != RX_OK)
        return status;
    const struct rx_tensor *t = &g->tensor[x];
    struct rx_node node = make(g, where, RX_OP_GAP, name);
    node.geometry = (struct rx_geometry){.h = t->h,
                                         .w = t->w,
                                         .c = t->c,
                                         .oh = 1,
                                         .ow = 1,
                                         .k = t->c,
                                         .groups = t->c,
                                         .r = 1,
                                         .s = 1,
                                         .stride = 1};
    *y = rx_graph_emit(g, &node, &x, 1);
    return RX_OK;
}

int
rx_build_fc(struct rx_graph *g, struct rx_where where, const char *name, int x, int classes, int *y,
            struct rx_error *error)
{
    int status = check_tensor(g, where, "fc", x, error);
    if (status == RX_OK)
        status = check_name(g, where, "fc", name, error);
    if (status != RX_OK)
        return status;
    const struct rx_tensor *t = &g->tensor[x];
    if (t->h != 1 || t->w != 1)
        return rx_error_user(error, WHERE "its input is a map of %dx%d: put a gap before it",
                             AT("fc"), t->h, t->w);
    if (classes < 2 || classes > CHANNELS_MAX)
        return rx_error_user(error, WHERE "%d classes: they are 2..%d", AT("fc"), classes,
                             CHANNELS_MAX);
    if (g->logits >= 0)
        return rx_error_user(error, WHERE "there is one already: a network has one classifier",
                             AT("fc"));
    const struct rx_conv_spec spec = {.k = classes, .r = 1, .s = 1, .stride = 1, .groups = 1};
    struct rx_node node = make(g, where, RX_OP_CONV, name);
    node.fc = 1;
    node.geometry = geometry_of(t, &spec);
    const int product[] = {x, add_weights(g, name, RX_PARAM_FC_WEIGHT, &node.geometry)};
    const int without = rx_graph_emit(g, &node, product, 2);
    node.op = RX_OP_BIAS;
    const int sum[] = {without, add_vector(g, name, "bias", RX_PARAM_FC_BIAS, classes)};
    *y = g->logits = rx_graph_emit(g, &node, sum, 2);
    g->tensor[*y].dtype = RX_F32;
    g->classes = classes;
    return RX_OK;
}
