// The little network's plan.
#include "tests/support/little_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/random.h"
#include "runtime/weights.h"

static void
add(struct little_plan *f, struct rx_plan_param p, int64_t count)
{
    const int is_trained = p.kind != RX_PARAM_RUNNING_MEAN && p.kind != RX_PARAM_RUNNING_VAR;
    p.tensor = 0;
    p.gradient = is_trained ? 1 : -1;
    p.momentum = is_trained ? 2 : -1;
    p.offset_bytes = f->tensor[0].fixed_bytes;
    f->param[f->plan.n_params++] = p;
    for (int i = 0; i < 3; i++)
        f->tensor[i].fixed_bytes += count * (int64_t)sizeof(float);
    assert_true(f->plan.n_params <= LITTLE_PARAMS_MAX);
}

// A convolution of the file, of which this piece holds slice_count along slice_dim.
static void
add_conv(struct little_plan *f, const char *name, struct rx_geometry whole, int slice_dim,
         int first, int count)
{
    struct rx_geometry piece = whole;
    if (slice_dim == 0) {
        piece.k = count;
        piece.c = whole.c / whole.groups * (whole.groups > 1 ? count * whole.groups / whole.k : 1);
        piece.groups = whole.groups > 1 ? count * whole.groups / whole.k : 1;
    } else if (slice_dim == 1) {
        piece.c = count;
    }
    add(f,
        (struct rx_plan_param){
            .name = name,
            .kind = RX_PARAM_CONV_WEIGHT,
            .rank = 4,
            .file_shape = {whole.k, whole.c / whole.groups, whole.r, whole.s},
            .slice_dim = slice_dim,
            .slice_first = first,
            .slice_count = count,
            .geometry = piece,
        },
        rx_weights_count(&piece));
}

static void
add_vector(struct little_plan *f, const char *name, enum rx_param_kind kind, int n, int first,
           int count)
{
    add(f,
        (struct rx_plan_param){
            .name = name,
            .kind = kind,
            .rank = 1,
            .file_shape = {n},
            .slice_dim = count < n ? 0 : RX_SLICE_NONE,
            .slice_first = first,
            .slice_count = count,
        },
        count);
}

static const struct rx_geometry conv1 = {.c = IN, .k = INNER, .groups = 1, .r = 1, .s = 1};
const struct rx_geometry little_conv2 = {
    .c = INNER, .k = INNER, .groups = CARDINALITY, .r = 3, .s = 3};
static const struct rx_geometry conv3 = {.c = INNER, .k = OUT, .groups = 1, .r = 1, .s = 1};
static const struct rx_geometry fc = {.c = OUT, .k = CLASSES, .groups = 1, .r = 1, .s = 1};

// The first block's conv1, bn1, conv2 of paths [first, first + count).
static void
add_paths(struct little_plan *f, int first, int count)
{
    const int dim = count < CARDINALITY ? 0 : RX_SLICE_NONE;
    add_conv(f, "conv1.weight", conv1, dim, first * D, count * D);
    add_vector(f, "bn1.weight", RX_PARAM_BN_WEIGHT, INNER, first * D, count * D);
    add_vector(f, "bn1.bias", RX_PARAM_BN_BIAS, INNER, first * D, count * D);
    add_vector(f, "bn1.running_mean", RX_PARAM_RUNNING_MEAN, INNER, first * D, count * D);
    add_vector(f, "bn1.running_var", RX_PARAM_RUNNING_VAR, INNER, first * D, count * D);
    add_conv(f, "conv2.weight", little_conv2, dim, first * D, count * D);
}

static void
build(struct little_plan *f, char form)
{
    memset(f, 0, sizeof *f);
    if (form == 'c') {
        add_paths(f, 0, CARDINALITY);
        add_conv(f, "conv3.weight", conv3, RX_SLICE_NONE, 0, 0);
    } else {
        for (int path = 0; path < CARDINALITY; path++) {
            add_paths(f, path, 1);
            if (form == 'a')
                add_conv(f, "conv3.weight", conv3, 1, path * D, D);
        }
        if (form == 'b')
            add_conv(f, "conv3.weight", conv3, RX_SLICE_NONE, 0, 0);
    }
    add(f,
        (struct rx_plan_param){.name = "fc.weight",
                               .kind = RX_PARAM_FC_WEIGHT,
                               .rank = 2,
                               .file_shape = {CLASSES, OUT},
                               .slice_dim = RX_SLICE_NONE,
                               .geometry = fc},
        rx_weights_count(&fc));
    add_vector(f, "fc.bias", RX_PARAM_FC_BIAS, CLASSES, 0, CLASSES);
    f->plan.version = RX_PLAN_VERSION;
    f->plan.arch = "generic";
    f->plan.model = "little";
    f->plan.param = f->param;
    f->plan.tensor = f->tensor;
    f->plan.n_tensors = 3;
}

struct rx_session *
little_open(struct little_plan *f, char form)
{
    build(f, form);
    struct rx_session *session;
    struct rx_error error = {0};
    assert_int_equal(rx_session_open(&f->plan, 1, 1, &session, &error), RX_OK);
    return session;
}

// Different values everywhere, lanes that the file does not have excepted.
void
little_randomise(struct rx_session *session, uint64_t seed)
{
    const struct rx_plan *plan = rx_session_plan(session);
    rx_params_init(session, seed);
    for (int i = 0; i < plan->n_params; i++) {
        const struct rx_plan_param *p = &plan->param[i];
        if (p->kind == RX_PARAM_CONV_WEIGHT || p->kind == RX_PARAM_FC_WEIGHT)
            continue;
        char *memory = rx_session_tensor(session, p->tensor);
        float *x = (float *)(void *)(memory + p->offset_bytes);
        for (int64_t e = 0; e < p->slice_count; e++)
            x[e] = (float)rx_random_uniform(seed, (uint64_t)i, (uint64_t)e);
    }
    // Momenta: the values negated, so that their unused lanes are zero too.
    const float *value = rx_session_tensor(session, 0);
    float *momentum = rx_session_tensor(session, 2);
    for (int64_t e = 0; e < plan->tensor[0].fixed_bytes / (int64_t)sizeof(float); e++)
        momentum[e] = -2.0f * value[e];
}

void
little_save(struct rx_session *session, const char *path, enum rx_params_what what)
{
    struct rx_error error = {0};
    const struct rx_metadata metadata = {"epoch", "2"};
    assert_int_equal(rx_params_save(session, path, what, 77, &metadata, 1, &error), RX_OK);
}
