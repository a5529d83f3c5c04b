// Small networks follow PyTorch's double-precision trajectories: logits, losses, gradients,
// weights, in each of the paper's three forms.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/trajectory.h"

static void
test_cifar_c(void **state)
{
    (void)state;
    rx_trajectory_check("cifar", "c", RX_TRAJECTORY_ALL);
}

static void
test_cifar_b(void **state)
{
    (void)state;
    rx_trajectory_check("cifar", "b", RX_TRAJECTORY_FIRST);
}

static void
test_cifar_a(void **state)
{
    (void)state;
    rx_trajectory_check("cifar", "a", RX_TRAJECTORY_FIRST);
}

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

// 7x7 stem, max pool, four stages of groups of 6, 12, 24 and 48 channels.
static void
test_imagenet_c(void **state)
{
    (void)state;
    rx_trajectory_check("imagenet", "c", RX_TRAJECTORY_ALL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_c),     cmocka_unit_test(test_cifar_b),
        cmocka_unit_test(test_cifar_a),     cmocka_unit_test(test_cifar_odd_c),
        cmocka_unit_test(test_cifar_odd_b), cmocka_unit_test(test_cifar_odd_a),
        cmocka_unit_test(test_imagenet_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
