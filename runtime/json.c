// JSON lines.
#include "runtime/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

json_t *
rx_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

int
rx_json_line(FILE *file, const json_t *object)
{
    const int dumped = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(RX_JSON_DIGITS));
    return dumped != 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? -1 : 0;
}

int
rx_json_print(const json_t *object, struct rx_error *error)
{
    if (rx_json_line(stdout, object) == 0)
        return RX_OK;
    return rx_error_refused(error, "standard output: cannot be written: %s", strerror(errno));
}

json_t *
rx_json_next(FILE *file, char **line, size_t *size, size_t *length)
{
    for (ssize_t n; (n = getline(line, size, file)) > 0;) {
        json_t *object = json_loadb(*line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(object) && (*line)[n - 1] == '\n') {
            *length = (size_t)n;
            return object;
        }
        json_decref(object);
    }
    return NULL;
}
