// Pieces of file tensors: grouping by name, and the way from one layout to the other.
#include "runtime/params_map.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/weights.h"

static int64_t
slice_first(const struct rx_plan_param *p)
{
    return p->slice_dim == RX_SLICE_NONE ? 0 : p->slice_first;
}

// By name, then by place in the file tensor.
static int
compare_pieces(const void *a, const void *b, void *params)
{
    const struct rx_plan_param *x = (const struct rx_plan_param *)params + *(const int *)a;
    const struct rx_plan_param *y = (const struct rx_plan_param *)params + *(const int *)b;
    const int order = strcmp(x->name, y->name);
    if (order != 0)
        return order;
    return slice_first(x) < slice_first(y) ? -1 : slice_first(x) > slice_first(y);
}

static int
first_number(const struct rx_params_group *group)
{
    int first = group->piece[0];
    for (int i = 1; i < group->n; i++)
        if (group->piece[i] < first)
            first = group->piece[i];
    return first;
}

static int
compare_groups(const void *a, const void *b)
{
    return first_number(a) - first_number(b);
}

static int64_t
element_count(const struct rx_plan_param *p)
{
    int64_t count = 1;
    for (int i = 0; i < p->rank; i++)
        count *= p->file_shape[i];
    return count;
}

// The pieces tile the file tensor along one dimension.
static void
check_cover(const struct rx_plan *plan, const struct rx_params_group *group)
{
    const struct rx_plan_param *first = group->param;
    if (first->slice_dim == RX_SLICE_NONE) {
        assert(group->n == 1);
        return;
    }
    assert(first->slice_dim >= 0 && first->slice_dim < first->rank);
    int64_t next = 0;
    for (int i = 0; i < group->n; i++) {
        const struct rx_plan_param *p = &plan->param[group->piece[i]];
        assert(p->kind == first->kind && p->slice_dim == first->slice_dim);
        assert(memcmp(p->file_shape, first->file_shape, sizeof p->file_shape) == 0);
        assert(p->slice_first == next);
        next += p->slice_count;
    }
    assert(next == first->file_shape[first->slice_dim]);
    (void)next;
}

// Adds a piece, which is sorted, to the last group or as a new one.
static void
add_piece(struct rx_params_map *map, const struct rx_plan *plan, int *piece)
{
    const struct rx_plan_param *p = &plan->param[*piece];
    if (map->n > 0 && strcmp(map->group[map->n - 1].param->name, p->name) == 0) {
        map->group[map->n - 1].n++;
        return;
    }
    const int64_t count = element_count(p);
    map->group[map->n++] =
        (struct rx_params_group){.param = p, .count = count, .n = 1, .piece = piece};
    map->largest = count > map->largest ? count : map->largest;
}

void
rx_params_map_open(struct rx_params_map *map, const struct rx_plan *plan)
{
    const size_t n = (size_t)plan->n_params;
    *map = (struct rx_params_map){.piece = rx_memory_alloc(n * sizeof *map->piece),
                                  .group = rx_memory_alloc(n * sizeof *map->group)};
    for (int i = 0; i < plan->n_params; i++)
        map->piece[i] = i;
    if (n > 1)
        qsort_r(map->piece, n, sizeof *map->piece, compare_pieces, (void *)(uintptr_t)plan->param);
    for (int i = 0; i < plan->n_params; i++)
        add_piece(map, plan, &map->piece[i]);
    for (int i = 0; i < map->n; i++)
        check_cover(plan, &map->group[i]);
    if (map->n > 1)
        qsort(map->group, (size_t)map->n, sizeof *map->group, compare_groups);
}

void
rx_params_map_close(struct rx_params_map *map)
{
    free(map->piece);
    free(map->group);
    memset(map, 0, sizeof *map);
}

int
rx_params_is_trained(const struct rx_params_group *group)
{
    return group->param->momentum >= 0;
}

// A piece seen with four dimensions: its own extent, and where it starts in the file tensor.
struct region {
    int64_t extent[RX_PARAM_RANK_MAX], first[RX_PARAM_RANK_MAX], file[RX_PARAM_RANK_MAX];
};

static struct region
region_of(const struct rx_plan_param *p)
{
    struct region region;
    for (int i = 0; i < RX_PARAM_RANK_MAX; i++) {
        region.file[i] = i < p->rank ? p->file_shape[i] : 1;
        region.first[i] = i == p->slice_dim ? p->slice_first : 0;
        region.extent[i] = i == p->slice_dim ? p->slice_count : region.file[i];
    }
    return region;
}

static int64_t
packed_index(const struct rx_plan_param *p, int64_t k, int64_t c, int64_t r, int64_t s)
{
    if (p->kind != RX_PARAM_CONV_WEIGHT && p->kind != RX_PARAM_FC_WEIGHT)
        return k;
    return rx_weights_index(&p->geometry, (int)k, (int)c, (int)r, (int)s);
}

enum direction { TO_KERNELS, TO_FILE };

// Visits each element of a piece, in the file's order.
static void
move(const struct rx_plan_param *p, float *packed, float *whole, enum direction direction)
{
    const struct region region = region_of(p);
    const int64_t *extent = region.extent, *first = region.first, *file = region.file;
    for (int64_t k = 0; k < extent[0]; k++)
        for (int64_t c = 0; c < extent[1]; c++)
            for (int64_t r = 0; r < extent[2]; r++)
                for (int64_t s = 0; s < extent[3]; s++) {
                    const int64_t row = (first[0] + k) * file[1] + first[1] + c;
                    const int64_t column = (first[2] + r) * file[3] + first[3] + s;
                    float *in_file = &whole[row * file[2] * file[3] + column];
                    float *in_kernels = &packed[packed_index(p, k, c, r, s)];
                    if (direction == TO_FILE)
                        *in_file = *in_kernels;
                    else
                        *in_kernels = *in_file;
                }
}

static void
move_group(struct rx_session *session, const struct rx_params_group *group,
           enum rx_params_role role, float *whole, enum direction direction)
{
    const struct rx_plan *plan = rx_session_plan(session);
    for (int i = 0; i < group->n; i++) {
        const struct rx_plan_param *p = &plan->param[group->piece[i]];
        const int tensor = role == RX_PARAMS_MOMENTUM ? p->momentum : p->tensor;
        char *memory = rx_session_tensor(session, tensor);
        move(p, (float *)(void *)(memory + p->offset_bytes), whole, direction);
    }
}

void
rx_params_scatter(struct rx_session *session, const struct rx_params_group *group,
                  enum rx_params_role role, const float *whole)
{
    move_group(session, group, role, (float *)(uintptr_t)whole, TO_KERNELS);
}

void
rx_params_gather(struct rx_session *session, const struct rx_params_group *group,
                 enum rx_params_role role, float *whole)
{
    move_group(session, group, role, whole, TO_FILE);
}

int
rx_params_batches_name(const struct rx_params_group *group, char name[RX_PARAMS_NAME_MAX])
{
    static const char suffix[] = ".running_var";
    const size_t n = strlen(group->param->name), tail = sizeof suffix - 1;
    if (group->param->kind != RX_PARAM_RUNNING_VAR || n < tail ||
        strcmp(group->param->name + n - tail, suffix) != 0)
        return 0;
    snprintf(name, RX_PARAMS_NAME_MAX, "%.*s.num_batches_tracked", (int)(n - tail),
             group->param->name);
    return 1;
}
