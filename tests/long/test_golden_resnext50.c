// ResNeXt-50 32x4d at 224 pixels: logits and two training steps as PyTorch computes them, from
// plain weights and from weights that keep ReLUs clear of their kink, where gradients agree
// closely.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/trajectory.h"

static void
test_resnext50_c(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50", "c", RX_TRAJECTORY_ALL);
}

static void
test_resnext50_clear_c(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50_clear", "c", RX_TRAJECTORY_ALL);
}

static void
test_resnext50_b(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50", "b", RX_TRAJECTORY_ALL);
}

static void
test_resnext50_clear_b(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50_clear", "b", RX_TRAJECTORY_ALL);
}

static void
test_resnext50_a(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50", "a", RX_TRAJECTORY_ALL);
}

static void
test_resnext50_clear_a(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50_clear", "a", RX_TRAJECTORY_ALL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnext50_c), cmocka_unit_test(test_resnext50_clear_c),
        cmocka_unit_test(test_resnext50_b), cmocka_unit_test(test_resnext50_clear_b),
        cmocka_unit_test(test_resnext50_a), cmocka_unit_test(test_resnext50_clear_a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
