// Weights, images and labels of a trajectory as files.
#include "tests/support/trajectory_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "tests/support/formula.h"

static void
write_file(const struct rx_trajectory *t, const char *name,
           const struct rx_safetensors_content *content)
{
    char path[2 * RX_TRAJECTORY_CHARS];
    struct rx_error error = {0};
    snprintf(path, sizeof path, "%s/%s", t->folder, name);
    if (rx_safetensors_write(path, content, &error) != RX_OK)
        fail_msg("%s", error.text);
}

typedef float
parameter_fn(const char *name, int rank, const int64_t *shape, int64_t index);

static void
fill(void *context, int entry, void *out, parameter_fn *parameter)
{
    const struct rx_safetensors_entry *e = (const struct rx_safetensors_entry *)context + entry;
    int64_t count = 1;
    for (int i = 0; i < e->rank; i++)
        count *= e->shape[i];
    for (int64_t i = 0; i < count; i++)
        ((float *)out)[i] = parameter(e->name, e->rank, e->shape, i);
}

static void
fill_parameter(void *context, int entry, void *out)
{
    fill(context, entry, out, rx_formula_parameter);
}

static void
fill_clear_parameter(void *context, int entry, void *out)
{
    fill(context, entry, out, rx_formula_clear_parameter);
}

void
rx_trajectory_write_weights(const struct rx_trajectory *t)
{
    json_t *tensors = json_object_get(t->golden, "tensors"), *shape, *size;
    struct rx_safetensors_entry *entry = rx_memory_alloc(json_object_size(tensors) * sizeof *entry);
    int n = 0;
    const char *name;
    json_object_foreach(tensors, name, shape)
    {
        size_t axis;
        entry[n].name = name;
        entry[n].dtype = "F32";
        entry[n].rank = (int)json_array_size(shape);
        json_array_foreach(shape, axis, size) entry[n].shape[axis] = json_integer_value(size);
        n++;
    }
    const struct rx_safetensors_content content = {
        .n = n,
        .entry = entry,
        .fill = json_is_true(json_object_get(t->golden, "clear")) ? fill_clear_parameter
                                                                  : fill_parameter,
        .context = entry};
    write_file(t, "weights.safetensors", &content);
    free(entry);
}

void
rx_trajectory_write_data(const struct rx_trajectory *t)
{
    const int64_t count = (int64_t)t->n * t->c * t->h * t->w;
    float *image = rx_memory_alloc((size_t)count * sizeof *image);
    int64_t *label = rx_memory_alloc((size_t)t->n * sizeof *label);
    for (int64_t i = 0; i < count; i++)
        image[i] = rx_formula_image(i);
    for (int i = 0; i < t->n; i++)
        label[i] = rx_formula_label(i, t->classes);
    const struct rx_safetensors_entry entry[] = {
        {.name = "images",
         .dtype = "F32",
         .rank = 4,
         .shape = {t->n, t->c, t->h, t->w},
         .data = image},
        {.name = "labels", .dtype = "I64", .rank = 1, .shape = {t->n}, .data = label},
    };
    write_file(t, "data.safetensors",
               &(const struct rx_safetensors_content){.n = 2, .entry = entry});
    write_file(t, "images.safetensors",
               &(const struct rx_safetensors_content){.n = 1, .entry = entry});
    free(image), free(label);
}

void
rx_trajectory_open(const struct rx_trajectory *t, const char *name, struct rx_safetensors *file)
{
    char path[2 * RX_TRAJECTORY_CHARS];
    struct rx_error error = {0};
    snprintf(path, sizeof path, "%s/%s", t->folder, name);
    *file = (struct rx_safetensors){0};
    if (rx_safetensors_open(file, path, &error) != RX_OK)
        fail_msg("%s", error.text);
}

float *
rx_trajectory_take(const struct rx_safetensors *file, const char *name, int64_t *count)
{
    const struct rx_safetensor *tensor = rx_safetensors_find(file, name);
    if (tensor == NULL)
        fail_msg("%s: no tensor %s", file->path, name);
    assert_string_equal(tensor->dtype, "F32");
    float *value = rx_memory_alloc(tensor->bytes);
    memcpy(value, tensor->data, tensor->bytes);
    *count = tensor->count;
    return value;
}
