// All forms of a block on the emulated CUDA device; tests/test_cuda_train.c has form (c) of a
// smaller network.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/cuda_batch.h"
#include "tests/support/trajectory.h"

static void
test_cifar_b(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("cifar", "b", RX_F32, RX_TRAJECTORY_ALL);
}

static void
test_cifar_a(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("cifar", "a", RX_F32, RX_TRAJECTORY_ALL);
}

static void
test_cifar_c(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("cifar", "c", RX_F32, RX_TRAJECTORY_ALL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_b),
        cmocka_unit_test(test_cifar_a),
        cmocka_unit_test(test_cifar_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
