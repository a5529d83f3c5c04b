// Kernel cases with the configs that they run with.
#include "tests/support/kernel_case.h"

#include "gen/pass/region.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/select/name.h"
#include "runtime/base/memory.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/foreign.h"
#include "tests/support/kernel_batch.h"
#include "tests/support/kernel_configs.h"

enum { BATCH = 120, LABEL_CHARS = 256 };
enum { SAMPLE_EVERY = 3 };  // cases of which one runs with a second config

// Cases that wait to be compiled together.
struct batch {
    const struct rx_target *target;
    const struct rx_machine *machine;
    int n, failed;
    struct rx_kernel_case c[BATCH];
    struct rx_config config[BATCH];
    char label[BATCH][LABEL_CHARS];
};

static void
flush(struct batch *b)
{
    if (b->n > 0)
        b->failed += b->target == &rx_target_cuda ? rx_cuda_batch(b->c, b->n, b->machine)
                                                  : rx_kernel_batch(b->c, b->n, b->machine);
    b->n = 0;
}

static void
add(struct batch *b, const struct rx_kernel_case *c, const struct rx_config *config)
{
    struct rx_text text = {0};
    rx_config_print(config, &text);
    const int i = b->n++;
    snprintf(b->label[i], LABEL_CHARS, "%s, %s", c->label, rx_text_str(&text));
    rx_text_close(&text);
    b->config[i] = *config;
    b->c[i] = *c;
    b->c[i].config = &b->config[i];
    b->c[i].label = b->label[i];
    if (b->n == BATCH)
        flush(b);
}

// With RXGEN_TEST_CONFIGS=all every config; else the best, and now and then another one, which
// follows from the case's number.
static void
add_configs(struct batch *b, const struct rx_kernel_case *c, int number)
{
    static struct rx_config config[RX_CASE_CONFIGS_MAX];
    const char *mode = getenv("RXGEN_TEST_CONFIGS");
    const int n = rx_case_configs(b->target, b->machine, &c->problem, config, RX_CASE_CONFIGS_MAX);
    if (n < 1) {
        fprintf(stderr, "%s: no config is applicable\n", c->label);
        b->failed++;
    } else if (mode != NULL && strcmp(mode, "all") == 0) {
        for (int i = 0; i < n; i++)
            add(b, c, &config[i]);
    } else {
        add(b, c, &config[0]);
        if (number % SAMPLE_EVERY == 0 && n > 1)
            add(b, c, &config[1 + (int)((unsigned)number * 2654435761u >> 8) % (n - 1)]);
    }
}

static const struct rx_target *
target_of(const char *arch)
{
    return strncmp(arch, "sm_", 3) == 0 ? &rx_target_cuda : &rx_target_cpu;
}

int
rx_kernel_cases(const struct rx_kernel_case *cases, int n_cases, const char *arch)
{
    struct rx_error error = {0};
    struct rx_machine machine;
    const struct rx_target *target = target_of(arch);
    if (target == &rx_target_cuda)
        arch = rx_cuda_batch_arch(arch);
    if (target->machine(arch, &machine, &error) != RX_OK)
        return fprintf(stderr, "%s\n", error.text), n_cases;
    struct batch *b = rx_memory_alloc(sizeof *b);
    *b = (struct batch){.target = target, .machine = &machine};
    for (int i = 0; i < n_cases; i++) {
        struct rx_kernel_case c = cases[i];
        if (target == &rx_target_cuda && rx_pass_multiplies_bf16(&c.problem, machine.form))
            rx_case_to_products(&c.problem, machine.form);
        if (c.config != NULL)
            add(b, &c, c.config);
        else
            add_configs(b, &c, i);
    }
    flush(b);
    const int failed = b->failed;
    free(b);
    return failed;
}

int
rx_case_available(const char *arch)
{
    if (rx_foreign_is(arch))
        return rx_foreign_available();
    return strncmp(arch, "sm_", 3) != 0 || rx_cuda_batch_available();
}

int
rx_kernel_case(const struct rx_problem *problem, int n, int threads, const char *arch,
               double tolerance)
{
    const struct rx_kernel_case c = {
        .label = rx_problem_op_text(problem->op),
        .problem = *problem,
        .n = n,
        .threads = threads,
        .tolerance = tolerance,
    };
    return rx_kernel_cases(&c, 1, arch);
}

static enum rx_dtype
dtype_of(enum rx_operand_kind kind)
{
    return kind == RX_OPERAND_PARTIAL  ? RX_F64
           : kind == RX_OPERAND_INDEX  ? RX_U8
           : kind == RX_OPERAND_LABELS ? RX_I32
                                       : RX_F32;
}

int
rx_case_operand(struct rx_problem *problem, enum rx_operand_kind kind, enum rx_domain domain,
                int access, int64_t c, int rows, const char *name)
{
    struct rx_operand *o = &problem->operand[problem->n_operands];
    *o = (struct rx_operand){
        .kind = kind,
        .dtype = dtype_of(kind),
        .domain = domain,
        .access = access,
        .rows = rows,
        .c = c,
        .pitch = (int)(rows > 0 ? (c + 15) / 16 * 16 : c),
    };
    snprintf(o->name, sizeof o->name, "%s", name);
    return problem->n_operands++;
}

int
rx_case_step(struct rx_chain *chain, enum rx_step_op op, int a, int b, int operand, int row)
{
    chain->step[chain->n] = (struct rx_step){op, a, b, operand, row};
    chain->result = chain->n;
    return chain->n++;
}

void
rx_case_to_bf16(struct rx_problem *problem)
{
    for (int i = 0; i < problem->n_operands; i++)
        if (problem->operand[i].kind == RX_OPERAND_MAP)
            problem->operand[i].dtype = RX_BF16;
}

void
rx_case_to_products(struct rx_problem *problem, enum rx_dtype form)
{
    problem->products = RX_BF16;
    for (int i = 0; i < problem->n_operands; i++) {
        struct rx_operand *o = &problem->operand[i];
        if (o->kind == RX_OPERAND_WEIGHTS || o->kind == RX_OPERAND_WEIGHTS_DGRAD)
            o->dtype = form;
    }
}

struct rx_geometry
rx_case_map(int h, int w, int c)
{
    return (struct rx_geometry){
        .h = h, .w = w, .c = c, .oh = h, .ow = w, .k = c, .groups = c, .r = 1, .s = 1, .stride = 1};
}

struct rx_geometry
rx_case_conv(int h, int w, int c, int k, int groups, int taps, int stride, int pad)
{
    return (struct rx_geometry){
        .h = h,
        .w = w,
        .c = c,
        .oh = (h + 2 * pad - taps) / stride + 1,
        .ow = (w + 2 * pad - taps) / stride + 1,
        .k = k,
        .groups = groups,
        .r = taps,
        .s = taps,
        .stride = stride,
        .pad = pad,
    };
}
