// Files of weights that are wrong are refused and change nothing; other dtypes are converted.
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

// A good file's entries, one of which a case changes.
enum { ENTRIES_MAX = 16 };

struct entries {
    int n;
    struct rx_safetensors_entry entry[ENTRIES_MAX];
};

static void
collect(struct entries *e, const struct rx_safetensors *file)
{
    e->n = file->n;
    for (int i = 0; i < file->n; i++) {
        const struct rx_safetensor *t = &file->tensor[i];
        e->entry[i] = (struct rx_safetensors_entry){
            .name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data};
        memcpy(e->entry[i].shape, t->shape, sizeof t->shape);
    }
}

static struct rx_safetensors_entry *
entry_of(struct entries *e, const char *name)
{
    for (int i = 0; i < e->n; i++)
        if (strcmp(e->entry[i].name, name) == 0)
            return &e->entry[i];
    fail_msg("no entry %s", name);
    return NULL;
}

static void
write_entries(const struct entries *e, const char *path)
{
    const struct rx_safetensors_content content = {.n = e->n, .entry = e->entry};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_OK);
}

static void
remove_entry(struct entries *e, const char *name)
{
    struct rx_safetensors_entry *entry = entry_of(e, name);
    *entry = e->entry[--e->n];
}

// Each case changes a good file's entries; loading must say `message` and change nothing.
static void
without_fc_bias(struct entries *e)
{
    remove_entry(e, "fc.bias");
}

static void
without_two(struct entries *e)
{
    remove_entry(e, "fc.bias");
    remove_entry(e, "conv3.weight");
}

static void
with_another(struct entries *e)
{
    e->entry[e->n] = *entry_of(e, "fc.bias");
    e->entry[e->n++].name = "head.bias";
}

static void
with_foreign_batches(struct entries *e)
{
    entry_of(e, "bn1.num_batches_tracked")->name = "bn9.num_batches_tracked";
}

static void
with_other_shape(struct entries *e)
{
    struct rx_safetensors_entry *fc_weight = entry_of(e, "fc.weight");
    fc_weight->shape[0] = OUT;
    fc_weight->shape[1] = CLASSES;
}

static void
with_other_rank(struct entries *e)
{
    struct rx_safetensors_entry *fc_weight = entry_of(e, "fc.weight");
    fc_weight->rank = 4;
    fc_weight->shape[2] = fc_weight->shape[3] = 1;
}

static void
with_integers(struct entries *e)
{
    entry_of(e, "fc.bias")->dtype = "I32";
}

static void
with_float_batches(struct entries *e)
{
    entry_of(e, "bn1.num_batches_tracked")->dtype = "F64";
}

static void
with_batches_vector(struct entries *e)
{
    struct rx_safetensors_entry *batches = entry_of(e, "bn1.num_batches_tracked");
    batches->rank = 1;
    batches->shape[0] = 1;
}

static const struct {
    void (*change)(struct entries *e);
    const char *message;
} wrong[] = {
    {without_fc_bias, "fc.bias: the tensor is missing (1 in all): model little needs it"},
    {without_two, "conv3.weight: the tensor is missing (2 in all)"},
    {with_another, "head.bias: unknown tensor: model little has no such parameter"},
    {with_foreign_batches, "bn9.num_batches_tracked: unknown tensor"},
    {with_other_shape, "fc.weight: its shape is [37, 5]: the network has [5, 37]"},
    {with_other_rank, "fc.weight: its shape is [5, 37, 1, 1]: the network has [5, 37]"},
    {with_integers, "fc.bias: its dtype is I32: F32 is right"},
    {with_float_batches, "bn1.num_batches_tracked: is F64 with 0 dimensions: an I64 scalar"},
    {with_batches_vector, "bn1.num_batches_tracked: is I64 with 1 dimensions: an I64 scalar"},
};

static void
wrong_files_change_nothing(void **state)
{
    struct little_plan plan, other_plan;
    char good[RX_FOLDER_CHARS], bad[RX_FOLDER_CHARS], before[RX_FOLDER_CHARS];
    char after[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c'), *other = little_open(&other_plan, 'b');
    little_randomise(session, 1);
    little_save(session, file_of(state, "good", good), RX_PARAMS_MODEL);
    little_randomise(other, 2);
    little_save(other, file_of(state, "before", before), RX_PARAMS_CHECKPOINT);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&file, good, &error), RX_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct entries entries;
        collect(&entries, &file);
        wrong[i].change(&entries);
        write_entries(&entries, file_of(state, "bad", bad));
        int64_t batches = -1;
        error = (struct rx_error){0};
        const int status = rx_params_load(other, bad, &batches, &error);
        if (status != RX_USER || strstr(error.text, wrong[i].message) == NULL)
            fail_msg("%d \"%s\" without \"%s\"", status, error.text, wrong[i].message);
        assert_int_equal(batches, -1);
        little_save(other, file_of(state, "after", after), RX_PARAMS_CHECKPOINT);
        assert_same_file(before, after);
    }
    rx_safetensors_close(&file);
    error = (struct rx_error){0};
    int64_t batches;
    assert_int_equal(rx_params_load(other, file_of(state, "none", bad), &batches, &error), RX_USER);
    assert_non_null(strstr(error.text, "cannot be opened"));
    rx_session_close(session);
    rx_session_close(other);
}

static void
batches_may_be_missing(void **state)
{
    struct little_plan plan;
    char path[RX_FOLDER_CHARS], without[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c');
    little_save(session, file_of(state, "w", path), RX_PARAMS_MODEL);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    struct entries entries;
    collect(&entries, &file);
    remove_entry(&entries, "bn1.num_batches_tracked");
    write_entries(&entries, file_of(state, "without", without));
    rx_safetensors_close(&file);
    int64_t batches = -1;
    assert_int_equal(rx_params_load(session, without, &batches, &error), RX_OK);
    assert_int_equal(batches, 0);
    rx_session_close(session);
}

// --- other dtypes ---

static void
check_conversion(void **state, const char *dtype, const void *bias)
{
    struct little_plan plan;
    char path[RX_FOLDER_CHARS];
    struct rx_session *session = little_open(&plan, 'c');
    little_save(session, file_of(state, "w", path), RX_PARAMS_MODEL);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    struct entries entries;
    collect(&entries, &file);
    struct rx_safetensors_entry *entry = entry_of(&entries, "fc.bias");
    entry->dtype = dtype;
    entry->data = bias;
    write_entries(&entries, path);
    rx_safetensors_close(&file);
    int64_t batches;
    assert_int_equal(rx_params_load(session, path, &batches, &error), RX_OK);
    const struct rx_plan_param *p = &plan.param[plan.plan.n_params - 1];
    const char *memory = rx_session_tensor(session, 0);
    static const float right[CLASSES] = {1.0f, -2.5f, 0x1p-24f, 0.0f, INFINITY};
    const float *x = (const float *)(const void *)(memory + p->offset_bytes);
    for (int i = 0; i < CLASSES; i++)
        assert_true(x[i] == right[i] && !signbit(x[i]) == !signbit(right[i]));
    rx_session_close(session);
}

static void
other_dtypes_are_converted(void **state)
{
    static const double f64[CLASSES] = {1.0, -2.5, 0x1p-24, 0.0, INFINITY};
    static const uint16_t f16[CLASSES] = {0x3c00, 0xc100, 0x0001, 0x0000, 0x7c00};
    static const uint16_t bf16[CLASSES] = {0x3f80, 0xc020, 0x3380, 0x0000, 0x7f80};
    check_conversion(state, "F64", f64);
    check_conversion(state, "F16", f16);
    check_conversion(state, "BF16", bf16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(wrong_files_change_nothing),
        WITH_FOLDER(batches_may_be_missing),
        WITH_FOLDER(other_dtypes_are_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
