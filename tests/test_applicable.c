// Which configs can compute a problem: reasons against those that cannot, and candidates.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gen/target/target.h"
#include "tests/support/conv_problem.h"
#include "tests/support/kernel_case.h"

static struct rx_machine
machine_of(const char *arch)
{
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine(arch, &machine, &error), RX_OK);
    return machine;
}

static struct rx_problem
convolution(enum rx_problem_op op, struct rx_geometry geometry)
{
    const struct rx_conv_spec spec = {op,           geometry,      RX_CONV_BN_RELU,
                                      RX_CONV_LOAD, RX_CONV_STORE, 0};
    return rx_conv_problem(&spec);
}

// Refused on AVX2, by both functions and with a reason that says this.
static void
assert_refused(const struct rx_problem *problem, struct rx_config config, const char *part)
{
    const struct rx_machine machine = machine_of("x86-64-v3");
    struct rx_text why = {0};
    assert_int_equal(rx_target_cpu.applicable(&machine, problem, &config, &why), 0);
    assert_non_null(strstr(rx_text_str(&why), config.skeleton));
    if (strstr(rx_text_str(&why), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", rx_text_str(&why), part);
    struct rx_kernel kernel;
    struct rx_error error = {0};
    assert_int_equal(
        rx_target_cpu.describe(&machine, "templates", "cc", problem, &config, &kernel, &error),
        RX_REFUSED);
    assert_string_equal(error.text, rx_text_str(&why));
    rx_text_close(&why);
}

static void
test_refused_panel(void **state)
{
    (void)state;
    const struct rx_problem p =
        convolution(RX_PROBLEM_CONV_FWD, rx_case_conv(7, 7, 20, 40, 1, 3, 1, 1));
    assert_refused(&p, (struct rx_config){"conv_new", 8, 12, 6, 2, 0}, "no such skeleton");
    assert_refused(&p, (struct rx_config){"map", 8, 12, 0, 0, 0}, "computes map");
    assert_refused(&p, (struct rx_config){"gconv_fwd", 8, 2, 7, 1, 0}, "must be several");
    assert_refused(&p, (struct rx_config){"conv_fwd", 16, 12, 6, 2, 0}, "vectors of 16 lanes");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 0, 6, 2, 0}, "0 units a task");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 17, 1, 0}, "register tile of 17x1");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 6, 0, 0}, "register tile of 6x0");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 4, 3, 48}, "48 channels");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 3, 4, 32}, "48 channels");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 6, 2, 0}, "0 channels");
    assert_refused(&p, (struct rx_config){"conv_fwd", 8, 12, 6, 2, 24}, "24 channels");
}

static void
test_refused_lanes(void **state)
{
    (void)state;
    const struct rx_geometry g = rx_case_conv(8, 6, 32, 32, 8, 3, 2, 1);
    const struct rx_problem fwd = convolution(RX_PROBLEM_CONV_FWD, g);
    const struct rx_problem wgrad = convolution(RX_PROBLEM_CONV_WGRAD, g);
    assert_refused(&fwd, (struct rx_config){"conv_fwd", 8, 12, 6, 2, 0}, "lie otherwise");
    assert_refused(&fwd, (struct rx_config){"gconv_fwd", 8, 2, 4, 1, 0}, "multiple of 1 to 3");
    assert_refused(&fwd, (struct rx_config){"gconv_fwd", 8, 2, 3, 2, 0}, "which are one");
    assert_refused(&wgrad, (struct rx_config){"gconv_wgrad", 8, 2, 2, 1, 0}, "hold groups of 4");
    const struct rx_problem dense =
        convolution(RX_PROBLEM_CONV_WGRAD, rx_case_conv(8, 6, 32, 32, 1, 3, 1, 1));
    const struct rx_problem apart =
        convolution(RX_PROBLEM_CONV_WGRAD, rx_case_conv(8, 6, 24, 24, 4, 3, 1, 1));
    assert_refused(&dense, (struct rx_config){"gconv_wgrad", 8, 2, 4, 1, 0}, "must be several");
    assert_refused(&wgrad, (struct rx_config){"gconv_wgrad", 8, 2, 5, 1, 0}, "1 to 4");
    assert_refused(&wgrad, (struct rx_config){"gconv_wgrad", 8, 2, 4, 0, 0}, "1 or more");
    assert_refused(&apart, (struct rx_config){"gconv_wgrad", 8, 2, 4, 1, 0}, "a divisor of 6");
}

// Tiles are as equal as a row allows; with a stride, those of a data gradient hold whole strides.
static void
test_refused_ring(void **state)
{
    (void)state;
    const struct rx_geometry narrow = rx_case_conv(9, 11, 32, 32, 8, 3, 2, 1);
    const struct rx_geometry wide = rx_case_conv(9, 11, 80, 80, 2, 3, 2, 1);
    const struct rx_problem fwd = convolution(RX_PROBLEM_CONV_FWD, narrow);
    const struct rx_problem dgrad = convolution(RX_PROBLEM_CONV_DGRAD, narrow);
    const struct rx_problem groups = convolution(RX_PROBLEM_CONV_FWD, wide);
    assert_refused(&fwd, (struct rx_config){"gconv_fwd", 8, 2, 5, 1, 0}, "2 tiles");
    assert_refused(&dgrad, (struct rx_config){"gconv_dgrad", 8, 2, 3, 1, 0}, "multiple of 2 to 12");
    assert_refused(&dgrad, (struct rx_config){"gconv_dgrad", 8, 2, 10, 1, 0}, "not 10");
    assert_refused(&groups, (struct rx_config){"gconv_fwd", 8, 2, 6, 4, 0}, "48 channels");
    assert_refused(&groups, (struct rx_config){"gconv_fwd", 8, 2, 6, 0, 0}, "1 or more");
}

// Products of bf16: dense skeletons alone, a data gradient's outputs in pairs.
static void
test_refused_pairs(void **state)
{
    (void)state;
    struct rx_problem groups =
        convolution(RX_PROBLEM_CONV_FWD, rx_case_conv(9, 11, 80, 80, 2, 3, 2, 1));
    struct rx_problem odd =
        convolution(RX_PROBLEM_CONV_DGRAD, rx_case_conv(8, 6, 20, 33, 1, 3, 1, 1));
    rx_case_to_products(&groups, RX_BF16X2);
    rx_case_to_products(&odd, RX_BF16X2);
    assert_refused(&groups, (struct rx_config){"gconv_fwd", 8, 2, 6, 1, 0}, "multiplies f32");
    assert_refused(&odd, (struct rx_config){"conv_dgrad", 8, 12, 6, 2, 16}, "33 outputs");
}

// Tiles: of a machine that has them, two by two at most, products of bf16 of one group, whole ones
// of a data gradient's outputs.
static void
test_refused_tiles(void **state)
{
    (void)state;
    static const struct {
        enum rx_problem_op op;
        int groups, k, pairs;
        struct rx_config config;
        const char *part;
    } cases[] = {
        {RX_PROBLEM_CONV_FWD, 1, 64, 0, {"conv_fwd.amx", 16, 64, 32, 2, 32}, "multiplies bf16"},
        {RX_PROBLEM_CONV_FWD, 2, 64, 1, {"conv_fwd.amx", 16, 64, 32, 2, 32}, "must be one"},
        {RX_PROBLEM_CONV_FWD, 1, 64, 1, {"conv_fwd.amx", 16, 64, 24, 2, 32}, "24 rows"},
        {RX_PROBLEM_CONV_FWD, 1, 64, 1, {"conv_fwd.amx", 16, 64, 32, 3, 48}, "3 vectors"},
        {RX_PROBLEM_CONV_FWD, 1, 64, 1, {"conv_fwd.amx", 16, 64, 32, 2, 16}, "16 channels"},
        {RX_PROBLEM_CONV_FWD, 1, 48, 1, {"conv_fwd.amx", 16, 64, 32, 2, 32}, "48 channels"},
        {RX_PROBLEM_CONV_DGRAD, 1, 48, 1, {"conv_dgrad.amx", 16, 64, 32, 2, 32}, "48 outputs"},
        {RX_PROBLEM_CONV_WGRAD, 1, 64, 1, {"conv_wgrad.amx", 16, 64, 32, 2, 32}, "32 channels"},
    };
    const struct rx_machine amx = machine_of("x86-64-v4+amx"), less = machine_of("x86-64-v4+bf16");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_problem p =
            convolution(cases[i].op, rx_case_conv(9, 7, 64, cases[i].k, cases[i].groups, 3, 1, 1));
        struct rx_text why = {0};
        if (cases[i].pairs)
            rx_case_to_products(&p, RX_BF16X2);
        assert_int_equal(rx_target_cpu.applicable(&amx, &p, &cases[i].config, &why), 0);
        if (strstr(rx_text_str(&why), cases[i].part) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", rx_text_str(&why), cases[i].part);
        rx_text_clear(&why);
        assert_int_equal(rx_target_cpu.applicable(&less, &p, &cases[i].config, &why), 0);
        if (cases[i].pairs)
            assert_non_null(strstr(rx_text_str(&why), "x86-64-v4+bf16 does not have"));
        rx_text_close(&why);
    }
}

// Where a machine has tiles, they are what large dense convolutions are made of, all three.
static void
test_tiles_chosen(void **state)
{
    (void)state;
    const struct rx_machine amx = machine_of("x86-64-v4+amx");
    static struct rx_config config[RX_CANDIDATES_MAX];
    for (int op = RX_PROBLEM_CONV_FWD; op <= RX_PROBLEM_CONV_WGRAD; op++) {
        struct rx_problem p =
            convolution((enum rx_problem_op)op, rx_case_conv(14, 14, 256, 512, 1, 1, 1, 0));
        rx_case_to_products(&p, RX_BF16X2);
        assert_true(rx_target_cpu.candidates(&amx, &p, config, RX_CANDIDATES_MAX) > 1);
        assert_non_null(strstr(config[0].skeleton, ".amx"));
        assert_int_equal(config[0].tile_m, 32);
        assert_int_equal(config[0].tile_n, 2);
    }
}

static void
test_refused_simple(void **state)
{
    (void)state;
    struct rx_problem gap = {.op = RX_PROBLEM_GAP, .geometry = rx_case_map(7, 7, 16)};
    assert_refused(&gap, (struct rx_config){"gap", 8, 2, 0, 0, 0}, "not whole vectors");
    assert_refused(&gap, (struct rx_config){"gap", 8, 8, 6, 2, 0}, "where none is used");
}

// Every problem of every kind has candidates on every machine; all are applicable and differ.
static void
test_candidates(void **state)
{
    (void)state;
    static const char *const arch[] = {"x86-64-v4+amx", "x86-64-v4", "x86-64-v3", "x86-64-v2",
                                       "generic"};
    static struct rx_config config[RX_CANDIDATES_MAX];
    for (size_t a = 0; a < sizeof arch / sizeof *arch; a++)
        for (int op = 0; op < RX_PROBLEM_N_OPS; op++)
            for (int groups = 1; groups <= 32; groups *= 8) {
                const struct rx_machine machine = machine_of(arch[a]);
                const struct rx_problem p = {.op = (enum rx_problem_op)op,
                                             .geometry =
                                                 rx_case_conv(9, 7, 64, 64, groups, 3, 2, 1)};
                const int n = rx_target_cpu.candidates(&machine, &p, config, RX_CANDIDATES_MAX);
                assert_true(n >= 1);
                for (int i = 0; i < n; i++) {
                    struct rx_text why = {0};
                    if (!rx_target_cpu.applicable(&machine, &p, &config[i], &why))
                        fail_msg("%s", rx_text_str(&why));
                    rx_text_close(&why);
                    for (int j = 0; j < i; j++)
                        assert_memory_not_equal(&config[i], &config[j], sizeof *config);
                }
            }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_panel), cmocka_unit_test(test_refused_lanes),
        cmocka_unit_test(test_refused_ring),  cmocka_unit_test(test_refused_simple),
        cmocka_unit_test(test_candidates),    cmocka_unit_test(test_refused_pairs),
        cmocka_unit_test(test_refused_tiles), cmocka_unit_test(test_tiles_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
