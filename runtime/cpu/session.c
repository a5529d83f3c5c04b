// A session on the CPU: places all tensors, allocates once, runs steps on the thread pool.
//
// Memory is one block: session tensors, then the steps' tensors (the programs share the largest
// program's bytes, as only one runs at a time), then each thread's scratch.
#include "runtime/session.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/base/planner.h"
#include "runtime/cpu/pool.h"

struct rx_session {
    const struct rx_plan *plan;
    int batch, threads;
    struct rx_pool *pool;
    int64_t *offset;  // of each tensor in the block
    int64_t bytes, scratch_offset, scratch_bytes;
    unsigned char *block;
    void **pointer;  // one step's operands
    int n_pointers;
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
        if (t->life != RX_LIFE_STEPS || t->program != program)
            continue;
        tensor[n] = i;
        v[n++] = (struct rx_interval){
            .bytes = size_of(t, batch, threads), .first = t->first, .last = t->last};
    }
    const int64_t total = rx_planner_place(v, n);
    for (size_t i = 0; i < n; i++)
        offset[tensor[i]] = base + v[i].offset;
    free(v);
    free(tensor);
    return total;
}

struct placement {
    int64_t bytes, scratch_offset, scratch_bytes;
};

static struct placement
place(const struct rx_plan *plan, int batch, int threads, int64_t *offset)
{
    struct placement p = {0};
    for (int i = 0; i < plan->n_tensors; i++) {
        if (plan->tensor[i].life != RX_LIFE_SESSION)
            continue;
        offset[i] = p.bytes;
        p.bytes += align(size_of(&plan->tensor[i], batch, threads));
    }
    int64_t largest = 0;
    for (int i = 0; i < RX_PROGRAMS; i++) {
        const int64_t bytes = place_program(plan, i, batch, threads, p.bytes, offset);
        largest = bytes > largest ? bytes : largest;
    }
    p.scratch_offset = p.bytes + align(largest);
    for (int i = 0; i < plan->n_kernels; i++)
        if (align(plan->kernel[i].scratch_bytes) > p.scratch_bytes)
            p.scratch_bytes = align(plan->kernel[i].scratch_bytes);
    p.bytes = p.scratch_offset + p.scratch_bytes * threads;
    return p;
}

int64_t
rx_session_bytes(const struct rx_plan *plan, int batch, int threads)
{
    int64_t *offset = rx_memory_alloc((size_t)plan->n_tensors * sizeof *offset);
    const int64_t bytes = place(plan, batch, threads, offset).bytes;
    free(offset);
    return bytes;
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

int
rx_session_open(const struct rx_plan *plan, int batch, int threads, struct rx_session **out,
                struct rx_error *error)
{
    struct rx_session *s = rx_memory_alloc(sizeof *s);
    s->plan = plan;
    s->batch = batch;
    s->threads = threads;
    s->offset = rx_memory_alloc((size_t)plan->n_tensors * sizeof *s->offset);
    const struct placement p = place(plan, batch, threads, s->offset);
    s->bytes = p.bytes;
    s->scratch_offset = p.scratch_offset;
    s->scratch_bytes = p.scratch_bytes;
    s->n_pointers = most_operands(plan);
    s->pointer = rx_memory_alloc((size_t)s->n_pointers * sizeof *s->pointer);
    void *block =
        mmap(NULL, (size_t)s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        rx_error_refused(error, "%.0f MB of memory cannot be had: a smaller --batch takes less",
                         (double)s->bytes / 1e6);
    } else {
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

void
rx_session_close(struct rx_session *s)
{
    if (s == NULL)
        return;
    rx_pool_close(s->pool);
    if (s->block != NULL)
        munmap(s->block, (size_t)s->bytes);
    free(s->offset);
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
    return s->block + s->offset[tensor];
}

// One step as all threads see it.
struct job {
    const struct rx_session *session;
    const struct rx_plan_kernel *kernel;
    int n;
    int64_t tasks;
};

static void
run_share(void *user, int thread, int n_threads)
{
    const struct job *job = user;
    const struct rx_session *s = job->session;
    const struct rx_call call = {.n = job->n,
                                 .thread = thread,
                                 .n_threads = n_threads,
                                 .first = job->tasks * thread / n_threads,
                                 .last = job->tasks * (thread + 1) / n_threads,
                                 .scratch =
                                     s->block + s->scratch_offset + s->scratch_bytes * thread};
    job->kernel->fn(&call, s->pointer);
}

static void
run_step(struct rx_session *s, const struct rx_plan_step *step, int n)
{
    const struct rx_plan_kernel *k = &s->plan->kernel[step->kernel];
    for (int i = 0; i < step->n_args; i++) {
        const struct rx_plan_arg *arg = &s->plan->arg[step->first_arg + i];
        s->pointer[i] = s->block + s->offset[arg->tensor] + arg->offset_bytes;
    }
    const int64_t units = n * k->task_image + k->task_fixed;
    struct job job = {.session = s,
                      .kernel = k,
                      .n = n,
                      .tasks = (units + k->task_divisor - 1) / k->task_divisor};
    rx_pool_run(s->pool, run_share, &job);
}

void
rx_session_run(struct rx_session *s, int program, int n)
{
    const struct rx_plan_program *p = &s->plan->program[program];
    for (int i = 0; i < p->n_steps; i++)
        run_step(s, &p->step[i], n);
}

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
rx_session_run_timed(struct rx_session *s, int program, int n, double *seconds)
{
    const struct rx_plan_program *p = &s->plan->program[program];
    double before = now();
    for (int i = 0; i < p->n_steps; i++) {
        run_step(s, &p->step[i], n);
        const double after = now();
        seconds[i] += after - before;
        before = after;
    }
}
