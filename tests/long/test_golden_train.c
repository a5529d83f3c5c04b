// More networks that follow PyTorch's double-precision trajectories.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/trajectory.h"

// Three groups of 5, 10 and 21 channels on maps of 13, 7 and 4 pixels.
static void
test_cifar_odd_c(void **state)
{
    (void)state;
    rx_trajectory_check("cifar_odd", "c", RX_TRAJECTORY_ALL);
}

static void
test_cifar_odd_b(void **state)
{
    (void)state;
    rx_trajectory_check("cifar_odd", "b", RX_TRAJECTORY_FIRST);
}

static void
test_cifar_odd_a(void **state)
{
    (void)state;
    rx_trajectory_check("cifar_odd", "a", RX_TRAJECTORY_FIRST);
}

static void
test_imagenet_c(void **state)
{
    (void)state;
    rx_trajectory_check("imagenet", "c", RX_TRAJECTORY_ALL);
}

static void
test_imagenet_b(void **state)
{
    (void)state;
    rx_trajectory_check("imagenet", "b", RX_TRAJECTORY_FIRST);
}

static void
test_imagenet_a(void **state)
{
    (void)state;
    rx_trajectory_check("imagenet", "a", RX_TRAJECTORY_FIRST);
}

static void
test_cifar_b(void **state)
{
    (void)state;
    rx_trajectory_check("cifar", "b", RX_TRAJECTORY_ALL);
}

static void
test_cifar_a(void **state)
{
    (void)state;
    rx_trajectory_check("cifar", "a", RX_TRAJECTORY_ALL);
}

// In bf16, the losses of PyTorch's autocast.
static void
test_cifar_bf16(void **state)
{
    (void)state;
    rx_trajectory_check_bf16("cifar", "c");
}

static void
test_small_bf16_b(void **state)
{
    (void)state;
    rx_trajectory_check_bf16("small", "b");
}

static void
test_small_bf16_a(void **state)
{
    (void)state;
    rx_trajectory_check_bf16("small", "a");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_odd_c),  cmocka_unit_test(test_cifar_odd_b),
        cmocka_unit_test(test_cifar_odd_a),  cmocka_unit_test(test_imagenet_c),
        cmocka_unit_test(test_imagenet_b),   cmocka_unit_test(test_imagenet_a),
        cmocka_unit_test(test_cifar_b),      cmocka_unit_test(test_cifar_a),
        cmocka_unit_test(test_cifar_bf16),   cmocka_unit_test(test_small_bf16_b),
        cmocka_unit_test(test_small_bf16_a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
