// Kernel cases bite: a template of the CUDA target with one thing broken (a barrier dropped, a halo
// shifted, a swizzle or a bound forgotten) fails on the emulated device, by what the emulator sees
// or by wrong values.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gen/pass/region.h"
#include "runtime/base/file.h"
#include "tests/support/command.h"
#include "tests/support/conv_problem.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/folder.h"

static const struct mutant {
    const char *file, *from, *to;  // the first `from` of the file becomes `to`
} mutants[] = {
    {"conv_fwd.mma.cu", "            __syncthreads();\n            // 1.", "            // 1."},
    {"conv_fwd.mma.cu", "* ST + tap / S - P,", "* ST + tap / S - P + 1,"},
    {"conv_fwd.mma.cu", "s * 2 + lane / 16)", "s * 2)"},
    {"conv_fwd.mma.cu", "* 2 + channel % 2;", "* 2;"},
    {"conv_fwd.mma.cu", "ahead_stage + 1 < STAGES ?", "ahead_stage + 2 < STAGES ?"},
    {"conv_fwd.mma.cu", "if (out >= pixels ||", "if (out >= pixels + 1 ||"},
    {"conv_fwd.mma.cu", "            rx_cp_wait<STAGES - 2>();\n", ""},
    {"conv_fwd.mma.cu", "            rx_cp_wait<STAGES - 2>", "            rx_cp_wait<STAGES - 1>"},
    {"conv_fwd.mma.cu", "    rx_cp_wait<STAGES - 2>();\n    //@ if", "    //@ if"},
    {"conv_fwd.mma.cu", "    rx_cp_wait<0>();\n", ""},
    {"conv_fwd.mma.cu", "next += gridDim.x * TILE_P;", "next += TILE_P;"},
    {"conv_fwd.mma.cu", "read >= 0 ? item : zero", "item"},
    {"conv_fwd.mma.cu", "    __syncthreads();\n#pragma unroll\n    for (int v", "    for (int v"},
    {"tile_simt.cuh", "counts[row * WIDTH + column] = kept.count;\n    __syncthreads();\n",
     "counts[row * WIDTH + column] = kept.count;\n"},
    {"tile_simt.cuh", "share = total > 0.0f ? more / total : 0.0f;", "share = 0.5f;"},
    {"conv_dgrad.mma.cu", "            __syncthreads();\n            // 1.", "            // 1."},
    {"conv_dgrad.mma.cu", "right % ST == 0", "right % ST <= 1"},
    {"conv_dgrad.mma.cu", "            rx_cp_wait<STAGES - 2>();\n", ""},
    {"conv_dgrad.mma.cu", "read >= 0 ? item : zero", "item"},
    {"conv_dgrad.mma.cu", "s == 0 ? acc", "s <= 1 ? acc"},
    {"conv_dgrad.mma.cu", "if (h >= H || across >= W)", "if (h >= H)"},
    {"tile_simt.cuh", "shared[row * WIDTH + column] = kept;\n    __syncthreads();\n",
     "shared[row * WIDTH + column] = kept;\n"},
    {"conv_wgrad.mma.cu", "        __syncthreads();\n        // 2.", "        // 2."},
    {"conv_wgrad.mma.cu", "        rx_cp_wait<STAGES - 2>();\n", ""},
    {"conv_wgrad.mma.cu", "read >= 0 ? item : zero", "item"},
    {"conv_wgrad.mma.cu", "first_tap / 8 + m * 2 + lane / 8 % 2", "first_tap / 8 + m * 2"},
    {"conv_wgrad.mma.cu", "min(begin + share, pixels)", "begin + share"},
    {"conv_fwd.few.mma.cu", "    __syncthreads();\n\n    for (int strip", "    for (int strip"},
    {"conv_fwd.few.mma.cu", "            __syncthreads();\n        }\n    }\n",
     "        }\n    }\n"},
    {"conv_fwd.few.mma.cu", "|| ih < 0 || ih >= H)", "|| ih < 0)"},
    {"conv_fwd.few.mma.cu", "|| ih < 0 || ih >= H)", "|| ih >= H)"},
    {"conv_fwd.few.mma.cu", "- P * C - LEAD };", "- P * C };"},
    {"conv_fwd.few.mma.cu", "+ value - LEAD;", "+ value;"},
    {"conv_fwd.few.mma.cu", "top * ST - P + above", "top * ST + above"},
    {"conv_fwd.few.mma.cu", "(STEPS > 1 ? 2 : 1) * BATCH + HALO", "BATCH + HALO"},
    {"conv_fwd.few.mma.cu", "if (to < AGAIN)", "if (to < 0)"},
    {"conv_fwd.few.mma.cu", "rx_store16(ring + i * 8, {0, 0, 0, 0});", ";"},
    {"conv_fwd.few.mma.cu", "if (pixel >= PIXELS || oh", "if (oh"},
    {"conv_fwd.few.mma.cu", "|| oh >= bottom ||", "||"},
    {"conv_fwd.few.mma.cu", "tap >= ROW ||", "tap > ROW ||"},
    {"conv_wgrad.row.cu", "        __syncthreads();\n    }\n    // 4.", "    }\n    // 4."},
    {"conv_wgrad.row.cu", "- SKIP - m * STEP", "- SKIP - m"},
    {"conv_wgrad.row.cu", "element >= 0 && ", ""},
    {"conv_wgrad.row.cu", "if (phase == other)", "if (phase == 0)"},
    {"conv_wgrad.few.mma.cu", "    __syncthreads();\n\n    float acc", "    float acc"},
    {"conv_wgrad.few.mma.cu", "            __syncthreads();\n        }\n    }\n    // 5.",
     "        }\n    }\n    // 5."},
    {"conv_wgrad.few.mma.cu", "rx_cp_wait<0>();", ";"},
    {"conv_wgrad.few.mma.cu", "rx_store16(gradients + i, {0, 0, 0, 0});", ";"},
    {"conv_wgrad.few.mma.cu", "|| ih < 0 || ih >= H)", "|| ih < 0)"},
    {"conv_wgrad.few.mma.cu", "|| ih < 0 || ih >= H)", "|| ih >= H)"},
    {"conv_wgrad.few.mma.cu", "top * ST - P + above", "top * ST + above"},
    {"conv_wgrad.few.mma.cu", "at = P * C + input", "at = input"},
    {"conv_wgrad.few.mma.cu", "(STEPS > 1 ? 2 : 1) * BATCH + HALO", "BATCH + HALO"},
    {"conv_wgrad.few.mma.cu", "oh < bottom && k < K ? item : zero", "item"},
    {"conv_wgrad.few.mma.cu", "lane / 16 * 8 + lane % 8", "lane % 8"},
    {"conv_wgrad.few.mma.cu", "i + 1 < OWN && lane >= 16", "0"},
    {"conv_wgrad.few.mma.cu", "m > 0 ? apart : 0", "0"},
    {"conv_wgrad.few.mma.cu", "gradients + (step + 1 & 1) * U_HELD", "gradients"},
    {"conv_wgrad.few.mma.cu", "(first + chunk / ROW_CHUNKS) % RING", "first + chunk / ROW_CHUNKS"},
    {"gconv_wgrad.row.cu", "        __syncthreads();\n        // 3.", "        // 3."},
    {"gconv_wgrad.row.cu", "unit == begin || oh == 0", "unit == begin"},
    {"gconv_wgrad.row.cu", "line % R * WIDTH", "(line + 1) % R * WIDTH"},
    {"gconv_wgrad.row.cu", "min(begin + share, units)", "begin + share"},
    {"gconv_wgrad.mma.cu", "    __syncthreads();\n\n    // The plane", "    // The plane"},
    {"gconv_wgrad.mma.cu", "            __syncthreads();\n        }\n    }\n    // 5.",
     "        }\n    }\n    // 5."},
    {"gconv_wgrad.mma.cu",
     "        __syncthreads();\n#pragma unroll\n        for (int i = 0; i < 2",
     "#pragma unroll\n        for (int i = 0; i < 2"},
    {"gconv_wgrad.mma.cu", "        __syncthreads();\n    }\n    // 6.", "    }\n    // 6."},
    {"gconv_wgrad.mma.cu", "        rx_store16(ring + i, {0, 0, 0, 0});", "        ;"},
    {"gconv_wgrad.mma.cu", "ih >= 0 && ih < H ? item : zero", "item"},
    {"gconv_wgrad.mma.cu", "oh < bottom ? item : zero", "item"},
    {"gconv_wgrad.mma.cu", "at % W + P", "at % W"},
    {"gconv_wgrad.mma.cu", "if (to < AGAIN)", "if (to < 0)"},
    {"gconv_wgrad.mma.cu", "(STEPS > 1 ? 2 : 1) * BATCH + HALO", "BATCH + HALO"},
    {"gconv_wgrad.mma.cu", "lower * S + m : 2", "m : 2"},
    {"gconv_wgrad.mma.cu", "input / CG != output / CG", "input / CG == output / CG"},
    {"gconv_wgrad.mma.cu", "lane / 16 * 8 + lane % 8", "lane % 8"},
    {"gconv_wgrad.mma.cu", "((step + 1) % 2 * VECTORS + vector)", "vector"},
    {"gconv_wgrad.mma.cu", "if (mine == other)", "if (mine == 0)"},
};

enum { MUTANTS = sizeof mutants / sizeof mutants[0] };

// The best candidate of the template's skeleton, or of any where it has none.
static struct rx_config
candidate(const struct rx_machine *machine, const struct rx_problem *p, const char *file)
{
    static struct rx_config all[RX_CANDIDATES_MAX];
    const int n = rx_target_cuda.candidates(machine, p, all, RX_CANDIDATES_MAX);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        const size_t length = strlen(all[i].skeleton);
        if (strncmp(file, all[i].skeleton, length) == 0 && strcmp(file + length, ".cu") == 0)
            return all[i];
    }
    return all[0];
}

// A strided 3x3 convolution of bf16 maps, its statistics and the sums of its gradient, in more
// parts than divide its pixels, and in parts of several tiles; a grouped one, or one of few
// inputs, where a template is for those.
static int
count_failed(enum rx_problem_op op, const char *file, int filter)
{
    const int grouped = strncmp(file, "gconv", strlen("gconv")) == 0;
    const int few = !grouped && (strstr(file, ".row") || strstr(file, ".few"));
    const int square = strcmp(file, "gconv_wgrad.mma.cu") == 0;
    const int width = few ? 72 : square ? 18 : filter == 1 ? 9 : 8, channels = few ? 3 : 32;
    const struct rx_conv_spec spec = {
        .op = op,
        .geometry = rx_case_conv(9, width, channels, square ? channels : 64, grouped ? 8 : 1,
                                 filter, 2, filter / 2),
        .prologue0 = op == RX_PROBLEM_CONV_DGRAD ? RX_CONV_BN_GRAD
                     : few                       ? RX_CONV_LOAD
                                                 : RX_CONV_BN_RELU,
        .prologue1 = op == RX_PROBLEM_CONV_WGRAD ? RX_CONV_BN_GRAD : RX_CONV_LOAD,
        .epilogue = op == RX_PROBLEM_CONV_FWD     ? RX_CONV_STATS
                    : op == RX_PROBLEM_CONV_DGRAD ? RX_CONV_MASK
                                                  : RX_CONV_STORE,
    };
    struct rx_kernel_case c[2] = {
        {.label = "mutant", .problem = rx_conv_problem(&spec), .n = 3, .threads = 7}};
    c[0].tolerance = 1e-5;
    rx_case_to_bf16(&c[0].problem);
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cuda.machine("sm_90", &machine, &error), RX_OK);
    if (rx_pass_multiplies_bf16(&c[0].problem, machine.form))
        rx_case_to_products(&c[0].problem, machine.form);
    struct rx_config config = candidate(&machine, &c[0].problem, file);
    if (strstr(file, "fwd.few"))
        config = (struct rx_config){"conv_fwd.few.mma", 8, 5, 2, 4, 64};
    if (strstr(file, "wgrad.few"))
        config = (struct rx_config){"conv_wgrad.few.mma", 8, 5, 2, 3, 64};
    if (square)
        config = (struct rx_config){"gconv_wgrad.mma", 8, 5, 2, 4, 32};
    c[0].config = &config;
    c[1] = c[0];
    // Strips of all rows, and of a few, whose last step has more.
    struct rx_config strips = config;
    if (square || strstr(file, ".few"))
        strips.tile_pixels = 3, c[1].config = &strips;
    c[1].n = 14, c[1].threads = 2;
    return rx_kernel_cases(c, 2, "sm_90");
}

static enum rx_problem_op
op_of(int i)
{
    if (strstr(mutants[i].file, "dgrad") || strstr(mutants[i].from, "] = kept;"))
        return RX_PROBLEM_CONV_DGRAD;
    return strstr(mutants[i].file, "wgrad") ? RX_PROBLEM_CONV_WGRAD : RX_PROBLEM_CONV_FWD;
}

// Filters of one pixel are those that a gradient spreads.
static int
filter_of(int i)
{
    return strstr(mutants[i].from, "s == 0") || strstr(mutants[i].from, "across") ? 1 : 3;
}

static void
copy_templates(const struct rx_test_folder *folder)
{
    struct rx_command c = {0};
    rx_command_add(&c, "cp -r templates/cuda %s", folder->path);
    rx_command_run_well(&c);
    rx_command_close(&c);
    setenv("RXGEN_TEMPLATES", folder->path, 1);
}

static void
mutate(const struct rx_test_folder *folder, const struct mutant *m)
{
    char path[RX_FOLDER_CHARS];
    struct rx_text text = {0}, changed = {0};
    struct rx_error error = {0};
    snprintf(path, sizeof path, "templates/cuda/%s", m->file);
    assert_int_equal(rx_file_read(path, &text, &error), RX_OK);
    const char *at = strstr(text.s, m->from);
    if (at == NULL)
        fail_msg("%s: has no %s", m->file, m->from);
    rx_text_add_bytes(&changed, text.s, (size_t)(at - text.s));
    rx_text_add(&changed, m->to);
    rx_text_add(&changed, at + strlen(m->from));
    char name[64];
    snprintf(name, sizeof name, "cuda/%s", m->file);
    rx_test_folder_file(folder, name, path);
    assert_int_equal(rx_file_write(path, changed.s, changed.n, &error), RX_OK);
    rx_text_close(&text);
    rx_text_close(&changed);
}

static void
test_whole(void **state)
{
    if (!rx_cuda_batch_available())
        skip();
    copy_templates(*state);
    for (int op = RX_PROBLEM_CONV_FWD; op <= RX_PROBLEM_CONV_WGRAD; op++)
        assert_int_equal(count_failed((enum rx_problem_op)op, "", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_FWD, "conv_fwd.few.mma.cu", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_WGRAD, "conv_wgrad.few.mma.cu", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_WGRAD, "conv_wgrad.row.cu", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_WGRAD, "gconv_wgrad.row.cu", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_WGRAD, "gconv_wgrad.mma.cu", 3), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_DGRAD, "", 1), 0);
}

static void
test_mutants(void **state)
{
    if (!rx_cuda_batch_available())
        skip();
    for (int i = 0; i < MUTANTS; i++) {
        copy_templates(*state);
        mutate(*state, &mutants[i]);
        if (count_failed(op_of(i), mutants[i].file, filter_of(i)) == 0)
            fail_msg("%s passes with %s", mutants[i].file, mutants[i].to);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_whole),
        WITH_FOLDER(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
