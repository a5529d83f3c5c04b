// NVRTC, the compiler of CUDA kernels, as a library that is opened at run time.
#ifndef RX_BASE_NVRTC_H
#define RX_BASE_NVRTC_H

#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/text.h"

struct rx_nvrtc {
    void *library;
    int major, minor;
    char identity[RX_HASH_CHARS];  // of the library's bytes: what compiled kernels are known by
    int (*create)(void **program, const char *source, const char *name, int n_headers,
                  const char *const *headers, const char *const *names);
    int (*compile)(void *program, int n, const char *const *options);
    int (*log_size)(void *program, size_t *bytes);
    int (*log)(void *program, char *log);
    int (*image_size)(void *program, size_t *bytes);
    int (*image)(void *program, char *image);
    int (*destroy)(void **program);
    const char *(*text)(int code);
};

// RX_REFUSED where there is none. It stays open until the process ends.
int
rx_nvrtc_open(struct rx_nvrtc *nvrtc, struct rx_error *error);

// Compiles a source to a cubin for an architecture ("sm_90a"). `log`, unless NULL, gets what the
// compiler says (warnings; with `verbose` the assembler's registers and spills too). RX_REFUSED
// with the log's beginning.
enum rx_nvrtc_talk { RX_NVRTC_QUIET, RX_NVRTC_VERBOSE };
int
rx_nvrtc_compile(const struct rx_nvrtc *nvrtc, const char *source, const char *name,
                 const char *arch, enum rx_nvrtc_talk talk, struct rx_text *cubin,
                 struct rx_text *log, struct rx_error *error);

// The key of a compiled kernel in the cache.
void
rx_nvrtc_key(const struct rx_nvrtc *nvrtc, const char *source, const char *arch,
             char key[RX_HASH_CHARS]);

#endif
