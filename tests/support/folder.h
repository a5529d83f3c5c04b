// A temporary folder for a test's files.
#ifndef RX_TESTS_FOLDER_H
#define RX_TESTS_FOLDER_H

#include <stddef.h>

enum { RX_FOLDER_CHARS = 512 };

struct rx_test_folder {
    char path[RX_FOLDER_CHARS];
};

void
rx_test_folder_open(struct rx_test_folder *folder);

// Removes the folder and all that is in it.
void
rx_test_folder_close(struct rx_test_folder *folder);

// The path of a file in it; `path` is returned.
const char *
rx_test_folder_file(const struct rx_test_folder *folder, const char *name,
                    char path[RX_FOLDER_CHARS]);

// Writes a file and asserts that this worked.
void
rx_test_folder_write(const char *path, const void *bytes, size_t n);

// Set-up and tear-down of a test whose state is a folder of its own (a cmocka fixture).
int
rx_test_folder_setup(void **state);
int
rx_test_folder_teardown(void **state);

#define WITH_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, rx_test_folder_setup, rx_test_folder_teardown)

#endif
