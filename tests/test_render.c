// Problems, configs and rendered parts: texts, names, chains as code, machines, the choice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gen/render/chain.h"
#include "tests/support/kernel_case.h"
#include "tests/support/render_problem.h"

static const enum rx_domain in_map = RX_DOMAIN_IN, out_map = RX_DOMAIN_OUT;

static int
map(struct rx_problem *p, enum rx_domain domain, int access, const char *name)
{
    const int c = domain == RX_DOMAIN_IN ? p->geometry.c : p->geometry.k;
    return rx_case_operand(p, RX_OPERAND_MAP, domain, access, c, 0, name);
}

// --- texts ---

// Adds one to the integer, expects another text, and takes it back.
static void
assert_counts(const struct rx_problem *p, int *field)
{
    struct rx_text before = {0}, after = {0};
    rx_problem_print(p, &before);
    *field += 1;
    rx_problem_print(p, &after);
    *field -= 1;
    if (strcmp(rx_text_str(&before), rx_text_str(&after)) == 0)
        fail_msg("a field at %td of the problem is not in its text",
                 (const char *)field - (const char *)p);
    rx_text_close(&before);
    rx_text_close(&after);
}

static void
assert_chain_counts(const struct rx_problem *p, struct rx_chain *chain)
{
    assert_counts(p, &chain->result);
    for (int i = 0; i < chain->n; i++) {
        struct rx_step *s = &chain->step[i];
        int *const fields[] = {(int *)&s->op, &s->a, &s->b, &s->operand, &s->row};
        for (size_t j = s->op + 1 < RX_STEP_N_OPS ? 0 : 1; j < sizeof fields / sizeof *fields; j++)
            assert_counts(p, fields[j]);
    }
}

// Every field of a problem is in its text, which is its key.
static void
test_canonical(void **state)
{
    (void)state;
    struct rx_problem p =
        rx_render_conv_problem(RX_PROBLEM_CONV_FWD, rx_case_conv(8, 8, 16, 32, 1, 3, 1, 1));
    assert_counts(&p, (int *)&p.op);
    assert_counts(&p, &p.hyper_row);
    for (int *field = &p.geometry.h; field <= &p.geometry.pad; field++)
        assert_counts(&p, field);
    for (int i = 0; i < p.n_operands; i++) {
        struct rx_operand *o = &p.operand[i];
        struct rx_text before = {0}, after = {0};
        int *const fields[] = {&o->access, &o->rows, &o->pitch, (int *)&o->c, (int *)&o->dtype};
        for (size_t j = 0; j < sizeof fields / sizeof *fields; j++)
            assert_counts(&p, fields[j]);
        if (o->domain != out_map)
            assert_counts(&p, (int *)&o->domain);
        assert_counts(&p, (int *)&o->kind);
        rx_problem_print(&p, &before);
        o->name[0] = 'q';
        rx_problem_print(&p, &after);
        assert_string_not_equal(rx_text_str(&before), rx_text_str(&after));
        rx_text_close(&before);
        rx_text_close(&after);
    }
    assert_chain_counts(&p, &p.prologue[0]);
    assert_chain_counts(&p, &p.epilogue);
    p = rx_render_conv_problem(RX_PROBLEM_CONV_WGRAD, rx_case_conv(8, 8, 16, 32, 1, 3, 1, 1));
    assert_chain_counts(&p, &p.prologue[1]);
}

static void
assert_formula(const struct rx_problem *p, const char *expected)
{
    struct rx_text text = {0};
    rx_problem_print_formula(p, &text);
    assert_string_equal(rx_text_str(&text), expected);
    rx_text_close(&text);
}

static void
test_formula(void **state)
{
    (void)state;
    struct rx_problem p =
        rx_render_conv_problem(RX_PROBLEM_CONV_FWD, rx_case_conv(8, 8, 16, 32, 4, 3, 2, 1));
    assert_formula(&p, "x[n,h,w,c] = relu(coef0.scale[c] * x0[n,h,w,c] + coef0.shift[c])\n"
                       "acc = sum_{r,s,c} x[n,2*oh+r-1,2*ow+s-1,4*(k/8)+c] * w[k,c,r,s]\n"
                       "e2 = (x8[n,oh,ow,k] > 0 ? acc : 0)\n"
                       "y0[n,oh,ow,k] = e2\n"
                       "stats0[k] = {count, mean, M2} over n,oh,ow of e2\n"
                       "sums0[k] = sums over n,oh,ow of {e2, e2 * x8[n,oh,ow,k]}\n");
    p = (struct rx_problem){.op = RX_PROBLEM_GAP, .geometry = rx_case_map(7, 7, 16)};
    p.geometry.oh = p.geometry.ow = 1;
    rx_case_step(&p.prologue[0], RX_STEP_LOAD, -1, -1, map(&p, in_map, RX_READ, "x0"), 0);
    const int acc = rx_case_step(&p.epilogue, RX_STEP_ACC, -1, -1, -1, 0);
    rx_case_step(&p.epilogue, RX_STEP_STORE, acc, -1, map(&p, out_map, RX_WRITE, "y0"), 0);
    assert_formula(&p, "acc = 1/49 * sum_{h,w} x0[n,h,w,c]\ny0[n,0,0,c] = acc\n");
}

static void
test_work(void **state)
{
    (void)state;
    struct rx_problem p = {.op = RX_PROBLEM_CONV_FWD,
                           .geometry = rx_case_conv(8, 8, 16, 32, 1, 3, 2, 1)};
    map(&p, in_map, RX_READ, "x0");
    rx_case_operand(&p, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_READ, 1, 0, "w");
    map(&p, out_map, RX_READ | RX_WRITE, "y0");
    const struct rx_work work = rx_problem_work(&p);
    assert_true(work.flops_image == 2.0 * 4 * 4 * 32 * 9 * 16);
    assert_true(work.bytes_image == 4.0 * (8 * 8 * 16 + 2 * 4 * 4 * 32));
    assert_true(work.bytes_fixed == 4.0 * 32 * 9 * 16);
}

// --- chains as code ---

static struct rx_kernel
kernel_of(const struct rx_problem *p, const char *skeleton, int lanes)
{
    return (struct rx_kernel){.problem = p,
                              .config = {.skeleton = skeleton, .lanes = lanes, .tile_pixels = 32},
                              .language = rx_target_cpu.language};
}

static struct rx_slot
slot_of(const char *name, int index, int indent)
{
    struct rx_slot slot = {.index = index, .indent = indent};
    snprintf(slot.name, sizeof slot.name, "%s", name);
    return slot;
}

static void
add_argument(struct rx_slot *slot, const char *key, const char *value)
{
    snprintf(slot->key[slot->n], sizeof slot->key[0], "%s", key);
    snprintf(slot->value[slot->n++], sizeof slot->value[0], "%s", value);
}

static void
test_prologue(void **state)
{
    (void)state;
    const struct rx_problem p = rx_render_map_problem(3, 3, 16);
    const struct rx_kernel k = kernel_of(&p, "map", 8);
    struct rx_slot slot = slot_of("prologue", 0, 4);
    struct rx_text out = {0};
    assert_non_null(rx_slot_prologue(&k, &slot, &out));
    add_argument(&slot, "pixel", "first + i");
    add_argument(&slot, "channel", "c");
    assert_non_null(rx_slot_prologue(&k, &slot, &out));
    add_argument(&slot, "into", "x");
    assert_null(rx_slot_prologue(&k, &slot, &out));
    // The sum is too long for a line, so its longest part has a name.
    assert_string_equal(
        rx_text_str(&out),
        "    const rx_v a2 = rx_load(coef0_scale + c) * rx_load(x0 + (first + i) * C + c);\n"
        "    const rx_v x = rx_relu(a2 + rx_load(coef0_shift + c));\n");
    rx_text_close(&out);
}

static void
test_tail(void **state)
{
    (void)state;
    struct rx_problem p = rx_render_map_problem(3, 3, 20);
    const struct rx_kernel k = kernel_of(&p, "map", 8);
    struct rx_slot slot = slot_of("prologue", 0, 0);
    struct rx_text out = {0};
    p.operand[0].pitch = 36;
    add_argument(&slot, "pixel", "p");
    add_argument(&slot, "channel", "c");
    add_argument(&slot, "into", "x");
    assert_string_equal(rx_slot_prologue(&k, &slot, &out), "lanes= is missing");
    add_argument(&slot, "lanes", "n");
    assert_null(rx_slot_prologue(&k, &slot, &out));
    assert_non_null(strstr(rx_text_str(&out), "rx_load_n(x0 + p * X0_PITCH + c, n)"));
    rx_text_close(&out);
}

static void
test_epilogue(void **state)
{
    (void)state;
    const struct rx_problem p = rx_render_map_problem(3, 3, 16);
    const struct rx_kernel k = kernel_of(&p, "map", 8);
    struct rx_slot slot = slot_of("epilogue", -1, 0);
    struct rx_text out = {0};
    add_argument(&slot, "pixel", "p");
    add_argument(&slot, "channel", "c");
    add_argument(&slot, "acc", "sum");
    assert_null(rx_slot_epilogue(&k, &slot, &out));
    assert_string_equal(rx_text_str(&out), "const rx_v e1 = rx_load(x8 + p * C + c);\n"
                                           "const rx_v e2 = rx_mask(sum, e1);\n"
                                           "rx_store(y0 + p * C + c, e2);\n"
                                           "rx_moments_add(&stats0_own, e2);\n"
                                           "sums0_a += e2;\n"
                                           "sums0_ab += e2 * e1;\n");
    rx_text_clear(&out);
    assert_null(rx_slot_epilogue_begin(&k, &slot, &out));
    assert_string_equal(rx_text_str(&out), "struct rx_moments stats0_own = {0};\n"
                                           "rx_v sums0_a = rx_zero(), sums0_ab = rx_zero();\n");
    rx_text_clear(&out);
    assert_null(rx_slot_epilogue_end(&k, &slot, &out));
    assert_non_null(
        strstr(rx_text_str(&out),
               "rx_moments_merge_f64(stats0 + c, STATS0_PITCH, &stats0_own, RX_LANES);\n"
               "rx_sum_f64(sums0 + c, sums0_a, RX_LANES);\n"));
    rx_text_close(&out);
}

// Several vectors by turns: sums are arrays. A result must be somewhere.
static void
test_epilogue_vectors(void **state)
{
    (void)state;
    const struct rx_problem p = rx_render_map_problem(3, 3, 16);
    const struct rx_kernel k = kernel_of(&p, "map", 8);
    struct rx_slot slot = slot_of("epilogue", -1, 0);
    struct rx_text out = {0};
    add_argument(&slot, "pixel", "p");
    add_argument(&slot, "channel", "c");
    add_argument(&slot, "vector", "v");
    assert_string_equal(rx_slot_epilogue(&k, &slot, &out), "at= is missing");
    add_argument(&slot, "acc", "sum");
    assert_null(rx_slot_epilogue(&k, &slot, &out));
    assert_non_null(strstr(rx_text_str(&out), "rx_store(y0 + p * C + c, e2);\n"
                                              "rx_moments_add(&stats0_own[v], e2);\n"
                                              "sums0_a[v] += e2;\n"));
    rx_text_clear(&out);
    assert_null(rx_slot_epilogue_end(&k, &slot, &out));
    assert_non_null(
        strstr(rx_text_str(&out),
               "rx_moments_merge_f64(stats0 + c, STATS0_PITCH, &stats0_own[v], RX_LANES);\n"));
    rx_text_close(&out);
}

// A running sum that goes on in the same memory is no promise of separate pointers.
static void
test_operands(void **state)
{
    (void)state;
    const struct rx_problem p = rx_render_map_problem(3, 5, 16);
    const struct rx_kernel k = kernel_of(&p, "map", 8);
    const struct rx_slot slot = slot_of("operands", -1, 0);
    struct rx_text out = {0};
    assert_null(rx_slot_operands(&k, &slot, &out));
    assert_string_equal(
        rx_text_str(&out),
        "const float *restrict x0 = t[0];  // [N][3][5][16]\n"
        "const float *restrict coef0_scale = t[1];  // [16]\n"
        "const float *restrict coef0_shift = (const float *)t[1] + COEF0_PITCH;  // [16]\n"
        "const float *x8 = t[2];  // [N][3][5][16]\n"
        "float *y0 = t[3];  // [N][3][5][16]\n"
        "double *restrict stats0 = (double *)t[4] + call->thread * 3 * STATS0_PITCH;  // [3][16]\n"
        "double *restrict sums0 = (double *)t[5] + call->thread * 2 * SUMS0_PITCH;  // [2][16]\n");
    rx_text_close(&out);
}

// --- machines and choice ---

static void
test_machines(void **state)
{
    (void)state;
    struct rx_machine m;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cpu.machine("native", &m, &error), RX_OK);
    assert_string_not_equal(m.arch, "native");
    assert_int_equal(rx_target_cpu.machine("x86-64-v4", &m, &error), RX_OK);
    assert_int_equal(m.lanes, 16);
    assert_non_null(strstr(m.flags, "-mprefer-vector-width=512"));
    assert_int_equal(m.dot2, 0);
    assert_int_equal(rx_target_cpu.machine("x86-64-v4+bf16", &m, &error), RX_OK);
    assert_int_equal(m.dot2, 1);
    assert_non_null(strstr(m.flags, "-mavx512bf16"));
    assert_string_equal(m.tiles, "");
    assert_int_equal(rx_target_cpu.machine("x86-64-v4+amx", &m, &error), RX_OK);
    assert_int_equal(m.dot2, 1);
    assert_string_equal(m.tiles, "amx");
    assert_non_null(strstr(m.flags, "-mamx-bf16"));
    assert_int_equal(rx_target_cpu.machine("znver9", &m, &error), RX_USER);
    assert_non_null(strstr(error.text, "znver9"));
    assert_non_null(strstr(error.text, "x86-64-v3"));
}

static void
test_choice(void **state)
{
    (void)state;
    struct rx_problem p =
        rx_render_conv_problem(RX_PROBLEM_CONV_FWD, rx_case_conv(14, 14, 64, 96, 1, 1, 1, 0));
    struct rx_kernel a, b;
    rx_render_choose("cc 1", "x86-64-v3", &p, &a);
    rx_render_choose("cc 1", "x86-64-v3", &p, &b);
    assert_string_equal(a.name, b.name);
    assert_non_null(strstr(a.name, "rx_conv1x1_bn_relu_"));
    assert_non_null(strstr(a.name, "_c64k96g1_14x14_"));
    assert_non_null(a.runner_up.skeleton);
    assert_true(a.estimate <= a.runner_up_estimate);
    // The hash is of toolchain, machine and problem too.
    rx_render_choose("cc 2", "x86-64-v3", &p, &b);
    assert_string_not_equal(a.hash, b.hash);
    rx_render_choose("cc 1", "x86-64-v4", &p, &b);
    assert_string_not_equal(a.hash, b.hash);
    p.operand[0].pitch += 16;
    rx_render_choose("cc 1", "x86-64-v3", &p, &b);
    assert_string_not_equal(a.hash, b.hash);
    struct rx_problem turn = {.op = RX_PROBLEM_TRANSPOSE, .geometry = p.geometry};
    rx_case_operand(&turn, RX_OPERAND_WEIGHTS, RX_DOMAIN_NONE, RX_READ, 1, 0, "w");
    rx_case_operand(&turn, RX_OPERAND_WEIGHTS_DGRAD, RX_DOMAIN_NONE, RX_WRITE, 1, 0, "wt");
    rx_render_choose("cc 1", "x86-64-v3", &turn, &b);
    assert_null(strstr(b.name, "conv"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_prologue),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_epilogue),
        cmocka_unit_test(test_epilogue_vectors),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
