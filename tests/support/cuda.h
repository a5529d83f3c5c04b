// CUDA libraries for tests, opened at run time from a folder: the emulated ones of `make emu`, or
// those of a toolkit. Fails the test where a call fails that should not.
#ifndef RX_TESTS_SUPPORT_CUDA_H
#define RX_TESTS_SUPPORT_CUDA_H

#include <stddef.h>

struct cuda;

// The libraries in `folder`, or as the programs find them where that is NULL; NULL where there are
// none.
struct cuda *
cuda_open(const char *folder);
void
cuda_close(struct cuda *cuda);

// Compiles a source (a whole .cu) for an architecture; NULL, and the log on stderr, if it is wrong.
// The caller frees the image.
void *
cuda_compile(struct cuda *cuda, const char *source, const char *name, const char *arch,
             size_t *bytes);
// Compiles and loads the source for the device.
void
cuda_load(struct cuda *cuda, const char *source, const char *name);
// Loads what was compiled before.
void
cuda_load_image(struct cuda *cuda, const void *image);
void
cuda_unload(struct cuda *cuda);

// Device memory with a copy of `bytes` from `from`, or unwritten where that is NULL.
void *
cuda_upload(struct cuda *cuda, const void *from, size_t bytes);
void
cuda_download(struct cuda *cuda, void *to, const void *from, size_t bytes);
void
cuda_free(struct cuda *cuda, void *p);

struct cuda_launch {
    const char *kernel;
    unsigned blocks, columns, threads;  // a grid of blocks x columns, columns 0 is 1
    size_t shared;
    void **args;  // pointers to the arguments
};
// Launches and waits; the status of the device afterwards, 0 if all is well.
int
cuda_run(struct cuda *cuda, const struct cuda_launch *launch);

#endif
