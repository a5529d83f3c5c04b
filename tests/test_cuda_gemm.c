// The classifier by cuBLAS, on the emulated device: the unmodified trainer with it and with the
// emitted kernels in its place comes to the same losses and weights. A product that fails says so,
// which also shows that it is asked. Skipped where `make emu` has built nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/text.h"
#include "tests/support/command.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/run_files.h"

static const char MODEL[] = "models/fashion_resnext.lua --set image=8 --set stem=8 --set planes=8 "
                            "--set cardinality=2";
// Classes: two whole blocks of sixteen and five of the third; in bf16 whole vectors, without which
// weights are no rows of bf16 and no product is cuBLAS's.
enum { CLASSES = 37, CLASSES_BF16 = 40 };
enum { BATCH = 5, STEPS = 3 };
static const double f32_tolerance = 2e-6;
enum { TRAINING_PRODUCTS = 3 };  // of an f32 step: forward, both gradients

static char libraries[RX_PATH_CHARS];  // "": there is no emulated device

static int
find_libraries(void **state)
{
    (void)state;
    char *folder = rx_cuda_batch_folder() != NULL ? realpath(rx_cuda_batch_folder(), NULL) : NULL;
    if (folder != NULL && rx_cuda_batch_available())
        snprintf(libraries, sizeof libraries, "%s", folder);
    free(folder);
    return 0;
}

static void
build(const char *dtype)
{
    struct rx_command c = {0};
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=%s %s --target cuda --arch sm_90 --dtype %s",
                   libraries, rx_command_rxgen(), dtype);
    rx_command_add(&c, "--out %s/net %s --set classes=%d", rx_run_folder.path, MODEL,
                   strcmp(dtype, "bf16") == 0 ? CLASSES_BF16 : CLASSES);
    rx_command_run_well(&c);
    rx_command_close(&c);
}

// A training run in the folder `run`, with an environment to be set.
static struct rx_command
training(const char *environment, const char *run, int steps)
{
    struct rx_command c = {0};
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=%s %s %s/net/train --data synthetic:16", libraries,
                   environment, rx_run_folder.path);
    rx_command_add(&c, "--batch %d --steps %d --workers 0 --threads 1 --progress json", BATCH,
                   steps);
    rx_command_add(&c, "--run %s/%s", rx_run_folder.path, run);
    return c;
}

// Weights whose biases, which start at zero, are some tenths: after one step at a high rate.
static void
add_weights(struct rx_command *c, const char *option)
{
    rx_command_add(c, " %s %s/biased.safetensors", option, rx_run_folder.path);
}

static void
make_weights(void)
{
    struct rx_command c = training("RXGEN_NO_CUBLAS=1", "biased", 1);
    rx_command_add(&c, " --lr 1 --schedule step --momentum 0 --wd 0");
    add_weights(&c, "--save");
    rx_command_run_well(&c);
    rx_command_close(&c);
}

static json_t *
losses(const char *environment, const char *run)
{
    struct rx_command c = training(environment, run, STEPS);
    add_weights(&c, "--weights");
    rx_command_run_well(&c);
    json_t *lines = rx_run_parse_lines(rx_text_str(&c.out));
    rx_command_close(&c);
    return lines;
}

// Both sum the same products in f32, in orders of their own: a logit is a sum of some tens of terms
// of about its own size, so the losses differ by a few roundings of 2^-24 a step; in bf16 rounding
// to it may fall otherwise after that, by 2^-9 of an activation.
static void
check_losses(const char *dtype, double tolerance)
{
    if (*libraries == '\0')
        skip();
    build(dtype);
    make_weights();
    json_t *library = losses("", "library"), *kernels = losses("RXGEN_NO_CUBLAS=1", "kernels");
    int trained = 0;
    assert_int_equal(json_array_size(library), json_array_size(kernels));
    for (size_t i = 0; i < json_array_size(library); i++) {
        const json_t *a = json_array_get(library, i), *b = json_array_get(kernels, i);
        trained += rx_run_is_training(a);
        const double x = rx_run_real(a, "loss"), y = rx_run_real(b, "loss");
        const double most = i == 0 ? f32_tolerance : tolerance;
        if (!(x > 0 && (x > y ? x - y : y - x) <= most * y))
            fail_msg("%s, line %zu: loss %.9g by cuBLAS, %.9g by kernels", dtype, i + 1, x, y);
    }
    assert_int_equal(trained, STEPS);
    json_decref(library);
    json_decref(kernels);
}

static void
test_f32(void **state)
{
    (void)state;
    check_losses("f32", f32_tolerance);
}

static void
test_bf16(void **state)
{
    (void)state;
    check_losses("bf16", 0x1p-9);
}

// The first product of the step that is captured, and the last one.
static void
test_refused(void **state)
{
    (void)state;
    if (*libraries == '\0')
        skip();
    build("f32");
    const int refused[] = {1, TRAINING_PRODUCTS};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char fault[64];
        snprintf(fault, sizeof fault, "RXGEN_EMU=fault=cublas:%d", refused[i]);
        struct rx_command c = training(fault, "refused", STEPS);
        rx_command_run(&c);
        if (c.status != 1 || strstr(rx_text_str(&c.err), "cuBLAS: rx_conv1x1_") == NULL ||
            strstr(rx_text_str(&c.err), "CUBLAS_STATUS_EXECUTION_FAILED") == NULL)
            fail_msg("product %d: exit %d: %s", refused[i], c.status, rx_text_str(&c.err));
        rx_command_close(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_f32, rx_run_folder_open, rx_run_folder_close),
        cmocka_unit_test_setup_teardown(test_bf16, rx_run_folder_open, rx_run_folder_close),
        cmocka_unit_test_setup_teardown(test_refused, rx_run_folder_open, rx_run_folder_close),
    };
    return cmocka_run_group_tests(tests, find_libraries, NULL);
}
