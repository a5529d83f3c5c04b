// JSON lines.
#include "runtime/json.h"

enum { DIGITS = 17 };

int
rx_json_line(FILE *file, json_t *object)
{
    const int dumped = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(object);
    return dumped != 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? -1 : 0;
}
