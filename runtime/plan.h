// A plan: everything that the runtime needs to know of a generated network, as plain data. rxgen
// writes one as out/<model>/plan.c; the runtime executes it. Nothing here is allocated or freed:
// all of it is constant data.
#ifndef RX_PLAN_H
#define RX_PLAN_H

#include <stdint.h>

#include "runtime/kernel.h"
#include "runtime/problem.h"
#include "runtime/recipe.h"

enum { RX_PLAN_VERSION = 1 };

// One tensor. Its size is fixed + N * image + T * thread bytes for N images and T threads (or
// parts, see below). It lives for the session (parameters, gradients, momenta, coefficients) or
// between two steps of one program; those of one program share memory by liveness
// (runtime/base/planner.h), and the programs share one block, as only one runs at a time.
enum rx_life { RX_LIFE_SESSION, RX_LIFE_STEPS };

struct rx_plan_tensor {
    const char *name;
    int64_t fixed_bytes, image_bytes, thread_bytes;
    enum rx_life life;
    int program;      // RX_LIFE_STEPS: which program
    int first, last;  // RX_LIFE_STEPS: steps of that program, both included; inputs start at 0,
                      // results end at the last step
    int parts;        // how many parts it has, as its kernels want it; 0: one a thread
};

// What a kernel computes, where that is a plain product of matrices, which the device's library may
// compute in its place: C = op(A) op(B), and a bias where there is one, all by columns. C and A are
// cut into blocks of m rows, of which the last one has last_m; B is whole. Of n and k one counts
// images: its field is 0.
struct rx_plan_gemm {
    int blocks;                  // 0: it is no such product
    int a, b, c, bias;           // operands; bias -1: none, else a vector of all rows of C
    enum rx_dtype type, type_c;  // of A and B, of C; a bias is f32
    int transpose_a, transpose_b;
    int m, last_m, n, k;
    int64_t lda, ldb, ldc;       // elements from one column to the next
    int64_t stride_a, stride_c;  // and from one block to the next
    int64_t clear_bytes;         // of the last block of C, which has more rows than last_m
};

// One kernel. It has ceil((N * task_image + task_fixed) / task_divisor) units of work, each of
// which can be cut into `columns` parts at most; runtime/grid.h makes tasks of them.
struct rx_plan_kernel {
    const char *name;
    const char *op;  // rx_problem_op_text
    rx_kernel_fn *fn;
    int64_t task_image, task_fixed, task_divisor;
    int columns;
    int64_t scratch_bytes;  // a thread
    // A kernel that is launched on a device: a grid of units times columns blocks, each of so many
    // threads with so much shared memory beside what it declares; where it has parts (it splits
    // sums), one block a part times columns, each of which goes through the units by turns. On the
    // CPU all are 0.
    int block, shared_bytes, parts;
    double flops_image, flops_fixed;  // floating point operations (a multiply-add is two)
    double bytes_image, bytes_fixed;  // bytes that must be read or written once
    struct rx_plan_gemm gemm;
};

// An operand of a step: a tensor and where in it (views of a channel range start inside).
struct rx_plan_arg {
    int tensor;
    int64_t offset_bytes;
};

struct rx_plan_step {
    int kernel;
    int first_arg, n_args;  // range in rx_plan.arg
    const char *label;      // the graph node it came from
};

// TRAIN does one whole step: forward, loss, backward, update. FOLD makes the coefficients that
// INFER reads from the running statistics; it runs whenever weights have changed.
enum { RX_PROGRAM_TRAIN, RX_PROGRAM_FOLD, RX_PROGRAM_INFER, RX_PROGRAMS };

struct rx_plan_program {
    int n_steps;
    const struct rx_plan_step *step;
    int input;   // tensor: images f32 [N][H][W][C], -1 where the program has none
    int labels;  // tensor: i32 [N], -1 likewise
    int logits;  // tensor: f32 [N][classes]
    int loss;    // tensor: f32 [N]
    // The first slice_steps steps run on slice_images images at a time (more where there are more
    // threads), one slice after the other, so that what they hand to each other stays in the cache;
    // 0: all steps run on all images.
    int slice_steps, slice_images;
};

// What a parameter tensor is, which decides its initial value, its layout and its weight decay.
enum rx_param_kind {
    RX_PARAM_CONV_WEIGHT,  // file [K][C/G][R][S], packed as runtime/weights.h says
    RX_PARAM_FC_WEIGHT,    // file [K][C], packed as a 1x1 convolution
    RX_PARAM_FC_BIAS,      // file [K], plain
    RX_PARAM_BN_WEIGHT,    // file [C], plain, as the three below
    RX_PARAM_BN_BIAS,
    RX_PARAM_RUNNING_MEAN,  // not trained
    RX_PARAM_RUNNING_VAR,   // not trained
};

enum { RX_PARAM_RANK_MAX = 4, RX_SLICE_NONE = -1 };

// One parameter as the kernels hold it. Forms (a) and (b) hold a file's tensor in pieces: part of
// it along slice_dim. All pieces of a file tensor have the same name and file_shape.
struct rx_plan_param {
    const char *name;  // in the file, torchvision's
    enum rx_param_kind kind;
    int rank;
    int64_t file_shape[RX_PARAM_RANK_MAX];  // of the whole file tensor
    int slice_dim;                          // RX_SLICE_NONE: all of it
    int64_t slice_first, slice_count;
    struct rx_geometry geometry;  // CONV_WEIGHT, FC_WEIGHT: of the piece
    int tensor;                   // value: f32 at offset
    int64_t offset_bytes;
    int gradient, momentum;  // tensors that hold them at the same offset; -1 where not trained
};

// Rows of the HYPER operand, f32 [RX_HYPER_N], written by the runtime before each training step.
enum {
    RX_HYPER_LR,
    RX_HYPER_MOMENTUM,
    RX_HYPER_WD,           // of convolutions and the classifier (its bias too)
    RX_HYPER_WD_BN,        // of BN weights and biases: the same, or 0 with --no-decay-bn
    RX_HYPER_NESTEROV,     // 1 or 0
    RX_HYPER_FIRST,        // 1 on the very first update: the momentum buffer starts as the gradient
    RX_HYPER_SMOOTHING,    // label smoothing
    RX_HYPER_BN_MOMENTUM,  // 0.1: running = (1 - it) * running + it * batch
    RX_HYPER_N = 16
};

struct rx_plan {
    int version;         // RX_PLAN_VERSION
    const char *model;   // its name
    const char *form;    // "a", "b", "c"
    const char *dtype;   // storage of activations
    const char *target;  // "cpu"
    const char *arch;
    const char *hash;  // of the plan's text: two plans with one hash train to the same bits
    int image_h, image_w, image_c, classes;
    int min_pixels;  // of the smallest map that a batch norm normalises
    struct rx_recipe recipe;
    int n_tensors, n_kernels, n_args, n_params;
    const struct rx_plan_tensor *tensor;
    const struct rx_plan_kernel *kernel;
    const struct rx_plan_arg *arg;
    const struct rx_plan_param *param;
    int hyper;  // tensor: f32 [RX_HYPER_N]
    struct rx_plan_program program[RX_PROGRAMS];
};

#endif
