// All other kernels on aarch64, as tests/long/test_aarch64.c has the convolutions.
#define RX_CASE_ARCH "armv8-a"
#include "tests/test_kernels_simple.c"
