// make bench-forms on a tiny block: the three forms agree, the report has what scripts rely on, the
// chart is XML. Skipped where there is no python3.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/folder.h"

static int
run(const char *format, const char *path)
{
    char command[1024];
    snprintf(command, sizeof command, format, path);
    return system(command);
}

static void
check_row(const json_t *row)
{
    static const char *const positive[] = {"ms_per_step", "bytes", "kernels", "peak_bytes"};
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++)
        assert_true(json_number_value(json_object_get(row, positive[i])) > 0);
    assert_true(json_is_string(json_object_get(row, "form")));
    assert_true(json_is_string(json_object_get(row, "mode")));
    const json_t *difference = json_object_get(row, "max_relative_difference");
    assert_true(json_is_number(difference));
    // What the forms must agree to in f32, as a share of the logits' rms.
    assert_true(json_number_value(difference) <= 1e-4);
}

static void
test_forms_are_reported(void **state)
{
    const struct rx_test_folder *folder = *state;
    if (system("python3 -c 'import xml' 2>/dev/null") != 0)
        skip();
    assert_int_equal(run("BENCH_OUT=%s NETWORKS=tiny BATCH=4 ROUNDS=1 STEPS=1 "
                         "python3 bench/forms.py >/dev/null 2>&1",
                         folder->path),
                     0);
    char path[RX_FOLDER_CHARS];
    json_t *report = json_load_file(rx_test_folder_file(folder, "forms.json", path), 0, NULL);
    assert_non_null(report);
    const json_t *rows = json_object_get(report, "rows");
    assert_int_equal(json_array_size(rows), 6);
    for (size_t i = 0; i < 6; i++)
        check_row(json_array_get(rows, i));
    json_decref(report);
    assert_int_equal(run("python3 -c \"import xml.dom.minidom as m; "
                         "assert len(m.parse('%s/forms.svg').getElementsByTagName('rect')) == 7\"",
                         folder->path),
                     0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_forms_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
