// Names of operands.
#include "gen/render/names.h"

#include <ctype.h>
#include <stdio.h>

#include "runtime/plan.h"

enum { FIXED_MAX = 8 };

// Operands of the ops without chains, in the order that runtime/problem.c lists.
static const char *
fixed_name(enum rx_problem_op op, int operand)
{
    static const char *const names[RX_PROBLEM_N_OPS][FIXED_MAX] = {
        [RX_PROBLEM_LOSS] = {"logits", "labels", "hyper", "dlogits", "loss"},
        [RX_PROBLEM_BN_COEF] = {"stats", "gamma", "beta", "running_mean", "running_var", "hyper",
                                "coef"},
        [RX_PROBLEM_BN_FOLD] = {"gamma", "beta", "running_mean", "running_var", "coef"},
        [RX_PROBLEM_BN_GRAD_COEF] = {"sums", "coef", "gamma", "grad_coef", "dgamma", "dbeta"},
        [RX_PROBLEM_TRANSPOSE] = {"w", "wt"},
        [RX_PROBLEM_PACK] = {"w", "wp"},
        [RX_PROBLEM_REDUCE] = {"parts", "dw"},
        [RX_PROBLEM_UPDATE] = {"parts", "weights", "momentum", "hyper"},
        [RX_PROBLEM_BIAS_GRAD] = {"dy", "db"},
        [RX_PROBLEM_SGD] = {"weights", "momentum", "gradient", "hyper"},
    };
    return operand < FIXED_MAX ? names[op][operand] : NULL;
}

const char *
rx_render_operand_name(const struct rx_problem *p, int operand)
{
    const char *fixed = fixed_name(p->op, operand);
    if (fixed)
        return fixed;
    switch (p->operand[operand].kind) {
    case RX_OPERAND_WEIGHTS:
    case RX_OPERAND_WEIGHTS_DGRAD:
        return "w";
    case RX_OPERAND_WEIGHTS_PARTIAL:
        return "dw";
    case RX_OPERAND_INDEX:
        return "winner";
    default:
        return p->operand[operand].name;
    }
}

void
rx_render_pitch_name(const struct rx_problem *p, int operand, char *name, int n)
{
    snprintf(name, (size_t)n, "%s_PITCH", rx_render_operand_name(p, operand));
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

const char *
rx_render_row_name(const struct rx_operand *operand, int row)
{
    static const char *const coef[] = {"scale", "shift", "mean", "invstd"};
    static const char *const grad[] = {"a", "b", "c"};
    return operand->rows == RX_GRAD_COEF_ROWS ? grad[row] : coef[row];
}
