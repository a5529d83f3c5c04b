// Small networks follow PyTorch's double-precision trajectories: logits, rates, losses, gradients,
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

// The other forms of a block, of which the long tests have larger networks.
static void
test_small_b(void **state)
{
    (void)state;
    rx_trajectory_check("small", "b", RX_TRAJECTORY_ALL);
}

static void
test_small_a(void **state)
{
    (void)state;
    rx_trajectory_check("small", "a", RX_TRAJECTORY_ALL);
}

// 7x7 stem, max pool, four stages of groups of 6, 12, 24 and 48 channels.
static void
test_imagenet_c(void **state)
{
    (void)state;
    rx_trajectory_check("imagenet", "c", RX_TRAJECTORY_FIRST);
}

// The losses of PyTorch's autocast.
static void
test_small_bf16(void **state)
{
    (void)state;
    rx_trajectory_check_bf16("small", "c");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar_c),    cmocka_unit_test(test_small_b),
        cmocka_unit_test(test_small_a),    cmocka_unit_test(test_imagenet_c),
        cmocka_unit_test(test_small_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
