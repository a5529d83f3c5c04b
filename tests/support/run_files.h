// What runs leave: files of the folder that each test has for itself, and their comparison.
#ifndef RX_TESTS_RUN_FILES_H
#define RX_TESTS_RUN_FILES_H

#include <jansson.h>

#include "runtime/base/text.h"
#include "tests/support/folder.h"
#include "tests/support/program.h"
#include "tests/support/tiny_plan.h"

enum { RX_PATH_CHARS = 1024 };

// The folder of the test that runs; open and close are a test's setup and teardown.
extern struct rx_test_folder rx_run_folder;
int
rx_run_folder_open(void **state);
int
rx_run_folder_close(void **state);

// The path of a name in the folder; `path` is returned.
const char *
rx_run_file(const char *name, char path[RX_PATH_CHARS]);

// A whole file; the caller closes it.
struct rx_text
rx_run_read(const char *name);
int
rx_run_exists(const char *name);
void
rx_run_same_files(const char *a, const char *b);

// All lines of a text, or a file, as a JSON array of objects; the caller releases it.
json_t *
rx_run_parse_lines(const char *text);
json_t *
rx_run_read_lines(const char *name);

// A number of an object, which must be there.
double
rx_run_real(const json_t *object, const char *key);
int
rx_run_is_training(const json_t *line);

// Both logs have the same steps, losses and rates, bit for bit.
void
rx_run_same_training(const char *a, const char *b);

// The tensors of two checkpoints, bit for bit (their metadata may differ in the settings).
void
rx_run_same_tensors(const char *a, const char *b);

// The hand-written plan's program ends with this status, or refuses with this message.
#define EXPECT(status, ...) rx_test_program_expect(&rx_tiny_plan, status, __VA_ARGS__)
#define REFUSES(status, message, ...)                                                              \
    rx_test_program_refuses(&rx_tiny_plan, status, message, __VA_ARGS__)

#endif
