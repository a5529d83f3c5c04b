// Initial values of parameters, and files of weights written.
#include "runtime/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/params_map.h"
#include "runtime/random.h"

static void
fill_constant(float *x, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

// [K][C/G][R][S], N(0, sqrt(2 / (R*S*K))) (He et al. 2015, as torchvision: mode fan_out). Elements
// 2i and 2i + 1 are the two normals of index i.
static void
fill_conv(float *x, const struct rx_params_group *group, uint64_t seed)
{
    const int64_t *shape = group->param->file_shape;
    const double deviation = sqrt(2.0 / (double)(shape[2] * shape[3] * shape[0]));
    const uint64_t stream = rx_random_stream_name(group->param->name);
    for (int64_t i = 0; i < group->count; i += 2) {
        double normal[2];
        rx_random_normals(seed, stream, (uint64_t)(i / 2), normal);
        for (int k = 0; k < 2 && i + k < group->count; k++)
            x[i + k] = (float)(deviation * normal[k]);
    }
}

// [K][C], U(+-1/sqrt(C)).
static void
fill_fc(float *x, const struct rx_params_group *group, uint64_t seed)
{
    const double bound = 1.0 / sqrt((double)group->param->file_shape[1]);
    const uint64_t stream = rx_random_stream_name(group->param->name);
    for (int64_t i = 0; i < group->count; i++)
        x[i] = (float)(bound * (2.0 * rx_random_uniform(seed, stream, (uint64_t)i) - 1.0));
}

static void
fill(float *x, const struct rx_params_group *group, uint64_t seed)
{
    switch (group->param->kind) {
    case RX_PARAM_CONV_WEIGHT:
        fill_conv(x, group, seed);
        break;
    case RX_PARAM_FC_WEIGHT:
        fill_fc(x, group, seed);
        break;
    case RX_PARAM_BN_WEIGHT:
    case RX_PARAM_RUNNING_VAR:
        fill_constant(x, group->count, 1.0f);
        break;
    case RX_PARAM_FC_BIAS:
    case RX_PARAM_BN_BIAS:
    case RX_PARAM_RUNNING_MEAN:
        fill_constant(x, group->count, 0.0f);
        break;
    }
}

void
rx_params_init(struct rx_session *session, uint64_t seed)
{
    struct rx_params_map map;
    rx_params_map_open(&map, rx_session_plan(session));
    float *whole = rx_memory_alloc((size_t)map.largest * sizeof *whole);
    for (int i = 0; i < map.n; i++) {
        fill(whole, &map.group[i], seed);
        rx_params_scatter(session, &map.group[i], RX_PARAMS_VALUE, whole);
    }
    free(whole);
    rx_params_map_close(&map);
}

// What is being saved: the entries of the file and where each comes from.
struct saving {
    struct rx_session *session;
    struct rx_params_map map;
    struct rx_arena arena;  // names
    int n;
    struct rx_safetensors_entry *entry;
    struct source {
        const struct rx_params_group *group;
        enum rx_params_role role;
    } * source;
};

static void
add_group(struct saving *s, const struct rx_params_group *group, enum rx_params_role role)
{
    const struct rx_plan_param *p = group->param;
    struct rx_safetensors_entry *entry = &s->entry[s->n];
    const char *prefix = role == RX_PARAMS_MOMENTUM ? "momentum/" : "";
    *entry = (struct rx_safetensors_entry){
        .name = rx_arena_printf(&s->arena, "%s%s", prefix, p->name), .dtype = "F32"};
    entry->rank = p->rank;
    for (int i = 0; i < p->rank; i++)
        entry->shape[i] = p->file_shape[i];
    s->source[s->n++] = (struct source){.group = group, .role = role};
}

static void
add_batches(struct saving *s, const struct rx_params_group *group, const int64_t *batches)
{
    char name[RX_PARAMS_NAME_MAX];
    if (!rx_params_batches_name(group, name))
        return;
    s->entry[s->n++] = (struct rx_safetensors_entry){
        .name = rx_arena_text(&s->arena, name), .dtype = "I64", .data = batches};
}

static void
list_entries(struct saving *s, enum rx_params_what what, const int64_t *batches)
{
    // A group adds at most itself, a count of batches and a momentum.
    const size_t most = 3 * (size_t)s->map.n;
    s->entry = rx_memory_alloc(most * sizeof *s->entry);
    s->source = rx_memory_alloc(most * sizeof *s->source);
    for (int i = 0; i < s->map.n; i++) {
        add_group(s, &s->map.group[i], RX_PARAMS_VALUE);
        add_batches(s, &s->map.group[i], batches);
    }
    for (int i = 0; i < s->map.n && what == RX_PARAMS_CHECKPOINT; i++)
        if (rx_params_is_trained(&s->map.group[i]))
            add_group(s, &s->map.group[i], RX_PARAMS_MOMENTUM);
}

static void
fill_entry(void *context, int entry, void *out)
{
    struct saving *s = context;
    const struct source *source = &s->source[entry];
    rx_params_gather(s->session, source->group, source->role, out);
}

// Has all that is going to be saved come to the host, so that a device that is lost by then leaves
// the old file.
static int
fetch(struct rx_session *session, enum rx_params_what what, struct rx_error *error)
{
    const struct rx_plan *plan = rx_session_plan(session);
    for (int i = 0; i < plan->n_params; i++) {
        rx_session_tensor(session, plan->param[i].tensor);
        if (what == RX_PARAMS_CHECKPOINT && plan->param[i].momentum >= 0)
            rx_session_tensor(session, plan->param[i].momentum);
    }
    return rx_session_fault(session, error);
}

int
rx_params_save(struct rx_session *session, const char *path, enum rx_params_what what,
               int64_t batches, const struct rx_metadata *metadata, int n_metadata,
               struct rx_error *error)
{
    struct saving s = {.session = session};
    rx_params_map_open(&s.map, rx_session_plan(session));
    list_entries(&s, what, &batches);
    const struct rx_safetensors_content content = {.n = s.n,
                                                   .entry = s.entry,
                                                   .fill = fill_entry,
                                                   .context = &s,
                                                   .n_metadata = n_metadata,
                                                   .metadata = metadata};
    int status = fetch(session, what, error);
    if (status == RX_OK)
        status = rx_safetensors_write(path, &content, error);
    free(s.entry);
    free(s.source);
    rx_arena_close(&s.arena);
    rx_params_map_close(&s.map);
    return status;
}
