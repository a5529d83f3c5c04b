// The pipeline: the ordered table of passes. Nothing else decides their order.
#include "gen/pipeline.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/file.h"

// What a pass gets.
struct job {
    const struct rx_options *options;
    const struct rx_location *location;
    struct rx_network *net;
    struct rx_unit *unit;
    struct rx_error *error;
};

struct pass {
    const char *name;
    int (*fn)(struct job *job);
    const char *needs, *gives;
};

int
rx_pipeline_front(const struct rx_options *options, const struct rx_location *location,
                  struct rx_graph *graph, struct rx_front_output *front, struct rx_error *error)
{
    char lib[RX_PATH_CHARS];
    snprintf(lib, sizeof lib, "%.4000s/models/lib", location->share);
    const struct rx_front_input input = {.path = options->model,
                                         .lib = lib,
                                         .n_settings = options->n_settings,
                                         .setting = options->setting};
    rx_graph_open(graph, "");
    graph->dtype = options->dtype;
    front->graph = graph;
    return rx_front_load(&input, front, error);
}

static int
run_front(struct job *j)
{
    return rx_pipeline_front(j->options, j->location, &j->unit->graph, &j->unit->front, j->error);
}

static int
run_form(struct job *j)
{
    rx_pass_form(&j->unit->graph, j->options->form);
    return RX_OK;
}

static int
run_grad(struct job *j)
{
    if (j->unit->mode == RX_MODE_TRAIN)
        rx_pass_grad(&j->unit->graph);
    return RX_OK;
}

static int
run_lower(struct job *j)
{
    rx_pass_lower(&j->unit->graph, j->unit->mode);
    return RX_OK;
}

static int
run_fuse(struct job *j)
{
    return rx_pass_fuse(&j->unit->graph, j->unit->mode, &j->unit->regions, j->error);
}

// Maps in bf16 are multiplied as such where the machine has an instruction for it.
static int
run_layout(struct job *j)
{
    const enum rx_dtype form = j->options->dtype == RX_BF16 ? j->net->machine.form : RX_F32;
    rx_pass_layout(&j->unit->graph, j->unit->mode, j->options->gradients, form, &j->unit->regions);
    return RX_OK;
}

static int
run_memory(struct job *j)
{
    rx_pass_memory(&j->unit->graph, j->unit->mode, &j->unit->regions, &j->unit->memory);
    return RX_OK;
}

static const struct pass PASSES[] = {
    {"front", run_front, "a model file", "the forward graph on primitives, its shapes, a recipe"},
    {"form", run_form, "primitives", "blocks in form a, b or c"},
    {"grad", run_grad, "primitives", "the loss and the backward graph"},
    {"lower", run_lower, "bn as one node", "statistics, coefficients, pointwise maps"},
    {"fuse", run_fuse, "anchors, pointwise nodes, reductions",
     "regions, each one kernel's problem"},
    {"layout", run_layout, "regions", "places of parameters; transposes, sums over threads, SGD"},
    {"memory", run_memory, "the final regions", "tensors with sizes and lifetimes"},
};

static int
dump(const struct job *j, int number, const char *name)
{
    if (j->options->dump == NULL || j->unit->mode != RX_MODE_TRAIN)
        return RX_OK;
    struct rx_text text = {0};
    if (j->unit->regions.n > 0)
        rx_regions_print(&j->unit->graph, &j->unit->regions, &text);
    else
        rx_graph_print(&j->unit->graph, &text);
    char path[RX_PATH_CHARS];
    snprintf(path, sizeof path, "%.4000s/%02d-%s.ir", j->options->dump, number, name);
    int status = rx_file_make_folder(j->options->dump, j->error);
    if (status == RX_OK)
        status = rx_file_write(path, rx_text_str(&text), text.n, j->error);
    rx_text_close(&text);
    return status;
}

// Between passes: what every pass must keep. A fault is a bug of the pass, so it ends here.
static void
verify(struct job *j, const char *name)
{
    const char *fault = j->unit->regions.n == 0 ? rx_graph_verify(&j->unit->graph) : NULL;
    if (fault != NULL)
        fprintf(stderr, "after %s: %s\n", name, fault);
    assert(fault == NULL);
}

static int
run_passes(struct job *j)
{
    const int n = (int)(sizeof PASSES / sizeof PASSES[0]);
    const char *check = getenv("RXGEN_VERIFY");
    for (int i = 0; i < n; i++) {
        int status = PASSES[i].fn(j);
        if (status == RX_OK)
            status = dump(j, i, PASSES[i].name);
        if (status != RX_OK)
            return status;
        if (check != NULL)
            verify(j, PASSES[i].name);
    }
    return RX_OK;
}

int
rx_pipeline_run(const struct rx_options *options, const struct rx_location *location,
                struct rx_network *net, struct rx_error *error)
{
    static const enum rx_mode mode[RX_UNITS] = {RX_MODE_TRAIN, RX_MODE_INFER};
    int status = net->target->machine(options->arch, &net->machine, error);
    for (int u = 0; u < RX_UNITS && status == RX_OK; u++) {
        net->unit[u].mode = mode[u];
        struct job job = {options, location, net, &net->unit[u], error};
        status = run_passes(&job);
    }
    if (status == RX_OK)
        status = rx_network_select(net, location->templates, error);
    if (status == RX_OK) {
        rx_network_assemble(net);
        rx_network_slice(net);
    }
    return status;
}
