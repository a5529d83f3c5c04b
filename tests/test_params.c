// Parameters: initial values and files, for a little network held whole (form c) and in pieces
// (forms a and b).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/params.h"
#include "runtime/weights.h"
#include "tests/support/folder.h"
#include "tests/support/little_plan.h"

static const char *
file_of(void **state, const char *name, char path[RX_FOLDER_CHARS])
{
    return rx_test_folder_file(*state, name, path);
}

static void
assert_same_file(const char *a, const char *b)
{
    struct rx_text x = {0}, y = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_file_read(a, &x, &error), RX_OK);
    assert_int_equal(rx_file_read(b, &y, &error), RX_OK);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.s, y.s, x.n);
    rx_text_close(&x);
    rx_text_close(&y);
}

// --- initial values ---

static const float *
values(const struct rx_safetensors *file, const char *name, int64_t count)
{
    const struct rx_safetensor *t = rx_safetensors_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->count, count);
    assert_int_equal((uintptr_t)t->data % sizeof(float), 0);
    return t->data;
}

static void
assert_constant(const struct rx_safetensors *file, const char *name, int64_t count, float value)
{
    const float *x = values(file, name, count);
    for (int64_t i = 0; i < count; i++)
        assert_true(x[i] == value);
}

// Mean within 5 standard errors of 0, variance of `variance`; `spread` is the standard deviation of
// a squared element over the variance: sqrt(2) for normal, sqrt(4/5) for uniform.
static void
assert_moments(const struct rx_safetensors *file, const char *name, int64_t count, double variance,
               double spread)
{
    const float *x = values(file, name, count);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    const double n = (double)count;
    assert_true(fabs(sum / n) <= 5.0 * sqrt(variance / n));
    assert_true(fabs(square / n / variance - 1.0) <= 5.0 * spread / sqrt(n));
}

static void
initial_values(void **state)
{
    struct little_plan plan;
    char path[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c');
    rx_params_init(session, 1);
    little_save(session, file_of(state, "w", path), RX_PARAMS_MODEL);
    rx_session_close(session);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    assert_moments(&file, "conv1.weight", INNER * IN, 2.0 / INNER, sqrt(2.0));
    assert_moments(&file, "conv2.weight", INNER * D * 9, 2.0 / (9 * INNER), sqrt(2.0));
    assert_moments(&file, "conv3.weight", OUT * INNER, 2.0 / OUT, sqrt(2.0));
    assert_moments(&file, "fc.weight", CLASSES * OUT, 1.0 / (3.0 * OUT), sqrt(0.8));
    const float *x = values(&file, "fc.weight", CLASSES * OUT);
    for (int i = 0; i < CLASSES * OUT; i++)
        assert_true(fabs((double)x[i]) <= 1.0 / sqrt(OUT) * (1.0 + 0x1p-23));
    assert_constant(&file, "fc.bias", CLASSES, 0.0f);
    assert_constant(&file, "bn1.weight", INNER, 1.0f);
    assert_constant(&file, "bn1.bias", INNER, 0.0f);
    assert_constant(&file, "bn1.running_mean", INNER, 0.0f);
    assert_constant(&file, "bn1.running_var", INNER, 1.0f);
    rx_safetensors_close(&file);
}

static void
initial_values_are_equal_in_all_forms(void **state)
{
    char path[3][RX_FOLDER_CHARS];
    for (int i = 0; i < 3; i++) {
        struct little_plan plan;
        const char name[2] = {(char)('a' + i), '\0'};
        struct rx_session *session = little_open(&plan, name[0]);
        rx_params_init(session, 9);
        little_save(session, file_of(state, name, path[i]), RX_PARAMS_MODEL);
        rx_session_close(session);
    }
    // Names and data; the order of tensors in the plan differs where conv3 is in pieces.
    struct rx_safetensors c = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&c, path[2], &error), RX_OK);
    for (int i = 0; i < 2; i++) {
        struct rx_safetensors file = {0};
        assert_int_equal(rx_safetensors_open(&file, path[i], &error), RX_OK);
        assert_int_equal(file.n, c.n);
        for (int k = 0; k < c.n; k++) {
            const struct rx_safetensor *t = rx_safetensors_find(&file, c.tensor[k].name);
            assert_non_null(t);
            assert_int_equal(t->bytes, c.tensor[k].bytes);
            assert_memory_equal(t->data, c.tensor[k].data, t->bytes);
        }
        rx_safetensors_close(&file);
    }
    rx_safetensors_close(&c);
}

static void
seeds_and_names_give_other_values(void **state)
{
    struct little_plan plan;
    char path[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c');
    rx_params_init(session, 1);
    little_save(session, file_of(state, "1", path), RX_PARAMS_MODEL);
    struct rx_safetensors one = {0}, two = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&one, path, &error), RX_OK);
    rx_params_init(session, 2);
    little_save(session, file_of(state, "2", path), RX_PARAMS_MODEL);
    assert_int_equal(rx_safetensors_open(&two, path, &error), RX_OK);
    const float *x = values(&one, "conv1.weight", INNER * IN);
    const float *y = values(&two, "conv1.weight", INNER * IN);
    const float *z = values(&one, "conv2.weight", INNER * D * 9);
    int same = 0;
    for (int i = 0; i < INNER * IN; i++) {
        same += x[i] == y[i];
        // conv2's deviation is a third of conv1's: equal numbers would show as a ratio of 3.
        same += fabs((double)x[i] - 3.0 * (double)z[i]) <= 1e-6;
    }
    assert_int_equal(same, 0);
    rx_safetensors_close(&one);
    rx_safetensors_close(&two);
    rx_session_close(session);
}

// --- files ---

// The unused lanes of packed weights are zero and stay zero.
static void
assert_unused_lanes_are_zero(struct rx_session *session)
{
    const struct rx_plan *plan = rx_session_plan(session);
    for (int i = 0; i < plan->n_params; i++) {
        const struct rx_plan_param *p = &plan->param[i];
        if (p->kind != RX_PARAM_CONV_WEIGHT && p->kind != RX_PARAM_FC_WEIGHT)
            continue;
        const struct rx_geometry *g = &p->geometry;
        const char *memory = rx_session_tensor(session, p->tensor);
        const float *x = (const float *)(const void *)(memory + p->offset_bytes);
        int64_t non_zero = 0;
        for (int64_t e = 0; e < rx_weights_count(g); e++)
            non_zero += x[e] != 0.0f;
        assert_int_equal(non_zero, (int64_t)g->k * (g->c / g->groups) * g->r * g->s);
    }
}

// Each form's file loads into each form, and what is saved again has the same tensors, bit by bit;
// from the same form even the file is the same.
static void
files_go_round_all_forms(void **state)
{
    struct little_plan from_plan, to_plan, back_plan;
    char first[RX_FOLDER_CHARS], second[RX_FOLDER_CHARS], third[RX_FOLDER_CHARS];
    for (char from = 'a'; from <= 'c'; from++)
        for (char to = 'a'; to <= 'c'; to++) {
            struct rx_session *a = little_open(&from_plan, from);
            struct rx_session *b = little_open(&to_plan, to);
            struct rx_session *c = little_open(&back_plan, from);
            little_randomise(a, 4);
            little_save(a, file_of(state, "1", first), RX_PARAMS_MODEL);
            struct rx_error error = {0};
            int64_t batches = 0;
            assert_int_equal(rx_params_load(b, first, &batches, &error), RX_OK);
            assert_int_equal(batches, 77);
            assert_unused_lanes_are_zero(b);
            little_save(b, file_of(state, "2", second), RX_PARAMS_MODEL);
            assert_int_equal(rx_params_load(c, second, &batches, &error), RX_OK);
            little_save(c, file_of(state, "3", third), RX_PARAMS_MODEL);
            assert_same_file(first, third);
            assert_memory_equal(rx_session_tensor(a, 0), rx_session_tensor(c, 0),
                                (size_t)from_plan.tensor[0].fixed_bytes);
            if (from == to)
                assert_same_file(first, second);
            rx_session_close(a);
            rx_session_close(b);
            rx_session_close(c);
        }
}

// Where each element lies in the file, from a packed layout written by hand.
static void
files_have_torchvisions_layout(void **state)
{
    struct little_plan plan;
    char path[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c');
    float *memory = rx_session_tensor(session, 0);
    for (int i = 0; i < plan.plan.n_params; i++) {
        const struct rx_plan_param *p = &plan.param[i];
        if (strcmp(p->name, "conv2.weight") != 0)
            continue;
        float *x = memory + p->offset_bytes / (int64_t)sizeof(float);
        for (int k = 0; k < INNER; k++)
            for (int c = 0; c < D; c++)
                for (int r = 0; r < 3; r++)
                    for (int s = 0; s < 3; s++)
                        x[rx_weights_index(&little_conv2, k, c, r, s)] =
                            (float)(1000 * k + 100 * c + 10 * r + s);
    }
    little_save(session, file_of(state, "w", path), RX_PARAMS_MODEL);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    const struct rx_safetensor *t = rx_safetensors_find(&file, "conv2.weight");
    static const int64_t shape[4] = {INNER, D, 3, 3};
    assert_int_equal(t->rank, 4);
    assert_memory_equal(t->shape, shape, sizeof shape);
    const float *x = values(&file, "conv2.weight", INNER * D * 9);
    for (int i = 0; i < INNER * D * 9; i++)
        assert_true(x[i] ==
                    (float)(1000 * (i / 27) + 100 * (i / 9 % 3) + 10 * (i / 3 % 3) + i % 3));
    const struct rx_safetensor *n = rx_safetensors_find(&file, "bn1.num_batches_tracked");
    assert_non_null(n);
    assert_string_equal(n->dtype, "I64");
    assert_int_equal(n->rank, 0);
    assert_int_equal(file.n, 10);
    rx_safetensors_close(&file);
    rx_session_close(session);
}

// Momenta are `factor` times the values, those of statistics zero.
static void
assert_momenta(struct rx_session *session, float factor)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const float *value = rx_session_tensor(session, 0), *momentum = rx_session_tensor(session, 2);
    for (int i = 0; i < plan->n_params; i++) {
        const struct rx_plan_param *p = &plan->param[i];
        const int64_t first = p->offset_bytes / (int64_t)sizeof(float);
        const int64_t end =
            (i + 1 < plan->n_params ? p[1].offset_bytes : plan->tensor[0].fixed_bytes) /
            (int64_t)sizeof(float);
        for (int64_t e = first; e < end; e++)
            assert_true(momentum[e] == (p->momentum >= 0 ? factor * value[e] : 0.0f));
    }
}

static void
checkpoints_hold_momenta(void **state)
{
    struct little_plan plan, other_plan;
    char path[RX_FOLDER_CHARS], again[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'a');
    little_randomise(session, 4);
    little_save(session, file_of(state, "last", path), RX_PARAMS_CHECKPOINT);
    struct rx_session *other = little_open(&other_plan, 'a');
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    int64_t batches = 0;
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    assert_string_equal(rx_safetensors_metadata(&file, "epoch"), "2");
    assert_non_null(rx_safetensors_find(&file, "momentum/conv3.weight"));
    assert_null(rx_safetensors_find(&file, "momentum/bn1.running_var"));
    assert_int_equal(rx_params_restore(other, &file, &batches, &error), RX_OK);
    assert_int_equal(batches, 77);
    rx_safetensors_close(&file);
    const size_t bytes = (size_t)plan.tensor[0].fixed_bytes;
    assert_memory_equal(rx_session_tensor(session, 0), rx_session_tensor(other, 0), bytes);
    assert_momenta(other, -2.0f);
    little_save(other, file_of(state, "again", again), RX_PARAMS_CHECKPOINT);
    assert_same_file(path, again);
    // As weights alone the file is good as well, and momenta stay as they are.
    memset(rx_session_tensor(other, 2), 0, bytes);
    assert_int_equal(rx_params_load(other, path, &batches, &error), RX_OK);
    assert_momenta(other, 0.0f);
    // The other way round it is not: weights alone are no checkpoint.
    little_save(session, path, RX_PARAMS_MODEL);
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    assert_int_equal(rx_params_restore(other, &file, &batches, &error), RX_USER);
    assert_non_null(strstr(error.text, "momentum/bn1.bias: the tensor is missing (7 in all)"));
    rx_safetensors_close(&file);
    rx_session_close(session);
    rx_session_close(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(initial_values),
        WITH_FOLDER(initial_values_are_equal_in_all_forms),
        WITH_FOLDER(seeds_and_names_give_other_values),
        WITH_FOLDER(files_go_round_all_forms),
        WITH_FOLDER(files_have_torchvisions_layout),
        WITH_FOLDER(checkpoints_hold_momenta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
