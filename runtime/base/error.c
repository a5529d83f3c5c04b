// Errors: the first one sticks to its context.
#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>

static int
set(struct rx_error *error, int status, const char *format, va_list args)
{
    if (error->status != RX_OK)
        return error->status;
    error->status = status;
    vsnprintf(error->text, sizeof error->text, format, args);
    return status;
}

int
rx_error_user(struct rx_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int status = set(error, RX_USER, format, args);
    va_end(args);
    return status;
}

int
rx_error_refused(struct rx_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int status = set(error, RX_REFUSED, format, args);
    va_end(args);
    return status;
}
