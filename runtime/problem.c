// Tables of the problem's vocabulary. The operands of the problems without chains, in order:
//   loss          MAP OUT logits, LABELS, HYPER, MAP OUT dlogits (write), LOSS (write)
//   bn_coef       PARTIAL stats, VECTOR gamma, beta, running_mean (read write), running_var (read
//                 write), HYPER, COEF (write)
//   bn_fold       VECTOR gamma, beta, running_mean, running_var, COEF (write)
//   bn_grad_coef  PARTIAL sums, COEF of the forward, VECTOR gamma, COEF {a,b,c} (write), VECTOR
//                 dgamma (write), dbeta (write)
//   transpose     WEIGHTS, WEIGHTS_DGRAD (write)
//   pack          WEIGHTS, WEIGHTS of BF16X2 or BF16 (write)
//   reduce        WEIGHTS_PARTIAL, VECTOR (write)
//   update        WEIGHTS_PARTIAL, VECTOR weights (read write), momentum (read write), HYPER
//   bias_grad     MAP OUT dy, VECTOR (write)
//   sgd           VECTOR weights (read write), momentum (read write), gradient, HYPER
#include "runtime/problem.h"

#include <stddef.h>

enum rx_domain
rx_problem_prologue_domain(enum rx_problem_op op, int prologue)
{
    static const enum rx_domain domain[RX_PROBLEM_N_OPS][RX_PROLOGUES] = {
#define X(op, text, pro0, pro1, epi) {RX_DOMAIN_##pro0, RX_DOMAIN_##pro1},
        RX_PROBLEM_OPS(X)
#undef X
    };
    return domain[op][prologue];
}

enum rx_domain
rx_problem_epilogue_domain(enum rx_problem_op op)
{
    static const enum rx_domain domain[RX_PROBLEM_N_OPS] = {
#define X(op, text, pro0, pro1, epi) RX_DOMAIN_##epi,
        RX_PROBLEM_OPS(X)
#undef X
    };
    return domain[op];
}

const char *
rx_problem_op_text(enum rx_problem_op op)
{
    static const char *const text[RX_PROBLEM_N_OPS] = {
#define X(op, text, pro0, pro1, epi) text,
        RX_PROBLEM_OPS(X)
#undef X
    };
    return text[op];
}

const char *
rx_operand_kind_text(enum rx_operand_kind kind)
{
    static const char *const text[RX_OPERAND_N_KINDS] = {
#define X(kind, text) text,
        RX_OPERAND_KINDS(X)
#undef X
    };
    return text[kind];
}

const char *
rx_step_op_text(enum rx_step_op op)
{
    static const char *const text[RX_STEP_N_OPS] = {
#define X(op, text) text,
        RX_STEPS(X)
#undef X
    };
    return text[op];
}

const char *
rx_dtype_text(enum rx_dtype dtype)
{
    static const char *const text[] = {"f32", "bf16", "f64", "u8", "i32", "bf16x2"};
    return text[dtype];
}

int64_t
rx_dtype_bytes(enum rx_dtype dtype)
{
    static const int64_t bytes[] = {4, 2, 8, 1, 4, 4};
    return bytes[dtype];
}

int
rx_problem_find(const struct rx_problem *problem, enum rx_operand_kind kind, int nth)
{
    for (int i = 0; i < problem->n_operands; i++)
        if (problem->operand[i].kind == kind && nth-- == 0)
            return i;
    return -1;
}
