// Tiny IDX files for tests: images of 2x3 whose pixels count up, labels that count up too.
#ifndef RX_TESTS_IDX_FILE_H
#define RX_TESTS_IDX_FILE_H

#include <stdint.h>

#include "runtime/base/text.h"

enum { RX_IDX_FILE_H = 2, RX_IDX_FILE_W = 3 };

void
rx_idx_file_number(struct rx_text *text, uint32_t value);  // big-endian
void
rx_idx_file_bytes(struct rx_text *text, int n);  // counted up from 0

// Replaces the text by a file of n images, or of n labels i % classes.
void
rx_idx_file_images(struct rx_text *text, int n);
void
rx_idx_file_labels(struct rx_text *text, int n, int classes);

// Writes the text gzipped and asserts that this worked.
void
rx_idx_file_gzip(const char *path, const struct rx_text *text);

#endif
