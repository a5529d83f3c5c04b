// Images and labels of a safetensors file, used as they are for training and for evaluation.
#include "runtime/data/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/data/source.h"

struct tensors {
    struct rx_safetensors file;
    const struct rx_safetensor *images;  // F32 [N,C,H,W]
};

int
rx_tensors_images(const struct rx_safetensors *file, const struct rx_data_shape *shape,
                  const struct rx_safetensor **images, struct rx_error *error)
{
    const struct rx_safetensor *t = rx_safetensors_find(file, "images");
    if (t == NULL)
        return rx_error_user(error, "%s: images: the tensor is missing: F32 [N,C,H,W]", file->path);
    if (strcmp(t->dtype, "F32") != 0 || t->rank != 4)
        return rx_error_user(error, "%s: images: is %s with %d dimensions: F32 [N,C,H,W] is right",
                             file->path, t->dtype, t->rank);
    if (t->shape[0] == 0)
        return rx_error_user(error, "%s: images: holds no images", file->path);
    *images = t;
    return rx_data_check_size(shape, file->path, t->shape[2], t->shape[3], t->shape[1], error);
}

void
rx_tensors_read(const struct rx_safetensor *images, int64_t index, float *image)
{
    const int64_t n_c = images->shape[1], n_pixels = images->shape[2] * images->shape[3];
    const char *at = (const char *)images->data + index * n_c * n_pixels * (int64_t)sizeof(float);
    for (int64_t c = 0; c < n_c; c++)
        for (int64_t i = 0; i < n_pixels; i++, at += sizeof(float))
            memcpy(&image[i * n_c + c], at, sizeof(float));
}

static int
read_image(const struct rx_data *data, enum rx_split split, int64_t index, float *image,
           struct rx_error *error)
{
    (void)split;
    (void)error;
    const struct tensors *t = data->state;
    rx_tensors_read(t->images, index, image);
    return RX_OK;
}

static void
close_state(void *state)
{
    struct tensors *t = state;
    rx_safetensors_close(&t->file);
    free(t);
}

static int
read_labels(struct rx_data *data, enum rx_split split, struct rx_error *error)
{
    const struct tensors *t = data->state;
    const struct rx_safetensor *labels = rx_safetensors_find(&t->file, "labels");
    const char *path = t->file.path;
    if (labels == NULL)
        return rx_error_user(error, "%s: labels: the tensor is missing: I64 [N]", path);
    if (strcmp(labels->dtype, "I64") != 0 || labels->rank != 1)
        return rx_error_user(error, "%s: labels: is %s with %d dimensions: I64 [N] is right", path,
                             labels->dtype, labels->rank);
    if (labels->count != t->images->shape[0])
        return rx_error_user(error, "%s: holds %lld labels: there are %lld images", path,
                             (long long)labels->count, (long long)t->images->shape[0]);
    data->count[split] = labels->count;
    data->labels[split] = rx_memory_alloc((size_t)labels->count * sizeof *data->labels[split]);
    for (int64_t i = 0; i < labels->count; i++) {
        int64_t label;
        memcpy(&label, (const char *)labels->data + i * (int64_t)sizeof label, sizeof label);
        const int status = rx_data_check_label(&data->shape, path, i, label, error);
        if (status != RX_OK)
            return status;
        data->labels[split][i] = (int32_t)label;
    }
    return RX_OK;
}

int
rx_tensors_open(struct rx_data *data, const char *argument, struct rx_error *error)
{
    if (argument == NULL || *argument == '\0')
        return rx_error_user(error, "--data tensors: names no file: tensors:FILE.safetensors");
    struct tensors *t = rx_memory_alloc(sizeof *t);
    data->state = t;
    data->close = close_state;
    data->read = read_image;
    data->fixed = 1;
    int status = rx_safetensors_open(&t->file, argument, error);
    if (status == RX_OK)
        status = rx_tensors_images(&t->file, &data->shape, &t->images, error);
    if (status == RX_OK)
        status = read_labels(data, RX_SPLIT_TRAIN, error);
    if (status == RX_OK)
        status = read_labels(data, RX_SPLIT_VAL, error);
    return status;
}
