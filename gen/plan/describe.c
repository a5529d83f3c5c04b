// The layer table of a model, as text and as JSON.
#include "gen/plan/describe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct layer {
    const char *name, *op;
    int h, w, c;
    int64_t params, macs;
};

static int64_t
params_of(const struct rx_graph *g, const struct rx_node *n)
{
    int64_t total = 0;
    for (int i = 1; i < n->n_in; i++) {
        const struct rx_tensor *t = &g->tensor[n->in[i]];
        if (t->kind != RX_TENSOR_PARAM)
            continue;
        const struct rx_param *p = &g->param[t->param];
        if (p->kind == RX_PARAM_RUNNING_MEAN || p->kind == RX_PARAM_RUNNING_VAR)
            continue;
        int64_t count = 1;
        for (int d = 0; d < p->rank; d++)
            count *= p->file_shape[d];
        total += count;
    }
    return total;
}

// Layer `i` of the forward graph; the classifier's product and bias are one. Returns how many
// nodes.
static int
layer_at(const struct rx_graph *g, int i, struct layer *l)
{
    const struct rx_node *n = &g->node[i];
    const struct rx_tensor *t = &g->tensor[n->out[0]];
    *l = (struct layer){.name = n->name,
                        .op = n->fc ? "fc" : rx_op_text(n->op),
                        .h = t->h,
                        .w = t->w,
                        .c = t->c,
                        .params = params_of(g, n),
                        .macs = rx_node_macs(n)};
    if (!n->fc)
        return 1;
    l->params += params_of(g, &g->node[i + 1]);
    return 2;
}

// "--set depth=50  26|50|101|152|200  layers"
static void
print_field(const struct rx_field *f, struct rx_text *text)
{
    rx_text_printf(text, "  --set %s=%lld  ", f->name, (long long)f->value);
    for (int i = 0; i < f->n_choices; i++)
        rx_text_printf(text, "%s%lld", i > 0 ? "|" : "", (long long)f->choice[i]);
    if (f->n_choices == 0)
        rx_text_printf(text, "%lld..%lld", (long long)f->low, (long long)f->high);
    if (f->n_choices == 0 && f->step > 1)
        rx_text_printf(text, " in steps of %lld", (long long)f->step);
    rx_text_printf(text, "%s%s\n", f->help[0] != '\0' ? "  " : "", f->help);
}

static void
print_layer(const struct layer *l, struct rx_text *text)
{
    char output[48];
    snprintf(output, sizeof output, "%dx%dx%d", l->h, l->w, l->c);
    rx_text_printf(text, "%-28s %-8s %14s %12lld %14lld\n", l->name, l->op, output,
                   (long long)l->params, (long long)l->macs);
}

void
rx_describe_print(const struct rx_graph *g, const struct rx_front_output *front,
                  const struct rx_describe_memory *memory, struct rx_text *text)
{
    rx_text_printf(text, "%s\n%-28s %-8s %14s %12s %14s\n", g->name, "layer", "op", "h x w x c",
                   "params", "MACs");
    struct layer l;
    for (int i = 0; i < g->n_nodes;) {
        i += layer_at(g, i, &l);
        print_layer(&l, text);
    }
    rx_text_printf(text, "\nparameters    %lld\nMACs          %lld an image\nconv outputs  %lld\n",
                   (long long)rx_graph_param_count(g), (long long)rx_graph_macs(g),
                   (long long)rx_graph_conv_outputs(g));
    if (memory != NULL)
        rx_text_printf(text, "memory        %.1f MB at batch %d with %d threads\n",
                       (double)memory->bytes / 1e6, memory->batch, memory->threads);
    if (front->n_fields > 0)
        rx_text_add(text, "fields\n");
    for (int i = 0; i < front->n_fields; i++)
        print_field(&front->field[i], text);
}

static void
add_json(struct rx_text *text, json_t *object)
{
    char *s = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    rx_text_printf(text, "%s\n", s);
    free(s);
    json_decref(object);
}

static json_t *
field_json(const struct rx_field *f)
{
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:s}", "name", f->name, "value", (json_int_t)f->value,
                  "low", (json_int_t)f->low, "high", (json_int_t)f->high, "help", f->help);
    if (f->n_choices == 0) {
        json_object_set_new(o, "step", json_integer((json_int_t)f->step));
        return o;
    }
    json_t *choices = json_array();
    for (int i = 0; i < f->n_choices; i++)
        json_array_append_new(choices, json_integer((json_int_t)f->choice[i]));
    json_object_set_new(o, "choices", choices);
    return o;
}

static json_t *
layers_json(const struct rx_graph *g)
{
    json_t *layers = json_array();
    struct layer l;
    for (int i = 0; i < g->n_nodes;) {
        i += layer_at(g, i, &l);
        json_array_append_new(layers, json_pack("{s:s, s:s, s:[iii], s:I, s:I}", "name", l.name,
                                                "op", l.op, "output", l.h, l.w, l.c, "params",
                                                (json_int_t)l.params, "macs", (json_int_t)l.macs));
    }
    return layers;
}

void
rx_describe_print_json(const struct rx_graph *g, const struct rx_front_output *front,
                       const struct rx_describe_memory *memory, struct rx_text *text)
{
    json_t *fields = json_array();
    for (int i = 0; i < front->n_fields; i++)
        json_array_append_new(fields, field_json(&front->field[i]));
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "name", g->name, "params",
                          (json_int_t)rx_graph_param_count(g), "macs", (json_int_t)rx_graph_macs(g),
                          "conv_outputs", (json_int_t)rx_graph_conv_outputs(g), "fields", fields,
                          "layers", layers_json(g));
    if (memory != NULL)
        json_object_set_new(o, "memory",
                            json_pack("{s:I, s:i, s:i}", "bytes", (json_int_t)memory->bytes,
                                      "batch", memory->batch, "threads", memory->threads));
    add_json(text, o);
}
