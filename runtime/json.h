// JSON lines.
#ifndef RX_JSON_H
#define RX_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/base/error.h"

enum { RX_JSON_DIGITS = 17 };  // all that a double has

// A number; null where it is not finite, which JSON cannot say.
json_t *
rx_json_number(double value);

// Writes an object as one line and flushes. Returns 0, or -1 if the file cannot be written.
int
rx_json_line(FILE *file, const json_t *object);

// The same on standard output, with a message.
int
rx_json_print(const json_t *object, struct rx_error *error);

// Reads the next line that is an object; others (a torn last line) are skipped. NULL at the end.
// `line` and `size` are getline's, `length` is that of the line.
json_t *
rx_json_next(FILE *file, char **line, size_t *size, size_t *length);

#endif
