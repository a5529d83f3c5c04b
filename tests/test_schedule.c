// Learning rates: every step of short runs, by the formulas of runtime/schedule.h.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/schedule.h"

// A handful of roundings of doubles.
static const double TOLERANCE = 1e-14;

static void
assert_near(double a, double b)
{
    if (!(fabs(a - b) <= TOLERANCE * (fabs(b) + 1)))
        fail_msg("%.17g is not %.17g", a, b);
}

static void
test_step_multiplies_at_complete_epochs(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 0.1,
                                .schedule = RX_SCHEDULE_STEP,
                                .n_milestones = 2,
                                .milestone = {2, 3},
                                .gamma = 0.5};
    // Four steps an epoch: epochs 1 and 2 are complete after step 8, epoch 3 after step 12.
    for (int step = 0; step < 20; step++)
        assert_near(rx_schedule_lr(&r, step, 4, 20), step < 8 ? 0.1 : step < 12 ? 0.05 : 0.025);
}

static void
test_step_without_milestones_is_constant(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 0.3, .gamma = 0.1};
    for (int step = 0; step < 10; step++)
        assert_near(rx_schedule_lr(&r, step, 2, 10), 0.3);
}

static void
test_cosine_starts_full_and_ends_at_zero(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 0.2, .schedule = RX_SCHEDULE_COSINE};
    assert_near(rx_schedule_lr(&r, 0, 3, 9), 0.2);
    assert_near(rx_schedule_lr(&r, 4, 3, 9), 0.1);
    assert_true(rx_schedule_lr(&r, 8, 3, 9) == 0.0);
    for (int step = 0; step < 9; step++)
        assert_near(rx_schedule_lr(&r, step, 3, 9), 0.2 * (1 + cos(M_PI * step / 8)) / 2);
}

static void
test_warm_up_rises_every_step(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 0.8, .schedule = RX_SCHEDULE_COSINE, .warmup_epochs = 2};
    for (int step = 0; step < 8; step++)
        assert_near(rx_schedule_lr(&r, step, 4, 17), 0.1 * (step + 1));
    for (int step = 8; step < 17; step++)
        assert_near(rx_schedule_lr(&r, step, 4, 17), 0.8 * (1 + cos(M_PI * (step - 8) / 8)) / 2);
}

static void
test_warm_up_of_part_of_an_epoch(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 1, .warmup_epochs = 0.5, .gamma = 1};
    assert_near(rx_schedule_lr(&r, 0, 4, 8), 0.5);
    assert_near(rx_schedule_lr(&r, 1, 4, 8), 1);
    assert_near(rx_schedule_lr(&r, 2, 4, 8), 1);
}

static void
test_one_step(void **state)
{
    (void)state;
    const struct rx_recipe r = {.lr = 0.2, .schedule = RX_SCHEDULE_COSINE};
    assert_near(rx_schedule_lr(&r, 0, 1, 1), 0.2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_multiplies_at_complete_epochs),
        cmocka_unit_test(test_step_without_milestones_is_constant),
        cmocka_unit_test(test_cosine_starts_full_and_ends_at_zero),
        cmocka_unit_test(test_warm_up_rises_every_step),
        cmocka_unit_test(test_warm_up_of_part_of_an_epoch),
        cmocka_unit_test(test_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
