// The builder, the op table's rules and the counts that the paper gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gen/ir/build.h"

static const struct rx_where HERE = {"models/a.lua", 41};

struct net {
    struct rx_graph g;
    struct rx_error error;
    int x;
};

static void
open_net(struct net *n, int side, int channels)
{
    *n = (struct net){0};
    rx_graph_open(&n->g, "net");
    assert_int_equal(rx_build_input(&n->g, HERE, side, side, channels, &n->x, &n->error), RX_OK);
}

static int
conv(struct net *n, const char *name, int x, int k, int taps, int stride, int groups)
{
    const struct rx_conv_spec spec = {
        .k = k, .r = taps, .s = taps, .stride = stride, .pad = taps / 2, .groups = groups};
    int y = -1;
    assert_int_equal(rx_build_conv(&n->g, HERE, name, x, &spec, &y, &n->error), RX_OK);
    return y;
}

static void
conv_shape_and_macs(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 224, 3);
    const int y = conv(&n, "conv1", n.x, 64, 7, 2, 1);
    assert_int_equal(n.g.tensor[y].h, 112);
    assert_int_equal(n.g.tensor[y].c, 64);
    // 112 * 112 outputs of 64 channels, 7 * 7 taps of 3 channels each
    assert_int_equal(rx_graph_macs(&n.g), 112LL * 112 * 64 * 49 * 3);
    assert_int_equal(rx_graph_conv_outputs(&n.g), 112LL * 112 * 64);
    assert_int_equal(rx_graph_param_count(&n.g), 64LL * 3 * 49);
    rx_graph_close(&n.g);
}

static void
grouped_conv_has_a_group_share_of_weights(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 9, 3);
    const int y = conv(&n, "a", n.x, 28, 3, 1, 1);
    conv(&n, "b", y, 56, 3, 2, 7);
    assert_int_equal(rx_graph_param_count(&n.g), 28 * 27 + 56 * (28 / 7) * 9);
    rx_graph_close(&n.g);
}

static void
wrong_groups_are_named_with_the_nearest(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 8, 3);
    const int y = conv(&n, "a", n.x, 100, 1, 1, 1);
    const struct rx_conv_spec spec = {.k = 64, .r = 3, .s = 3, .stride = 1, .pad = 1, .groups = 32};
    int z;
    assert_int_equal(rx_build_conv(&n.g, HERE, "b", y, &spec, &z, &n.error), RX_USER);
    assert_string_equal(
        n.error.text,
        "models/a.lua:41: conv: groups 32 does not divide channels 100; nearest: 96, 128");
    rx_graph_close(&n.g);
}

static void
unequal_sums_are_refused(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 8, 3);
    const int a = conv(&n, "a", n.x, 8, 1, 1, 1), b = conv(&n, "b", n.x, 16, 1, 1, 1);
    int y;
    assert_int_equal(rx_build_add(&n.g, HERE, "sum", a, b, &y, &n.error), RX_USER);
    assert_non_null(strstr(n.error.text, "models/a.lua:41: add: 8x8x8 and 8x8x16"));
    rx_graph_close(&n.g);
}

static void
one_name_twice_is_refused(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 8, 3);
    const int a = conv(&n, "a", n.x, 8, 1, 1, 1);
    const struct rx_conv_spec spec = {.k = 8, .r = 1, .s = 1, .stride = 1, .groups = 1};
    int y;
    assert_int_equal(rx_build_conv(&n.g, HERE, "a", a, &spec, &y, &n.error), RX_USER);
    rx_graph_close(&n.g);
}

static void
a_window_larger_than_the_map_is_refused(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 2, 3);
    const struct rx_conv_spec spec = {.k = 8, .r = 7, .s = 7, .stride = 1, .pad = 0, .groups = 1};
    int y;
    assert_int_equal(rx_build_conv(&n.g, HERE, "a", n.x, &spec, &y, &n.error), RX_USER);
    rx_graph_close(&n.g);
}

static void
fc_needs_a_pooled_map(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 8, 3);
    int y, z;
    assert_int_equal(rx_build_fc(&n.g, HERE, "fc", n.x, 10, &y, &n.error), RX_USER);
    n.error = (struct rx_error){0};
    assert_int_equal(rx_build_gap(&n.g, HERE, "gap", n.x, &y, &n.error), RX_OK);
    assert_int_equal(rx_build_fc(&n.g, HERE, "fc", y, 10, &z, &n.error), RX_OK);
    assert_int_equal(rx_graph_param_count(&n.g), 3 * 10 + 10);
    assert_null(rx_graph_verify(&n.g));
    rx_graph_close(&n.g);
}

static void
the_verifier_sees_a_wrong_shape(void **state)
{
    (void)state;
    struct net n;
    open_net(&n, 8, 3);
    const int y = conv(&n, "a", n.x, 8, 3, 1, 1);
    assert_null(rx_graph_verify(&n.g));
    n.g.tensor[y].c = 9;
    assert_non_null(rx_graph_verify(&n.g));
    rx_graph_close(&n.g);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_shape_and_macs),
        cmocka_unit_test(grouped_conv_has_a_group_share_of_weights),
        cmocka_unit_test(wrong_groups_are_named_with_the_nearest),
        cmocka_unit_test(unequal_sums_are_refused),
        cmocka_unit_test(one_name_twice_is_refused),
        cmocka_unit_test(a_window_larger_than_the_map_is_refused),
        cmocka_unit_test(fc_needs_a_pooled_map),
        cmocka_unit_test(the_verifier_sees_a_wrong_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
