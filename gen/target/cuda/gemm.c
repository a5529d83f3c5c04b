// Which problems are plain products of matrices, as cuBLAS computes them: those of the classifier,
// whose prologues only load. Weights lie in panels of RX_BLOCK outputs, [K/16][C][16]; what C is
// cut into are these panels. Rows of bf16 weights, [K][C], are one block.
#include "gen/target/cuda/cuda.h"
#include "runtime/weights.h"

// Whether a chain hands on a map as it is; which one, or -1.
static int
loaded(const struct rx_problem *p, int prologue)
{
    const struct rx_chain *c = &p->prologue[prologue];
    return c->n == 1 && c->step[0].op == RX_STEP_LOAD ? c->step[0].operand : -1;
}

// Whether the epilogue stores what was summed up, with a bias or without.
static int
stores(const struct rx_problem *p, struct rx_plan_gemm *gemm)
{
    const struct rx_chain *c = &p->epilogue;
    const int biased = c->n == 4;
    if ((c->n != 2 && !biased) || c->step[0].op != RX_STEP_ACC ||
        c->step[c->n - 1].op != RX_STEP_STORE)
        return 0;
    gemm->c = c->step[c->n - 1].operand;
    gemm->bias = biased ? c->step[1].operand : -1;
    return !biased || (c->step[1].op == RX_STEP_COEF && c->step[2].op == RX_STEP_ADD &&
                       p->operand[gemm->bias].kind == RX_OPERAND_VECTOR);
}

static int
is_whole(const struct rx_problem *p, int operand, int channels)
{
    return operand >= 0 && p->operand[operand].pitch == channels;
}

static void
set_blocks(struct rx_plan_gemm *gemm, int rows, int m)
{
    gemm->blocks = (rows + m - 1) / m;
    gemm->m = m;
    gemm->last_m = rows - (gemm->blocks - 1) * m;
}

// y[n][k] = sum_c x[n][c] w[k][c], or the data gradient, which is the same with c and k exchanged.
static void
set_product(const struct rx_problem *p, int inputs, int outputs, struct rx_plan_gemm *gemm)
{
    const int rows = p->operand[gemm->a].dtype == RX_BF16;
    set_blocks(gemm, outputs, rows ? outputs : RX_BLOCK);
    gemm->transpose_a = rows;
    gemm->k = inputs;
    gemm->lda = rows ? inputs : RX_BLOCK;
    gemm->ldb = inputs;
    gemm->ldc = outputs;
    gemm->stride_a = (int64_t)RX_BLOCK * inputs;
    gemm->stride_c = RX_BLOCK;
}

// dw[k][c] = sum_n dy[n][k] x[n][c], in panels; what a panel has beyond the outputs is zero.
static void
set_weight_gradient(const struct rx_geometry *g, struct rx_plan_gemm *gemm)
{
    set_blocks(gemm, g->k, RX_BLOCK);
    gemm->transpose_b = 1;
    gemm->n = g->c;
    gemm->lda = g->k;
    gemm->ldb = g->c;
    gemm->ldc = RX_BLOCK;
    gemm->stride_a = RX_BLOCK;
    gemm->stride_c = (int64_t)RX_BLOCK * g->c;
    if (gemm->last_m < RX_BLOCK)
        gemm->clear_bytes = gemm->stride_c * rx_dtype_bytes(RX_F32);
}

// Fills in everything; 0 if it is no such product.
static int
describe(const struct rx_problem *p, struct rx_plan_gemm *gemm)
{
    const struct rx_geometry *g = &p->geometry;
    const int dgrad = p->op == RX_PROBLEM_CONV_DGRAD;
    const int inputs = dgrad ? g->k : g->c, outputs = dgrad ? g->c : g->k;
    gemm->b = loaded(p, 0);
    if (!is_whole(p, gemm->b, inputs))
        return 0;
    gemm->type = p->operand[gemm->b].dtype;
    if (p->op == RX_PROBLEM_CONV_WGRAD) {
        gemm->a = loaded(p, 1);
        gemm->c = rx_problem_find(p, RX_OPERAND_WEIGHTS_PARTIAL, 0);
        gemm->bias = -1;
        if (!is_whole(p, gemm->a, g->k))
            return 0;
        set_weight_gradient(g, gemm);
    } else {
        gemm->a = rx_problem_find(p, dgrad ? RX_OPERAND_WEIGHTS_DGRAD : RX_OPERAND_WEIGHTS, 0);
        if (!stores(p, gemm) || !is_whole(p, gemm->c, outputs))
            return 0;
        set_product(p, inputs, outputs, gemm);
    }
    gemm->type_c = p->operand[gemm->c].dtype;
    // cuBLAS has no product of f32 into bf16, and a bias is added to f32.
    return p->operand[gemm->a].dtype == gemm->type &&
           (gemm->type_c == RX_F32 || (gemm->type == RX_BF16 && gemm->bias < 0));
}

struct rx_plan_gemm
rx_cuda_gemm(const struct rx_problem *p)
{
    const struct rx_geometry *g = &p->geometry;
    struct rx_plan_gemm gemm = {0};
    if (p->op > RX_PROBLEM_CONV_WGRAD || g->groups != 1 || g->h * g->w * g->oh * g->ow != 1 ||
        g->r * g->s != 1 || rx_weights_layout(g) != RX_LAYOUT_PANEL || !describe(p, &gemm))
        return (struct rx_plan_gemm){0};
    return gemm;
}
