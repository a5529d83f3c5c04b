// The table of bench --kernels.
#include "runtime/bench_kernels.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

static double
number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static json_t *
make_row(const struct rx_plan_kernel *k, int n, int calls, double seconds)
{
    const double time = seconds > 0 ? seconds : 1e-9;  // the clock's own grain
    const double flops = (k->flops_image * n + k->flops_fixed) * calls;
    const double bytes = (k->bytes_image * n + k->bytes_fixed) * calls;
    return json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f}", "name", k->name, "calls", calls, "ms",
                     seconds * 1e3, "flops", flops, "bytes", bytes, "gflops", flops / time * 1e-9,
                     "gbytes_per_s", bytes / time * 1e-9);
}

static int
slowest_first(const void *a, const void *b)
{
    const double x = number(*(json_t *const *)a, "ms"), y = number(*(json_t *const *)b, "ms");
    return (x < y) - (x > y);
}

void
rx_bench_kernels_add(json_t *result, const struct rx_plan *plan, int program, int n,
                     const double *seconds)
{
    const struct rx_plan_program *p = &plan->program[program];
    const size_t n_kernels = (size_t)plan->n_kernels;
    double *of = rx_memory_alloc(n_kernels * sizeof *of);
    int *calls = rx_memory_alloc(n_kernels * sizeof *calls);
    json_t **row = rx_memory_alloc(n_kernels * sizeof *row);
    for (int i = 0; i < p->n_steps; i++) {
        of[p->step[i].kernel] += seconds[i];
        calls[p->step[i].kernel]++;
    }
    size_t n_rows = 0;
    for (size_t k = 0; k < n_kernels; k++)
        if (calls[k] > 0)
            row[n_rows++] = make_row(&plan->kernel[k], n, calls[k], of[k]);
    qsort(row, n_rows, sizeof *row, slowest_first);
    json_t *rows = json_array();
    for (size_t i = 0; i < n_rows; i++)
        json_array_append_new(rows, row[i]);
    json_object_set_new(result, "kernels", rows);
    free(of);
    free(calls);
    free(row);
}

static double
greater(double a, double b)
{
    return a > b ? a : b;
}

void
rx_bench_kernels_rate(json_t *result, const struct rx_peak *before, const struct rx_peak *after)
{
    const double flops_peak = greater(before->gflops, after->gflops);
    const double bytes_peak = greater(before->gbytes_per_s, after->gbytes_per_s);
    double flops = 0;
    const json_t *rows = json_object_get(result, "kernels");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        flops += number(row, "flops");
        const double share =
            greater(number(row, "gflops") / flops_peak, number(row, "gbytes_per_s") / bytes_peak);
        json_object_set_new(row, "share", json_real(share));
    }
    json_t *peaks =
        json_pack("{s:f, s:f, s:[f, f], s:[f, f]}", "peak_gflops", flops_peak, "peak_gbytes_per_s",
                  bytes_peak, "measured_gflops", before->gflops, after->gflops,
                  "measured_gbytes_per_s", before->gbytes_per_s, after->gbytes_per_s);
    json_object_update_new(result, peaks);
    json_object_set_new(result, "share",
                        json_real(flops / number(result, "ms_per_step") * 1e-6 / flops_peak));
}

static void
print_row(const json_t *row, const char *name)
{
    printf("%9.3f %9.1f %8.1f %6.1f %% %5lld  %s\n", number(row, "ms"), number(row, "gflops"),
           number(row, "gbytes_per_s"), 100 * number(row, "share"),
           (long long)json_integer_value(json_object_get(row, "calls")), name);
}

void
rx_bench_kernels_print(const json_t *result)
{
    const json_t *rows = json_object_get(result, "kernels");
    const json_t *gflops = json_object_get(result, "measured_gflops");
    const json_t *gbytes = json_object_get(result, "measured_gbytes_per_s");
    printf(
        "peaks before and after: %.1f, %.1f GFLOP/s; %.1f, %.1f GB/s\n",
        json_number_value(json_array_get(gflops, 0)), json_number_value(json_array_get(gflops, 1)),
        json_number_value(json_array_get(gbytes, 0)), json_number_value(json_array_get(gbytes, 1)));
    printf("%9s %9s %8s %8s %5s  kernel (of one step)\n", "ms", "GFLOP/s", "GB/s", "share",
           "calls");
    double ms = 0, flops = 0, bytes = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        print_row(row, json_string_value(json_object_get(row, "name")));
        ms += number(row, "ms");
        flops += number(row, "flops");
        bytes += number(row, "bytes");
    }
    printf("%9.3f %9.1f %8.1f %6.1f %%        all of them; of the peak of multiply-adds\n", ms,
           flops / ms * 1e-6, bytes / ms * 1e-6, 100 * number(result, "share"));
}
