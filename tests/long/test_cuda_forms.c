// The other forms of a block on the emulated CUDA device: tests/test_cuda_train.c has form (c).
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
    rx_trajectory_check_cuda("cifar", "b");
}

static void
test_cifar_a(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("cifar", "a");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_b),
        cmocka_unit_test(test_cifar_a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
