// The convolution cases on aarch64, whose vectors are those of the portable tile header: by a cross
// compiler, under qemu. Each case runs with the best of its configs and now and then another one.
#define RX_CASE_ARCH "armv8-a"
#include "tests/test_kernels_conv.c"
