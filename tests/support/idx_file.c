// Tiny IDX files for tests.
#include "tests/support/idx_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <zlib.h>

#include <cmocka.h>

enum { IMAGES = 0x803, LABELS = 0x801 };  // unsigned bytes of three dimensions, of one

void
rx_idx_file_number(struct rx_text *text, uint32_t value)
{
    const unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                    (unsigned char)(value >> 8), (unsigned char)value};
    rx_text_add_bytes(text, bytes, sizeof bytes);
}

static void
add_counted(struct rx_text *text, int n, int modulus)
{
    for (int i = 0; i < n; i++)
        rx_text_add_bytes(text, &(unsigned char){(unsigned char)(i % modulus)}, 1);
}

void
rx_idx_file_bytes(struct rx_text *text, int n)
{
    enum { BYTE_VALUES = 256 };
    add_counted(text, n, BYTE_VALUES);
}

void
rx_idx_file_images(struct rx_text *text, int n)
{
    rx_text_clear(text);
    rx_idx_file_number(text, IMAGES);
    rx_idx_file_number(text, (uint32_t)n);
    rx_idx_file_number(text, RX_IDX_FILE_H);
    rx_idx_file_number(text, RX_IDX_FILE_W);
    rx_idx_file_bytes(text, n * RX_IDX_FILE_H * RX_IDX_FILE_W);
}

void
rx_idx_file_labels(struct rx_text *text, int n, int classes)
{
    rx_text_clear(text);
    rx_idx_file_number(text, LABELS);
    rx_idx_file_number(text, (uint32_t)n);
    add_counted(text, n, classes);
}

void
rx_idx_file_gzip(const char *path, const struct rx_text *text)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text->s, (unsigned)text->n), text->n);
    assert_int_equal(gzclose(file), Z_OK);
}
