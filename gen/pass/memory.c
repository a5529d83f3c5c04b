// needs: the final regions; gives: the plan's tensors, each size as fixed + per image + per thread
// bytes and its lifetime in steps, so that offsets are computed at open for any batch; breaks:
// nothing.
#include "gen/pass/region.h"

enum { PITCH_ROUND = 16 };

static int64_t
pitch(int c)
{
    return (c + PITCH_ROUND - 1) / PITCH_ROUND * PITCH_ROUND;
}

static struct rx_plan_tensor
size_of(const struct rx_tensor *t)
{
    struct rx_plan_tensor p = {.name = t->name, .life = RX_LIFE_STEPS, .first = -1};
    const int64_t element = rx_dtype_bytes(t->dtype);
    switch (t->kind) {
    case RX_TENSOR_MAP:
    case RX_TENSOR_INDEX:
        p.image_bytes = (int64_t)t->h * t->w * t->c * element;
        break;
    case RX_TENSOR_LABELS:
    case RX_TENSOR_LOSSES:
        p.image_bytes = element;
        break;
    case RX_TENSOR_COEF:
        p.fixed_bytes = t->rows * pitch(t->c) * element;
        break;
    case RX_TENSOR_PARTIAL:
        p.thread_bytes = t->rows * pitch(t->c) * element;
        break;
    case RX_TENSOR_WEIGHTS_PARTIAL:
        p.thread_bytes = t->count * element;
        break;
    case RX_TENSOR_WEIGHTS_DGRAD:
    case RX_TENSOR_WEIGHTS_NARROW:
        p.fixed_bytes = t->count * element;
        break;
    case RX_TENSOR_FLAT:
        p.fixed_bytes = t->count * element;
        p.life = RX_LIFE_SESSION;
        break;
    case RX_TENSOR_PARAM:
    case RX_TENSOR_GRAD:
    case RX_TENSOR_MOMENTUM:
        break;
    }
    return p;
}

struct walk {
    struct rx_graph *g;
    struct rx_memory *m;
    int program_steps[RX_PROGRAMS];
};

static struct rx_plan_tensor *
touch(struct walk *w, int tensor)
{
    if (w->m->buffer[tensor] < 0) {
        w->m->buffer[tensor] = w->m->n;
        w->m->tensor[w->m->n++] = size_of(&w->g->tensor[tensor]);
    }
    return &w->m->tensor[w->m->buffer[tensor]];
}

// Parameters, gradients and momenta are parts of the flat tensors that `layout` made.
int
rx_pass_storage(const struct rx_graph *g, int tensor)
{
    const struct rx_tensor *t = &g->tensor[tensor];
    if (t->kind == RX_TENSOR_PARAM)
        return g->param[t->param].flat;
    if (t->kind == RX_TENSOR_MOMENTUM)
        return g->param[t->param].flat_momentum;
    return t->kind == RX_TENSOR_GRAD ? g->param[t->param].flat_gradient : tensor;
}

static void
use(struct walk *w, int tensor, int program, int step)
{
    struct rx_plan_tensor *p = touch(w, rx_pass_storage(w->g, tensor));
    if (p->life == RX_LIFE_SESSION)
        return;
    if (p->first >= 0 && p->program != program) {  // coefficients that FOLD makes and INFER reads
        p->life = RX_LIFE_SESSION;
        return;
    }
    if (p->first < 0)
        p->first = step;
    p->program = program;
    p->last = step;
}

// What the runtime writes before a program is alive from its first step, what it reads after it to
// its last.
static void
pin(struct walk *w, int tensor, int program, int is_input)
{
    if (tensor < 0 || w->m->buffer[tensor] < 0)
        return;
    struct rx_plan_tensor *p = &w->m->tensor[w->m->buffer[tensor]];
    if (is_input)
        p->first = 0;
    else
        p->last = w->program_steps[program] - 1;
}

void
rx_pass_memory(struct rx_graph *g, enum rx_mode mode, const struct rx_regions *list,
               struct rx_memory *memory)
{
    const size_t n = (size_t)g->n_tensors;
    *memory = (struct rx_memory){.tensor = rx_arena_alloc(&g->arena, n * sizeof *memory->tensor),
                                 .buffer = rx_arena_alloc(&g->arena, n * sizeof(int))};
    for (size_t i = 0; i < n; i++)
        memory->buffer[i] = -1;
    struct walk w = {.g = g, .m = memory};
    for (int i = 0; i < list->n; i++) {
        const struct rx_region *r = &list->region[i];
        for (int j = 0; j < r->problem.n_operands; j++)
            use(&w, r->tensor[j], r->program, w.program_steps[r->program]);
        w.program_steps[r->program]++;
    }
    const int program = mode == RX_MODE_TRAIN ? RX_PROGRAM_TRAIN : RX_PROGRAM_INFER;
    pin(&w, g->input, program, 1);
    pin(&w, g->labels, program, 1);
    pin(&w, g->logits, program, 0);
    pin(&w, g->loss, program, 0);
}
