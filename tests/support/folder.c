// Temporary folders.
#include "tests/support/folder.h"

#include <ftw.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEEPEST = 8 };  // folders that are open at once

void
rx_test_folder_open(struct rx_test_folder *folder)
{
    const char *where = getenv("TMPDIR");
    const int n = snprintf(folder->path, sizeof folder->path, "%s/rx-test-XXXXXX",
                           where != NULL ? where : "/tmp");
    assert_true(n > 0 && (size_t)n < sizeof folder->path);
    assert_non_null(mkdtemp(folder->path));
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void
rx_test_folder_close(struct rx_test_folder *folder)
{
    assert_int_equal(nftw(folder->path, remove_entry, DEEPEST, FTW_DEPTH | FTW_PHYS), 0);
}

const char *
rx_test_folder_file(const struct rx_test_folder *folder, const char *name,
                    char path[RX_FOLDER_CHARS])
{
    const int n = snprintf(path, RX_FOLDER_CHARS, "%s/%s", folder->path, name);
    assert_true(n > 0 && n < RX_FOLDER_CHARS);
    return path;
}

void
rx_test_folder_write(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

int
rx_test_folder_setup(void **state)
{
    struct rx_test_folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    rx_test_folder_open(folder);
    *state = folder;
    return 0;
}

int
rx_test_folder_teardown(void **state)
{
    rx_test_folder_close(*state);
    free(*state);
    return 0;
}
