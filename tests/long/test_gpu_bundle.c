// The bundle for machines with a device, made small, runs end to end on the emulated one: every
// part of its report is there and has what docs/gpu-bundle.md says; without a device it says so.
// Skipped where `make emu` has built nothing.
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "tests/support/command.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/run_files.h"

// One network as small as they get, which stands for all.
static const char NETWORK[] =
    "resnext11_2x4d-f32 default,sanitize,train,infer models/fashion_resnext.lua --set image=8 "
    "--set stem=8 --set planes=8 --set cardinality=2 --set classes=4";

// Stands for compute-sanitizer: it is told what to do as that is, and racecheck finds something.
static const char SANITIZER[] = "#!/bin/bash\n"
                                "[ \"$1 $3 $4\" = \"--tool --error-exitcode 9\" ] || exit 9\n"
                                "[ \"$2\" != racecheck ] || exit 9\n"
                                "\"${@:5}\"\n";

static void
write_script(const char *name, const char *script, char path[RX_PATH_CHARS])
{
    struct rx_error error = {0};
    rx_run_file(name, path);
    assert_int_equal(rx_file_write(path, script, strlen(script), &error), RX_OK);
    assert_int_equal(chmod(path, 0755), 0);
}

static void
make_bundle(const char *libraries)
{
    struct rx_command c = {0};
    setenv("NETWORKS", NETWORK, 1);
    setenv("TESTS", "test_cuda_simple", 1);
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=%s RXGEN=%s BUNDLE=%s/bundle DATA=none", libraries,
                   rx_command_rxgen(), rx_run_folder.path);
    rx_command_add(&c, "bench/gpu/bundle.sh");
    rx_command_run_well(&c);
    rx_command_close(&c);
}

// Runs it with settings that suit an emulated device; returns the report.
static json_t *
run_bundle(const char *libraries, const char *fault, int status)
{
    char sanitizer[RX_PATH_CHARS];
    struct rx_command c = {0};
    write_script("sanitizer", SANITIZER, sanitizer);
    setenv("TRAINING", "--data synthetic:8 --batch 4 --steps 1 --workers 0", 1);
    setenv("BATCHES", "65536 2", 1);  // the first takes more than the device has
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=%s RXGEN_EMU=memory=64%s STEPS=1 SANITIZER=%s",
                   libraries, fault, sanitizer);
    rx_command_add(&c, "PYTHON=none PATIENCE=20 %s/bundle/run.sh", rx_run_folder.path);
    rx_command_run(&c);
    if (c.status != status)
        fail_msg("exit %d: %s", c.status, rx_text_str(&c.err));
    rx_command_close(&c);
    char path[RX_PATH_CHARS];
    json_error_t error;
    json_t *report =
        json_load_file(rx_run_file("bundle/report.json", path), JSON_REJECT_DUPLICATES, &error);
    if (report == NULL)
        fail_msg("report.json:%d: %s", error.line, error.text);
    return report;
}

// A row's outcome is what is expected.
static void
check_outcome(json_t *row, const char *status)
{
    const char *found = NULL, *why = NULL;
    int seconds = -1;
    if (json_unpack(row, "{s:s, s:i, s:s}", "status", &found, "seconds", &seconds, "why", &why) !=
        0)
        fail_msg("a row has no outcome: %s", json_dumps(row, 0));
    if (strcmp(found, status) != 0)
        fail_msg("%s, not %s: %s", found, status, json_dumps(row, 0));
    assert_true(seconds >= 0);
    assert_int_equal(*why == '\0', strcmp(status, "ok") == 0);
}

// The keys of docs/gpu-bundle.md, of the report and of the rows of its parts.
#define OUTCOME " status seconds why"
static const char *const rows_have[][2] = {
    {"kernel_tests", "name passed failed skipped" OUTCOME},
    {"sanitizer", "tool network" OUTCOME},
    {"training", "network evaluation last_step" OUTCOME},
    {"bench", "network mode batch result by_kernel" OUTCOME},
    {"pytorch", "network mode program result" OUTCOME},
};

// An object has these keys and no others.
static void
check_keys(json_t *object, const char *keys)
{
    char copy[256], *save;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", keys);
    for (char *key = strtok_r(copy, " ", &save); key != NULL; key = strtok_r(NULL, " ", &save)) {
        n++;
        if (json_object_get(object, key) == NULL)
            fail_msg("no %s in %s", key, json_dumps(object, 0));
    }
    if (json_object_size(object) != n)
        fail_msg("keys other than %s in %s", keys, json_dumps(object, 0));
}

static void
check_schema(json_t *report)
{
    json_t *row;
    size_t i;
    check_keys(report, "schema version status why seconds machine prepare kernel_tests sanitizer "
                       "training bench pytorch");
    check_keys(json_object_get(report, "machine"),
               "arch gpu driver memory_mb sm_clock_mhz cpu cores system");
    for (size_t part = 0; part < sizeof rows_have / sizeof rows_have[0]; part++)
        json_array_foreach(json_object_get(report, rows_have[part][0]), i, row)
            check_keys(row, rows_have[part][1]);
}

static json_t *
rows_of(json_t *report, const char *part, size_t n)
{
    json_t *rows = json_object_get(report, part);
    assert_true(json_is_array(rows));
    assert_int_equal(json_array_size(rows), n);
    return rows;
}

static void
check_kernel_tests(json_t *report)
{
    json_t *row = json_array_get(rows_of(report, "kernel_tests", 1), 0);
    check_outcome(row, "ok");
    assert_string_equal(json_string_value(json_object_get(row, "name")), "test_cuda_simple");
    assert_true(rx_run_real(row, "passed") > 0);
    assert_true(rx_run_real(row, "failed") == 0);
}

static void
check_bench(json_t *report)
{
    static const char *const mode[] = {"train", "infer"};
    json_t *rows = rows_of(report, "bench", 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *row = json_array_get(rows, i), *kernels;
        check_outcome(row, "ok");
        assert_string_equal(json_string_value(json_object_get(row, "mode")), mode[i]);
        assert_true(rx_run_real(row, "batch") == 2);
        assert_true(rx_run_real(json_object_get(row, "result"), "images_per_s") > 0);
        kernels = json_object_get(json_object_get(row, "by_kernel"), "kernels");
        assert_true(json_array_size(kernels) > 10);
    }
}

static void
test_report(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available())
        skip();
    char *libraries = realpath(rx_cuda_batch_folder(), NULL);
    make_bundle(libraries);
    json_t *report = run_bundle(libraries, "", 1), *row;
    size_t i;
    const char *schema = NULL, *status = NULL, *arch = NULL;
    assert_int_equal(json_unpack(report, "{s:s, s:s, s:{s:s}}", "schema", &schema, "status",
                                 &status, "machine", "arch", &arch),
                     0);
    assert_string_equal(schema, "rxgen-gpu-report-1");
    assert_string_equal(arch, "sm_90");
    assert_string_equal(status, "failed");  // racecheck is made to fail
    check_schema(report);
    check_outcome(json_object_get(report, "prepare"), "ok");
    check_kernel_tests(report);
    json_array_foreach(rows_of(report, "sanitizer", 4), i, row)
        check_outcome(row, i == 1 ? "failed" : "ok");
    row = json_array_get(rows_of(report, "training", 1), 0);
    check_outcome(row, "ok");
    assert_true(rx_run_real(json_object_get(row, "evaluation"), "top1") >= 0);
    assert_true(rx_run_real(json_object_get(row, "last_step"), "step") == 1);
    check_bench(report);
    check_outcome(json_array_get(rows_of(report, "pytorch", 1), 0), "skipped");
    json_decref(report);

    report = run_bundle(libraries, ",fault=none", 1);
    assert_int_equal(json_unpack(report, "{s:s}", "why", &status), 0);
    assert_non_null(strstr(status, "no CUDA-capable device is detected"));
    rows_of(report, "bench", 0);
    check_schema(report);
    json_decref(report);
    free(libraries);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_report, rx_run_folder_open, rx_run_folder_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
