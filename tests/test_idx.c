// IDX files: plain and gzipped ones are read, whatever is wrong with one is said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "runtime/base/text.h"
#include "runtime/data/idx.h"
#include "tests/support/folder.h"
#include "tests/support/idx_file.h"

// The images that the tests write are 2x3, pixel values counted up.
enum { H = RX_IDX_FILE_H, W = RX_IDX_FILE_W };

static int
read_text(const struct rx_test_folder *folder, const struct rx_text *text, int rank,
          struct rx_error *error)
{
    char path[RX_FOLDER_CHARS];
    rx_test_folder_write(rx_test_folder_file(folder, "idx", path), text->s, text->n);
    struct rx_idx idx;
    const int status = rx_idx_read(&idx, path, rank, error);
    rx_idx_close(&idx);
    return status;
}

static void
reads_plain_and_gzipped(void **state)
{
    struct rx_text text = {0};
    rx_idx_file_images(&text, 2);
    char path[RX_FOLDER_CHARS];
    for (int gz = 0; gz < 2; gz++) {
        rx_test_folder_file(*state, "idx", path);
        if (gz)
            rx_idx_file_gzip(path, &text);
        else
            rx_test_folder_write(path, text.s, text.n);
        struct rx_idx idx;
        struct rx_error error = {0};
        assert_int_equal(rx_idx_read(&idx, path, 3, &error), RX_OK);
        assert_int_equal(idx.rank, 3);
        assert_int_equal(idx.shape[0], 2);
        assert_int_equal(idx.shape[1], H);
        assert_int_equal(idx.shape[2], W);
        assert_int_equal(idx.count, 2 * H * W);
        for (int i = 0; i < idx.count; i++)
            assert_int_equal(idx.bytes[i], i);
        rx_idx_close(&idx);
    }
    rx_text_close(&text);
}

// More than one piece of the reader's growing buffer.
static void
reads_large_files(void **state)
{
    enum { N = 5 * 1000 * 1000 + 7 };
    struct rx_text text = {0};
    rx_idx_file_number(&text, 0x801);
    rx_idx_file_number(&text, N);
    rx_idx_file_bytes(&text, N);
    char path[RX_FOLDER_CHARS];
    rx_idx_file_gzip(rx_test_folder_file(*state, "idx", path), &text);
    struct rx_idx idx;
    struct rx_error error = {0};
    assert_int_equal(rx_idx_read(&idx, path, 1, &error), RX_OK);
    assert_int_equal(idx.count, N);
    assert_memory_equal(idx.bytes, text.s + 8, N);
    rx_idx_close(&idx);
    rx_text_close(&text);
}

static void
refuses_wrong_headers(void **state)
{
    static const struct {
        uint32_t magic, n;
        const char *message;
    } wrong[] = {
        {0x801, 4, "its magic number is 00000801: 00000803"},
        {0xd03, 4, "its magic number is 00000d03"},
        {0x01000803, 4, "its magic number is 01000803"},
        {0x1f8b0803, 4, "cannot be read or unpacked"},  // looks gzipped
        {0x803, 0xffffffff, "claims more than"},
        {0x803, 5, "ends within its elements"},
        {0x803, 3, "bytes follow the 18 elements"},
        {0x803, 100000000, "ends within its elements"},  // 600 MB claimed, none allocated
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rx_text text = {0};
        rx_idx_file_number(&text, wrong[i].magic);
        rx_idx_file_number(&text, wrong[i].n);
        rx_idx_file_number(&text, H);
        rx_idx_file_number(&text, W);
        rx_idx_file_bytes(&text, 4 * H * W);
        struct rx_error error = {0};
        assert_int_equal(read_text(*state, &text, 3, &error), RX_USER);
        if (strstr(error.text, wrong[i].message) == NULL)
            fail_msg("\"%s\" without \"%s\"", error.text, wrong[i].message);
        rx_text_close(&text);
    }
}

static void
refuses_every_truncation(void **state)
{
    struct rx_text text = {0};
    rx_idx_file_images(&text, 2);
    for (size_t n = 0; n < text.n; n++) {
        struct rx_error error = {0};
        const struct rx_text part = {.s = text.s, .n = n};
        assert_int_equal(read_text(*state, &part, 3, &error), RX_USER);
        const char *within = n < 4    ? "its magic number"
                             : n < 16 ? "its dimensions"
                                      : "its elements";
        assert_non_null(strstr(error.text, within));
    }
    rx_text_close(&text);
}

static void
refuses_broken_gzip(void **state)
{
    char path[RX_FOLDER_CHARS];
    struct rx_text text = {0}, packed = {0};
    rx_idx_file_images(&text, 4);
    rx_idx_file_gzip(rx_test_folder_file(*state, "whole", path), &text);
    char bytes[1024];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    // Cut anywhere behind the gzip header, the checksum at the end included.
    for (size_t cut = 11; cut < n; cut++) {
        struct rx_error error = {0};
        rx_text_clear(&packed);
        rx_text_add_bytes(&packed, bytes, cut);
        assert_int_equal(read_text(*state, &packed, 3, &error), RX_USER);
        assert_non_null(strstr(error.text, "unpacked"));
    }
    bytes[n - 8] ^= 1;  // the checksum
    struct rx_error error = {0};
    rx_text_clear(&packed);
    rx_text_add_bytes(&packed, bytes, n);
    assert_int_equal(read_text(*state, &packed, 3, &error), RX_USER);
    assert_non_null(strstr(error.text, "incorrect data check"));
    rx_text_close(&text);
    rx_text_close(&packed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(reads_plain_and_gzipped), WITH_FOLDER(reads_large_files),
        WITH_FOLDER(refuses_wrong_headers),   WITH_FOLDER(refuses_every_truncation),
        WITH_FOLDER(refuses_broken_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
