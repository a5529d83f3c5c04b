// Places the tensors of a plan for a batch.
#include "runtime/placement.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/planner.h"

static int64_t
align(int64_t bytes)
{
    return (bytes + RX_PLANNER_ALIGN - 1) / RX_PLANNER_ALIGN * RX_PLANNER_ALIGN;
}

int
rx_placement_parts(const struct rx_plan_tensor *t, int threads)
{
    return t->parts > 0 ? t->parts : threads;
}

static int64_t
size_of(const struct rx_plan_tensor *t, int batch, int threads)
{
    return t->fixed_bytes + t->image_bytes * batch +
           t->thread_bytes * rx_placement_parts(t, threads);
}

// Whether all sizes, and their sum, can be counted at all.
static int
is_countable(const struct rx_plan *plan, int batch, int threads)
{
    int64_t total = 0, part;
    for (int i = 0; i < plan->n_tensors; i++) {
        const struct rx_plan_tensor *t = &plan->tensor[i];
        if (__builtin_add_overflow(total, t->fixed_bytes + RX_PLANNER_ALIGN, &total) ||
            __builtin_mul_overflow(t->image_bytes, batch, &part) ||
            __builtin_add_overflow(total, part, &total) ||
            __builtin_mul_overflow(t->thread_bytes, rx_placement_parts(t, threads), &part) ||
            __builtin_add_overflow(total, part, &total))
            return 0;
    }
    for (int i = 0; i < plan->n_kernels; i++)
        if (__builtin_mul_overflow(plan->kernel[i].scratch_bytes + RX_PLANNER_ALIGN, threads,
                                   &part) ||
            __builtin_add_overflow(total, part, &total))
            return 0;
    return 1;
}

// Marks with 0 the tensors that these programs use; the others are RX_ABSENT.
static void
mark_used(const struct rx_plan *plan, int programs, int64_t *offset)
{
    for (int i = 0; i < plan->n_tensors; i++)
        offset[i] = programs == RX_PLACE_ALL ? 0 : RX_ABSENT;
    for (int i = 0; i < plan->n_params; i++)
        offset[plan->param[i].tensor] = 0;
    for (int p = 0; p < RX_PROGRAMS; p++) {
        const struct rx_plan_program *program = &plan->program[p];
        if (!(programs >> p & 1))
            continue;
        for (int i = 0; i < program->n_steps; i++)
            for (int a = 0; a < program->step[i].n_args; a++)
                offset[plan->arg[program->step[i].first_arg + a].tensor] = 0;
        if (program->input >= 0)
            offset[program->input] = 0;
    }
}

int
rx_placement_slice(const struct rx_plan_program *p, int batch, int threads)
{
    const int images = p->slice_images > threads ? p->slice_images : threads;
    return p->slice_steps > 0 && images < batch ? images : 0;
}

int
rx_placement_outlives(const struct rx_plan *plan, int program, int tensor)
{
    const struct rx_plan_program *p = &plan->program[program];
    const struct rx_plan_tensor *t = &plan->tensor[tensor];
    return t->life == RX_LIFE_STEPS && t->program == program &&
           (tensor == p->input || t->last >= p->slice_steps);
}

// Bytes and lifetime of a step's tensor. What slices use is alive during all of them.
static struct rx_interval
interval_of(const struct rx_plan *plan, int program, int tensor, int batch, int threads)
{
    const struct rx_plan_program *p = &plan->program[program];
    const struct rx_plan_tensor *t = &plan->tensor[tensor];
    const int slice = rx_placement_slice(p, batch, threads);
    struct rx_interval v = {
        .bytes = size_of(t, batch, threads), .first = t->first, .last = t->last};
    if (slice == 0 || t->first >= p->slice_steps)
        return v;
    if (!rx_placement_outlives(plan, program, tensor)) {
        v.bytes = size_of(t, slice, threads);
        return v;
    }
    v.first = 0;
    v.last = t->last < p->slice_steps ? p->slice_steps - 1 : t->last;
    return v;
}

// Places the tensors of one program from `base` on; returns the bytes they take.
static int64_t
place_program(const struct rx_plan *plan, int program, int batch, int threads, int64_t base,
              int64_t *offset)
{
    struct rx_interval *v = rx_memory_alloc((size_t)plan->n_tensors * sizeof *v);
    int *tensor = rx_memory_alloc((size_t)plan->n_tensors * sizeof *tensor);
    size_t n = 0;
    for (int i = 0; i < plan->n_tensors; i++) {
        const struct rx_plan_tensor *t = &plan->tensor[i];
        if (t->life != RX_LIFE_STEPS || t->program != program || offset[i] == RX_ABSENT)
            continue;
        tensor[n] = i;
        v[n++] = interval_of(plan, program, i, batch, threads);
    }
    const int64_t total = rx_planner_place(v, n);
    for (size_t i = 0; i < n; i++)
        offset[tensor[i]] = base + v[i].offset;
    free(v);
    free(tensor);
    return total;
}

// The most scratch that a kernel of these programs takes, a thread.
static int64_t
scratch_of(const struct rx_plan *plan, int programs)
{
    int64_t most = 0;
    for (int p = 0; p < RX_PROGRAMS; p++)
        for (int i = 0; (programs >> p & 1) && i < plan->program[p].n_steps; i++) {
            const int64_t bytes = plan->kernel[plan->program[p].step[i].kernel].scratch_bytes;
            most = bytes > most ? bytes : most;
        }
    return align(most);
}

struct rx_placement
rx_placement_make(const struct rx_plan *plan, int programs, int batch, int threads)
{
    struct rx_placement p = {.offset = rx_memory_alloc((size_t)plan->n_tensors * sizeof *p.offset)};
    if (!is_countable(plan, batch, threads)) {
        p.bytes = INT64_MAX;
        return p;
    }
    mark_used(plan, programs, p.offset);
    for (int i = 0; i < plan->n_tensors; i++) {
        if (plan->tensor[i].life != RX_LIFE_SESSION || p.offset[i] == RX_ABSENT)
            continue;
        p.offset[i] = p.bytes;
        p.bytes += align(size_of(&plan->tensor[i], batch, threads));
    }
    int64_t largest = 0;
    for (int i = 0; i < RX_PROGRAMS; i++) {
        if (!(programs >> i & 1))
            continue;
        const int64_t bytes = place_program(plan, i, batch, threads, p.bytes, p.offset);
        largest = bytes > largest ? bytes : largest;
    }
    p.scratch_offset = p.bytes + align(largest);
    p.scratch_bytes = scratch_of(plan, programs);
    p.bytes = p.scratch_offset + p.scratch_bytes * threads;
    return p;
}

int64_t
rx_placement_bytes(const struct rx_plan *plan, int programs, int batch, int threads)
{
    const struct rx_placement p = rx_placement_make(plan, programs, batch, threads);
    free(p.offset);
    return p.bytes;
}
