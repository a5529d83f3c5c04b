// All forms of a block on the emulated CUDA device, in f32 and in bf16; tests/test_cuda_train.c has
// form (c) of a smaller network.
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

// In bf16 with products on tensor cores; a smaller network, whose goldens have autocast's losses.
static void
check_bf16(const char *form)
{
    if (!rx_cuda_batch_available())
        skip();
    rx_trajectory_check_cuda("small", form, RX_BF16, RX_TRAJECTORY_ALL);
}

static void
test_bf16_c(void **state)
{
    (void)state;
    check_bf16("c");
}

static void
test_bf16_b(void **state)
{
    (void)state;
    check_bf16("b");
}

static void
test_bf16_a(void **state)
{
    (void)state;
    check_bf16("a");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_b), cmocka_unit_test(test_cifar_a),
        cmocka_unit_test(test_cifar_c), cmocka_unit_test(test_bf16_c),
        cmocka_unit_test(test_bf16_b),  cmocka_unit_test(test_bf16_a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
