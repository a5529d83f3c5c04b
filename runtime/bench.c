// The command bench: steps on synthetic images that lie in memory; medians, and per kernel on
// request.
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/json.h"
#include "runtime/params.h"
#include "runtime/progress.h"

enum { WARM_UP = 2 };

static int
ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double *v, int64_t n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void
fill_inputs(struct rx_session *session, int program, int batch)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const struct rx_plan_program *p = &plan->program[program];
    float *x = rx_session_tensor(session, p->input);  // [N][H][W][C]
    const int64_t n = batch * rx_plan_image_elements(plan);
    uint32_t state = 1;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
    if (p->labels < 0)
        return;
    int32_t *labels = rx_session_tensor(session, p->labels);
    for (int i = 0; i < batch; i++)
        labels[i] = i % plan->classes;
}

static json_t *
kernel_rows(const struct rx_plan *plan, int program, int n, const double *seconds, int64_t steps)
{
    const struct rx_plan_program *p = &plan->program[program];
    double *of = rx_memory_alloc((size_t)plan->n_kernels * sizeof *of);
    int *calls = rx_memory_alloc((size_t)plan->n_kernels * sizeof *calls);
    for (int i = 0; i < p->n_steps; i++) {
        of[p->step[i].kernel] += seconds[i] / (double)steps;
        calls[p->step[i].kernel]++;
    }
    json_t *rows = json_array();
    for (int k = 0; k < plan->n_kernels; k++) {
        if (calls[k] == 0)
            continue;
        const struct rx_plan_kernel *q = &plan->kernel[k];
        const double time = of[k] > 0 ? of[k] : 1e-9;  // the clock's own grain
        const double flops = (q->flops_image * n + q->flops_fixed) * calls[k];
        const double bytes = (q->bytes_image * n + q->bytes_fixed) * calls[k];
        json_array_append_new(
            rows, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f}", "name", q->name, "calls",
                            calls[k], "ms", of[k] * 1e3, "flops", flops, "bytes", bytes, "gflops",
                            flops / time * 1e-9, "gbytes_per_s", bytes / time * 1e-9));
    }
    free(of);
    free(calls);
    return rows;
}

static void
print_kernels(const json_t *rows)
{
    if (rows != NULL)
        printf("%9s %8s %8s %5s  kernel (of one step)\n", "ms", "GFLOP/s", "GB/s", "calls");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        printf("%9.3f %8.1f %8.1f %5lld  %s\n", json_number_value(json_object_get(row, "ms")),
               json_number_value(json_object_get(row, "gflops")),
               json_number_value(json_object_get(row, "gbytes_per_s")),
               (long long)json_integer_value(json_object_get(row, "calls")),
               json_string_value(json_object_get(row, "name")));
    }
}

static int
report(const struct rx_settings *s, const json_t *result, struct rx_error *error)
{
    if (s->json)
        return rx_json_print(result, error);
    printf("%s, batch %d: %.2f images/s, %.2f ms a step, %.0f MB\n",
           json_string_value(json_object_get(result, "mode")), s->recipe.batch,
           json_number_value(json_object_get(result, "images_per_s")),
           json_number_value(json_object_get(result, "ms_per_step")),
           json_number_value(json_object_get(result, "peak_bytes")) / 1e6);
    print_kernels(json_object_get(result, "kernels"));
    return RX_OK;
}

// Real work, but steps so small that random labels do not make a run diverge.
static void
write_hyper(struct rx_session *session, const struct rx_settings *s)
{
    float *hyper = rx_session_tensor(session, rx_session_plan(session)->hyper);
    hyper[RX_HYPER_LR] = 1e-6f;
    hyper[RX_HYPER_MOMENTUM] = (float)s->recipe.momentum;
    hyper[RX_HYPER_NESTEROV] = (float)s->recipe.nesterov;
    hyper[RX_HYPER_BN_MOMENTUM] = RX_BN_MOMENTUM;
}

// Times the steps: each one's seconds, and the sum over all of each program step's.
static void
time_steps(struct rx_session *session, const struct rx_settings *s, int program, double *step,
           double *kernel)
{
    const int n = rx_session_batch(session);
    for (int64_t i = -WARM_UP; i < s->steps; i++) {
        fill_inputs(session, program, n);
        const double before = rx_progress_now();
        if (s->kernels && i >= 0)
            rx_session_run_timed(session, program, n, kernel);
        else
            rx_session_run(session, program, n);
        if (i >= 0)
            step[i] = rx_progress_now() - before;
    }
}

static int
open_session(const struct rx_plan *plan, const struct rx_settings *s, struct rx_session **session,
             struct rx_error *error)
{
    const int batch = s->recipe.batch, threads = (int)s->threads;
    if (s->mode == RX_MODE_INFER)
        return rx_session_open_infer(plan, batch, threads, session, error);
    const int status = rx_plan_check_batch(plan, batch, error);
    return status == RX_OK ? rx_session_open(plan, batch, threads, session, error) : status;
}

int
rx_bench(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    const int train = s->mode == RX_MODE_TRAIN, n = s->recipe.batch, threads = (int)s->threads;
    const int program = train ? RX_PROGRAM_TRAIN : RX_PROGRAM_INFER;
    struct rx_session *session = NULL;
    int status = open_session(plan, s, &session, error);
    if (status != RX_OK)
        return status;
    rx_params_init(session, (uint64_t)s->seed);
    if (train)
        write_hyper(session, s);
    rx_session_run(session, RX_PROGRAM_FOLD, 1);
    double *step = rx_memory_alloc((size_t)s->steps * sizeof *step);
    double *kernel = rx_memory_alloc((size_t)plan->program[program].n_steps * sizeof *kernel);
    time_steps(session, s, program, step, kernel);
    const double seconds = median(step, s->steps);
    const int64_t bytes =
        train ? rx_session_bytes(plan, n, threads) : rx_session_bytes_infer(plan, n, threads);
    json_t *result = json_pack("{s:s, s:i, s:f, s:f, s:I}", "mode", train ? "train" : "infer",
                               "batch", n, "images_per_s", n / seconds, "ms_per_step",
                               seconds * 1e3, "peak_bytes", (json_int_t)bytes);
    if (s->kernels)
        json_object_set_new(result, "kernels", kernel_rows(plan, program, n, kernel, s->steps));
    status = report(s, result, error);
    json_decref(result);
    free(step);
    free(kernel);
    rx_session_close(session);
    return status;
}
