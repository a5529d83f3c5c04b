// The driver of --only: a small program that runs one kernel beside the reference, compares every
// operand that it writes, and times it.
#include "gen/render/render.h"

static void
print_chain(const struct rx_chain *c, struct rx_text *out)
{
    rx_text_printf(out, "{.n = %d, .result = %d, .step = {", c->n, c->result);
    for (int i = 0; i < c->n; i++)
        rx_text_printf(out, "{%d, %d, %d, %d, %d}, ", (int)c->step[i].op, c->step[i].a,
                       c->step[i].b, c->step[i].operand, c->step[i].row);
    rx_text_add(out, "}}");
}

static void
print_problem(const struct rx_problem *p, struct rx_text *out)
{
    const struct rx_geometry *g = &p->geometry;
    rx_text_printf(
        out,
        "static const struct rx_problem PROBLEM = {\n    .op = %d,\n    .hyper_row = %d,\n"
        "    .geometry = {%d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d},\n"
        "    .n_operands = %d,\n    .operand = {\n",
        (int)p->op, p->hyper_row, g->h, g->w, g->c, g->oh, g->ow, g->k, g->groups, g->r, g->s,
        g->stride, g->pad, p->n_operands);
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        rx_text_printf(out, "        {%d, %d, %d, %d, %d, %lld, %d, \"%s\"},\n", (int)o->kind,
                       (int)o->dtype, (int)o->domain, o->access, o->rows, (long long)o->c, o->pitch,
                       o->name);
    }
    rx_text_add(out, "    },\n    .prologue = {");
    print_chain(&p->prologue[0], out);
    rx_text_add(out, ", ");
    print_chain(&p->prologue[1], out);
    rx_text_add(out, "},\n    .epilogue = ");
    print_chain(&p->epilogue, out);
    rx_text_add(out, ",\n};\n\n");
}

static const char BODY[] =
    "enum { OPERANDS = sizeof PROBLEM.operand / sizeof PROBLEM.operand[0] };\n"
    "\n"
    "static double\n"
    "now(void)\n"
    "{\n"
    "    struct timespec t;\n"
    "    clock_gettime(CLOCK_MONOTONIC, &t);\n"
    "    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;\n"
    "}\n"
    "\n"
    "// Values in [0.25, 1) so that variances and scales are sensible; small integers elsewhere.\n"
    "static void\n"
    "fill(const struct rx_operand *o, void *memory, size_t bytes)\n"
    "{\n"
    "    uint32_t state = 12345;\n"
    "    const size_t size = (size_t)rx_dtype_bytes(o->dtype);\n"
    "    for (size_t i = 0; i < bytes / size; i++) {\n"
    "        state = state * 1664525u + 1013904223u;\n"
    "        const double v = 0.25 + 0.75 * (state >> 8) / (1 << 24);\n"
    "        if (o->dtype == RX_F32)\n"
    "            ((float *)memory)[i] = (float)(o->kind == RX_OPERAND_MAP ? 2 * v - 1.25 : v);\n"
    "        else if (o->dtype == RX_F64)\n"
    "            ((double *)memory)[i] = v + 2;\n"
    "    }\n"
    "}\n"
    "\n"
    "static double\n"
    "value(const struct rx_operand *o, const void *memory, size_t i)\n"
    "{\n"
    "    if (o->dtype == RX_F32)\n"
    "        return ((const float *)memory)[i];\n"
    "    if (o->dtype == RX_F64)\n"
    "        return ((const double *)memory)[i];\n"
    "    return ((const uint8_t *)memory)[i];\n"
    "}\n"
    "\n"
    "// The largest difference relative to the operand's rms: f32 rounding of long sums.\n"
    "static double\n"
    "difference(const struct rx_operand *o, const void *a, const void *b, size_t bytes)\n"
    "{\n"
    "    const size_t n = bytes / (size_t)rx_dtype_bytes(o->dtype);\n"
    "    double squares = 0, most = 0;\n"
    "    for (size_t i = 0; i < n; i++) {\n"
    "        const double x = value(o, a, i), y = value(o, b, i), d = fabs(x - y);\n"
    "        squares += y * y;\n"
    "        most = !(d <= most) ? d : most;\n"
    "    }\n"
    "    return squares > 0 ? most / sqrt(squares / (double)n) : most;\n"
    "}\n"
    "\n"
    "int\n"
    "main(int argc, char **argv)\n"
    "{\n"
    "    const double tolerance = 1e-3;\n"
    "    const int n = argc > 1 ? atoi(argv[1]) : 2, repeats = 20;\n"
    "    void *ours[OPERANDS], *theirs[OPERANDS];\n"
    "    size_t bytes[OPERANDS];\n"
    "    for (int i = 0; i < PROBLEM.n_operands; i++) {\n"
    "        bytes[i] = (size_t)rx_reference_operand_bytes(&PROBLEM, i, n, 1);\n"
    "        ours[i] = aligned_alloc(64, (bytes[i] + 127) / 64 * 64);\n"
    "        theirs[i] = aligned_alloc(64, (bytes[i] + 127) / 64 * 64);\n"
    "        if (ours[i] == NULL || theirs[i] == NULL)\n"
    "            return 1;\n"
    "        memset(ours[i], 0, bytes[i]);\n"
    "        fill(&PROBLEM.operand[i], ours[i], bytes[i]);\n"
    "        memcpy(theirs[i], ours[i], bytes[i]);\n"
    "    }\n"
    "    const int64_t tasks = (n * TASK_IMAGE + TASK_FIXED + TASK_DIVISOR - 1) / TASK_DIVISOR;\n"
    "    const struct rx_call call = {.n = n,\n"
    "                                 .n_threads = 1,\n"
    "                                 .last = tasks,\n"
    "                                 .scratch = aligned_alloc(64, SCRATCH_BYTES + 64)};\n"
    "    if (call.scratch == NULL)\n"
    "        return 1;\n"
    "    KERNEL(&call, ours);\n"
    "    rx_reference_run(&PROBLEM, n, 1, theirs);\n"
    "    double worst = 0;\n"
    "    for (int i = 0; i < PROBLEM.n_operands; i++) {\n"
    "        const struct rx_operand *o = &PROBLEM.operand[i];\n"
    "        if (!(o->access & RX_WRITE))\n"
    "            continue;\n"
    "        const double d = difference(o, ours[i], theirs[i], bytes[i]);\n"
    "        worst = !(d <= worst) ? d : worst;\n"
    "    }\n"
    "    double best = 1e30;\n"
    "    for (int i = 0; i < repeats; i++) {\n"
    "        const double before = now();\n"
    "        KERNEL(&call, ours);\n"
    "        best = fmin(best, now() - before);\n"
    "    }\n"
    "    const int good = worst <= tolerance;\n"
    "    printf(\"check %s: largest error %.3g of the rms\\n\", good ? \"ok\" : \"FAILED\", "
    "worst);\n"
    "    printf(\"time %.3f ms at batch %d on one thread, %.1f GFLOP/s\\n\", best * 1e3, n,\n"
    "           (n * FLOPS_IMAGE + FLOPS_FIXED) / best * 1e-9);\n"
    "    return !good;\n"
    "}\n";

int
rx_render_driver(const struct rx_machine *machine, const struct rx_kernel *kernel,
                 struct rx_text *source, struct rx_error *error)
{
    (void)machine, (void)error;
    rx_text_printf(
        source,
        "// Checks and times %s: driver [BATCH]\n//\n// Generated by rxgen.\n\n"
        "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
        "#include <string.h>\n#include <time.h>\n\n#include \"runtime/kernel.h\"\n"
        "#include \"runtime/reference.h\"\n\nrx_kernel_fn %s;\n\n"
        "#define KERNEL %s\n\n"
        "static const int64_t TASK_IMAGE = %lld, TASK_FIXED = %lld, TASK_DIVISOR = %lld;\n"
        "static const size_t SCRATCH_BYTES = %lld;\n"
        "static const double FLOPS_IMAGE = %.17g, FLOPS_FIXED = %.17g;\n\n",
        kernel->name, kernel->name, kernel->name, (long long)kernel->task_image,
        (long long)kernel->task_fixed, (long long)kernel->task_divisor,
        (long long)kernel->scratch_bytes, kernel->flops_image, kernel->flops_fixed);
    print_problem(kernel->problem, source);
    rx_text_add(source, BODY);
    return RX_OK;
}
