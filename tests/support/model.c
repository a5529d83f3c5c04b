// Loading model files and texts in tests.
#include "tests/support/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/folder.h"

static double
processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
rx_test_model_load(struct rx_test_model *m, const char *path, const struct rx_setting *setting,
                   int n)
{
    *m = (struct rx_test_model){0};
    rx_graph_open(&m->graph, "");
    m->output.graph = &m->graph;
    const struct rx_front_input input = {
        .path = path, .lib = "models/lib", .setting = setting, .n_settings = n};
    const double start = processor_seconds();
    m->status = rx_front_load(&input, &m->output, &m->error);
    m->seconds = processor_seconds() - start;
    assert_int_equal(m->status, m->error.status);
}

void
rx_test_model_text(struct rx_test_model *m, const char *text, size_t n)
{
    struct rx_test_folder folder;
    char path[RX_FOLDER_CHARS];
    rx_test_folder_open(&folder);
    rx_test_folder_write(rx_test_folder_file(&folder, "m.lua", path), text, n);
    rx_test_model_load(m, path, NULL, 0);
    rx_test_folder_close(&folder);
}

void
rx_test_model_close(struct rx_test_model *m)
{
    rx_graph_close(&m->graph);
}

void
rx_test_model_refused(const struct rx_test_model *m, const char *what, const char *part)
{
    if (m->status != RX_USER || strstr(m->error.text, part) == NULL)
        fail_msg("%.100s: status %d, '%s', wanted '%s'", what, m->status, m->error.text, part);
}
