// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) as Debian's dataset-fashion-mnist ships it: four
// gzipped IDX files.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/data/idx.h"
#include "runtime/data/source.h"

static const char default_folder[] = "/usr/share/datasets/fashion-mnist";

enum { PIXEL_VALUES = 256, PATH_CHARS = 4096 };

struct fashion {
    struct rx_idx images[RX_SPLITS];  // [count][h][w]
    float value[PIXEL_VALUES];        // of each byte, normalised
};

static int
read_image(const struct rx_data *data, enum rx_split split, int64_t index, float *image,
           struct rx_error *error)
{
    (void)error;
    const struct fashion *f = data->state;
    const int64_t n = rx_data_elements(data);
    const uint8_t *pixel = f->images[split].bytes + index * n;
    for (int64_t i = 0; i < n; i++)
        image[i] = f->value[pixel[i]];
    return RX_OK;
}

static void
close_state(void *state)
{
    struct fashion *f = state;
    for (int i = 0; i < RX_SPLITS; i++)
        rx_idx_close(&f->images[i]);
    free(f);
}

// (x / 255 - mean) / std for each byte, in double, rounded once.
static int
make_values(struct fashion *f, const struct rx_recipe *recipe, struct rx_error *error)
{
    if (recipe->n_mean > 1)
        return rx_error_user(error,
                             "fashion-mnist: the recipe's mean and std have %d channels: the "
                             "images have 1",
                             recipe->n_mean);
    const double mean = recipe->n_mean == 1 ? recipe->mean[0] : 0.0;
    const double deviation = recipe->n_mean == 1 ? recipe->std[0] : 1.0;
    for (int i = 0; i < PIXEL_VALUES; i++)
        f->value[i] = (float)((i / 255.0 - mean) / deviation);
    return RX_OK;
}

static int
read_labels(struct rx_data *data, enum rx_split split, const char *path, struct rx_error *error)
{
    struct rx_idx idx;
    int status = rx_idx_read(&idx, path, 1, error);
    if (status != RX_OK)
        return status;
    if (idx.count != data->count[split])
        status = rx_error_user(error, "%s: holds %lld labels: there are %lld images", path,
                               (long long)idx.count, (long long)data->count[split]);
    data->labels[split] = rx_memory_alloc((size_t)idx.count * sizeof *data->labels[split]);
    for (int64_t i = 0; i < idx.count && status == RX_OK; i++) {
        data->labels[split][i] = idx.bytes[i];
        status = rx_data_check_label(&data->shape, path, i, idx.bytes[i], error);
    }
    rx_idx_close(&idx);
    return status;
}

// Files are gzipped, or plain where only those are there.
static void
find_file(char path[PATH_CHARS], const char *folder, const char *stem, const char *what)
{
    snprintf(path, PATH_CHARS, "%s/%s-%s", folder, stem, what);
    if (access(path, F_OK) != 0)
        snprintf(path, PATH_CHARS, "%s/%s-%s.gz", folder, stem, what);
}

static int
read_split(struct rx_data *data, enum rx_split split, const char *folder, const char *stem,
           struct rx_error *error)
{
    struct fashion *f = data->state;
    struct rx_idx *images = &f->images[split];
    char path[PATH_CHARS];
    find_file(path, folder, stem, "images-idx3-ubyte");
    int status = rx_idx_read(images, path, 3, error);
    if (status != RX_OK)
        return status;
    status = rx_data_check_size(&data->shape, path, images->shape[1], images->shape[2], 1, error);
    if (status != RX_OK)
        return status;
    data->state_bytes += images->count;
    data->count[split] = images->shape[0];
    if (data->count[split] == 0)
        return rx_error_user(error, "%s: holds no images", path);
    find_file(path, folder, stem, "labels-idx1-ubyte");
    return read_labels(data, split, path, error);
}

int
rx_fashion_open(struct rx_data *data, const char *argument, struct rx_error *error)
{
    const char *folder = argument != NULL ? argument : default_folder;
    struct stat st;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return rx_error_user(error,
                             "--data fashion-mnist: there is no folder %.200s: "
                             "apt-get install dataset-fashion-mnist, or fashion-mnist:DIR",
                             folder);
    struct fashion *f = rx_memory_alloc(sizeof *f);
    data->state = f;
    data->close = close_state;
    data->read = read_image;
    int status = make_values(f, &data->recipe, error);
    if (status == RX_OK)
        status = read_split(data, RX_SPLIT_TRAIN, folder, "train", error);
    if (status == RX_OK)
        status = read_split(data, RX_SPLIT_VAL, folder, "t10k", error);
    return status;
}
