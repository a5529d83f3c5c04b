// A session on the CPU: allocates once, as runtime/placement.h places all tensors, and runs steps
// on the thread pool.
#include "runtime/session.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/cpu/device.h"
#include "runtime/cpu/pool.h"
#include "runtime/grid.h"
#include "runtime/placement.h"

struct rx_session {
    const struct rx_plan *plan;
    int batch, threads, programs;
    struct rx_pool *pool;
    struct rx_placement place;
    unsigned char *block;
    void **pointer;  // one step's operands
};

int64_t
rx_session_bytes(const struct rx_plan *plan, int batch, int threads)
{
    return rx_placement_bytes(plan, RX_PLACE_ALL, batch, threads);
}

int64_t
rx_session_bytes_infer(const struct rx_plan *plan, int batch, int threads)
{
    return rx_placement_bytes(plan, RX_PLACE_INFER, batch, threads);
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
    if (rx_device_check(plan->arch, error) != RX_OK)
        return error->status;
    struct rx_session *s = rx_memory_alloc(sizeof *s);
    s->plan = plan;
    s->batch = batch;
    s->threads = threads;
    s->programs = programs;
    s->place = rx_placement_make(plan, programs, batch, threads);
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
    return open_programs(plan, RX_PLACE_ALL, batch, threads, session, error);
}

int
rx_session_open_infer(const struct rx_plan *plan, int batch, int threads,
                      struct rx_session **session, struct rx_error *error)
{
    return open_programs(plan, RX_PLACE_INFER, batch, threads, session, error);
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
    assert(tensor >= 0 && s->place.offset[tensor] != RX_ABSENT);
    return s->block + s->place.offset[tensor];
}

int
rx_session_fault(const struct rx_session *s, struct rx_error *error)
{
    (void)s;
    return error->status;
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
        if (first > 0 && rx_placement_outlives(s->plan, program, arg->tensor))
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
    const int slice = rx_placement_slice(p, s->batch, s->threads);
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
