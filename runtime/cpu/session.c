// A session on the CPU: places all tensors, allocates once, runs steps on the thread pool.
//
// Memory is one block: session tensors, then the steps' tensors (the programs share the largest
// program's bytes, as only one runs at a time), then each thread's scratch.
#include "runtime/session.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/base/planner.h"
#include "runtime/cpu/device.h"
#include "runtime/cpu/pool.h"
#include "runtime/grid.h"

enum { PROGRAMS_ALL = (1 << RX_PROGRAMS) - 1 };
enum { PROGRAMS_INFER = 1 << RX_PROGRAM_FOLD | 1 << RX_PROGRAM_INFER };

enum { ABSENT = -1 };  // offset of a tensor that this session does not hold

// Where everything lies in the session's block.
struct placement {
    int64_t *offset;  // of each tensor, or ABSENT
    int64_t bytes, scratch_offset, scratch_bytes;
};

struct rx_session {
    const struct rx_plan *plan;
    int batch, threads, programs;
    struct rx_pool *pool;
    struct placement place;
    unsigned char *block;
    void **pointer;  // one step's operands
};

static int64_t
align(int64_t bytes)
{
    return (bytes + RX_PLANNER_ALIGN - 1) / RX_PLANNER_ALIGN * RX_PLANNER_ALIGN;
}

static int64_t
size_of(const struct rx_plan_tensor *t, int batch, int threads)
{
    return t->fixed_bytes + t->image_bytes * batch + t->thread_bytes * threads;
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
            __builtin_mul_overflow(t->thread_bytes, threads, &part) ||
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

// Marks with 0 the tensors that these programs use; the others are ABSENT.
static void
mark_used(const struct rx_plan *plan, int programs, int64_t *offset)
{
    for (int i = 0; i < plan->n_tensors; i++)
        offset[i] = programs == PROGRAMS_ALL ? 0 : ABSENT;
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

// Images of a slice of this program, or 0 where it takes all images at once.
static int
slice_of(const struct rx_plan_program *p, int batch, int threads)
{
    const int images = p->slice_images > threads ? p->slice_images : threads;
    return p->slice_steps > 0 && images < batch ? images : 0;
}

// 1 for a tensor of all images that slices read or write a part of, as it is alive before or after
// them.
static int
outlives_slices(const struct rx_plan *plan, int program, int tensor)
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
    const int slice = slice_of(p, batch, threads);
    struct rx_interval v = {
        .bytes = size_of(t, batch, threads), .first = t->first, .last = t->last};
    if (slice == 0 || t->first >= p->slice_steps)
        return v;
    if (!outlives_slices(plan, program, tensor)) {
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
        if (t->life != RX_LIFE_STEPS || t->program != program || offset[i] == ABSENT)
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

// The caller frees `offset`.
static struct placement
place(const struct rx_plan *plan, int programs, int batch, int threads)
{
    struct placement p = {.offset = rx_memory_alloc((size_t)plan->n_tensors * sizeof *p.offset)};
    if (!is_countable(plan, batch, threads)) {
        p.bytes = INT64_MAX;
        return p;
    }
    mark_used(plan, programs, p.offset);
    for (int i = 0; i < plan->n_tensors; i++) {
        if (plan->tensor[i].life != RX_LIFE_SESSION || p.offset[i] == ABSENT)
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

static int64_t
count_bytes(const struct rx_plan *plan, int programs, int batch, int threads)
{
    const struct placement p = place(plan, programs, batch, threads);
    free(p.offset);
    return p.bytes;
}

int64_t
rx_session_bytes(const struct rx_plan *plan, int batch, int threads)
{
    return count_bytes(plan, PROGRAMS_ALL, batch, threads);
}

int64_t
rx_session_bytes_infer(const struct rx_plan *plan, int batch, int threads)
{
    return count_bytes(plan, PROGRAMS_INFER, batch, threads);
}

static int
most_operands(const struct rx_plan *plan)
{
    int most = 0;
    for (int p = 0; p < RX_PROGRAMS; p++)
        for (int i = 0; i < plan->program[p].n_steps; i++)
            if (plan->program[p].step[i].n_args > most)
                most = plan->program[p].step[i].n_args;
    return most;
}

static int
open_programs(const struct rx_plan *plan, int programs, int batch, int threads,
              struct rx_session **out, struct rx_error *error)
{
    struct rx_session *s = rx_memory_alloc(sizeof *s);
    s->plan = plan;
    s->batch = batch;
    s->threads = threads;
    s->programs = programs;
    s->place = place(plan, programs, batch, threads);
    s->pointer = rx_memory_alloc((size_t)most_operands(plan) * sizeof *s->pointer);
    void *block = NULL;
    if (rx_device_alloc(s->place.bytes, &block, error) == RX_OK) {
        s->block = block;
        rx_pool_open(threads, &s->pool, error);
    }
    if (error->status != RX_OK) {
        rx_session_close(s);
        return error->status;
    }
    *out = s;
    return RX_OK;
}

int
rx_session_open(const struct rx_plan *plan, int batch, int threads, struct rx_session **session,
                struct rx_error *error)
{
    return open_programs(plan, PROGRAMS_ALL, batch, threads, session, error);
}

int
rx_session_open_infer(const struct rx_plan *plan, int batch, int threads,
                      struct rx_session **session, struct rx_error *error)
{
    return open_programs(plan, PROGRAMS_INFER, batch, threads, session, error);
}

void
rx_session_close(struct rx_session *s)
{
    if (s == NULL)
        return;
    rx_pool_close(s->pool);
    rx_device_free(s->block, s->place.bytes);
    free(s->place.offset);
    free(s->pointer);
    free(s);
}

const struct rx_plan *
rx_session_plan(const struct rx_session *s)
{
    return s->plan;
}

int
rx_session_batch(const struct rx_session *s)
{
    return s->batch;
}

int
rx_session_threads(const struct rx_session *s)
{
    return s->threads;
}

void *
rx_session_tensor(struct rx_session *s, int tensor)
{
    assert(tensor >= 0 && s->place.offset[tensor] != ABSENT);
    return s->block + s->place.offset[tensor];
}

// One step as all threads see it.
struct job {
    const struct rx_session *session;
    const struct rx_plan_kernel *kernel;
    int n;
    struct rx_grid grid;
};

static void
run_share(void *user, int thread, int n_threads)
{
    const struct job *job = user;
    const struct rx_session *s = job->session;
    void *scratch = s->block + s->place.scratch_offset + s->place.scratch_bytes * thread;
    const struct rx_call call = rx_grid_share(&job->grid, job->n, thread, n_threads, scratch);
    job->kernel->fn(&call, s->pointer);
}

// Runs a step of a program on images [first, first + n) of a slice, or, from 0 on, of all.
static void
run_step(struct rx_session *s, int program, int step_number, int first, int n)
{
    const struct rx_plan_step *step = &s->plan->program[program].step[step_number];
    const struct rx_plan_kernel *k = &s->plan->kernel[step->kernel];
    for (int i = 0; i < step->n_args; i++) {
        const struct rx_plan_arg *arg = &s->plan->arg[step->first_arg + i];
        s->pointer[i] = s->block + s->place.offset[arg->tensor] + arg->offset_bytes;
        if (first > 0 && outlives_slices(s->plan, program, arg->tensor))
            s->pointer[i] =
                (char *)s->pointer[i] + first * s->plan->tensor[arg->tensor].image_bytes;
    }
    const int64_t units = n * k->task_image + k->task_fixed;
    struct job job = {.session = s,
                      .kernel = k,
                      .n = n,
                      .grid = rx_grid_cut((units + k->task_divisor - 1) / k->task_divisor,
                                          k->columns, s->threads)};
    rx_pool_run(s->pool, run_share, &job);
}

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Steps [from, to) on images [first, first + n); `seconds` NULL: not timed.
static void
run_steps(struct rx_session *s, int program, int from, int to, int first, int n, double *seconds)
{
    double before = seconds != NULL ? now() : 0;
    for (int i = from; i < to; i++) {
        run_step(s, program, i, first, n);
        if (seconds == NULL)
            continue;
        const double after = now();
        seconds[i] += after - before;
        before = after;
    }
}

static void
run_program(struct rx_session *s, int program, int n, double *seconds)
{
    assert((s->programs >> program & 1) && n >= 1 && n <= s->batch);
    const struct rx_plan_program *p = &s->plan->program[program];
    const int slice = slice_of(p, s->batch, s->threads);
    const int sliced = slice > 0 ? p->slice_steps : 0;
    for (int first = 0; sliced > 0 && first < n; first += slice)
        run_steps(s, program, 0, sliced, first, n - first < slice ? n - first : slice, seconds);
    run_steps(s, program, sliced, p->n_steps, 0, n, seconds);
}

void
rx_session_run(struct rx_session *s, int program, int n)
{
    run_program(s, program, n, NULL);
}

void
rx_session_run_timed(struct rx_session *s, int program, int n, double *seconds)
{
    run_program(s, program, n, seconds);
}
