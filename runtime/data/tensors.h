// Images in a safetensors file: `images`, F32 [N,C,H,W].
#ifndef RX_DATA_TENSORS_H
#define RX_DATA_TENSORS_H

#include "runtime/base/error.h"
#include "runtime/data/data.h"
#include "runtime/safetensors.h"

// Finds the images and checks dtype, shape and size, and that there is one at least. RX_USER.
int
rx_tensors_images(const struct rx_safetensors *file, const struct rx_data_shape *shape,
                  const struct rx_safetensor **images, struct rx_error *error);

// Image `index`, [C][H][W] in the file, to image [h][w][c].
void
rx_tensors_read(const struct rx_safetensor *images, int64_t index, float *image);

#endif
