// A session on a CUDA device: allocates once, as runtime/placement.h places all tensors, and runs
// programs as graphs of launches, which are captured when it opens.
//
// What the host may ask for (inputs, results, parameters, momenta, settings) has a copy in pinned
// memory. It goes to the device before the next program that may read it, if the host has asked for
// it meanwhile, and comes back when the host asks for it after a program that may have changed it.
#include "runtime/session.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/planner.h"
#include "runtime/cuda/gemm.h"
#include "runtime/cuda/pool.h"
#include "runtime/placement.h"

enum { GLOBAL_CAPTURE = 0 };  // cudaStreamCaptureModeGlobal
enum { ONE_THREAD = 1 };      // every tensor of parts says how many it has
enum newer { NEITHER, HOST, DEVICE };

// The host's copy of a tensor.
struct copy {
    void *memory;  // NULL: none
    size_t bytes;
    enum newer newer;
};

struct rx_session {
    const struct rx_plan *plan;
    int batch, threads, programs;
    struct rx_device device;
    struct rx_pool pool;
    struct rx_gemm gemm;
    struct rx_placement place;
    unsigned char *block;      // of the device
    unsigned char *pinned;     // of the host
    struct copy *copy;         // of each tensor
    void *graph[RX_PROGRAMS];  // of a full batch; NULL: its kernels are launched one by one
    struct rx_error error;     // the first thing that went wrong while it ran
};

static size_t
align(size_t bytes)
{
    return (bytes + RX_PLANNER_ALIGN - 1) / RX_PLANNER_ALIGN * RX_PLANNER_ALIGN;
}

// Marks what the host may ask for.
static void
mark_copies(struct rx_session *s)
{
    const struct rx_plan *plan = s->plan;
    for (int i = 0; i < plan->n_tensors; i++) {
        const struct rx_plan_tensor *t = &plan->tensor[i];
        s->copy[i].bytes = 0;
        int wanted = i == plan->hyper;
        for (int p = 0; p < RX_PROGRAMS; p++) {
            const struct rx_plan_program *q = &plan->program[p];
            wanted |= i == q->input || i == q->labels || i == q->logits || i == q->loss;
        }
        for (int p = 0; p < plan->n_params; p++)
            wanted |= i == plan->param[p].tensor || i == plan->param[p].momentum ||
                      i == plan->param[p].gradient;
        if (wanted && s->place.offset[i] != RX_ABSENT)
            s->copy[i].bytes = (size_t)(t->fixed_bytes + t->image_bytes * s->batch);
    }
}

static int
open_copies(struct rx_session *s, struct rx_error *error)
{
    size_t bytes = 0;
    mark_copies(s);
    for (int i = 0; i < s->plan->n_tensors; i++)
        bytes += align(s->copy[i].bytes);
    void *block = NULL;
    const int status =
        rx_device_check(&s->device, s->device.alloc_host(&block, bytes), "pinned memory", error);
    if (status != RX_OK)
        return status;
    s->pinned = block;
    for (size_t i = 0; i < bytes; i++)
        s->pinned[i] = 0;
    bytes = 0;
    for (int i = 0; i < s->plan->n_tensors; i++) {
        if (s->copy[i].bytes > 0)
            s->copy[i].memory = s->pinned + bytes;
        bytes += align(s->copy[i].bytes);
    }
    return RX_OK;
}

int64_t
rx_session_bytes(const struct rx_plan *plan, int batch, int threads)
{
    (void)threads;
    return rx_placement_bytes(plan, RX_PLACE_ALL, batch, ONE_THREAD) + rx_gemm_bytes(plan, batch);
}

int64_t
rx_session_bytes_infer(const struct rx_plan *plan, int batch, int threads)
{
    (void)threads;
    return rx_placement_bytes(plan, RX_PLACE_INFER, batch, ONE_THREAD) + rx_gemm_bytes(plan, batch);
}

// Kernels count pixels of a batch in an int.
static int
check_batch(const struct rx_plan *plan, int batch, struct rx_error *error)
{
    for (int i = 0; i < plan->n_kernels; i++)
        if (plan->kernel[i].task_image > INT_MAX / 2 / batch)
            return rx_error_refused(error, "--batch %d: too many pixels for %s: at most %lld",
                                    batch, plan->kernel[i].name,
                                    (long long)(INT_MAX / 2 / plan->kernel[i].task_image));
    return RX_OK;
}

// The first call that fails decides what is said; after it nothing is tried.
static int
went_well(struct rx_session *s, int code, const char *what)
{
    return rx_device_check(&s->device, code, what, &s->error) == RX_OK && s->error.status == RX_OK;
}

static void
launch(struct rx_session *s, int program, int step_number, int n)
{
    const struct rx_plan_step *step = &s->plan->program[program].step[step_number];
    void *operand[RX_OPERANDS_MAX];
    int parts = 0;
    for (int i = 0; i < step->n_args; i++) {
        const struct rx_plan_arg *arg = &s->plan->arg[step->first_arg + i];
        const struct rx_plan_tensor *t = &s->plan->tensor[arg->tensor];
        operand[i] = s->block + s->place.offset[arg->tensor] + arg->offset_bytes;
        if (t->thread_bytes > 0)
            parts = rx_placement_parts(t, ONE_THREAD);
    }
    const struct rx_plan_kernel *k = &s->plan->kernel[step->kernel];
    if (k->gemm.blocks > 0 && rx_gemm_works(&s->gemm))
        rx_gemm_run(&s->gemm, k, n, operand, &s->error);
    else
        went_well(s, rx_pool_launch(&s->pool, step->kernel, n, parts, operand, step->n_args),
                  k->name);
}

static void
launch_all(struct rx_session *s, int program, int n)
{
    for (int i = 0; i < s->plan->program[program].n_steps && s->error.status == RX_OK; i++)
        launch(s, program, i, n);
}

// Records the launches of a full batch. Folding has none, as it does not count images.
static void
capture(struct rx_session *s, int program)
{
    const struct rx_device *d = &s->device;
    void *graph = NULL;
    if (!went_well(s, d->capture_begin(s->pool.stream, GLOBAL_CAPTURE), "a graph"))
        return;
    launch_all(s, program, s->batch);
    const int code = d->capture_end(s->pool.stream, &graph);
    if (went_well(s, code, "a graph"))
        went_well(s, d->graph_instantiate(&s->graph[program], graph, 0), "a graph");
    if (graph != NULL)
        d->graph_destroy(graph);
}

static void
capture_all(struct rx_session *s)
{
    for (int i = 0; i < RX_PROGRAMS; i++)
        if ((s->programs >> i & 1) && i != RX_PROGRAM_FOLD && s->plan->program[i].n_steps > 0 &&
            s->error.status == RX_OK)
            capture(s, i);
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
    s->place = rx_placement_make(plan, programs, batch, ONE_THREAD);
    s->copy = rx_memory_alloc((size_t)plan->n_tensors * sizeof *s->copy);
    void *block = NULL;
    int status = check_batch(plan, batch, error);
    if (status == RX_OK)
        status = rx_device_open(&s->device, error);
    if (status == RX_OK)
        status = rx_device_alloc(&s->device, s->place.bytes, &block, error);
    s->block = block;
    if (status == RX_OK)
        status = open_copies(s, error);
    if (status == RX_OK)
        status = rx_pool_open(&s->device, plan, &s->pool, error);
    if (status == RX_OK)
        status = rx_gemm_open(&s->device, plan, batch, s->pool.stream, &s->gemm, error);
    if (status == RX_OK) {
        capture_all(s);
        status = rx_session_fault(s, error);
    }
    if (status != RX_OK) {
        rx_session_close(s);
        return status;
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
    for (int i = 0; i < RX_PROGRAMS; i++)
        if (s->graph[i] != NULL)
            s->device.runnable_destroy(s->graph[i]);
    rx_gemm_close(&s->gemm);
    if (s->pool.plan != NULL)
        rx_pool_close(&s->pool);
    if (s->pinned != NULL)
        s->device.free_host(s->pinned);
    rx_device_free(&s->device, s->block);
    free(s->place.offset);
    free(s->copy);
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

int
rx_session_fault(const struct rx_session *s, struct rx_error *error)
{
    return s->error.status == RX_OK ? RX_OK : rx_error_refused(error, "%s", s->error.text);
}

void *
rx_session_tensor(struct rx_session *s, int tensor)
{
    struct copy *c = &s->copy[tensor];
    assert(tensor >= 0 && c->memory != NULL);
    if (c->newer == DEVICE && s->error.status == RX_OK &&
        went_well(s,
                  s->device.copy(c->memory, s->block + s->place.offset[tensor], c->bytes,
                                 RX_CUDA_TO_HOST, s->pool.stream),
                  "reading memory"))
        went_well(s, s->device.synchronize(s->pool.stream), "reading memory");
    c->newer = HOST;
    return c->memory;
}

// Whether what the host wrote is read by the program: settings, parameters, its own inputs. Results
// of a program share memory with what it makes before.
static int
is_input(const struct rx_plan *plan, int program, int tensor)
{
    const struct rx_plan_program *p = &plan->program[program];
    return plan->tensor[tensor].life == RX_LIFE_SESSION || tensor == p->input ||
           tensor == p->labels || tensor == plan->hyper;
}

static void
upload(struct rx_session *s, int program)
{
    for (int i = 0; i < s->plan->n_tensors && s->error.status == RX_OK; i++) {
        struct copy *c = &s->copy[i];
        if (c->memory == NULL || c->newer != HOST || !is_input(s->plan, program, i))
            continue;
        went_well(s,
                  s->device.copy(s->block + s->place.offset[i], c->memory, c->bytes,
                                 RX_CUDA_TO_DEVICE, s->pool.stream),
                  "writing memory");
        c->newer = NEITHER;
    }
}

// The host's copies of what the program may have changed are old now.
static void
mark_changed(struct rx_session *s, int program)
{
    const struct rx_plan_program *p = &s->plan->program[program];
    for (int i = 0; i < p->n_steps; i++)
        for (int a = 0; a < p->step[i].n_args; a++) {
            const int tensor = s->plan->arg[p->step[i].first_arg + a].tensor;
            if (tensor != p->input && tensor != p->labels && tensor != s->plan->hyper)
                s->copy[tensor].newer = DEVICE;
        }
}

static void
finish(struct rx_session *s, int program)
{
    if (s->error.status == RX_OK)
        went_well(s, s->device.synchronize(s->pool.stream), "running kernels");
    mark_changed(s, program);
}

void
rx_session_run(struct rx_session *s, int program, int n)
{
    assert((s->programs >> program & 1) && n >= 1 && n <= s->batch);
    upload(s, program);
    if (s->error.status == RX_OK && n == s->batch && s->graph[program] != NULL)
        went_well(s, s->device.graph_launch(s->graph[program], s->pool.stream), "a graph");
    else
        launch_all(s, program, n);
    finish(s, program);
}

// Events between the launches tell how long each took on the device.
void
rx_session_run_timed(struct rx_session *s, int program, int n, double *seconds)
{
    const struct rx_device *d = &s->device;
    const int n_steps = s->plan->program[program].n_steps;
    void **event = rx_memory_alloc((size_t)(n_steps + 1) * sizeof *event);
    upload(s, program);
    for (int i = 0; i <= n_steps && s->error.status == RX_OK; i++)
        went_well(s, d->event_create(&event[i]), "an event");
    for (int i = 0; i <= n_steps && s->error.status == RX_OK; i++) {
        went_well(s, d->event_record(event[i], s->pool.stream), "an event");
        if (i < n_steps)
            launch(s, program, i, n);
    }
    finish(s, program);
    for (int i = 0; i < n_steps && s->error.status == RX_OK; i++) {
        float milliseconds = 0;
        went_well(s, d->event_elapsed(&milliseconds, event[i], event[i + 1]), "an event");
        seconds[i] += 1e-3 * (double)milliseconds;
    }
    for (int i = 0; i <= n_steps; i++)
        if (event[i] != NULL)
            d->event_destroy(event[i]);
    free(event);
}
