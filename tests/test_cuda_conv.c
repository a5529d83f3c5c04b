// The convolution cases on the emulated CUDA device.
#define RX_CASE_ARCH "sm_90"
#include "tests/test_kernels_conv.c"
