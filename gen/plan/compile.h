// Compiling a network's sources in parallel, with a cache of objects by content.
#ifndef RX_PLAN_COMPILE_H
#define RX_PLAN_COMPILE_H

#include "gen/target/target.h"

struct rx_compile_job {
    const char *source;  // path
    const char *object;  // path
    const char *key;     // content key of the object, NULL: not cached
};

struct rx_compile {
    const char *compiler;  // CC
    const char *flags;     // of the architecture
    const char *include;   // folder that holds runtime/
    int jobs;              // compilers at once
    int quiet;             // 1: no progress line
};

// "gcc 12.2.0": the compiler as part of keys and banners. RX_REFUSED when there is none.
int
rx_compile_toolchain(const char *compiler, struct rx_text *text, struct rx_error *error);

// Compiles all; RX_REFUSED with the compiler's message if one fails.
int
rx_compile_all(const struct rx_compile *c, const struct rx_compile_job *job, int n,
               struct rx_error *error);

// Links objects and the runtime library into a program.
int
rx_compile_link(const struct rx_compile *c, const struct rx_compile_job *job, int n,
                const char *library, const char *program, struct rx_error *error);

#endif
