// The hand-written plan.
#include "tests/support/tiny_plan.h"

#include <math.h>
#include <string.h>

#include "runtime/kernel.h"

enum { F = RX_TINY_FEATURES, K = RX_TINY_CLASSES, BLOCK = 16 };
// Weights are packed [F][16], a panel of one block (runtime/weights.h); the bias lies behind them.
enum { WEIGHTS = F * BLOCK, BIAS = WEIGHTS, PARAMS = WEIGHTS + BLOCK };

// logits = x W + b
static void
forward(const struct rx_call *call, void *const *t)
{
    const float *params = t[0];  // [PARAMS]
    const float *x = t[1];       // [N][F]
    float *logits = t[2];        // [N][K]
    for (int64_t n = call->first; n < call->last; n++)
        for (int k = 0; k < K; k++) {
            float sum = params[BIAS + k];
            for (int f = 0; f < F; f++)
                sum += x[n * F + f] * params[f * BLOCK + k];
            logits[n * K + k] = sum;
        }
}

static void
loss(const struct rx_call *call, void *const *t)
{
    const float *logits = t[0];    // [N][K]
    const int32_t *labels = t[1];  // [N]
    const float *hyper = t[2];     // [RX_HYPER_N]
    float *losses = t[3];          // [N]
    float *dlogits = t[4];         // [N][K]
    const double e = (double)hyper[RX_HYPER_SMOOTHING];
    for (int64_t n = call->first; n < call->last; n++) {
        const float *z = logits + n * K;
        double sum = 0, total = 0;
        for (int k = 0; k < K; k++)
            sum += exp((double)z[k]);
        for (int k = 0; k < K; k++) {
            const double target = (k == labels[n]) * (1 - e) + e / K;
            total += target * (log(sum) - (double)z[k]);
            dlogits[n * K + k] = (float)((exp((double)z[k]) / sum - target) / call->n);
        }
        losses[n] = (float)total;
    }
}

// Each thread's part of dW and db.
static void
weight_gradient(const struct rx_call *call, void *const *t)
{
    const float *x = t[0];        // [N][F]
    const float *dlogits = t[1];  // [N][K]
    float *partial = (float *)t[2] + (int64_t)call->thread * PARAMS;
    memset(partial, 0, PARAMS * sizeof *partial);
    for (int64_t n = call->first; n < call->last; n++)
        for (int k = 0; k < K; k++) {
            const float d = dlogits[n * K + k];
            partial[BIAS + k] += d;
            for (int f = 0; f < F; f++)
                partial[f * BLOCK + k] += d * x[n * F + f];
        }
}

// The parts' sum, in thread order.
static void
reduce(const struct rx_call *call, void *const *t)
{
    const float *partial = t[0];  // [T][PARAMS]
    float *gradient = t[1];       // [PARAMS]
    for (int64_t i = call->first; i < call->last; i++) {
        float sum = 0;
        for (int thread = 0; thread < call->n_threads; thread++)
            sum += partial[(int64_t)thread * PARAMS + i];
        gradient[i] = sum;
    }
}

static void
sgd(const struct rx_call *call, void *const *t)
{
    float *w = t[0], *g = t[1], *m = t[2];  // [PARAMS]
    const float *h = t[3];                  // [RX_HYPER_N]
    for (int64_t i = call->first; i < call->last; i++) {
        const float d = g[i] + h[RX_HYPER_WD] * w[i];
        m[i] = h[RX_HYPER_FIRST] > 0 ? d : h[RX_HYPER_MOMENTUM] * m[i] + d;
        w[i] -=
            h[RX_HYPER_LR] * (h[RX_HYPER_NESTEROV] > 0 ? d + h[RX_HYPER_MOMENTUM] * m[i] : m[i]);
    }
}

enum { FLOAT = sizeof(float), TRAIN = RX_PROGRAM_TRAIN, INFER = RX_PROGRAM_INFER };

#define SESSION(text, bytes)                                                                       \
    {                                                                                              \
        .name = text, .fixed_bytes = bytes, .life = RX_LIFE_SESSION                                \
    }
#define STEPS(text, bytes, in, from, to)                                                           \
    {                                                                                              \
        .name = text, .image_bytes = bytes, .life = RX_LIFE_STEPS, .program = in, .first = from,   \
        .last = to                                                                                 \
    }

static const struct rx_plan_tensor tensors[RX_TINY_TENSORS] = {
    [RX_TINY_PARAMS] = SESSION("params", PARAMS *FLOAT),
    [RX_TINY_GRADIENT] = SESSION("gradient", PARAMS *FLOAT),
    [RX_TINY_MOMENTUM] = SESSION("momentum", PARAMS *FLOAT),
    [RX_TINY_HYPER] = SESSION("hyper", RX_HYPER_N *FLOAT),
    [RX_TINY_X] = STEPS("x", F *FLOAT, TRAIN, 0, 2),
    [RX_TINY_LABELS] = STEPS("labels", FLOAT, TRAIN, 0, 1),
    [RX_TINY_LOGITS] = STEPS("logits", K *FLOAT, TRAIN, 0, 4),
    [RX_TINY_LOSS] = STEPS("loss", FLOAT, TRAIN, 1, 4),
    [RX_TINY_DLOGITS] = STEPS("dlogits", K *FLOAT, TRAIN, 1, 2),
    [RX_TINY_PARTIAL] = {.name = "partial",
                         .thread_bytes = PARAMS * FLOAT,
                         .life = RX_LIFE_STEPS,
                         .program = TRAIN,
                         .first = 2,
                         .last = 3},
    [RX_TINY_X_INFER] = STEPS("x_infer", F *FLOAT, INFER, 0, 0),
    [RX_TINY_LOGITS_INFER] = STEPS("logits_infer", K *FLOAT, INFER, 0, 0),
};

enum { FORWARD, LOSS, WEIGHT_GRADIENT, REDUCE, SGD, KERNELS };

#define IMAGES(text, function)                                                                     \
    {                                                                                              \
        .name = text, .op = text, .fn = function, .task_image = 1, .task_divisor = 1,              \
        .scratch_bytes = 100, .flops_image = 2 * F * K, .bytes_image = (F + K) * FLOAT             \
    }
#define ELEMENTS(text, function)                                                                   \
    {                                                                                              \
        .name = text, .op = text, .fn = function, .task_fixed = PARAMS, .task_divisor = 1          \
    }

static const struct rx_plan_kernel kernels[KERNELS] = {
    [FORWARD] = IMAGES("forward", forward),
    [LOSS] = IMAGES("loss", loss),
    [WEIGHT_GRADIENT] = IMAGES("weight_gradient", weight_gradient),
    [REDUCE] = ELEMENTS("reduce", reduce),
    [SGD] = ELEMENTS("sgd", sgd),
};

static const struct rx_plan_arg args[] = {
    {RX_TINY_PARAMS, 0},   {RX_TINY_X, 0},        {RX_TINY_LOGITS, 0},   // forward, from 0
    {RX_TINY_LOGITS, 0},   {RX_TINY_LABELS, 0},   {RX_TINY_HYPER, 0},    // loss, from 3
    {RX_TINY_LOSS, 0},     {RX_TINY_DLOGITS, 0},                         //
    {RX_TINY_X, 0},        {RX_TINY_DLOGITS, 0},  {RX_TINY_PARTIAL, 0},  // weight_gradient, from 8
    {RX_TINY_PARTIAL, 0},  {RX_TINY_GRADIENT, 0},                        // reduce, from 11
    {RX_TINY_PARAMS, 0},   {RX_TINY_GRADIENT, 0},                        // sgd, from 13
    {RX_TINY_MOMENTUM, 0}, {RX_TINY_HYPER, 0},                           //
    {RX_TINY_PARAMS, 0},   {RX_TINY_X_INFER, 0},  {RX_TINY_LOGITS_INFER, 0},  // inference, from 17
};

static const struct rx_plan_step train_steps[] = {
    {FORWARD, 0, 3, "fc"}, {LOSS, 3, 5, "loss"}, {WEIGHT_GRADIENT, 8, 3, "fc"},
    {REDUCE, 11, 2, "fc"}, {SGD, 13, 4, "sgd"},
};
static const struct rx_plan_step infer_steps[] = {{FORWARD, 17, 3, "fc"}};

static const struct rx_plan_param params[] = {
    {.name = "fc.weight",
     .kind = RX_PARAM_FC_WEIGHT,
     .rank = 2,
     .file_shape = {K, F},
     .slice_dim = RX_SLICE_NONE,
     .geometry = {.h = 1,
                  .w = 1,
                  .c = F,
                  .oh = 1,
                  .ow = 1,
                  .k = K,
                  .groups = 1,
                  .r = 1,
                  .s = 1,
                  .stride = 1},
     .tensor = RX_TINY_PARAMS,
     .gradient = RX_TINY_GRADIENT,
     .momentum = RX_TINY_MOMENTUM},
    {.name = "fc.bias",
     .kind = RX_PARAM_FC_BIAS,
     .rank = 1,
     .file_shape = {K},
     .slice_dim = RX_SLICE_NONE,
     .tensor = RX_TINY_PARAMS,
     .offset_bytes = BIAS * FLOAT,
     .gradient = RX_TINY_GRADIENT,
     .momentum = RX_TINY_MOMENTUM},
};

const struct rx_plan rx_tiny_plan = {
    .version = RX_PLAN_VERSION,
    .model = "tiny",
    .form = "c",
    .dtype = "f32",
    .target = "cpu",
    .arch = "generic",
    .hash = "0123456789abcdef0123456789abcdef",
    .image_h = RX_TINY_SIDE,
    .image_w = RX_TINY_SIDE,
    .image_c = 1,
    .classes = K,
    .recipe = {.data = "synthetic:64",
               .epochs = 3,
               .batch = 16,
               .lr = 0.1,
               .momentum = 0.9,
               .wd = 1e-4,
               .nesterov = 1,
               .n_milestones = 1,
               .milestone = {2},
               .gamma = 0.1},
    .n_tensors = RX_TINY_TENSORS,
    .n_kernels = KERNELS,
    .n_args = sizeof args / sizeof args[0],
    .n_params = sizeof params / sizeof params[0],
    .tensor = tensors,
    .kernel = kernels,
    .arg = args,
    .param = params,
    .hyper = RX_TINY_HYPER,
    .program = {[RX_PROGRAM_TRAIN] = {.n_steps = 5,
                                      .step = train_steps,
                                      .input = RX_TINY_X,
                                      .labels = RX_TINY_LABELS,
                                      .logits = RX_TINY_LOGITS,
                                      .loss = RX_TINY_LOSS},
                [RX_PROGRAM_FOLD] = {.input = -1, .labels = -1, .logits = -1, .loss = -1},
                [RX_PROGRAM_INFER] = {.n_steps = 1,
                                      .step = infer_steps,
                                      .input = RX_TINY_X_INFER,
                                      .labels = -1,
                                      .logits = RX_TINY_LOGITS_INFER,
                                      .loss = -1}},
};
