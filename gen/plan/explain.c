// The choice of kernels, and what they are predicted to take, as text and as JSON.
#include "gen/plan/explain.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/select/name.h"

// Programs whose times are told.
static const struct {
    int program;
    const char *name;
} told[] = {{RX_PROGRAM_TRAIN, "training"}, {RX_PROGRAM_INFER, "inference"}};

enum { TOLD = sizeof told / sizeof told[0] };

int
rx_explain_open(const struct rx_network *net, const char *templates, const char *built,
                struct rx_explanation *e, struct rx_error *error)
{
    *e = (struct rx_explanation){.n_devices = 0};
    if (net->target->n_devices == 0)
        return RX_OK;
    char path[4200];
    e->resources = rx_memory_alloc((size_t)net->n_kernels * sizeof *e->resources);
    snprintf(path, sizeof path, "%.4000s/kernels/RESOURCES", built);
    rx_forecast_resources(net, path, e->resources);
    int status = rx_forecast_make(net, templates, rx_forecast_device(net), rx_forecast_share[0],
                                  e->resources, &e->own, error);
    for (int i = 0; i < net->target->n_devices; i++)
        for (int j = 0; j < RX_FORECAST_SHARES && status == RX_OK; j++)
            status = rx_forecast_make(net, templates, &net->target->device[i], rx_forecast_share[j],
                                      e->resources, &e->device[e->n_devices++], error);
    return status;
}

void
rx_explain_close(struct rx_explanation *e)
{
    for (int i = 0; i < e->n_devices; i++)
        free(e->device[i].kernel);
    free(e->own.kernel);
    free(e->resources);
}

// Kernels of one kind: all that do the same with the same filter.
struct kind {
    char name[RX_PROBLEM_NAME_CHARS];
    struct rx_forecast_sum sum;
};

static void
add_sum(struct rx_forecast_sum *to, const struct rx_forecast_sum *s)
{
    to->launches += s->launches;
    to->seconds += s->seconds;
    to->bytes += s->bytes;
    to->flops += s->flops;
}

static int
slower_first(const void *a, const void *b)
{
    const struct kind *x = a, *y = b;
    if (x->sum.seconds != y->sum.seconds)
        return x->sum.seconds < y->sum.seconds ? 1 : -1;
    return strcmp(x->name, y->name);
}

// The kinds of a program's kernels, those that take longest first; the caller frees them.
static struct kind *
kinds_of(const struct rx_network *net, const struct rx_forecast *f, int program, int *n)
{
    struct kind *kind = rx_memory_alloc((size_t)net->n_kernels * sizeof *kind);
    *n = 0;
    for (int i = 0; i < net->n_kernels; i++) {
        char name[RX_PROBLEM_NAME_CHARS];
        if (f->kernel[i].of[program].launches == 0)
            continue;
        rx_problem_name_write(&net->kernel[i]->problem, name);
        int k = 0;
        while (k < *n && strcmp(kind[k].name, name) != 0)
            k++;
        if (k == *n)
            memcpy(kind[(*n)++].name, name, sizeof name);
        add_sum(&kind[k].sum, &f->kernel[i].of[program]);
    }
    qsort(kind, (size_t)*n, sizeof *kind, slower_first);
    return kind;
}

// Where a kernel's registers are from.
static const char *
source_of(const struct rx_explanation *e, int i)
{
    return e->resources[i].registers > 0 ? "cubin" : "launch bounds";
}

static void
print_prediction(const struct rx_explanation *e, int i, struct rx_text *text)
{
    const struct rx_forecast_kernel *k = &e->own.kernel[i];
    const struct rx_prediction *p = &k->each;
    rx_text_printf(
        text,
        "  predicted on %s: %.4g us a launch, limit %s; %.4g MB, %.4g GFLOP; %d blocks "
        "a multiprocessor (%.0f %% of its threads), %d registers (%s), %lld bytes shared\n",
        e->own.device->name, p->seconds * 1e6, p->limit, p->bytes / 1e6, p->flops / 1e9, p->blocks,
        100 * p->occupancy, p->resources.registers, source_of(e, i),
        (long long)p->resources.shared_bytes);
    for (int t = 0; t < TOLD; t++) {
        const struct rx_forecast_sum *s = &k->of[told[t].program];
        if (s->launches > 0)
            rx_text_printf(text, "  predicted in %s: %d launch%s, %.4g us\n", told[t].name,
                           s->launches, s->launches == 1 ? "" : "es", s->seconds * 1e6);
    }
}

static void
print_kinds(const struct rx_network *net, const struct rx_forecast *f, int t, struct rx_text *text)
{
    int n;
    struct kind *kind = kinds_of(net, f, told[t].program, &n);
    rx_text_printf(text, "predicted %s on %s, batch %d, %.0f %% of the memory's bandwidth\n",
                   told[t].name, f->device->name, RX_FORECAST_IMAGES, 100 * f->memory_share);
    for (int i = 0; i < n; i++) {
        const struct rx_forecast_sum *s = &kind[i].sum;
        rx_text_printf(text, "  %-18s %4d launches %9.3f ms %8.2f TFLOP/s %8.1f GB/s\n",
                       kind[i].name, s->launches, s->seconds * 1e3, s->flops / s->seconds / 1e12,
                       s->bytes / s->seconds / 1e9);
    }
    const struct rx_forecast_sum *all = &f->total[told[t].program];
    rx_text_printf(text, "  %-18s %4d launches %9.3f ms %8.2f TFLOP/s %8.1f GB/s\n", "all",
                   all->launches, all->seconds * 1e3, all->flops / all->seconds / 1e12,
                   all->bytes / all->seconds / 1e9);
    free(kind);
}

static void
print_devices(const struct rx_explanation *e, struct rx_text *text)
{
    for (int t = 0; t < TOLD; t++)
        for (int i = 0; i < e->n_devices; i++) {
            const struct rx_forecast *f = &e->device[i];
            const struct rx_forecast_sum *s = &f->total[told[t].program];
            if (s->launches > 0)
                rx_text_printf(text,
                               "predicted %-9s %-15s %.0f %% of the memory's bandwidth: %8.0f "
                               "images/s at batch %d, %.1f MB an image\n",
                               told[t].name, f->device->name, 100 * f->memory_share,
                               RX_FORECAST_IMAGES / s->seconds, RX_FORECAST_IMAGES,
                               s->bytes / RX_FORECAST_IMAGES / 1e6);
        }
}

static void
print_slice(const struct rx_network *net, struct rx_text *text)
{
    const struct rx_plan_program *infer = &net->plan.program[RX_PROGRAM_INFER];
    if (infer->slice_steps > 0)
        rx_text_printf(
            text,
            "evaluation runs its first %d of %d steps on %d images at a time: their maps "
            "stay in a cache of %.0f MB\n",
            infer->slice_steps, infer->n_steps, infer->slice_images,
            (double)net->machine.l3_bytes / 1e6);
}

void
rx_explain_print(const struct rx_network *net, const struct rx_explanation *e, struct rx_text *text)
{
    for (int i = 0; i < net->n_kernels; i++) {
        const struct rx_network_kernel *n = net->kernel[i];
        const struct rx_kernel *k = &n->kernel;
        rx_text_printf(text,
                       "%s\n  first for %s, %d use%s; %s\n  an image: %.4g MFLOP, %.4g MB; fixed: "
                       "%.4g MFLOP, %.4g MB; runner-up %s\n",
                       k->name, n->label, n->uses, n->uses == 1 ? "" : "s", k->why,
                       k->flops_image / 1e6, k->bytes_image / 1e6, k->flops_fixed / 1e6,
                       k->bytes_fixed / 1e6,
                       k->runner_up.skeleton != NULL ? k->runner_up.skeleton : "none");
        if (e->own.device != NULL)
            print_prediction(e, i, text);
    }
    for (int t = 0; t < TOLD && e->own.device != NULL; t++)
        if (e->own.total[told[t].program].launches > 0)
            print_kinds(net, &e->own, t, text);
    print_devices(e, text);
    print_slice(net, text);
}

static json_t *
sum_json(const struct rx_forecast_sum *s)
{
    return json_pack("{s:i, s:f, s:f, s:f}", "launches", s->launches, "seconds", s->seconds,
                     "bytes", s->bytes, "flops", s->flops);
}

static json_t *
prediction_json(const struct rx_explanation *e, int i)
{
    const struct rx_forecast_kernel *k = &e->own.kernel[i];
    const struct rx_prediction *p = &k->each;
    json_t *o =
        json_pack("{s:f, s:s, s:f, s:f, s:i, s:f, s:i, s:I, s:s}", "seconds", p->seconds, "limit",
                  p->limit, "bytes", p->bytes, "flops", p->flops, "blocks", p->blocks, "occupancy",
                  p->occupancy, "registers", p->resources.registers, "shared_bytes",
                  (json_int_t)p->resources.shared_bytes, "registers_from", source_of(e, i));
    for (int t = 0; t < TOLD; t++)
        if (k->of[told[t].program].launches > 0)
            json_object_set_new(o, told[t].name, sum_json(&k->of[told[t].program]));
    return o;
}

static json_t *
kinds_json(const struct rx_network *net, const struct rx_forecast *f, int program)
{
    int n;
    struct kind *kind = kinds_of(net, f, program, &n);
    json_t *kinds = json_array();
    for (int i = 0; i < n; i++) {
        json_t *o = sum_json(&kind[i].sum);
        json_object_set_new(o, "kind", json_string(kind[i].name));
        json_array_append_new(kinds, o);
    }
    free(kind);
    return kinds;
}

static json_t *
devices_json(const struct rx_explanation *e)
{
    json_t *devices = json_array();
    for (int i = 0; i < e->n_devices; i++) {
        const struct rx_forecast *f = &e->device[i];
        json_t *o = json_pack("{s:s, s:s, s:f}", "device", f->device->name, "arch", f->device->arch,
                              "memory_share", f->memory_share);
        for (int t = 0; t < TOLD; t++) {
            const struct rx_forecast_sum *s = &f->total[told[t].program];
            if (s->launches == 0)
                continue;
            json_t *sum = sum_json(s);
            json_object_set_new(sum, "images_per_s", json_real(RX_FORECAST_IMAGES / s->seconds));
            json_object_set_new(o, told[t].name, sum);
        }
        json_array_append_new(devices, o);
    }
    return devices;
}

static json_t *
predicted_json(const struct rx_network *net, const struct rx_explanation *e)
{
    json_t *o =
        json_pack("{s:s, s:f, s:i, s:o}", "device", e->own.device->name, "memory_share",
                  e->own.memory_share, "batch", RX_FORECAST_IMAGES, "devices", devices_json(e));
    for (int t = 0; t < TOLD; t++)
        json_object_set_new(o, told[t].name, kinds_json(net, &e->own, told[t].program));
    return o;
}

void
rx_explain_print_json(const struct rx_network *net, const struct rx_explanation *e,
                      struct rx_text *text)
{
    json_t *kernels = json_array();
    for (int i = 0; i < net->n_kernels; i++) {
        const struct rx_network_kernel *n = net->kernel[i];
        const struct rx_kernel *k = &n->kernel;
        json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s?, s:f, s:f, s:f, s:f}", "name",
                              k->name, "hash", k->hash, "problem", n->text, "layer", n->label,
                              "uses", n->uses, "why", k->why, "runner_up", k->runner_up.skeleton,
                              "flops_image", k->flops_image, "flops_fixed", k->flops_fixed,
                              "bytes_image", k->bytes_image, "bytes_fixed", k->bytes_fixed);
        if (e->own.device != NULL)
            json_object_set_new(o, "predicted", prediction_json(e, i));
        json_array_append_new(kernels, o);
    }
    const struct rx_plan_program *infer = &net->plan.program[RX_PROGRAM_INFER];
    json_t *o = json_pack("{s:s, s:o, s:{s:i, s:i}}", "model", net->plan.model, "kernels", kernels,
                          "slice", "steps", infer->slice_steps, "images", infer->slice_images);
    if (e->own.device != NULL)
        json_object_set_new(o, "predicted", predicted_json(net, e));
    char *s = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    rx_text_printf(text, "%s\n", s);
    free(s);
    json_decref(o);
}
