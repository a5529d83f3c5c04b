// Problems for the tests of rendering.
#include "tests/support/render_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/select/select.h"
#include "tests/support/kernel_case.h"

static int
map(struct rx_problem *p, enum rx_domain domain, int access, const char *name)
{
    const int c = domain == RX_DOMAIN_IN ? p->geometry.c : p->geometry.k;
    return rx_case_operand(p, RX_OPERAND_MAP, domain, access, c, 0, name);
}

// relu(scale * x + shift) as a prologue.
static void
bn_relu(struct rx_problem *p, int prologue, enum rx_domain domain, const char *x, const char *coef)
{
    struct rx_chain *chain = &p->prologue[prologue];
    const int c = domain == RX_DOMAIN_IN ? p->geometry.c : p->geometry.k;
    const int v = rx_case_step(chain, RX_STEP_LOAD, -1, -1, map(p, domain, RX_READ, x), 0);
    const int o =
        rx_case_operand(p, RX_OPERAND_COEF, RX_DOMAIN_NONE, RX_READ, c, RX_COEF_ROWS, coef);
    const int scale = rx_case_step(chain, RX_STEP_COEF, -1, -1, o, RX_COEF_SCALE);
    const int mul = rx_case_step(chain, RX_STEP_MUL, scale, v, -1, 0);
    const int shift = rx_case_step(chain, RX_STEP_COEF, -1, -1, o, RX_COEF_SHIFT);
    const int sum = rx_case_step(chain, RX_STEP_ADD, mul, shift, -1, 0);
    rx_case_step(chain, RX_STEP_RELU, sum, -1, -1, 0);
}

// Stores acc masked by another map; statistics and sums of it.
static void
mask_and_sums(struct rx_problem *p, enum rx_domain domain)
{
    struct rx_chain *e = &p->epilogue;
    const int c = domain == RX_DOMAIN_IN ? p->geometry.c : p->geometry.k;
    const int acc = rx_case_step(e, RX_STEP_ACC, -1, -1, -1, 0);
    const int y = rx_case_step(e, RX_STEP_LOAD, -1, -1, map(p, domain, RX_READ, "x8"), 0);
    const int v = rx_case_step(e, RX_STEP_MASK, acc, y, -1, 0);
    rx_case_step(e, RX_STEP_STORE, v, -1, map(p, domain, RX_WRITE, "y0"), 0);
    const int stats = rx_case_operand(p, RX_OPERAND_PARTIAL, RX_DOMAIN_NONE, RX_WRITE, c,
                                      RX_STATS_ROWS, "stats0");
    rx_case_step(e, RX_STEP_STATS, v, -1, stats, 0);
    const int sums =
        rx_case_operand(p, RX_OPERAND_PARTIAL, RX_DOMAIN_NONE, RX_WRITE, c, RX_SUMS_ROWS, "sums0");
    rx_case_step(e, RX_STEP_SUMS, v, y, sums, 0);
}

struct rx_problem
rx_render_conv_problem(enum rx_problem_op op, struct rx_geometry geometry)
{
    struct rx_problem p = {.op = op, .geometry = geometry};
    bn_relu(&p, 0, rx_problem_prologue_domain(op, 0), "x0", "coef0");
    if (op == RX_PROBLEM_CONV_WGRAD) {
        bn_relu(&p, 1, RX_DOMAIN_OUT, "x1", "coef1");
        rx_case_operand(&p, RX_OPERAND_WEIGHTS_PARTIAL, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "dw");
        return p;
    }
    const int forward = op == RX_PROBLEM_CONV_FWD;
    rx_case_operand(&p, forward ? RX_OPERAND_WEIGHTS : RX_OPERAND_WEIGHTS_DGRAD, RX_DOMAIN_NONE,
                    RX_READ, 1, 0, "w0");
    mask_and_sums(&p, rx_problem_epilogue_domain(op));
    return p;
}

struct rx_problem
rx_render_map_problem(int h, int w, int c)
{
    struct rx_problem p = {.op = RX_PROBLEM_MAP, .geometry = rx_case_map(h, w, c)};
    bn_relu(&p, 0, RX_DOMAIN_IN, "x0", "coef0");
    mask_and_sums(&p, RX_DOMAIN_IN);
    return p;
}

void
rx_render_choose(const char *toolchain, const char *arch, const struct rx_problem *p,
                 struct rx_kernel *k)
{
    struct rx_machine m;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine(arch, &m, &error), RX_OK);
    if (rx_select_kernel(&rx_target_cpu, &m, "templates", toolchain, p, k, &error) != RX_OK)
        fail_msg("%s", error.text);
}
