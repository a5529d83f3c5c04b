// A problem: one fused region of the graph as plain data. It says what a kernel computes and
// nothing about how; its printed text (gen/select/problem.c) is the kernel's name, key and formula.
//
// A problem has an anchor operation (a convolution, a pooling, ...), operands, and chains of
// pointwise steps: a prologue transforms what the anchor reads while it reads it, the epilogue
// transforms the anchor's result before it is stored.
//
// Maps are NHWC. Both maps of a problem are named from the forward direction: the input map is
// [N][h][w][c], the output map [N][oh][ow][k]; a data gradient reads the output map's gradient and
// writes the input map's.
#ifndef RX_PROBLEM_H
#define RX_PROBLEM_H

#include <stdint.h>

// BF16X2: two bf16 in 4 bytes, which are multiplied together.
enum rx_dtype { RX_F32, RX_BF16, RX_F64, RX_U8, RX_I32, RX_BF16X2 };

// op, text, domain of prologue 0, domain of prologue 1, domain of the epilogue (IN, OUT or NONE).
// What each computes; "acc" is what the epilogue starts from, "x" the result of prologue 0, "u" of
// prologue 1. wt[k][c][r][s] is the weight, c counted within the group.
//   conv_fwd      acc[n,oh,ow,k] = sum_{r,s,c} x[n, oh*stride+r-pad, ow*stride+s-pad, g(k)*CG+c] wt
//                 (taps outside the map are zero: padding comes after the prologue)
//   conv_dgrad    acc[n,h,w,c] = sum over (oh,ow,r,s,k) that touch (h,w,c) of x[n,oh,ow,k] wt
//                 (weights come in the transposed layout, see runtime/weights.h)
//   conv_wgrad    dw[k][c][r][s] = sum_{n,oh,ow} x[n,ih,iw,c] u[n,oh,ow,k]; per-thread partials
//   maxpool       acc = max over the window (taps outside the map are skipped), first one wins;
//                 an INDEX operand, where present, gets r*S+s of the winner
//   maxpool_grad  acc[n,h,w,c] = sum of x[n,oh,ow,c] over the windows whose INDEX names this pixel
//   gap           acc[n,0,0,c] = mean over h,w of x            (oh = ow = 1)
//   gap_grad      acc[n,h,w,c] = x[n,0,0,c] / (h*w)
//   map           acc = x, pointwise
// and those without chains, whose operands are listed at rx_problem_op_operands in problem.c:
//   loss          softmax cross-entropy with label smoothing, its gradient, the loss of each image
//   bn_coef       statistics partials -> COEF {scale, shift, mean, invstd}; updates running_*
//   bn_fold       running statistics -> the same COEF, for evaluation
//   bn_grad_coef  sums partials -> COEF {a, b, c} of dy = a*dz + b*(y - mean) + c; dgamma, dbeta
//   transpose     forward weights -> data gradient weights
//   pack          forward weights -> the same as pairs of bf16
//   reduce        weight partials of all threads, summed in thread order -> gradient
//   update        the same sum, but used at once: one SGD update; the gradient is kept nowhere
//   bias_grad     db[k] = sum_n x[n,0,0,k]
//   sgd           one SGD update of a flat vector
#define RX_PROBLEM_OPS(X)                                                                          \
    X(CONV_FWD, "conv_fwd", IN, NONE, OUT)                                                         \
    X(CONV_DGRAD, "conv_dgrad", OUT, NONE, IN)                                                     \
    X(CONV_WGRAD, "conv_wgrad", IN, OUT, NONE)                                                     \
    X(MAXPOOL, "maxpool", IN, NONE, OUT)                                                           \
    X(MAXPOOL_GRAD, "maxpool_grad", OUT, NONE, IN)                                                 \
    X(GAP, "gap", IN, NONE, OUT)                                                                   \
    X(GAP_GRAD, "gap_grad", OUT, NONE, IN)                                                         \
    X(MAP, "map", IN, NONE, IN)                                                                    \
    X(LOSS, "loss", NONE, NONE, NONE)                                                              \
    X(BN_COEF, "bn_coef", NONE, NONE, NONE)                                                        \
    X(BN_FOLD, "bn_fold", NONE, NONE, NONE)                                                        \
    X(BN_GRAD_COEF, "bn_grad_coef", NONE, NONE, NONE)                                              \
    X(TRANSPOSE, "transpose", NONE, NONE, NONE)                                                    \
    X(PACK, "pack", NONE, NONE, NONE)                                                              \
    X(REDUCE, "reduce", NONE, NONE, NONE)                                                          \
    X(UPDATE, "update", NONE, NONE, NONE)                                                          \
    X(BIAS_GRAD, "bias_grad", NONE, NONE, NONE)                                                    \
    X(SGD, "sgd", NONE, NONE, NONE)

enum rx_problem_op {
#define X(op, text, pro0, pro1, epi) RX_PROBLEM_##op,
    RX_PROBLEM_OPS(X)
#undef X
        RX_PROBLEM_N_OPS
};

// Where a chain runs: over the pixels of the input map, of the output map, or nowhere.
enum rx_domain { RX_DOMAIN_NONE, RX_DOMAIN_IN, RX_DOMAIN_OUT };

// A convolution's or pooling's shape, in forward terms. Pooling and pointwise problems have
// groups = c = k and r = s = stride = 1, pad = 0 where they do not mean anything.
struct rx_geometry {
    int h, w, c;      // input map
    int oh, ow, k;    // output map
    int groups;       // each of c / groups inputs and k / groups outputs
    int r, s;         // filter taps, vertical and horizontal
    int stride, pad;  // the same in both directions; pad is at the top and left
};

// kind, text, what the pointer points at (P = pitch; T = threads of the session)
//   MAP              [N][H][W][P] of the chain's domain, `c` channels from the pointer on
//   COEF             f32 [rows][P], per-channel rows
//   PARTIAL          f64 [T][rows][P], one part a thread: statistics {count, mean, M2} or
//                    sums {sum a, sum a*b}
//   VECTOR           f32 [c], a parameter, a gradient or a flat buffer of them
//   WEIGHTS          f32, packed forward layout (runtime/weights.h)
//   WEIGHTS_DGRAD    f32, packed data gradient layout
//   WEIGHTS_PARTIAL  f32 [T][count], each thread's gradient in the packed forward layout
//   INDEX            u8 [N][OH][OW][c], which tap won
//   LABELS           i32 [N]
//   LOSS             f32 [N], loss of each image
//   HYPER            f32 [RX_HYPER_N], see runtime/plan.h
#define RX_OPERAND_KINDS(X)                                                                        \
    X(MAP, "map")                                                                                  \
    X(COEF, "coef")                                                                                \
    X(PARTIAL, "partial")                                                                          \
    X(VECTOR, "vector")                                                                            \
    X(WEIGHTS, "weights")                                                                          \
    X(WEIGHTS_DGRAD, "weights_dgrad")                                                              \
    X(WEIGHTS_PARTIAL, "weights_partial")                                                          \
    X(INDEX, "index")                                                                              \
    X(LABELS, "labels")                                                                            \
    X(LOSS, "loss")                                                                                \
    X(HYPER, "hyper")

enum rx_operand_kind {
#define X(kind, text) RX_OPERAND_##kind,
    RX_OPERAND_KINDS(X)
#undef X
        RX_OPERAND_N_KINDS
};

enum rx_access { RX_READ = 1, RX_WRITE = 2 };  // bits

enum { RX_NAME_CHARS = 16, RX_OPERANDS_MAX = 20, RX_CHAIN_MAX = 32 };

struct rx_operand {
    enum rx_operand_kind kind;
    enum rx_dtype dtype;
    enum rx_domain domain;  // MAP: which map it has the shape of
    int access;             // rx_access bits
    int rows;               // COEF, PARTIAL
    int64_t c;              // channels (or elements of a VECTOR)
    int pitch;              // elements from one pixel (MAP) or one row (COEF, PARTIAL) to the next
    char name[RX_NAME_CHARS];  // its name in the emitted kernel: x0, y0, coef0, stats0, w ...
};

// Rows of a COEF.
enum { RX_COEF_SCALE, RX_COEF_SHIFT, RX_COEF_MEAN, RX_COEF_INVSTD, RX_COEF_ROWS };
enum { RX_GRAD_COEF_A, RX_GRAD_COEF_B, RX_GRAD_COEF_C, RX_GRAD_COEF_ROWS };
// Rows of a PARTIAL.
enum { RX_STATS_COUNT, RX_STATS_MEAN, RX_STATS_M2, RX_STATS_ROWS };
enum { RX_SUMS_A, RX_SUMS_AB, RX_SUMS_ROWS };

// A pointwise step. Step i defines value i; `a` and `b` name earlier values.
//   ACC    the anchor's result at this element (first step of an epilogue only)
//   LOAD   operand (MAP) at this pixel and channel
//   COEF   operand (COEF or VECTOR), row `row`, at this channel
//   ADD SUB MUL   a + b, a - b, a * b
//   RELU   a > 0 ? a : 0
//   MASK   b > 0 ? a : 0
//   STORE  operand (MAP) = a        (value: a as the operand holds it, rounded to its dtype)
//   STATS  operand (PARTIAL) accumulates count, mean and M2 of a over this thread's pixels
//   SUMS   operand (PARTIAL) accumulates sum a and sum a*b
#define RX_STEPS(X)                                                                                \
    X(ACC, "acc")                                                                                  \
    X(LOAD, "load")                                                                                \
    X(COEF, "coef")                                                                                \
    X(ADD, "add")                                                                                  \
    X(SUB, "sub")                                                                                  \
    X(MUL, "mul")                                                                                  \
    X(RELU, "relu")                                                                                \
    X(MASK, "mask")                                                                                \
    X(STORE, "store")                                                                              \
    X(STATS, "stats")                                                                              \
    X(SUMS, "sums")

enum rx_step_op {
#define X(op, text) RX_STEP_##op,
    RX_STEPS(X)
#undef X
        RX_STEP_N_OPS
};

struct rx_step {
    enum rx_step_op op;
    int a, b;     // value numbers, -1 where unused
    int operand;  // -1 where unused
    int row;      // COEF
};

struct rx_chain {
    int n;       // 0: the chain is absent
    int result;  // the value that a prologue hands to the anchor
    struct rx_step step[RX_CHAIN_MAX];
};

enum { RX_PROLOGUES = 2 };

struct rx_problem {
    enum rx_problem_op op;
    struct rx_geometry geometry;
    int n_operands;
    struct rx_operand operand[RX_OPERANDS_MAX];
    struct rx_chain prologue[RX_PROLOGUES];
    struct rx_chain epilogue;
    int hyper_row;  // sgd: which weight decay of HYPER applies; 0 elsewhere
    // F32, or, in convolutions and what transposes their weights, BF16: what is multiplied is
    // rounded to it, weights are BF16X2 or BF16; sums are f32 in both.
    enum rx_dtype products;
};

// The domain of a chain, from the table above.
enum rx_domain
rx_problem_prologue_domain(enum rx_problem_op op, int prologue);
enum rx_domain
rx_problem_epilogue_domain(enum rx_problem_op op);
const char *
rx_problem_op_text(enum rx_problem_op op);
const char *
rx_operand_kind_text(enum rx_operand_kind kind);
const char *
rx_step_op_text(enum rx_step_op op);
const char *
rx_dtype_text(enum rx_dtype dtype);
int64_t
rx_dtype_bytes(enum rx_dtype dtype);

// The index of the nth operand (from 0) of a kind, or -1.
int
rx_problem_find(const struct rx_problem *problem, enum rx_operand_kind kind, int nth);

#endif
