// The plan in memory: the tensors of both graphs in one list, steps with their operands,
// parameters.
#include <limits.h>
#include <string.h>

#include "gen/plan/network.h"

struct assembly {
    struct rx_network *net;
    struct rx_plan_tensor *tensor;
    struct rx_plan_kernel *kernel;
    struct rx_plan_arg *arg;
    struct rx_plan_step *step[RX_PROGRAMS];
    int *number[RX_UNITS];  // of a unit's buffer: the plan's tensor
};

// The graph tensor behind a buffer of a unit.
static const struct rx_tensor **
tensors_of_buffers(struct rx_network *net, const struct rx_unit *u)
{
    const struct rx_tensor **of = rx_arena_alloc(&net->arena, (size_t)u->memory.n * sizeof *of);
    for (int i = 0; i < u->graph.n_tensors; i++)
        if (u->memory.buffer[i] >= 0)
            of[u->memory.buffer[i]] = &u->graph.tensor[i];
    return of;
}

static int
find_flat(const struct rx_plan *plan, const char *name)
{
    for (int i = 0; i < plan->n_tensors; i++)
        if (plan->tensor[i].life == RX_LIFE_SESSION && strcmp(plan->tensor[i].name, name) == 0)
            return i;
    return -1;
}

// Both graphs' tensors; the flat buffers of parameters are the same for both.
static void
assemble_tensors(struct assembly *a)
{
    struct rx_network *net = a->net;
    struct rx_plan *plan = &net->plan;
    int n = 0;
    for (int u = 0; u < RX_UNITS; u++)
        n += net->unit[u].memory.n;
    a->tensor = rx_arena_alloc(&net->arena, (size_t)n * sizeof *a->tensor);
    plan->tensor = a->tensor;
    for (int u = 0; u < RX_UNITS; u++) {
        const struct rx_unit *unit = &net->unit[u];
        const struct rx_tensor **of = tensors_of_buffers(net, unit);
        a->number[u] = rx_arena_alloc(&net->arena, (size_t)unit->memory.n * sizeof(int));
        for (int i = 0; i < unit->memory.n; i++) {
            const int shared = of[i]->kind == RX_TENSOR_FLAT ? find_flat(plan, of[i]->name) : -1;
            a->number[u][i] = shared >= 0 ? shared : plan->n_tensors;
            if (shared < 0)
                a->tensor[plan->n_tensors++] = unit->memory.tensor[i];
        }
    }
}

static void
assemble_kernels(struct assembly *a)
{
    struct rx_network *net = a->net;
    const int n = net->n_kernels;
    a->kernel = rx_arena_alloc(&net->arena, (size_t)n * sizeof *a->kernel);
    for (int i = 0; i < n; i++) {
        const struct rx_kernel *k = &net->kernel[i]->kernel;
        a->kernel[i] = (struct rx_plan_kernel){.name = k->name,
                                               .op = rx_problem_op_text(k->problem->op),
                                               .task_image = k->task_image,
                                               .task_fixed = k->task_fixed,
                                               .task_divisor = k->task_divisor,
                                               .columns = k->columns,
                                               .scratch_bytes = k->scratch_bytes,
                                               .block = k->block,
                                               .shared_bytes = k->shared_bytes,
                                               .parts = k->parts,
                                               .flops_image = k->flops_image,
                                               .flops_fixed = k->flops_fixed,
                                               .bytes_image = k->bytes_image,
                                               .bytes_fixed = k->bytes_fixed,
                                               .gemm = k->gemm};
    }
    net->plan.kernel = a->kernel;
    net->plan.n_kernels = n;
}

static struct rx_plan_arg
argument(const struct assembly *a, int u, const struct rx_region *r, int operand)
{
    const struct rx_unit *unit = &a->net->unit[u];
    const struct rx_graph *g = &unit->graph;
    const struct rx_tensor *t = &g->tensor[r->tensor[operand]];
    const int storage = rx_pass_storage(g, t->id);
    struct rx_plan_arg arg = {.tensor = a->number[u][unit->memory.buffer[storage]]};
    if (t->kind == RX_TENSOR_PARAM || t->kind == RX_TENSOR_GRAD || t->kind == RX_TENSOR_MOMENTUM)
        arg.offset_bytes = g->param[t->param].flat_offset * rx_dtype_bytes(RX_F32);
    else
        arg.offset_bytes = r->channel[operand] * rx_dtype_bytes(t->dtype);
    return arg;
}

static void
assemble_steps(struct assembly *a)
{
    struct rx_network *net = a->net;
    struct rx_plan *plan = &net->plan;
    int n = 0, n_args = 0;
    for (int u = 0; u < RX_UNITS; u++)
        for (int i = 0; i < net->unit[u].regions.n; i++, n++)
            n_args += net->unit[u].regions.region[i].problem.n_operands;
    a->arg = rx_arena_alloc(&net->arena, (size_t)n_args * sizeof *a->arg);
    for (int p = 0; p < RX_PROGRAMS; p++) {
        a->step[p] = rx_arena_alloc(&net->arena, (size_t)n * sizeof **a->step);
        plan->program[p] = (struct rx_plan_program){
            .step = a->step[p], .input = -1, .labels = -1, .logits = -1, .loss = -1};
    }
    for (int u = 0; u < RX_UNITS; u++)
        for (int i = 0; i < net->unit[u].regions.n; i++) {
            const struct rx_region *r = &net->unit[u].regions.region[i];
            struct rx_plan_program *program = &plan->program[r->program];
            a->step[r->program][program->n_steps++] =
                (struct rx_plan_step){.kernel = r->kernel,
                                      .first_arg = plan->n_args,
                                      .n_args = r->problem.n_operands,
                                      .label = r->label};
            for (int j = 0; j < r->problem.n_operands; j++)
                a->arg[plan->n_args++] = argument(a, u, r, j);
        }
    plan->arg = a->arg;
}

// A tensor of parts has as many as all kernels that write it want at least.
static void
assemble_parts(struct assembly *a)
{
    const struct rx_plan *plan = &a->net->plan;
    for (int p = 0; p < RX_PROGRAMS; p++)
        for (int i = 0; i < plan->program[p].n_steps; i++) {
            const struct rx_plan_step *s = &plan->program[p].step[i];
            const int parts = plan->kernel[s->kernel].parts;
            for (int j = 0; parts > 0 && j < s->n_args; j++) {
                struct rx_plan_tensor *t = &a->tensor[plan->arg[s->first_arg + j].tensor];
                if (t->thread_bytes > 0 && (t->parts == 0 || parts < t->parts))
                    t->parts = parts;
            }
        }
}

static int
number(const struct assembly *a, int u, int tensor)
{
    const struct rx_memory *m = &a->net->unit[u].memory;
    return tensor < 0 || m->buffer[tensor] < 0 ? -1 : a->number[u][m->buffer[tensor]];
}

static void
assemble_ports(struct assembly *a)
{
    struct rx_plan *plan = &a->net->plan;
    const struct rx_graph *train = &a->net->unit[RX_UNIT_TRAIN].graph;
    const struct rx_graph *infer = &a->net->unit[RX_UNIT_INFER].graph;
    struct rx_plan_program *p = &plan->program[RX_PROGRAM_TRAIN];
    p->input = number(a, RX_UNIT_TRAIN, train->input);
    p->labels = number(a, RX_UNIT_TRAIN, train->labels);
    p->logits = number(a, RX_UNIT_TRAIN, train->logits);
    p->loss = number(a, RX_UNIT_TRAIN, train->loss);
    p = &plan->program[RX_PROGRAM_INFER];
    p->input = number(a, RX_UNIT_INFER, infer->input);
    p->logits = number(a, RX_UNIT_INFER, infer->logits);
    plan->hyper = number(a, RX_UNIT_TRAIN, train->hyper);
}

static void
assemble_params(struct assembly *a)
{
    struct rx_network *net = a->net;
    struct rx_plan *plan = &net->plan;
    const struct rx_graph *g = &net->unit[RX_UNIT_TRAIN].graph;
    struct rx_plan_param *out = rx_arena_alloc(&net->arena, (size_t)g->n_params * sizeof *out);
    for (int i = 0; i < g->n_params; i++) {
        const struct rx_param *p = &g->param[i];
        struct rx_plan_param *q = &out[plan->n_params++];
        *q = (struct rx_plan_param){.name = p->name,
                                    .kind = p->kind,
                                    .rank = p->rank,
                                    .slice_dim = p->slice_dim,
                                    .slice_first = p->slice_first,
                                    .slice_count = p->slice_count,
                                    .geometry = p->geometry,
                                    .tensor = number(a, RX_UNIT_TRAIN, p->flat),
                                    .offset_bytes = p->flat_offset * rx_dtype_bytes(RX_F32),
                                    .gradient = number(a, RX_UNIT_TRAIN, p->flat_gradient),
                                    .momentum = number(a, RX_UNIT_TRAIN, p->flat_momentum)};
        memcpy(q->file_shape, p->file_shape, sizeof q->file_shape);
    }
    plan->param = out;
}

static int
min_pixels(const struct rx_graph *g)
{
    int least = INT_MAX;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct rx_geometry *q = &g->node[i].geometry;
        if (g->node[i].op == RX_OP_BN_COEF && q->h * q->w < least)
            least = q->h * q->w;
    }
    return least;
}

void
rx_network_assemble(struct rx_network *net)
{
    struct assembly a = {.net = net};
    const struct rx_unit *train = &net->unit[RX_UNIT_TRAIN];
    const struct rx_graph *g = &train->graph;
    const struct rx_tensor *input = &g->tensor[g->input];
    net->plan = (struct rx_plan){.version = RX_PLAN_VERSION,
                                 .model = g->name,
                                 .form = g->form,
                                 .dtype = rx_dtype_text(g->dtype),
                                 .target = net->target->name,
                                 .arch = net->machine.arch,
                                 .hash = "",
                                 .image_h = input->h,
                                 .image_w = input->w,
                                 .image_c = input->c,
                                 .classes = g->classes,
                                 .min_pixels = min_pixels(g),
                                 .recipe = train->front.recipe};
    assemble_tensors(&a);
    assemble_kernels(&a);
    assemble_steps(&a);
    assemble_parts(&a);
    assemble_ports(&a);
    assemble_params(&a);
}
