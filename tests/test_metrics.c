// Accuracy and loss against numbers by hand, ties and non-numbers included.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/metrics.h"

// A few roundings of doubles of size 1.
static const double TOLERANCE = 1e-14;

static void
test_rank_counts_better_classes(void **state)
{
    (void)state;
    const float logits[] = {0.5f, 2.0f, -1.0f, 1.0f};
    assert_int_equal(rx_metrics_rank(logits, 4, 1), 0);
    assert_int_equal(rx_metrics_rank(logits, 4, 3), 1);
    assert_int_equal(rx_metrics_rank(logits, 4, 0), 2);
    assert_int_equal(rx_metrics_rank(logits, 4, 2), 3);
}

static void
test_ties_go_to_the_lower_class(void **state)
{
    (void)state;
    const float logits[] = {1.0f, 1.0f, 1.0f};
    for (int k = 0; k < 3; k++)
        assert_int_equal(rx_metrics_rank(logits, 3, k), k);
    assert_int_equal(rx_metrics_best(logits, 3), 0);
}

static void
test_no_number_is_never_right(void **state)
{
    (void)state;
    const float nan = nanf(""), all[] = {nan, nan, nan}, label[] = {0.0f, nan, 1.0f};
    for (int k = 0; k < 3; k++)
        assert_int_equal(rx_metrics_rank(all, 3, k), 2);
    assert_int_equal(rx_metrics_rank(label, 3, 1), 2);
    assert_true(isnan(rx_metrics_loss(all, 3, 0)));
}

static void
test_loss_is_cross_entropy(void **state)
{
    (void)state;
    const float logits[] = {1.0f, 2.0f, 3.0f};
    const double sum = exp(1) + exp(2) + exp(3);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(rx_metrics_loss(logits, 3, k) - (log(sum) - (k + 1))) <= TOLERANCE);
}

static void
test_loss_of_large_logits_is_finite(void **state)
{
    (void)state;
    const float logits[] = {-1e30f, 1e30f, 1e30f};
    assert_true(fabs(rx_metrics_loss(logits, 3, 1) - log(2)) <= TOLERANCE);
    assert_true(fabs(rx_metrics_loss(logits, 3, 0) / 2e30 - 1) <= 1e-6);  // float logits
}

static void
test_sums_over_images(void **state)
{
    (void)state;
    // Seven classes, so that one can miss the best five. Labels have ranks 0, 4, 5, 1.
    static const float logits[4][7] = {
        {9, 0, 0, 0, 0, 0, 0}, {1, 2, 3, 4, 5, 0, 0}, {1, 2, 3, 4, 5, 6, 0}, {0, 5, 0, 0, 0, 0, 6}};
    static const int32_t labels[] = {0, 0, 0, 1};
    int64_t at_rank[7] = {0}, confusion[49] = {0};
    struct rx_metrics m = {.at_rank = at_rank, .confusion = confusion};
    rx_metrics_add(&m, logits[0], labels, 3, 7);
    rx_metrics_add(&m, logits[3], labels + 3, 1, 7);
    assert_int_equal(m.images, 4);
    assert_int_equal(m.top1, 1);
    assert_int_equal(m.top5, 3);
    const int64_t ranks[7] = {1, 1, 0, 0, 1, 1, 0};
    assert_memory_equal(at_rank, ranks, sizeof ranks);
    const int64_t row0[7] = {1, 0, 0, 0, 1, 1, 0}, row1[7] = {0, 0, 0, 0, 0, 0, 1};
    assert_memory_equal(confusion, row0, sizeof row0);
    assert_memory_equal(confusion + 7, row1, sizeof row1);
    double loss = 0;
    for (int i = 0; i < 4; i++)
        loss += rx_metrics_loss(logits[i], 7, labels[i]);
    assert_true(fabs(m.loss - loss) <= TOLERANCE);
}

static void
test_few_classes_are_all_among_five(void **state)
{
    (void)state;
    const float logits[] = {3, 2, 1};
    const int32_t label = 2;
    struct rx_metrics m = {0};
    rx_metrics_add(&m, logits, &label, 1, 3);
    assert_int_equal(m.top1, 0);
    assert_int_equal(m.top5, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_counts_better_classes),
        cmocka_unit_test(test_ties_go_to_the_lower_class),
        cmocka_unit_test(test_no_number_is_never_right),
        cmocka_unit_test(test_loss_is_cross_entropy),
        cmocka_unit_test(test_loss_of_large_logits_is_finite),
        cmocka_unit_test(test_sums_over_images),
        cmocka_unit_test(test_few_classes_are_all_among_five),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
