// What runs leave.
#include "tests/support/run_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/safetensors.h"

struct rx_test_folder rx_run_folder;

int
rx_run_folder_open(void **state)
{
    (void)state;
    rx_test_folder_open(&rx_run_folder);
    return 0;
}

int
rx_run_folder_close(void **state)
{
    (void)state;
    rx_test_folder_close(&rx_run_folder);
    return 0;
}

const char *
rx_run_file(const char *name, char path[RX_PATH_CHARS])
{
    snprintf(path, RX_PATH_CHARS, "%s/%s", rx_run_folder.path, name);
    return path;
}

struct rx_text
rx_run_read(const char *name)
{
    char path[RX_PATH_CHARS];
    struct rx_text text = {0};
    struct rx_error error = {0};
    rx_run_file(name, path);
    if (rx_file_read(path, &text, &error) != RX_OK)
        fail_msg("%s", error.text);
    return text;
}

int
rx_run_exists(const char *name)
{
    char path[RX_PATH_CHARS];
    rx_run_file(name, path);
    return access(path, F_OK) == 0;
}

void
rx_run_same_files(const char *a, const char *b)
{
    struct rx_text x = rx_run_read(a), y = rx_run_read(b);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.s, y.s, x.n);
    rx_text_close(&x);
    rx_text_close(&y);
}

// All lines of a text as a JSON array of objects.
json_t *
rx_run_parse_lines(const char *text)
{
    json_t *lines = json_array();
    for (const char *p = text, *end; *p != '\0'; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        json_t *line = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(line))
            fail_msg("not an object: %.*s", (int)(end - p), p);
        json_array_append_new(lines, line);
    }
    return lines;
}

json_t *
rx_run_read_lines(const char *name)
{
    struct rx_text text = rx_run_read(name);
    json_t *lines = rx_run_parse_lines(rx_text_str(&text));
    rx_text_close(&text);
    return lines;
}

double
rx_run_real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("no number %s", key);
    return json_number_value(value);
}

int
rx_run_is_training(const json_t *line)
{
    return json_object_get(line, "lr") != NULL;
}

// Training lines of both logs have the same steps, losses and rates, bit for bit.
void
rx_run_same_training(const char *a, const char *b)
{
    static const char *const keys[] = {"step", "epoch", "loss", "lr"};
    json_t *x = rx_run_read_lines(a), *y = rx_run_read_lines(b);
    assert_int_equal(json_array_size(x), json_array_size(y));
    for (size_t i = 0; i < json_array_size(x); i++) {
        const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
        assert_int_equal(rx_run_is_training(p), rx_run_is_training(q));
        for (int k = 0; k < (rx_run_is_training(p) ? 4 : 3); k++)
            assert_true(rx_run_real(p, keys[k]) == rx_run_real(q, keys[k]));
    }
    json_decref(x);
    json_decref(y);
}

// The tensors of two checkpoints, bit for bit (their metadata may differ in the settings).
void
rx_run_same_tensors(const char *a, const char *b)
{
    char path[2][RX_PATH_CHARS];
    struct rx_safetensors x = {0}, y = {0};
    struct rx_error error = {0};
    rx_run_file(a, path[0]);
    rx_run_file(b, path[1]);
    assert_int_equal(rx_safetensors_open(&x, path[0], &error), RX_OK);
    assert_int_equal(rx_safetensors_open(&y, path[1], &error), RX_OK);
    assert_int_equal(x.n, y.n);
    for (int i = 0; i < x.n; i++) {
        const struct rx_safetensor *t = rx_safetensors_find(&y, x.tensor[i].name);
        assert_non_null(t);
        assert_int_equal(t->bytes, x.tensor[i].bytes);
        assert_memory_equal(t->data, x.tensor[i].data, t->bytes);
    }
    rx_safetensors_close(&x);
    rx_safetensors_close(&y);
}
