// Opens CUDA's libraries and asks for the device.
#include "runtime/base/cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The oldest major version with the calls that are used comes last.
static const char *const versions[] = {"13", "12"};

enum { VERSIONS = sizeof versions / sizeof versions[0] };

// The library in a folder ("" is the loader's path), or NULL.
static void *
open_in(const char *folder, const char *name, char path[RX_CUDA_PATH_CHARS])
{
    for (int i = 0; i < VERSIONS; i++) {
        const int n = snprintf(path, RX_CUDA_PATH_CHARS, "%s%slib%s.so.%s", folder,
                               *folder != '\0' ? "/" : "", name, versions[i]);
        void *library = n < RX_CUDA_PATH_CHARS ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (library != NULL)
            return library;
    }
    return NULL;
}

int
rx_cuda_open(const char *name, void **library, char path[RX_CUDA_PATH_CHARS],
             struct rx_error *error)
{
    char own[RX_CUDA_PATH_CHARS], home[RX_CUDA_PATH_CHARS];
    char *found = path != NULL ? path : own;
    const char *only = getenv("RXGEN_CUDA_LIB_DIR"), *toolkit = getenv("CUDA_HOME");
    if (only != NULL && *only != '\0') {
        *library = open_in(only, name, found);
        return *library != NULL
                   ? RX_OK
                   : rx_error_refused(error, "RXGEN_CUDA_LIB_DIR=%.500s: no lib%s.so.%s there",
                                      only, name, versions[0]);
    }
    snprintf(home, sizeof home, "%.4000s/lib64",
             toolkit != NULL && *toolkit != '\0' ? toolkit : "/usr/local/cuda");
    const char *const folders[] = {home, ""};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        *library = open_in(folders[i], name, found);
        if (*library != NULL)
            return RX_OK;
    }
    return rx_error_refused(error,
                            "lib%s.so.%s: not found in %.500s and the loader's path: install the "
                            "CUDA toolkit, or set CUDA_HOME or RXGEN_CUDA_LIB_DIR",
                            name, versions[0], home);
}

// POSIX: a pointer from dlsym may be stored as one to a function.
int
rx_cuda_find(void *library, const char *symbol, void *to, struct rx_error *error)
{
    void *found = dlsym(library, symbol);
    if (found == NULL)
        return rx_error_refused(error,
                                "%s: this version of the CUDA library lacks it: version 12.8 "
                                "or later is needed",
                                symbol);
    memcpy(to, &found, sizeof found);
    return RX_OK;
}

int
rx_cuda_device_arch(char arch[RX_CUDA_ARCH_CHARS], struct rx_error *error)
{
    enum { MAJOR = 75, MINOR = 76 };  // cudaDevAttrComputeCapabilityMajor, ...Minor
    void *library = NULL;
    int (*count)(int *n) = NULL, (*attribute)(int *value, int which, int device) = NULL;
    const char *(*text)(int code) = NULL;
    int status = rx_cuda_open("cudart", &library, NULL, error);
    if (status == RX_OK)
        status = rx_cuda_find(library, "cudaGetDeviceCount", &count, error);
    if (status == RX_OK)
        status = rx_cuda_find(library, "cudaDeviceGetAttribute", &attribute, error);
    if (status == RX_OK)
        status = rx_cuda_find(library, "cudaGetErrorString", &text, error);
    if (status != RX_OK)
        return status;
    int n = 0, major = 0, minor = 0;
    int code = count(&n);
    if (code == 0 && n == 0)
        return rx_error_refused(error, "CUDA: there is no device");
    if (code == 0)
        code = attribute(&major, MAJOR, 0);
    if (code == 0)
        code = attribute(&minor, MINOR, 0);
    if (code != 0)
        return rx_error_refused(error, "CUDA: %s", text(code));
    snprintf(arch, RX_CUDA_ARCH_CHARS, "sm_%d%d", major % 100, minor % 10);
    return RX_OK;
}
