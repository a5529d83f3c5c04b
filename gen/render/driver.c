// The driver of --only: a small program that runs one kernel beside the reference, compares every
// operand that it writes, and times it.
#include <ctype.h>
#include <string.h>

#include "gen/render/render.h"

// An enumerator: the prefix and the text in capitals.
static void
print_enumerator(const char *prefix, const char *text, struct rx_text *out)
{
    rx_text_add(out, prefix);
    for (; *text; text++)
        rx_text_printf(out, "%c", toupper((unsigned char)*text));
}

static void
print_operand(const struct rx_operand *o, struct rx_text *out)
{
    static const char *const domain[] = {"RX_DOMAIN_NONE", "RX_DOMAIN_IN", "RX_DOMAIN_OUT"};
    static const char *const access[] = {"0", "RX_READ", "RX_WRITE", "RX_READ | RX_WRITE"};
    rx_text_add(out, "        {");
    print_enumerator("RX_OPERAND_", rx_operand_kind_text(o->kind), out);
    print_enumerator(", RX_", rx_dtype_text(o->dtype), out);
    rx_text_printf(out, ", %s, %s, %d, %lld, %d, \"%s\"},\n", domain[o->domain],
                   access[o->access & (RX_READ | RX_WRITE)], o->rows, (long long)o->c, o->pitch,
                   o->name);
}

static void
print_chain(const char *name, const struct rx_chain *c, struct rx_text *out)
{
    rx_text_printf(out, "    %s = {\n        .n = %d,\n        .result = %d,\n        .step = {\n",
                   name, c->n, c->result);
    for (int i = 0; i < c->n; i++) {
        const struct rx_step *s = &c->step[i];
        print_enumerator("            {RX_STEP_", rx_step_op_text(s->op), out);
        rx_text_printf(out, ", %d, %d, %d, %d},\n", s->a, s->b, s->operand, s->row);
    }
    rx_text_add(out, "        },\n    },\n");
}

static void
print_problem(const struct rx_problem *p, struct rx_text *out)
{
    const struct rx_geometry *g = &p->geometry;
    rx_text_add(out, "// clang-format off\nstatic const struct rx_problem problem = {\n    .op = ");
    print_enumerator("RX_PROBLEM_", rx_problem_op_text(p->op), out);
    rx_text_add(out, p->products == RX_BF16 ? ",\n    .products = RX_BF16" : "");
    rx_text_printf(out,
                   ",\n    .hyper_row = %d,\n"
                   "    // h, w, c, oh, ow, k, groups, r, s, stride, pad\n"
                   "    .geometry = {%d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d},\n"
                   "    .n_operands = %d,\n"
                   "    // kind, dtype, domain, access, rows, c, pitch, name\n    .operand = {\n",
                   p->hyper_row, g->h, g->w, g->c, g->oh, g->ow, g->k, g->groups, g->r, g->s,
                   g->stride, g->pad, p->n_operands);
    for (int i = 0; i < p->n_operands; i++)
        print_operand(&p->operand[i], out);
    rx_text_add(out, "    },\n    // op, a, b, operand, row\n");
    print_chain(".prologue[0]", &p->prologue[0], out);
    print_chain(".prologue[1]", &p->prologue[1], out);
    print_chain(".epilogue", &p->epilogue, out);
    rx_text_add(out, "};\n// clang-format on\n\n");
}

static const char common[] =
    "enum { OPERANDS = sizeof problem.operand / sizeof problem.operand[0], REPEATS = 21 };\n"
    "\n"
    "// Results differ by the rounding of f32 sums, which are at most some ten thousand terms "
    "long:\n"
    "// about 2^-24 times the root of that, and a few times more at the worst of many elements.\n"
    "static const double tolerance = 1e-4;\n"
    "\n"
    "// Sums see bf16 values as they are stored: one in about a thousand is so near to a border "
    "that "
    "it\n"
    "// is rounded the other way, by 2^-8. Of ten thousand of them that is 3 * 2^-8 in 100.\n"
    "static const double tolerance_bf16_sums = 1e-3;\n"
    "\n"
    "// The same of what is multiplied, where it is rounded to bf16.\n"
    "static const double tolerance_bf16_products = 4e-3;\n"
    "\n"
    "static size_t\n"
    "element_bytes(const struct rx_operand *o)\n"
    "{\n"
    "    return (size_t)rx_dtype_bytes(o->dtype == RX_BF16X2 ? RX_BF16 : o->dtype);\n"
    "}\n"
    "\n"
    "// Maps and weights in [-1, 1); coefficients, variances and settings in [0.25, 1); statistics "
    "in\n"
    "// [2, 3); taps and labels that exist.\n"
    "static void\n"
    "fill(const struct rx_operand *o, void *memory, size_t bytes)\n"
    "{\n"
    "    const struct rx_geometry *g = &problem.geometry;\n"
    "    const int positive =\n"
    "        o->kind == RX_OPERAND_COEF || o->kind == RX_OPERAND_VECTOR || o->kind == "
    "RX_OPERAND_HYPER;\n"
    "    uint32_t state = 12345;\n"
    "    for (size_t i = 0; i < bytes / element_bytes(o); i++) {\n"
    "        state = state * 1664525u + 1013904223u;\n"
    "        const double v = (double)(state >> 8) / (1 << 24);\n"
    "        if (o->dtype == RX_F32)\n"
    "            ((float *)memory)[i] = (float)(positive ? 0.25 + 0.75 * v : 2 * v - 1);\n"
    "        else if (o->dtype == RX_BF16 || o->dtype == RX_BF16X2)\n"
    "            ((uint16_t *)memory)[i] = rx_bf16_round((float)(2 * v - 1));\n"
    "        else if (o->dtype == RX_F64)\n"
    "            ((double *)memory)[i] = 2 + v;\n"
    "        else if (o->dtype == RX_U8)\n"
    "            ((uint8_t *)memory)[i] = (uint8_t)(v * g->r * g->s);\n"
    "        else\n"
    "            ((int32_t *)memory)[i] = (int32_t)(v * g->k);\n"
    "    }\n"
    "}\n"
    "\n"
    "static double\n"
    "value(const struct rx_operand *o, const void *memory, size_t i)\n"
    "{\n"
    "    if (o->dtype == RX_F32)\n"
    "        return (double)((const float *)memory)[i];\n"
    "    if (o->dtype == RX_BF16 || o->dtype == RX_BF16X2)\n"
    "        return (double)rx_bf16_widen(((const uint16_t *)memory)[i]);\n"
    "    return o->dtype == RX_F64 ? ((const double *)memory)[i] : ((const uint8_t *)memory)[i];\n"
    "}\n"
    "\n"
    "// The largest difference relative to the operand's root mean square; NaN where one is NaN. "
    "A\n"
    "// value near a border of bf16 may be rounded either way: one unit in the last place is "
    "free.\n"
    "static double\n"
    "difference(const struct rx_operand *o, const void *a, const void *b, size_t bytes)\n"
    "{\n"
    "    const size_t n = bytes / element_bytes(o);\n"
    "    double squares = 0, worst = 0;\n"
    "    for (size_t i = 0; i < n; i++) {\n"
    "        const double x = value(o, a, i), y = value(o, b, i);\n"
    "        const double unit = o->dtype == RX_BF16 ? 0x1p-7 * fabs(y) : 0;\n"
    "        const double d = fabs(x - y) - unit;\n"
    "        squares += y * y;\n"
    "        if (!(d <= worst))\n"
    "            worst = d;\n"
    "    }\n"
    "    return squares > 0 ? worst / sqrt(squares / (double)n) : worst;\n"
    "}\n"
    "\n"
    "static double\n"
    "tolerance_of(const struct rx_operand *o)\n"
    "{\n"
    "    int bf16 = 0;\n"
    "    if (rounds_products)\n"
    "        return tolerance_bf16_products;\n"
    "    for (int i = 0; i < problem.n_operands; i++)\n"
    "        bf16 |= problem.operand[i].dtype == RX_BF16;\n"
    "    return bf16 && o->dtype == RX_F64 ? tolerance_bf16_sums : tolerance;\n"
    "}\n"
    "\n"
    "static void *\n"
    "allocate(size_t bytes)\n"
    "{\n"
    "    void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);\n"
    "    if (memory == NULL)\n"
    "        exit(1);\n"
    "    return memory;\n"
    "}\n"
    "\n"
    "static int\n"
    "compare_times(const void *a, const void *b)\n"
    "{\n"
    "    const double x = *(const double *)a, y = *(const double *)b;\n"
    "    return (x > y) - (x < y);\n"
    "}\n"
    "\n"
    "// The largest difference of what the kernel writes; `good` becomes 0 where one is too "
    "large.\n"
    "static double\n"
    "compare(void *const *ours, void *const *reference, const size_t *bytes, int *good)\n"
    "{\n"
    "    double worst = 0;\n"
    "    for (int i = 0; i < problem.n_operands; i++) {\n"
    "        const struct rx_operand *o = &problem.operand[i];\n"
    "        if (!(o->access & RX_WRITE))\n"
    "            continue;\n"
    "        const double d = difference(o, ours[i], reference[i], bytes[i]);\n"
    "        if (!(d <= worst))\n"
    "            worst = d;\n"
    "        *good &= d <= tolerance_of(o);\n"
    "    }\n"
    "    return worst;\n"
    "}\n"
    "\n"
    "static int\n"
    "report(int good, double worst, double *seconds, int n, const char *where)\n"
    "{\n"
    "    qsort(seconds, REPEATS, sizeof *seconds, compare_times);\n"
    "    const double median = seconds[REPEATS / 2];\n"
    "    const double gflops = (n * flops_image + flops_fixed) / median * 1e-9;\n"
    "    printf(\"check %s max relative error %.3g of the rms\\n\", good ? \"ok\" : \"FAILED\", "
    "worst);\n"
    "    printf(\"time %.4g ms at batch %d on %s, median of %d\\n\", median * 1e3, n, where, "
    "REPEATS);\n"
    "    printf(\"rate %.1f GFLOP/s\\n\", gflops);\n"
    "    return !good;\n"
    "}\n"
    "\n";

static const char main_table[] =
    "static double\n"
    "now(void)\n"
    "{\n"
    "    struct timespec t;\n"
    "    clock_gettime(CLOCK_MONOTONIC, &t);\n"
    "    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;\n"
    "}\n"
    "\n"
    "int\n"
    "main(int argc, char **argv)\n"
    "{\n"
    "    const int n = argc > 1 ? atoi(argv[1]) : 2;\n"
    "    void *ours[OPERANDS], *reference[OPERANDS];\n"
    "    size_t bytes[OPERANDS];\n"
    "    struct rx_error error = {0};\n"
    "    if (n < 1)\n"
    "        return 2;\n"
    "    if (rx_device_check(arch, &error) != RX_OK) {\n"
    "        fprintf(stderr, \"%s\\n\", error.text);\n"
    "        return 1;\n"
    "    }\n"
    "    for (int i = 0; i < problem.n_operands; i++) {\n"
    "        bytes[i] = (size_t)rx_reference_operand_bytes(&problem, i, n, 1);\n"
    "        ours[i] = allocate(bytes[i]);\n"
    "        reference[i] = allocate(bytes[i]);\n"
    "        fill(&problem.operand[i], ours[i], bytes[i]);\n"
    "        memcpy(reference[i], ours[i], bytes[i]);\n"
    "    }\n"
    "    const int64_t tasks = (n * task_image + task_fixed + task_divisor - 1) / task_divisor;\n"
    "    const struct rx_call call = {\n"
    "        .n = n, .n_threads = 1, .parts = 1, .last = tasks, .scratch = "
    "allocate(scratch_bytes)};\n"
    "    kernel(&call, ours);\n"
    "    rx_reference_run(&problem, n, 1, reference);\n"
    "    double seconds[REPEATS];\n"
    "    int good = 1;\n"
    "    const double worst = compare(ours, reference, bytes, &good);\n"
    "    for (int i = 0; i < REPEATS; i++) {\n"
    "        const double before = now();\n"
    "        kernel(&call, ours);\n"
    "        seconds[i] = now() - before;\n"
    "    }\n"
    "    return report(good, worst, seconds, n, \"one thread\");\n"
    "}\n";

// The check has its sums in one part, as the reference has; the times are those of all parts.
static const char main_launch[] =
    "static void\n"
    "check(int status, const struct rx_error *error)\n"
    "{\n"
    "    if (status == RX_OK)\n"
    "        return;\n"
    "    fprintf(stderr, \"%s\\n\", error->text);\n"
    "    exit(1);\n"
    "}\n"
    "\n"
    "int\n"
    "main(int argc, char **argv)\n"
    "{\n"
    "    const int n = argc > 1 ? atoi(argv[1]) : 2;\n"
    "    const int parts = plan_kernel.parts > 0 ? plan_kernel.parts : 1;\n"
    "    void *ours[OPERANDS], *reference[OPERANDS], *device[OPERANDS];\n"
    "    size_t bytes[OPERANDS];\n"
    "    struct rx_error error = {0};\n"
    "    struct rx_device d;\n"
    "    struct rx_pool pool;\n"
    "    if (n < 1)\n"
    "        return 2;\n"
    "    check(rx_device_open(&d, &error), &error);\n"
    "    check(rx_pool_open(&d, &plan, &pool, &error), &error);\n"
    "    for (int i = 0; i < problem.n_operands; i++) {\n"
    "        bytes[i] = (size_t)rx_reference_operand_bytes(&problem, i, n, 1);\n"
    "        ours[i] = allocate(bytes[i]);\n"
    "        reference[i] = allocate(bytes[i]);\n"
    "        fill(&problem.operand[i], ours[i], bytes[i]);\n"
    "        memcpy(reference[i], ours[i], bytes[i]);\n"
    "        const int64_t all = rx_reference_operand_bytes(&problem, i, n, parts);\n"
    "        check(rx_device_alloc(&d, all, &device[i], &error), &error);\n"
    "        const int to = RX_CUDA_TO_DEVICE;\n"
    "        const int copied = d.copy(device[i], ours[i], bytes[i], to, pool.stream);\n"
    "        check(rx_device_check(&d, copied, \"copying operands\", &error), &error);\n"
    "    }\n"
    "    int code = rx_pool_launch(&pool, 0, n, 1, device, problem.n_operands);\n"
    "    for (int i = 0; i < problem.n_operands && code == 0; i++)\n"
    "        code = d.copy(ours[i], device[i], bytes[i], RX_CUDA_TO_HOST, pool.stream);\n"
    "    if (code == 0)\n"
    "        code = d.synchronize(pool.stream);\n"
    "    check(rx_device_check(&d, code, plan_kernel.name, &error), &error);\n"
    "    rx_reference_run(&problem, n, 1, reference);\n"
    "    double seconds[REPEATS];\n"
    "    int good = 1;\n"
    "    const double worst = compare(ours, reference, bytes, &good);\n"
    "    void *from = NULL, *to = NULL;\n"
    "    code = d.event_create(&from) != 0 || d.event_create(&to) != 0;\n"
    "    for (int i = 0; i < REPEATS && code == 0; i++) {\n"
    "        float milliseconds = 0;\n"
    "        code = d.event_record(from, pool.stream);\n"
    "        if (code == 0)\n"
    "            code = rx_pool_launch(&pool, 0, n, parts, device, problem.n_operands);\n"
    "        if (code == 0)\n"
    "            code = d.event_record(to, pool.stream);\n"
    "        if (code == 0)\n"
    "            code = d.synchronize(pool.stream);\n"
    "        if (code == 0)\n"
    "            code = d.event_elapsed(&milliseconds, from, to);\n"
    "        seconds[i] = 1e-3 * (double)milliseconds;\n"
    "    }\n"
    "    check(rx_device_check(&d, code, plan_kernel.name, &error), &error);\n"
    "    return report(good, worst, seconds, n, \"the device\");\n"
    "}\n";

static void
print_includes(const struct rx_kernel *k, struct rx_text *out)
{
    const int launch = k->language->style == RX_CALL_LAUNCH;
    rx_text_printf(out,
                   "// Checks and times one kernel: driver [BATCH]\n//   %s\n//\n"
                   "// Generated by rxgen -- do not edit.\n"
                   "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
                   "#include <string.h>\n%s\n#include \"runtime/base/bf16.h\"\n",
                   k->name, launch ? "" : "#include <time.h>\n");
    rx_text_add(out, launch
                         ? "#include \"runtime/cuda/pool.h\"\n#include \"runtime/reference.h\"\n\n"
                         : "#include \"runtime/cpu/device.h\"\n#include \"runtime/kernel.h\"\n"
                           "#include \"runtime/reference.h\"\n\n");
}

// What is called: a function, or a plan of one kernel that the runtime loads and launches.
static void
print_called(const struct rx_machine *machine, const struct rx_kernel *k, struct rx_text *out)
{
    if (k->language->style == RX_CALL_LAUNCH) {
        rx_text_printf(
            out,
            "static const struct rx_plan_kernel plan_kernel = {\n    .name = \"%s\",\n"
            "    .task_image = %lld,\n    .task_fixed = %lld,\n    .task_divisor = %lld,\n"
            "    .columns = %d,\n    .block = %d,\n    .shared_bytes = %d,\n    .parts = %d,\n};\n"
            "static const struct rx_plan plan = {\n    .arch = \"%s\",\n"
            "    .n_kernels = 1,\n    .kernel = &plan_kernel,\n};\n",
            k->name, (long long)k->task_image, (long long)k->task_fixed, (long long)k->task_divisor,
            k->columns, k->block, k->shared_bytes, k->parts, machine->arch);
        return;
    }
    const int long_name = strlen("static rx_kernel_fn *const kernel = ;") + strlen(k->name) > 100;
    rx_text_printf(
        out,
        "rx_kernel_fn %s;\n\nstatic rx_kernel_fn *const kernel =%s%s;\n"
        "static const int64_t task_image = %lld, task_fixed = %lld, task_divisor = %lld;\n"
        "static const size_t scratch_bytes = %lld;\nstatic const char arch[] = \"%s\";\n",
        k->name, long_name ? "\n    " : " ", k->name, (long long)k->task_image,
        (long long)k->task_fixed, (long long)k->task_divisor, (long long)k->scratch_bytes,
        machine->arch);
}

int
rx_render_driver(const struct rx_machine *machine, const struct rx_kernel *k,
                 struct rx_text *source, struct rx_error *error)
{
    (void)error;
    // Tensor cores multiply bf16 whatever the problem says of its weights.
    const int rounds =
        k->problem->products == RX_BF16 || strstr(k->config.skeleton, ".mma") != NULL;
    print_includes(k, source);
    print_called(machine, k, source);
    rx_text_printf(source,
                   "static const double flops_image = %.17g, flops_fixed = %.17g;\n"
                   "static const int rounds_products = %d;  // to bf16\n\n",
                   k->flops_image, k->flops_fixed, rounds);
    print_problem(k->problem, source);
    rx_text_add(source, common);
    rx_text_add(source, k->language->style == RX_CALL_LAUNCH ? main_launch : main_table);
    return RX_OK;
}
