// Predicting a network: every step of its programs, on any of its target's devices.
#include "gen/plan/forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/select/select.h"
#include "runtime/base/file.h"

const double rx_forecast_share[RX_FORECAST_SHARES] = {0.90, 0.85};

// The kernels of a network as they are for a device.
struct cast {
    const struct rx_network *net;
    const struct rx_kernel **kernel;
    struct rx_kernel *chosen;  // NULL: the network's own
};

const struct rx_target_device *
rx_forecast_device(const struct rx_network *net)
{
    return &net->target->device[net->target->device_of(net->machine.arch)];
}

static int
choose(struct cast *c, const char *templates, const char *arch, struct rx_error *error)
{
    const struct rx_network *net = c->net;
    struct rx_machine machine;
    int status = net->target->machine(arch, &machine, error);
    c->chosen = rx_memory_alloc((size_t)net->n_kernels * sizeof *c->chosen);
    for (int i = 0; i < net->n_kernels && status == RX_OK; i++)
        status = rx_select_kernel(net->target, &machine, templates, net->toolchain,
                                  &net->kernel[i]->problem, &c->chosen[i], error);
    return status;
}

static int
open_cast(struct cast *c, const struct rx_network *net, const char *templates,
          const struct rx_target_device *device, struct rx_error *error)
{
    *c = (struct cast){.net = net};
    const int own = strcmp(device->arch, rx_forecast_device(net)->arch) == 0;
    const int status = own ? RX_OK : choose(c, templates, device->arch, error);
    c->kernel = rx_memory_alloc((size_t)net->n_kernels * sizeof(struct rx_kernel *));
    for (int i = 0; i < net->n_kernels; i++)
        c->kernel[i] = own ? &net->kernel[i]->kernel : &c->chosen[i];
    return status;
}

static void
close_cast(struct cast *c)
{
    free(c->kernel);
    free(c->chosen);
}

// As rx_network_assemble has it: a tensor has the parts that the kernel wants which wants fewest.
static int *
parts_of_tensors(const struct cast *c)
{
    const struct rx_plan *plan = &c->net->plan;
    int *parts = rx_memory_alloc((size_t)(plan->n_tensors + 1) * sizeof *parts);
    for (int p = 0; p < RX_PROGRAMS; p++)
        for (int i = 0; i < plan->program[p].n_steps; i++) {
            const struct rx_plan_step *s = &plan->program[p].step[i];
            const int wanted = c->kernel[s->kernel]->parts;
            for (int j = 0; wanted > 0 && j < s->n_args; j++) {
                const int t = plan->arg[s->first_arg + j].tensor;
                if (plan->tensor[t].thread_bytes > 0 && (parts[t] == 0 || wanted < parts[t]))
                    parts[t] = wanted;
            }
        }
    return parts;
}

// Parts of the sums that a step reads or writes.
static int
parts_of_step(const struct rx_plan *plan, const struct rx_plan_step *s, const int *parts)
{
    for (int j = 0; j < s->n_args; j++) {
        const int t = plan->arg[s->first_arg + j].tensor;
        if (parts[t] > 0)
            return parts[t];
    }
    return 0;
}

static void
add(struct rx_forecast_sum *sum, const struct rx_prediction *p)
{
    sum->launches++;
    sum->seconds += p->seconds;
    sum->bytes += p->bytes;
    sum->flops += p->flops;
}

static void
predict_program(const struct cast *c, int program, const int *parts,
                const struct rx_resources *resources, struct rx_forecast *f)
{
    const struct rx_plan *plan = &c->net->plan;
    for (int i = 0; i < plan->program[program].n_steps; i++) {
        const struct rx_plan_step *s = &plan->program[program].step[i];
        struct rx_forecast_kernel *k = &f->kernel[s->kernel];
        struct rx_load load = {.device = f->device,
                               .memory_share = f->memory_share,
                               .images = RX_FORECAST_IMAGES,
                               .parts = parts_of_step(plan, s, parts)};
        if (resources != NULL && c->chosen == NULL)
            load.resources = resources[s->kernel];
        struct rx_prediction p;
        c->net->target->predict(c->kernel[s->kernel], &load, &p);
        if (k->each.seconds == 0)
            k->each = p;
        add(&k->of[program], &p);
        add(&f->total[program], &p);
    }
}

int
rx_forecast_make(const struct rx_network *net, const char *templates,
                 const struct rx_target_device *device, double memory_share,
                 const struct rx_resources *resources, struct rx_forecast *f,
                 struct rx_error *error)
{
    struct cast c;
    *f = (struct rx_forecast){.device = device, .memory_share = memory_share};
    f->kernel = rx_memory_alloc((size_t)net->n_kernels * sizeof *f->kernel);
    const int status = open_cast(&c, net, templates, device, error);
    if (status == RX_OK) {
        int *parts = parts_of_tensors(&c);
        for (int p = 0; p < RX_PROGRAMS; p++)
            predict_program(&c, p, parts, resources, f);
        free(parts);
    }
    close_cast(&c);
    return status;
}

void
rx_forecast_resources(const struct rx_network *net, const char *path,
                      struct rx_resources *resources)
{
    struct rx_text text = {0};
    struct rx_error none = {0};
    rx_file_read(path, &text, &none);
    for (int i = 0; i < net->n_kernels; i++) {
        const char *name = net->kernel[i]->kernel.name;
        const char *at = text.n > 0 ? strstr(rx_text_str(&text), name) : NULL;
        long long shared;
        int registers;
        if (at != NULL &&
            sscanf(at + strlen(name), " registers %d shared %lld", &registers, &shared) == 2)
            resources[i] = (struct rx_resources){registers, shared};
    }
    rx_text_close(&text);
}
