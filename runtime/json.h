// JSON lines.
#ifndef RX_JSON_H
#define RX_JSON_H

#include <jansson.h>
#include <stdio.h>

// Writes an object as one line with all the digits that a double needs, flushes, and releases it.
// Returns 0, or -1 if the file cannot be written.
int
rx_json_line(FILE *file, json_t *object);

#endif
