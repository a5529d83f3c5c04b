// How work is cut for threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/grid.h"

static void
test_one_thread_cuts_nothing(void **state)
{
    (void)state;
    for (int units = 1; units < 40; units++)
        assert_int_equal(rx_grid_cut(units, 64, 1).parts, 1);
}

static void
test_kernels_without_columns_are_not_cut(void **state)
{
    (void)state;
    for (int columns = 0; columns <= 1; columns++) {
        const struct rx_grid grid = rx_grid_cut(3, columns, 8);
        assert_int_equal(grid.parts, 1);
        assert_int_equal(grid.tasks, 3);
    }
}

// A 7x7 map in tiles of 6 pixels is 9 units: two threads have 5 and 4 of them, or 9 halves each.
static void
test_small_maps_are_cut(void **state)
{
    (void)state;
    assert_int_equal(rx_grid_cut(9, 64, 2).parts, 2);
    assert_int_equal(rx_grid_cut(1, 64, 2).parts, 2);
    assert_int_equal(rx_grid_cut(1, 3, 16).parts, 3);  // no more than there are columns
}

static void
test_many_units_are_not_cut(void **state)
{
    (void)state;
    assert_int_equal(rx_grid_cut(100000, 64, 2).parts, 1);
    assert_int_equal(rx_grid_cut(64, 16, 16).parts, 1);
    assert_int_equal(rx_grid_cut(8, 16, 2).parts, 1);
}

// Shares are in order, cover every task once, and differ by one task at most.
static void
test_shares_cover_all_tasks(void **state)
{
    (void)state;
    int marker;
    for (int units = 0; units < 20; units++)
        for (int threads = 1; threads <= 9; threads++) {
            const struct rx_grid grid = rx_grid_cut(units, 5, threads);
            int64_t next = 0;
            assert_int_equal(grid.tasks, (int64_t)units * grid.parts);
            for (int t = 0; t < threads; t++) {
                const struct rx_call call = rx_grid_share(&grid, 3, t, threads, &marker);
                assert_int_equal(call.first, next);
                assert_in_range(call.last - call.first, grid.tasks / threads,
                                grid.tasks / threads + 1);
                assert_int_equal(call.parts, grid.parts);
                assert_int_equal(call.n, 3);
                assert_int_equal(call.thread, t);
                assert_int_equal(call.n_threads, threads);
                assert_ptr_equal(call.scratch, &marker);
                next = call.last;
            }
            assert_int_equal(next, grid.tasks);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_cuts_nothing),
        cmocka_unit_test(test_kernels_without_columns_are_not_cut),
        cmocka_unit_test(test_small_maps_are_cut),
        cmocka_unit_test(test_many_units_are_not_cut),
        cmocka_unit_test(test_shares_cover_all_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
