// Numbers by formula of (name, index), the same as tests/golden/make_goldens.py makes.
#ifndef RX_TESTS_FORMULA_H
#define RX_TESTS_FORMULA_H

#include <stdint.h>

// A number in [0, 1), a multiple of 2^-24.
double
rx_formula_uniform(const char *name, int64_t index);

// Element `index` of a parameter or running statistic in the file's order.
float
rx_formula_parameter(const char *name, int rank, const int64_t *shape, int64_t index);

// The same with batch norms that keep every ReLU's input clear of zero, so that f32 and double
// decide alike and gradients of deep networks can be compared closely.
float
rx_formula_clear_parameter(const char *name, int rank, const int64_t *shape, int64_t index);

// Element `index` of the images, in [-1.5, 1.5), and the label of an image.
float
rx_formula_image(int64_t index);
int64_t
rx_formula_label(int64_t image, int classes);

// Norm of a tensor and its product with random signs and sizes, which notices any exchange.
struct rx_formula_probe {
    double norm, dot;
};
struct rx_formula_probe
rx_formula_probe(const char *name, const float *value, int64_t count);

#endif
