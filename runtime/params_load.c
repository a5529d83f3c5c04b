// Files of weights read: the whole file is checked against the plan before anything changes.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/bf16.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/params.h"
#include "runtime/params_map.h"

static const char momentum_prefix[] = "momentum/";

enum { MOMENTUM_PREFIX = sizeof momentum_prefix - 1 };

// Half precision to single, exactly: 1 sign bit, 5 of exponent (bias 15), 10 of fraction.
static float
float_of_half(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    uint32_t bits;
    float value;
    if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
        value = (float)fraction * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
    } else {
        const int biased = exponent == 31 ? 255 : exponent + 112;
        bits = (uint32_t)biased << 23 | (uint32_t)fraction << 13;
    }
    bits |= (uint32_t)(half >> 15) << 31;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// One element of a dtype that is_float accepts; F64 is rounded to nearest.
static float
element(const struct rx_safetensor *t, int64_t i)
{
    const char *at = (const char *)t->data + (int64_t)(t->bytes / (size_t)t->count) * i;
    const int is_bf16 = strcmp(t->dtype, "BF16") == 0;
    if (is_bf16 || strcmp(t->dtype, "F16") == 0) {
        uint16_t bits;
        memcpy(&bits, at, sizeof bits);
        return is_bf16 ? rx_bf16_widen(bits) : float_of_half(bits);
    }
    if (strcmp(t->dtype, "F64") == 0) {
        double value;
        memcpy(&value, at, sizeof value);
        return (float)value;
    }
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static int
is_float(const struct rx_safetensor *t)
{
    static const char *const accepted[] = {"F32", "BF16", "F16", "F64"};
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        if (strcmp(t->dtype, accepted[i]) == 0)
            return 1;
    return 0;
}

static void
print_shape(struct rx_text *text, const int64_t *shape, int rank)
{
    rx_text_add(text, "[");
    for (int i = 0; i < rank; i++)
        rx_text_printf(text, "%s%lld", i > 0 ? ", " : "", (long long)shape[i]);
    rx_text_add(text, "]");
}

static int
has_shape(const struct rx_safetensor *t, const struct rx_plan_param *p)
{
    if (t->rank != p->rank)
        return 0;
    for (int i = 0; i < p->rank; i++)
        if (t->shape[i] != p->file_shape[i])
            return 0;
    return 1;
}

static int
refuse_shape(const char *path, const struct rx_safetensor *t, const struct rx_plan_param *p,
             struct rx_error *error)
{
    struct rx_text is = {0}, right = {0};
    print_shape(&is, t->shape, t->rank);
    print_shape(&right, p->file_shape, p->rank);
    const int status = rx_error_user(error, "%s: %.200s: its shape is %s: the network has %s", path,
                                     t->name, is.s, right.s);
    rx_text_close(&is);
    rx_text_close(&right);
    return status;
}

// A file tensor that the network needs.
struct need {
    const char *name;
    const struct rx_params_group *group;
    enum rx_params_role role;
    int is_batches;                      // 1: a count of batches, which may be missing
    const struct rx_safetensor *tensor;  // once found
};

struct loading {
    struct rx_session *session;
    const struct rx_safetensors *file;
    struct rx_params_map map;
    struct rx_arena arena;  // names
    int n;
    struct need *need;  // sorted by name once all are listed
};

static void
add_need(struct loading *l, const char *prefix, const char *name, struct need need)
{
    need.name = rx_arena_printf(&l->arena, "%s%s", prefix, name);
    l->need[l->n++] = need;
}

static int
compare_needs(const void *a, const void *b)
{
    return strcmp(((const struct need *)a)->name, ((const struct need *)b)->name);
}

static void
list_needs(struct loading *l, enum rx_params_what what)
{
    l->need = rx_memory_alloc(3 * (size_t)l->map.n * sizeof *l->need);
    for (int i = 0; i < l->map.n; i++) {
        const struct rx_params_group *group = &l->map.group[i];
        const char *name = group->param->name;
        char batches[RX_PARAMS_NAME_MAX];
        add_need(l, "", name, (struct need){.group = group, .role = RX_PARAMS_VALUE});
        if (rx_params_batches_name(group, batches))
            add_need(l, "", batches, (struct need){.is_batches = 1});
        if (what == RX_PARAMS_CHECKPOINT && rx_params_is_trained(group))
            add_need(l, momentum_prefix, name,
                     (struct need){.group = group, .role = RX_PARAMS_MOMENTUM});
    }
    if (l->n > 1)
        qsort(l->need, (size_t)l->n, sizeof *l->need, compare_needs);
}

static int
check_batches(const char *path, const struct rx_safetensor *t, struct rx_error *error)
{
    if (strcmp(t->dtype, "I64") == 0 && t->rank == 0)
        return RX_OK;
    return rx_error_user(error, "%s: %.200s: is %s with %d dimensions: an I64 scalar is right",
                         path, t->name, t->dtype, t->rank);
}

static int
check_weights(const char *path, const struct rx_safetensor *t, const struct rx_plan_param *p,
              struct rx_error *error)
{
    if (!is_float(t))
        return rx_error_user(error,
                             "%s: %.200s: its dtype is %s: F32 is right (F16, BF16 and F64 "
                             "are converted)",
                             path, t->name, t->dtype);
    return has_shape(t, p) ? RX_OK : refuse_shape(path, t, p, error);
}

// Matches each tensor of the file with what the network needs.
static int
match_tensors(struct loading *l, enum rx_params_what what, struct rx_error *error)
{
    for (int i = 0; i < l->file->n; i++) {
        const struct rx_safetensor *t = &l->file->tensor[i];
        if (what == RX_PARAMS_MODEL && strncmp(t->name, momentum_prefix, MOMENTUM_PREFIX) == 0)
            continue;
        const struct need key = {.name = t->name};
        struct need *need = bsearch(&key, l->need, (size_t)l->n, sizeof key, compare_needs);
        if (need == NULL)
            return rx_error_user(error,
                                 "%s: %.200s: unknown tensor: model %s has no such parameter",
                                 l->file->path, t->name, rx_session_plan(l->session)->model);
        need->tensor = t;
        const int status = need->is_batches
                               ? check_batches(l->file->path, t, error)
                               : check_weights(l->file->path, t, need->group->param, error);
        if (status != RX_OK)
            return status;
    }
    return RX_OK;
}

static int
check_missing(const struct loading *l, struct rx_error *error)
{
    const struct need *first = NULL;
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (l->need[i].tensor == NULL && !l->need[i].is_batches) {
            first = n++ == 0 ? &l->need[i] : first;
        }
    if (n == 0)
        return RX_OK;
    return rx_error_user(error, "%s: %.200s: the tensor is missing (%d in all): model %s needs it",
                         l->file->path, first->name, n, rx_session_plan(l->session)->model);
}

// Networks count batches once for each BN, all alike; the largest is taken.
static void
copy_all(struct loading *l, int64_t *batches)
{
    float *whole = rx_memory_alloc((size_t)l->map.largest * sizeof *whole);
    *batches = 0;
    for (int i = 0; i < l->n; i++) {
        const struct need *need = &l->need[i];
        if (need->tensor == NULL)
            continue;
        if (need->is_batches) {
            int64_t value;
            memcpy(&value, need->tensor->data, sizeof value);
            *batches = value > *batches ? value : *batches;
            continue;
        }
        for (int64_t e = 0; e < need->tensor->count; e++)
            whole[e] = element(need->tensor, e);
        rx_params_scatter(l->session, need->group, need->role, whole);
    }
    free(whole);
}

static int
load(struct rx_session *session, const struct rx_safetensors *file, enum rx_params_what what,
     int64_t *batches, struct rx_error *error)
{
    struct loading l = {.session = session, .file = file};
    rx_params_map_open(&l.map, rx_session_plan(session));
    list_needs(&l, what);
    int status = match_tensors(&l, what, error);
    if (status == RX_OK)
        status = check_missing(&l, error);
    if (status == RX_OK)
        copy_all(&l, batches);
    free(l.need);
    rx_arena_close(&l.arena);
    rx_params_map_close(&l.map);
    return status;
}

int
rx_params_load(struct rx_session *session, const char *path, int64_t *batches,
               struct rx_error *error)
{
    struct rx_safetensors file = {0};
    int status = rx_safetensors_open(&file, path, error);
    if (status != RX_OK)
        return status;
    status = load(session, &file, RX_PARAMS_MODEL, batches, error);
    rx_safetensors_close(&file);
    return status;
}

int
rx_params_restore(struct rx_session *session, const struct rx_safetensors *file, int64_t *batches,
                  struct rx_error *error)
{
    return load(session, file, RX_PARAMS_CHECKPOINT, batches, error);
}
