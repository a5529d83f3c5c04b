// A growable text buffer.
#ifndef RX_BASE_TEXT_H
#define RX_BASE_TEXT_H

#include <stddef.h>

// Zero-initialise. `s` is NUL-terminated once anything was added (use rx_text_str to be safe).
struct rx_text {
    char *s;
    size_t n, capacity;
};

void
rx_text_printf(struct rx_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void
rx_text_add(struct rx_text *text, const char *s);
void
rx_text_add_bytes(struct rx_text *text, const void *bytes, size_t n);
void
rx_text_clear(struct rx_text *text);  // keeps the memory
const char *
rx_text_str(const struct rx_text *text);  // "" when empty; owned by text
void
rx_text_close(struct rx_text *text);

#endif
