// A growable text buffer.
#include "runtime/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { FIRST_CAPACITY = 256 };

static void
reserve(struct rx_text *text, size_t more)
{
    const size_t need = text->n + more + 1;
    if (need <= text->capacity)
        return;
    size_t capacity = text->capacity > 0 ? text->capacity : FIRST_CAPACITY;
    while (capacity < need)
        capacity *= 2;
    text->s = rx_memory_grow(text->s, capacity);
    text->capacity = capacity;
}

void
rx_text_add_bytes(struct rx_text *text, const void *bytes, size_t n)
{
    reserve(text, n);
    if (n > 0)
        memcpy(text->s + text->n, bytes, n);
    text->n += n;
    text->s[text->n] = '\0';
}

void
rx_text_add(struct rx_text *text, const char *s)
{
    rx_text_add_bytes(text, s, strlen(s));
}

void
rx_text_printf(struct rx_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    reserve(text, (size_t)n);
    vsnprintf(text->s + text->n, (size_t)n + 1, format, again);
    va_end(again);
    text->n += (size_t)n;
}

void
rx_text_clear(struct rx_text *text)
{
    text->n = 0;
    if (text->s != NULL)
        text->s[0] = '\0';
}

const char *
rx_text_str(const struct rx_text *text)
{
    return text->s != NULL ? text->s : "";
}

void
rx_text_close(struct rx_text *text)
{
    free(text->s);
    *text = (struct rx_text){0};
}
