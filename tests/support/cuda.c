// The few calls of CUDA that tests of kernels need, declared here so that no toolkit is needed.
#include "tests/support/cuda.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/cuda.h"

enum { HOST_TO_DEVICE = 1, DEVICE_TO_HOST = 2 };  // cudaMemcpyKind

struct dim3 {
    unsigned x, y, z;
};
struct config {  // cudaLaunchConfig_t
    struct dim3 grid, block;
    size_t shared;
    void *stream, *attributes;
    unsigned n_attributes;
};

struct cuda {
    void *runtime, *compiler, *library;
    int (*malloc)(void **p, size_t bytes);
    int (*free)(void *p);
    int (*unload)(void *library);
    int (*memcpy)(void *to, const void *from, size_t bytes, int kind);
    int (*synchronize)(void);
    int (*load)(void **library, const void *code, void *, void *, unsigned, void *, void *,
                unsigned);
    int (*get_kernel)(void **kernel, void *library, const char *name);
    int (*set_attribute)(const void *kernel, int attribute, int value);
    int (*launch)(const struct config *config, const void *kernel, void **args);
    int (*create)(void **program, const char *source, const char *name, int, void *, void *);
    int (*compile)(void *program, int n, const char *const *options);
    int (*log_size)(void *program, size_t *bytes);
    int (*log)(void *program, char *log);
    int (*image_size)(void *program, size_t *bytes);
    int (*image)(void *program, char *image);
    int (*destroy)(void **program);
};

static void *
open_library(const char *folder, const char *name)
{
    char path[4096];
    void *library = NULL;
    struct rx_error ignored = {0};
    snprintf(path, sizeof path, "%s/lib%s.so.13", folder != NULL ? folder : "", name);
    if (folder != NULL)
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    else
        rx_cuda_open(name, &library, NULL, &ignored);
    return library;
}

// POSIX: a pointer from dlsym may be stored as one to a function.
static void
find(void *library, const char *name, void *to)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    *(void **)to = symbol;
}

struct cuda *
cuda_open(const char *folder)
{
    void *runtime = open_library(folder, "cudart");
    void *compiler = open_library(folder, "nvrtc");
    if (runtime == NULL || compiler == NULL)
        return NULL;
    struct cuda *c = calloc(1, sizeof *c);
    c->runtime = runtime;
    c->compiler = compiler;
    find(runtime, "cudaMalloc", &c->malloc);
    find(runtime, "cudaFree", &c->free);
    find(runtime, "cudaLibraryUnload", &c->unload);
    find(runtime, "cudaMemcpy", &c->memcpy);
    find(runtime, "cudaDeviceSynchronize", &c->synchronize);
    find(runtime, "cudaLibraryLoadData", &c->load);
    find(runtime, "cudaLibraryGetKernel", &c->get_kernel);
    find(runtime, "cudaFuncSetAttribute", &c->set_attribute);
    find(runtime, "cudaLaunchKernelExC", &c->launch);
    find(compiler, "nvrtcCreateProgram", &c->create);
    find(compiler, "nvrtcCompileProgram", &c->compile);
    find(compiler, "nvrtcGetProgramLogSize", &c->log_size);
    find(compiler, "nvrtcGetProgramLog", &c->log);
    find(compiler, "nvrtcGetCUBINSize", &c->image_size);
    find(compiler, "nvrtcGetCUBIN", &c->image);
    find(compiler, "nvrtcDestroyProgram", &c->destroy);
    return c;
}

void
cuda_close(struct cuda *c)
{
    free(c);
}

static void
print_log(struct cuda *c, void *program)
{
    size_t bytes = 0;
    c->log_size(program, &bytes);
    char *log = calloc(1, bytes + 1);
    c->log(program, log);
    fputs(log, stderr);
    free(log);
}

void *
cuda_compile(struct cuda *c, const char *source, const char *name, const char *arch, size_t *bytes)
{
    char option[64];
    snprintf(option, sizeof option, "--gpu-architecture=%s", arch);
    const char *const options[] = {option};
    void *program = NULL, *image = NULL;
    assert_int_equal(c->create(&program, source, name, 0, NULL, NULL), 0);
    const int status = c->compile(program, 1, options);
    print_log(c, program);
    if (status == 0) {
        assert_int_equal(c->image_size(program, bytes), 0);
        image = malloc(*bytes);
        assert_int_equal(c->image(program, image), 0);
    }
    c->destroy(&program);
    return image;
}

void
cuda_load(struct cuda *c, const char *source, const char *name)
{
    size_t bytes = 0;
    void *image = cuda_compile(c, source, name, "sm_90", &bytes);
    assert_non_null(image);
    cuda_load_image(c, image);
    free(image);
}

void
cuda_load_image(struct cuda *c, const void *image)
{
    assert_int_equal(c->load(&c->library, image, NULL, NULL, 0, NULL, NULL, 0), 0);
}

void
cuda_unload(struct cuda *c)
{
    c->unload(c->library);
    c->library = NULL;
}

void *
cuda_upload(struct cuda *c, const void *from, size_t bytes)
{
    void *to = NULL;
    assert_int_equal(c->malloc(&to, bytes), 0);
    if (from != NULL)
        assert_int_equal(c->memcpy(to, from, bytes, HOST_TO_DEVICE), 0);
    return to;
}

void
cuda_free(struct cuda *c, void *p)
{
    c->free(p);
}

void
cuda_download(struct cuda *c, void *to, const void *from, size_t bytes)
{
    assert_int_equal(c->memcpy(to, from, bytes, DEVICE_TO_HOST), 0);
}

int
cuda_run(struct cuda *c, const struct cuda_launch *launch)
{
    enum { MAX_DYNAMIC_SHARED = 8 };  // cudaFuncAttributeMaxDynamicSharedMemorySize
    void *kernel = NULL;
    int status = c->get_kernel(&kernel, c->library, launch->kernel);
    if (status == 0)
        status = c->set_attribute(kernel, MAX_DYNAMIC_SHARED, (int)launch->shared);
    if (status != 0)
        return status;
    const struct config config = {
        .grid = {launch->blocks, launch->columns > 0 ? launch->columns : 1, 1},
        .block = {launch->threads, 1, 1},
        .shared = launch->shared};
    status = c->launch(&config, kernel, launch->args);
    return status != 0 ? status : c->synchronize();
}
