// The command bench: steps on synthetic images that lie in memory; medians, and per kernel on
// request.
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/bench_kernels.h"
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

// Of each of n_steps columns in so many rows, the median; it replaces the first row.
static void
take_medians(double *rows, int64_t n_rows, int n_steps)
{
    double *column = rx_memory_alloc((size_t)n_rows * sizeof *column);
    for (int i = 0; i < n_steps; i++) {
        for (int64_t r = 0; r < n_rows; r++)
            column[r] = rows[r * n_steps + i];
        rows[i] = median(column, n_rows);
    }
    free(column);
}

// Each step's milliseconds, in the order of the steps.
static json_t *
step_times(const double *seconds, int64_t n)
{
    json_t *times = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(times, json_real(seconds[i] * 1e3));
    return times;
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
    if (s->kernels)
        rx_bench_kernels_print(result);
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

// Times the steps: each one's seconds, and a row of `kernel` with those of each program step.
static void
time_steps(struct rx_session *session, const struct rx_settings *s, int program, double *step,
           double *kernel)
{
    const int n = rx_session_batch(session);
    const int n_steps = rx_session_plan(session)->program[program].n_steps;
    for (int64_t i = -WARM_UP; i < s->steps; i++) {
        fill_inputs(session, program, n);
        const double before = rx_progress_now();
        if (s->kernels && i >= 0)
            rx_session_run_timed(session, program, n, kernel + i * n_steps);
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

// Measures the opened session; the caller releases *result.
static int
measure(struct rx_session *session, const struct rx_settings *s, json_t **result,
        struct rx_error *error)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const int train = s->mode == RX_MODE_TRAIN, n = s->recipe.batch, threads = (int)s->threads;
    const int program = train ? RX_PROGRAM_TRAIN : RX_PROGRAM_INFER;
    double *step = rx_memory_alloc((size_t)s->steps * sizeof *step);
    const int n_steps = plan->program[program].n_steps;
    double *kernel =
        rx_memory_alloc((size_t)(s->kernels ? s->steps * n_steps : 1) * sizeof *kernel);
    struct rx_peak before = {0}, after = {0};
    if (s->kernels)
        rx_peak_measure(plan, threads, &before, error);
    time_steps(session, s, program, step, kernel);
    rx_session_fault(session, error);
    if (s->kernels && error->status == RX_OK)
        rx_peak_measure(plan, threads, &after, error);
    json_t *of_steps = step_times(step, s->steps);
    const double seconds = median(step, s->steps);
    const int64_t bytes =
        train ? rx_session_bytes(plan, n, threads) : rx_session_bytes_infer(plan, n, threads);
    *result = json_pack("{s:s, s:i, s:f, s:f, s:I, s:o}", "mode", train ? "train" : "infer",
                        "batch", n, "images_per_s", n / seconds, "ms_per_step", seconds * 1e3,
                        "peak_bytes", (json_int_t)bytes, "ms_of_steps", of_steps);
    if (s->kernels && error->status == RX_OK) {
        take_medians(kernel, s->steps, n_steps);
        rx_bench_kernels_add(*result, plan, program, n, kernel);
        rx_bench_kernels_rate(*result, &before, &after);
    }
    free(step);
    free(kernel);
    return error->status;
}

int
rx_bench(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    struct rx_session *session = NULL;
    int status = open_session(plan, s, &session, error);
    if (status != RX_OK)
        return status;
    rx_params_init(session, (uint64_t)s->seed);
    if (s->mode == RX_MODE_TRAIN)
        write_hyper(session, s);
    rx_session_run(session, RX_PROGRAM_FOLD, 1);
    json_t *result = NULL;
    status = measure(session, s, &result, error);
    if (status == RX_OK)
        status = report(s, result, error);
    json_decref(result);
    rx_session_close(session);
    return status;
}
