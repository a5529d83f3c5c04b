// The unmodified trainer on the emulated CUDA device follows PyTorch's double-precision trajectory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/cuda_batch.h"
#include "tests/support/trajectory.h"

static void
test_small(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("small", "c", RX_F32, RX_TRAJECTORY_FIRST);
}

// With products on tensor cores: strips of rows of the first convolution and of grouped ones too.
static void
test_small_bf16(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("small", "c", RX_BF16, RX_TRAJECTORY_FIRST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_small_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
