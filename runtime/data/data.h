// Data: where images come from, and the loader that prepares batches on threads.
#ifndef RX_DATA_H
#define RX_DATA_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/recipe.h"

// What the network takes; data that does not fit is RX_USER.
struct rx_data_shape {
    int h, w, c, classes;
};

enum rx_split { RX_SPLIT_TRAIN, RX_SPLIT_VAL };

struct rx_data;

// Opens a SPEC: "fashion-mnist[:DIR]" (default: the Debian package's folder), "synthetic[:N]",
// "tensors:FILE.safetensors". `classes`, sizes, labels and counts are checked here. RX_USER.
int
rx_data_open(const char *spec, const struct rx_data_shape *shape, const struct rx_recipe *recipe,
             struct rx_data **data, struct rx_error *error);
void
rx_data_close(struct rx_data *data);
int64_t
rx_data_count(const struct rx_data *data, enum rx_split split);
int64_t
rx_data_bytes(const struct rx_data *data);  // that it allocated (a mapped file is not)

// How samples are drawn and changed. One seed gives one run for any number of workers: every random
// number is a function of (seed, epoch, sample, purpose), Philox.
struct rx_loader_options {
    enum rx_split split;
    int batch;
    int shuffle;    // 0 or 1
    int augment;    // 1: as the recipe says (crop_pad, flip)
    int drop_last;  // 1: only full batches
    int workers;    // 0: batches are prepared in the calling thread
    uint64_t seed;
};

struct rx_batch {
    int n;                  // images
    const float *images;    // [n][h][w][c]
    const int32_t *labels;  // [n]
};

struct rx_loader;

// A loader over one split. Its memory (workers' buffers included) is rx_loader_bytes.
int
rx_loader_open(struct rx_data *data, const struct rx_loader_options *options,
               struct rx_loader **loader, struct rx_error *error);
void
rx_loader_close(struct rx_loader *loader);
int64_t
rx_loader_bytes(const struct rx_loader *loader);
int64_t
rx_loader_batches(const struct rx_loader *loader);  // an epoch

// Starts at batch `first` (from 0) of an epoch (from 1) and prefetches ahead, also into the next
// epoch. Then each next call gives the following batch; its memory is valid until the next call.
void
rx_loader_seek(struct rx_loader *loader, int64_t epoch, int64_t first);
int
rx_loader_next(struct rx_loader *loader, struct rx_batch *batch, struct rx_error *error);

#endif
