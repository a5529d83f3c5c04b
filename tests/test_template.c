// The template language, apart from what kernels are: directives, constants, tidy lines, errors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gen/render/template.h"
#include "gen/render/tidy.h"

static int
find_constant(void *context, const char *name, int64_t *value)
{
    (void)context;
    *value = 7;
    return strlen(name) == 1;
}

static int
find_flag(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "on") == 0 ? 1 : strcmp(name, "off") == 0 ? 0 : -1;
}

// Prints the slot as it was parsed.
static const char *
expand_slot(void *context, const struct rx_slot *slot, struct rx_text *out)
{
    (void)context;
    if (strcmp(slot->name, "clear") == 0)
        return "nothing to clear";
    rx_text_printf(out, "%*s%s %d:", slot->indent, "", slot->name, slot->index);
    for (int i = 0; i < slot->n; i++)
        rx_text_printf(out, " %s<%s>", slot->key[i], slot->value[i]);
    rx_text_add(out, "\n");
    return NULL;
}

static void
more_constants(void *context, struct rx_text *out)
{
    (void)context;
    rx_text_add(out, "enum { A = 9 };  // repeated\nenum { Z = 3 };  // further\n");
}

static const struct rx_template_names names = {
    .kernel = "rx_k",
    .tile = "tile_x.h",
    .constant = find_constant,
    .flag = find_flag,
    .slot = expand_slot,
    .more_constants = more_constants,
};

static void
assert_expands(const char *source, const char *expected)
{
    struct rx_text out = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_template_expand("t.c", source, &names, &out, &error), RX_OK);
    assert_string_equal(rx_text_str(&out), expected);
    rx_text_close(&out);
}

static void
assert_fault(const char *source, const char *expected)
{
    struct rx_text out = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_template_expand("t.c", source, &names, &out, &error), RX_REFUSED);
    if (!strstr(error.text, expected))
        fail_msg("\"%s\" does not say \"%s\"", error.text, expected);
    assert_string_equal(rx_text_str(&out), "");
    rx_text_close(&out);
}

static void
test_lines(void **state)
{
    (void)state;
    assert_expands("a;\n", "a;\n");
    assert_expands("//@ doc words\na;\n", "a;\n");
    assert_expands("#include \"tile_generic.h\"  //@ tile\n", "#include \"tile_x.h\"\n");
    assert_expands("RX_KERNEL(a, RX_KERNEL);\n", "rx_k(a, rx_k);\n");
    assert_expands("a;  // why  //@ when on\nb;  //@ when off\nc;  //@ when not off\n",
                   "a;  // why\nc;\n");
    assert_expands("// clang-format off\na;\n// clang-format on\n", "a;\n");
}

static void
test_branches(void **state)
{
    (void)state;
    assert_expands("//@ if on\na;\n//@ else\nb;\n//@ end\n", "a;\n");
    assert_expands("//@ if not on\na;\n//@ else\nb;\n//@ end\n", "b;\n");
    assert_expands("//@ if on\n//@ if off\na;\n//@ end\nb;\n//@ end\n", "b;\n");
    assert_expands("//@ if off\n//@ if on\na;\n//@ else\nc;\n//@ end\nb;\n//@ end\nd;\n", "d;\n");
    assert_expands("//@ if off\n//@ prologue 0 a=b\nx;\n//@ end\n//@ end\nd;\n", "d;\n");
}

static void
test_constants(void **state)
{
    (void)state;
    // Numbers are replaced, derived ones stay, unused ones go, comments are no use.
    assert_expands("//@ consts\nenum { A = 1, B = 2, D = A * 2 };  // three\n"
                   "enum { E = 5 };  // none\n//@ end\n\nx(D);  // E\n",
                   "enum { A = 7, D = A * 2 };  // three\n\nx(D);  // E\n");
    assert_expands("//@ consts\nenum { A = 1 };  // one\n//@ end\nx(A, Z);\n",
                   "enum { A = 7 };  // one\nenum { Z = 3 };  // further\nx(A, Z);\n");
    assert_expands("//@ consts\nenum { A = 1 };\n//@ end\nAA();\n", "AA();\n");
}

static void
test_slots(void **state)
{
    (void)state;
    assert_expands(
        "  //@ prologue 1 pixel=(a + (b)) at=f(c, d) x=(a)(b)\n  sample;\n  //@ end\nb;\n",
        "  prologue 1: pixel<a + (b)> at<f(c, d)> x<(a)(b)>\nb;\n");
    assert_expands("//@ operands\nx;\n//@ end\n", "operands -1:\n");
}

static void
test_faults(void **state)
{
    (void)state;
    assert_fault("a;\n//@ if nobody\n//@ end\n",
                 "t.c:2: internal error in the template: unknown flag");
    assert_fault("a;  //@ when nobody\n", "t.c:1:");
    assert_fault("a;\n\n//@ nothing\n", "t.c:3: internal error in the template: unknown directive");
    assert_fault("a;  //@ perhaps\n", "unknown directive: perhaps");
    assert_fault("//@ end\n", "t.c:1: internal error in the template: end without a beginning");
    assert_fault("//@ else\n", "else without if");
    assert_fault("//@ if on\n//@ else\n//@ else\n//@ end\n", "t.c:3:");
    assert_fault("a;\n//@ if on\nb;\n", "t.c:2: internal error in the template: no end: if");
    assert_fault("//@ operands\nb;\n", "t.c:1: internal error in the template: no end: operands");
    assert_fault("//@ consts\nenum { LONG = 1 };\n//@ end\n", "t.c:2: ");
    assert_fault("//@ consts\nint a = 1;\n//@ end\n", "not a line");
    assert_fault("//@ consts\n//@ end\n//@ consts\n//@ end\n", "a second constants block");
    assert_fault("//@ if off\n//@ consts\n//@ end\n//@ end\n", "constants inside an if");
    assert_fault("//@ prologue 0 pixel\n//@ end\n", "not KEY=VALUE");
    assert_fault("\n//@ clear\n//@ end\n",
                 "t.c:2: internal error in the template: nothing to clear");
}

static void
test_tidy(void **state)
{
    (void)state;
    // Blank lines: one at most, none inside a block's braces.
    assert_expands("a {\n\n\n  b;\n\n\n  c;\n\n}\n", "a {\n  b;\n\n  c;\n}\n");
    // Comments of neighbouring lines share a column, as far as they fit.
    assert_expands("int a; // one\nint long_name; // two\n\nint b; // three\n",
                   "int a;          // one\nint long_name;  // two\n\nint b;  // three\n");
    // A function's head that is too long breaks after its first parameter.
    const char *name =
        "rx_a_very_long_name_of_a_kernel_that_leaves_little_room_for_its_parameters_x";
    char source[256], expected[256];
    snprintf(source, sizeof source, "%s(const int *call, void *const *t)\n", name);
    snprintf(expected, sizeof expected, "%s(const int *call,\n%*svoid *const *t)\n", name,
             (int)strlen(name) + 1, "");
    assert_expands(source, expected);
}

static void
test_comment(void **state)
{
    (void)state;
    struct rx_text words = {0}, out = {0};
    for (int i = 0; i < 60; i++)
        rx_text_printf(&words, "%sword%d", i ? " " : "", i);
    rx_tidy_comment("// first ", "//       ", rx_text_str(&words), &out);
    int lines = 0;
    for (const char *at = rx_text_str(&out); *at; at = strchr(at, '\n') + 1, lines++)
        assert_true(strchr(at, '\n') - at <= RX_COLUMNS);
    assert_int_equal(lines, 5);
    assert_non_null(strstr(rx_text_str(&out), "word59\n"));
    rx_text_close(&words);
    rx_text_close(&out);
}

static void
test_words(void **state)
{
    (void)state;
    assert_true(rx_text_has_word("a + B_2;", "B_2"));
    assert_true(rx_text_has_word("AB A", "A"));
    assert_false(rx_text_has_word("B_22 AB_2", "B_2"));
    assert_false(rx_text_has_word("", "A"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_branches),
        cmocka_unit_test(test_constants), cmocka_unit_test(test_slots),
        cmocka_unit_test(test_faults),    cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_comment),   cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
