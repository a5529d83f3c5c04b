// The other forms of the networks that take long to compile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/trajectory.h"

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
test_resnext50_b(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50", "b", RX_TRAJECTORY_FIRST);
}

static void
test_resnext50_a(void **state)
{
    (void)state;
    rx_trajectory_check("resnext50", "a", RX_TRAJECTORY_FIRST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imagenet_b),
        cmocka_unit_test(test_imagenet_a),
        cmocka_unit_test(test_resnext50_b),
        cmocka_unit_test(test_resnext50_a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
