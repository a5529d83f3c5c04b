// Shuffling and augmentation.
#include "runtime/data/augment.h"

#include <string.h>

#include "runtime/random.h"

enum { PURPOSE_SHUFFLE = 1, PURPOSE_CROP, PURPOSE_FLIP };

void
rx_order_plain(uint32_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
}

void
rx_order_shuffle(uint32_t *order, int64_t n, uint64_t seed, uint64_t epoch)
{
    const uint64_t stream = rx_random_stream_epoch(PURPOSE_SHUFFLE, epoch);
    rx_order_plain(order, n);
    for (int64_t i = n - 1; i > 0; i--) {
        const uint64_t j = rx_random_below(seed, stream, (uint64_t)i, (uint64_t)i + 1);
        const uint32_t last = order[i];
        order[i] = order[j];
        order[j] = last;
    }
}

struct rx_augment
rx_augment_draw(const struct rx_recipe *recipe, uint64_t seed, uint64_t epoch, int64_t sample)
{
    struct rx_augment a = {.down = recipe->crop_pad, .across = recipe->crop_pad};
    const uint64_t index = (uint64_t)sample;
    if (recipe->crop_pad > 0) {
        const uint64_t places = 2 * (uint64_t)recipe->crop_pad + 1;
        const uint64_t stream = rx_random_stream_epoch(PURPOSE_CROP, epoch);
        const uint64_t place = rx_random_below(seed, stream, index, places * places);
        a.down = (int)(place / places);
        a.across = (int)(place % places);
    }
    if (recipe->flip)
        a.flip = (int)rx_random_below(seed, rx_random_stream_epoch(PURPOSE_FLIP, epoch), index, 2);
    return a;
}

static void
copy_pixel(float *out, const float *in, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = in[i];
}

void
rx_augment_apply(const struct rx_augment *a, const struct rx_data_shape *shape, int crop_pad,
                 const float *image, float *out)
{
    const int n_w = shape->w, n_c = shape->c;
    const int64_t row = (int64_t)n_w * n_c;
    memset(out, 0, (size_t)(shape->h * row) * sizeof *out);
    for (int h = 0; h < shape->h; h++) {
        const int from_h = h + a->down - crop_pad;
        if (from_h < 0 || from_h >= shape->h)
            continue;
        for (int w = 0; w < n_w; w++) {
            const int from_w = (a->flip ? n_w - 1 - w : w) + a->across - crop_pad;
            if (from_w >= 0 && from_w < n_w)
                copy_pixel(out + h * row + (int64_t)w * n_c,
                           image + from_h * row + (int64_t)from_w * n_c, n_c);
        }
    }
}
