// The files that a comparison with a trajectory of PyTorch gives to a network and reads from it.
#ifndef RX_TESTS_TRAJECTORY_FILES_H
#define RX_TESTS_TRAJECTORY_FILES_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/safetensors.h"
#include "tests/support/folder.h"

enum { RX_TRAJECTORY_CHARS = 512 };

struct rx_trajectory {
    json_t *golden;
    json_t *bf16;        // the golden of the same network in bf16; NULL: it runs in f32
    const char *target;  // what --target is given
    const char *folder;  // that of temporary
    struct rx_test_folder temporary;
    int n, c, h, w, classes;
};

// Writes weights.safetensors, and data.safetensors and images.safetensors, by the formula.
void
rx_trajectory_write_weights(const struct rx_trajectory *t);
void
rx_trajectory_write_data(const struct rx_trajectory *t);

// Opens a file of the trajectory's folder; fails the test where there is none.
void
rx_trajectory_open(const struct rx_trajectory *t, const char *name, struct rx_safetensors *file);

// The elements of an F32 tensor, aligned; the caller frees them.
float *
rx_trajectory_take(const struct rx_safetensors *file, const char *name, int64_t *count);

#endif
