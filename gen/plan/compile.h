// Compiling a network's sources in parallel, with a cache of objects by content.
#ifndef RX_PLAN_COMPILE_H
#define RX_PLAN_COMPILE_H

#include "gen/target/target.h"
#include "runtime/base/nvrtc.h"

struct rx_compile;
struct rx_compile_job;

// Compiles one job, in a process of its own.
typedef int
rx_compile_fn(const struct rx_compile *c, const struct rx_compile_job *job, struct rx_error *error);

struct rx_compile_job {
    const char *source;      // path
    const char *object;      // path
    const char *key;         // content key of the object, NULL: not cached
    const char *header;      // path of what the source includes first, NULL: of no interest
    rx_compile_fn *compile;  // NULL: the C compiler, whose objects are linked
};

struct rx_compile {
    const char *compiler;          // CC
    const char *flags;             // of the architecture
    const char *include;           // folder that holds runtime/
    const char *arch;              // of the machine
    const struct rx_nvrtc *nvrtc;  // what compiles kernels; NULL: the C compiler
    int jobs;                      // compilers at once
    int quiet;                     // 1: no progress line
};

// "gcc 12.2.0": the compiler as part of keys and banners. RX_REFUSED when there is none.
int
rx_compile_toolchain(const char *compiler, struct rx_text *text, struct rx_error *error);

// Compiles a kernel with NVRTC; a warning fails.
rx_compile_fn rx_compile_cubin;

// Compiles all that the cache does not have; a header that many sources begin with is compiled
// once, before them. RX_REFUSED with the compiler's message if one fails.
int
rx_compile_all(const struct rx_compile *c, const struct rx_compile_job *job, int n,
               struct rx_error *error);

// Links objects and the runtime's libraries into a program: `own`, a target's part of the runtime
// (NULL where it is in `common`), takes the place of what `common` has of the same names.
int
rx_compile_link(const struct rx_compile *c, const struct rx_compile_job *job, int n,
                const char *own, const char *common, const char *program, struct rx_error *error);

#endif
