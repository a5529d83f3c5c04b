// What a data source is to the loader: how many images it has, their labels, and a way to read one.
// A new source is one file with an open function and one line in the table of data.c.
#ifndef RX_DATA_SOURCE_H
#define RX_DATA_SOURCE_H

#include <stdint.h>

#include "runtime/data/data.h"

enum { RX_SPLITS = 2 };

// Writes image `index` of a split, normalised, to image [h][w][c]. Called from many threads.
typedef int
rx_data_read_fn(const struct rx_data *data, enum rx_split split, int64_t index, float *image,
                struct rx_error *error);
typedef void
rx_data_close_fn(void *state);

struct rx_data {
    struct rx_data_shape shape;
    struct rx_recipe recipe;
    int fixed;  // 1: images are used as they are, never augmented
    int64_t count[RX_SPLITS];
    int32_t *labels[RX_SPLITS];  // [count], inside the classes; owned
    rx_data_read_fn *read;
    rx_data_close_fn *close;  // releases state
    void *state;
    int64_t state_bytes;  // allocated by the source, without labels
};

// Opens a source: `argument` is what follows the colon of SPEC, NULL where there is none. Fills
// counts, labels, functions and state; on failure the caller closes what is there.
typedef int
rx_source_open_fn(struct rx_data *data, const char *argument, struct rx_error *error);

rx_source_open_fn rx_fashion_open, rx_synthetic_open, rx_tensors_open;

// Elements of one image.
static inline int64_t
rx_data_elements(const struct rx_data *data)
{
    return (int64_t)data->shape.h * data->shape.w * data->shape.c;
}

// RX_USER unless images of this size are what the network takes, or a label inside its classes.
int
rx_data_check_size(const struct rx_data_shape *shape, const char *where, int64_t h, int64_t w,
                   int64_t c, struct rx_error *error);
int
rx_data_check_label(const struct rx_data_shape *shape, const char *where, int64_t index,
                    int64_t label, struct rx_error *error);

#endif
