// Which samples a batch takes and how they are changed: functions of (seed, epoch, sample) alone.
#ifndef RX_DATA_AUGMENT_H
#define RX_DATA_AUGMENT_H

#include <stdint.h>

#include "runtime/data/data.h"

// The order of an epoch: a permutation of 0 .. n - 1 by Fisher and Yates.
void
rx_order_shuffle(uint32_t *order, int64_t n, uint64_t seed, uint64_t epoch);
void
rx_order_plain(uint32_t *order, int64_t n);

// A random crop of the image padded by crop_pad zeros on each side, and a flip.
struct rx_augment {
    int down, across;  // of the crop in the padded image, 0 .. 2 * crop_pad
    int flip;          // 1: mirrored left to right, after the crop
};

struct rx_augment
rx_augment_draw(const struct rx_recipe *recipe, uint64_t seed, uint64_t epoch, int64_t sample);

// image [h][w][c] to out [h][w][c]; the two do not overlap.
void
rx_augment_apply(const struct rx_augment *a, const struct rx_data_shape *shape, int crop_pad,
                 const float *image, float *out);

#endif
