// Rendered kernels are clean C for every machine, and the driver of --only runs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/render/render.h"
#include "runtime/base/file.h"
#include "tests/support/command.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/kernel_case.h"
#include "tests/support/folder.h"
#include "tests/support/render_problem.h"

enum { SHAPES = 8 };

static const int shapes[SHAPES][7] = {
    // h, c, k, groups, taps, stride, pad
    {14, 64, 96, 1, 1, 1, 0},  {15, 3, 20, 1, 7, 2, 3},  {8, 24, 24, 1, 3, 2, 1},
    {7, 64, 64, 2, 3, 1, 1},   {9, 48, 96, 2, 3, 2, 1},  {10, 32, 32, 8, 3, 1, 1},
    {11, 30, 60, 10, 3, 2, 1}, {1, 100, 10, 1, 1, 1, 0},
};

static void
render_one(const char *arch, const struct rx_problem *p, const char *folder, int number)
{
    struct rx_machine m;
    struct rx_error error = {0};
    struct rx_kernel k;
    struct rx_text source = {0};
    char path[128];
    const struct rx_banner banner = {"models/a.lua:3", "conv1 + bn1", "rxgen models/a.lua", arch};
    rx_render_choose("cc", arch, p, &k);
    assert_int_equal(rx_target_cpu.machine(arch, &m, &error), RX_OK);
    if (rx_render_kernel(&m, "templates", &k, &banner, &source, &error) != RX_OK)
        fail_msg("%s", error.text);
    assert_null(strstr(rx_text_str(&source), "//@"));
    assert_null(strstr(rx_text_str(&source), "RX_KERNEL"));
    assert_non_null(strstr(rx_text_str(&source), "models/a.lua:3"));
    snprintf(path, sizeof path, "%s/%s_%d.c", folder, arch, number);
    assert_int_equal(rx_file_write(path, rx_text_str(&source), source.n, &error), RX_OK);
    rx_text_close(&source);
}

// Runs a command; the test fails unless it exits 0.
__attribute__((format(printf, 2, 3))) static void
shell(const char *what, const char *format, ...)
{
    va_list arguments;
    char line[1024];
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (system(line) != 0)
        fail_msg("%s: %s", what, line);
}

static void
check_clean(const char *arch, const char *folder)
{
    struct rx_machine m;
    struct rx_error error = {0};
    const char *cc = getenv("CC") ? getenv("CC") : "cc";
    assert_int_equal(rx_target_cpu.machine(arch, &m, &error), RX_OK);
    shell("warnings",
          "%s -std=gnu11 -O1 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Werror %s "
          "-Iruntime -Itemplates/cpu %s/%s_*.c",
          cc, m.flags, folder, arch);
    if (system("clang-format --version >/dev/null 2>&1") == 0)
        shell("format", "clang-format --style=file:.clang-format --dry-run --Werror %s/%s_*.c",
              folder, arch);
}

static void
test_rendered(void **state)
{
    (void)state;
    static const char *const archs[] = {"x86-64-v4+amx", "x86-64-v4", "x86-64-v3", "generic"};
    struct rx_test_folder temporary;
    rx_test_folder_open(&temporary);
    const char *folder = temporary.path;
    for (size_t a = 0; a < sizeof archs / sizeof *archs; a++) {
        int number = 0;
        for (int i = 0; i < SHAPES; i++) {
            const int *s = shapes[i];
            const struct rx_geometry g =
                rx_case_conv(s[0], s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
            for (int op = RX_PROBLEM_CONV_FWD; op <= RX_PROBLEM_CONV_WGRAD; op++) {
                struct rx_problem p = rx_render_conv_problem((enum rx_problem_op)op, g);
                if (a == 0 && g.groups == 1) {
                    rx_case_to_bf16(&p);
                    rx_case_to_products(&p, RX_BF16X2);
                }
                render_one(archs[a], &p, folder, number++);
            }
            const struct rx_problem p = rx_render_map_problem(s[0], s[0], s[1]);
            render_one(archs[a], &p, folder, number++);
        }
        check_clean(archs[a], folder);
    }
    rx_test_folder_close(&temporary);
}

// The driver of --only, built and run.
static void
test_driver(void **state)
{
    (void)state;
    struct rx_test_folder temporary;
    rx_test_folder_open(&temporary);
    const char *folder = temporary.path;
    char path[RX_FOLDER_CHARS];
    struct rx_machine m;
    struct rx_error error = {0};
    struct rx_kernel k;
    struct rx_text source = {0};
    const struct rx_problem p = rx_render_map_problem(5, 7, 20);
    const char *cc = getenv("CC") ? getenv("CC") : "cc";
    render_one("native", &p, folder, 0);
    rx_render_choose("cc", "native", &p, &k);
    assert_int_equal(rx_target_cpu.machine("native", &m, &error), RX_OK);
    assert_int_equal(rx_render_driver(&m, &k, &source, &error), RX_OK);
    rx_test_folder_file(&temporary, "driver.c", path);
    assert_int_equal(rx_file_write(path, rx_text_str(&source), source.n, &error), RX_OK);
    rx_text_close(&source);
    shell("driver",
          "%s -std=gnu11 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -D_GNU_SOURCE %s -I. "
          "-Iruntime -Itemplates/cpu %s/*.c runtime/reference*.c runtime/problem.c "
          "runtime/weights.c runtime/cpu/device.c runtime/base/amx.c runtime/base/bf16.c "
          "runtime/base/error.c runtime/base/memory.c -lm -o %s/driver",
          cc, m.flags, folder, folder);
    shell("driver", "%s/driver 3 | grep -q 'check ok'", folder);
    if (system("clang-format --version >/dev/null 2>&1") == 0)
        shell("format", "clang-format --style=file:.clang-format --dry-run --Werror %s/driver.c",
              folder);
    rx_test_folder_close(&temporary);
}

// The same of a kernel that is launched, on the emulated device. Skipped where there is none.
static void
test_cuda_driver(void **state)
{
    (void)state;
    char *libraries =
        rx_cuda_batch_folder() != NULL ? realpath(rx_cuda_batch_folder(), NULL) : NULL;
    if (libraries == NULL || !rx_cuda_batch_available()) {
        free(libraries);
        skip();
    }
    static const char model[] = "--target cuda --arch sm_90 models/fashion_resnext.lua --set "
                                "image=8 --set planes=8 --set cardinality=2";
    struct rx_test_folder temporary;
    rx_test_folder_open(&temporary);
    struct rx_command list = {0}, only = {0};
    rx_command_add(&list, "env RXGEN_CUDA_LIB_DIR=%s %s %s --explain", libraries,
                   rx_command_rxgen(), model);
    rx_command_run_well(&list);
    const char *name = strstr(rx_text_str(&list.out), "rx_conv1x1_bn_relu_stats");
    assert_non_null(name);
    const int n = (int)strcspn(name, "\n");
    rx_command_add(&only, "env RXGEN_CUDA_LIB_DIR=%s %s %s --only %.*s --out %s/net", libraries,
                   rx_command_rxgen(), model, n, name, temporary.path);
    rx_command_run_well(&only);
    const char *hash = name + n - 8;
    shell("driver",
          "RXGEN_CUDA_LIB_DIR=%s %s/net/only-%.8s/driver 3 | grep -q 'check ok max relative error'",
          libraries, temporary.path, hash);
    if (system("clang-format --version >/dev/null 2>&1") == 0)
        shell("format",
              "clang-format --style=file:.clang-format --dry-run --Werror %s/net/only-%.8s/*.c",
              temporary.path, hash);
    rx_command_close(&list);
    rx_command_close(&only);
    rx_test_folder_close(&temporary);
    free(libraries);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rendered),
        cmocka_unit_test(test_driver),
        cmocka_unit_test(test_cuda_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
