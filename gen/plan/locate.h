// Where rxgen's own files are: beside the program in a checkout, or under PREFIX/share/rxgen.
#ifndef RX_PLAN_LOCATE_H
#define RX_PLAN_LOCATE_H

#include "runtime/base/error.h"

enum { RX_PATH_CHARS = 4096 };

struct rx_location {
    char share[RX_PATH_CHARS];  // holds templates/, models/lib/ and runtime/ (headers)
    char templates[RX_PATH_CHARS];
    char library[RX_PATH_CHARS];  // librxruntime.a
};

// Finds them from where the running program lies; RX_REFUSED when they are not there.
int
rx_locate(struct rx_location *location, struct rx_error *error);

#endif
