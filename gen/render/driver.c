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

static const char body[] =
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
    "static double\n"
    "now(void)\n"
    "{\n"
    "    struct timespec t;\n"
    "    clock_gettime(CLOCK_MONOTONIC, &t);\n"
    "    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;\n"
    "}\n"
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
    "    if (problem.products == RX_BF16)\n"
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
    "int\n"
    "main(int argc, char **argv)\n"
    "{\n"
    "    const int n = argc > 1 ? atoi(argv[1]) : 2;\n"
    "    void *ours[OPERANDS], *reference[OPERANDS];\n"
    "    size_t bytes[OPERANDS];\n"
    "    if (n < 1)\n"
    "        return 2;\n"
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
    "    double worst = 0, seconds[REPEATS];\n"
    "    int good = 1;\n"
    "    for (int i = 0; i < problem.n_operands; i++) {\n"
    "        const struct rx_operand *o = &problem.operand[i];\n"
    "        if (!(o->access & RX_WRITE))\n"
    "            continue;\n"
    "        const double d = difference(o, ours[i], reference[i], bytes[i]);\n"
    "        if (!(d <= worst))\n"
    "            worst = d;\n"
    "        good &= d <= tolerance_of(o);\n"
    "    }\n"
    "    for (int i = 0; i < REPEATS; i++) {\n"
    "        const double before = now();\n"
    "        kernel(&call, ours);\n"
    "        seconds[i] = now() - before;\n"
    "    }\n"
    "    qsort(seconds, REPEATS, sizeof *seconds, compare_times);\n"
    "    const double median = seconds[REPEATS / 2];\n"
    "    const double gflops = (n * flops_image + flops_fixed) / median * 1e-9;\n"
    "    printf(\"check %s max relative error %.3g of the rms\\n\", good ? \"ok\" : \"FAILED\", "
    "worst);\n"
    "    printf(\"time %.4g ms at batch %d on one thread, median of %d\\n\", median * 1e3, n, "
    "REPEATS);\n"
    "    printf(\"rate %.1f GFLOP/s\\n\", gflops);\n"
    "    return !good;\n"
    "}\n";

int
rx_render_driver(const struct rx_machine *machine, const struct rx_kernel *k,
                 struct rx_text *source, struct rx_error *error)
{
    (void)machine, (void)error;
    const int long_name = strlen("static rx_kernel_fn *const kernel = ;") + strlen(k->name) > 100;
    rx_text_printf(
        source,
        "// Checks and times one kernel: driver [BATCH]\n//   %s\n//\n"
        "// Generated by rxgen -- do not edit.\n"
        "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
        "#include <string.h>\n#include <time.h>\n\n#include \"runtime/base/bf16.h\"\n"
        "#include \"runtime/kernel.h\"\n"
        "#include \"runtime/reference.h\"\n\nrx_kernel_fn %s;\n\n"
        "static rx_kernel_fn *const kernel =%s%s;\n"
        "static const int64_t task_image = %lld, task_fixed = %lld, task_divisor = %lld;\n"
        "static const size_t scratch_bytes = %lld;\n"
        "static const double flops_image = %.17g, flops_fixed = %.17g;\n\n",
        k->name, k->name, long_name ? "\n    " : " ", k->name, (long long)k->task_image,
        (long long)k->task_fixed, (long long)k->task_divisor, (long long)k->scratch_bytes,
        k->flops_image, k->flops_fixed);
    print_problem(k->problem, source);
    rx_text_add(source, body);
    return RX_OK;
}
