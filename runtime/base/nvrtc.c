// Opens NVRTC and compiles with it.
#include "runtime/base/nvrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cuda.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static int
find_all(struct rx_nvrtc *n, struct rx_error *error)
{
    const struct {
        const char *name;
        void *to;
    } table[] = {
        {"nvrtcCreateProgram", &n->create},       {"nvrtcCompileProgram", &n->compile},
        {"nvrtcGetProgramLogSize", &n->log_size}, {"nvrtcGetProgramLog", &n->log},
        {"nvrtcGetCUBINSize", &n->image_size},    {"nvrtcGetCUBIN", &n->image},
        {"nvrtcDestroyProgram", &n->destroy},     {"nvrtcGetErrorString", &n->text},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (rx_cuda_find(n->library, table[i].name, table[i].to, error) != RX_OK)
            return error->status;
    return RX_OK;
}

int
rx_nvrtc_open(struct rx_nvrtc *n, struct rx_error *error)
{
    char path[RX_CUDA_PATH_CHARS];
    int (*version)(int *major, int *minor);
    *n = (struct rx_nvrtc){0};
    int status = rx_cuda_open("nvrtc", &n->library, path, error);
    if (status == RX_OK)
        status = find_all(n, error);
    if (status == RX_OK)
        status = rx_cuda_find(n->library, "nvrtcVersion", &version, error);
    if (status == RX_OK && version(&n->major, &n->minor) != 0)
        status = rx_error_refused(error, "%.900s: does not know its version", path);
    if (status != RX_OK)
        return status;
    // A library that the loader found lies in a folder that is not known; its version must do.
    struct rx_text bytes = {0};
    struct rx_error ignored = {0};
    if (rx_file_read(path, &bytes, &ignored) != RX_OK)
        rx_text_printf(&bytes, "nvrtc %d.%d", n->major, n->minor);
    rx_hash_bytes(rx_text_str(&bytes), bytes.n, n->identity);
    rx_text_close(&bytes);
    return RX_OK;
}

static void
take_log(const struct rx_nvrtc *n, void *program, struct rx_text *log)
{
    size_t bytes = 0;
    if (n->log_size(program, &bytes) != 0 || bytes < 2)
        return;
    char *text = rx_memory_alloc(bytes + 1);
    if (n->log(program, text) == 0)
        rx_text_add(log, text);
    free(text);
}

static int
take_image(const struct rx_nvrtc *n, void *program, struct rx_text *cubin)
{
    size_t bytes = 0;
    int code = n->image_size(program, &bytes);
    if (code != 0)
        return code;
    char *image = rx_memory_alloc(bytes + 1);
    code = n->image(program, image);
    if (code == 0)
        rx_text_add_bytes(cubin, image, bytes);
    free(image);
    return code;
}

int
rx_nvrtc_compile(const struct rx_nvrtc *n, const char *source, const char *name, const char *arch,
                 enum rx_nvrtc_talk talk, struct rx_text *cubin, struct rx_text *log,
                 struct rx_error *error)
{
    char option[64];
    snprintf(option, sizeof option, "--gpu-architecture=%s", arch);
    const char *const options[] = {option, "--ptxas-options=-v"};
    void *program = NULL;
    struct rx_text said = {0};
    int code = n->create(&program, source, name, 0, NULL, NULL);
    if (code == 0) {
        code = n->compile(program, talk == RX_NVRTC_VERBOSE ? 2 : 1, options);
        take_log(n, program, &said);
    }
    if (code == 0)
        code = take_image(n, program, cubin);
    if (code != 0)
        rx_error_refused(error, "%.300s: NVRTC refused it for %s (%s): %.500s", name, arch,
                         n->text(code), rx_text_str(&said));
    if (log != NULL)
        rx_text_add(log, rx_text_str(&said));
    rx_text_close(&said);
    if (program != NULL)
        n->destroy(&program);
    return error->status;
}

void
rx_nvrtc_key(const struct rx_nvrtc *n, const char *source, const char *arch,
             char key[RX_HASH_CHARS])
{
    struct rx_text text = {0};
    rx_text_printf(&text, "%s %s\n%s", n->identity, arch, source);
    rx_hash_bytes(rx_text_str(&text), text.n, key);
    rx_text_close(&text);
}
