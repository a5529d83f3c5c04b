// The benchmark: steps on synthetic images that lie in memory; medians, and per kernel on request.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/json.h"
#include "runtime/params.h"

enum { WARM_UP = 2 };

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int
ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
fill_inputs(struct rx_session *session, int program, int batch)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const struct rx_plan_program *p = &plan->program[program];
    float *x = rx_session_tensor(session, p->input);  // [N][H][W][C]
    const int64_t n = (int64_t)batch * plan->image_h * plan->image_w * plan->image_c;
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
        const double flops = (q->flops_image * n + q->flops_fixed) * calls[k];
        const double bytes = (q->bytes_image * n + q->bytes_fixed) * calls[k];
        json_array_append_new(
            rows, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f}", "name", q->name, "calls",
                            calls[k], "ms", of[k] * 1e3, "flops", flops, "bytes", bytes, "gflops",
                            flops / of[k] * 1e-9, "gbytes_per_s", bytes / of[k] * 1e-9));
    }
    free(of);
    free(calls);
    return rows;
}

static int
report(const struct rx_settings *s, json_t *result, struct rx_error *error)
{
    if (s->json) {
        if (rx_json_line(stdout, result) != 0)
            return rx_error_refused(error, "standard output: cannot be written: %s",
                                    strerror(errno));
        return RX_OK;
    }
    printf("%s, batch %d: %.2f images/s, %.2f ms a step, %.0f MB\n", s->mode, s->recipe.batch,
           json_number_value(json_object_get(result, "images_per_s")),
           json_number_value(json_object_get(result, "ms_per_step")),
           json_number_value(json_object_get(result, "peak_bytes")) / 1e6);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(result, "kernels"), i, row)
        printf("%9.3f ms %8.1f GFLOP/s %7.1f GB/s %5lld x %s\n",
               json_number_value(json_object_get(row, "ms")),
               json_number_value(json_object_get(row, "gflops")),
               json_number_value(json_object_get(row, "gbytes_per_s")),
               (long long)json_integer_value(json_object_get(row, "calls")),
               json_string_value(json_object_get(row, "name")));
    json_decref(result);
    return RX_OK;
}

int
rx_bench(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    const int train = strcmp(s->mode, "train") == 0, n = s->recipe.batch;
    const int program = train ? RX_PROGRAM_TRAIN : RX_PROGRAM_INFER;
    struct rx_session *session = NULL;
    const int status = rx_session_open(plan, n, (int)s->threads, &session, error);
    if (status != RX_OK)
        return status;
    rx_params_init(session, (uint64_t)s->seed);
    float *hyper = rx_session_tensor(session, plan->hyper);
    hyper[RX_HYPER_LR] = 1e-6f;  // real work without a run that diverges
    hyper[RX_HYPER_MOMENTUM] = (float)s->recipe.momentum;
    hyper[RX_HYPER_NESTEROV] = (float)s->recipe.nesterov;
    hyper[RX_HYPER_BN_MOMENTUM] = 0.1f;
    rx_session_run(session, RX_PROGRAM_FOLD, 1);
    double *step = rx_memory_alloc((size_t)s->steps * sizeof *step);
    double *seconds = rx_memory_alloc((size_t)plan->program[program].n_steps * sizeof *seconds);
    for (int64_t i = -WARM_UP; i < s->steps; i++) {
        fill_inputs(session, program, n);
        const double before = now();
        if (s->kernels && i >= 0)
            rx_session_run_timed(session, program, n, seconds);
        else
            rx_session_run(session, program, n);
        if (i >= 0)
            step[i] = now() - before;
    }
    qsort(step, (size_t)s->steps, sizeof *step, ascending);
    const double median = step[s->steps / 2];
    json_t *result =
        json_pack("{s:s, s:i, s:f, s:f, s:I}", "mode", s->mode, "batch", n, "images_per_s",
                  n / median, "ms_per_step", median * 1e3, "peak_bytes",
                  (json_int_t)rx_session_bytes(plan, n, (int)s->threads));
    if (s->kernels)
        json_object_set_new(result, "kernels", kernel_rows(plan, program, n, seconds, s->steps));
    free(step);
    free(seconds);
    rx_session_close(session);
    return report(s, result, error);
}
