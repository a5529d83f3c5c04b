// Temporary folders.
#include "tests/support/folder.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void
rx_test_folder_open(struct rx_test_folder *folder)
{
    const char *where = getenv("TMPDIR");
    const int n = snprintf(folder->path, sizeof folder->path, "%s/rx-test-XXXXXX",
                           where != NULL ? where : "/tmp");
    assert_true(n > 0 && (size_t)n < sizeof folder->path);
    assert_non_null(mkdtemp(folder->path));
}

void
rx_test_folder_close(struct rx_test_folder *folder)
{
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_int_equal(rmdir(folder->path), 0);
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
