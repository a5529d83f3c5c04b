// Loads kernels and launches them.
#include "runtime/cuda/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cache.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/nvrtc.h"

enum { PATH_CHARS = 4096, NON_BLOCKING = 1 };
enum { MAX_DYNAMIC_SHARED = 8 };  // cudaFuncAttributeMaxDynamicSharedMemorySize

// Where kernels come from.
struct source {
    char folder[PATH_CHARS];
    int compile;  // 1: the cubins are of no use here
    struct rx_nvrtc nvrtc;
    const char *arch;  // to compile for
};

// The folder of the program that runs: links that lead to it are followed.
static int
find_folder(struct source *s, struct rx_error *error)
{
    const ssize_t n = readlink("/proc/self/exe", s->folder, sizeof s->folder - 16);
    char *slash = NULL;
    if (n > 0) {
        s->folder[n] = '\0';
        slash = strrchr(s->folder, '/');
    }
    if (slash == NULL)
        return rx_error_refused(error, "/proc/self/exe: cannot be read");
    snprintf(slash, sizeof "/kernels", "/kernels");
    return RX_OK;
}

// "sm_90a" runs where "sm_90" does, and the other way round only what was made for "sm_90" does.
static int
runs_on(const char *made_for, const char *arch)
{
    const size_t n = strlen(arch);
    return strncmp(made_for, arch, n) == 0 && (made_for[n] == '\0' || made_for[n] == 'a');
}

// Whether the cubins are what this device and this NVRTC would make. A machine without NVRTC takes
// what is there.
static int
open_source(struct source *s, const struct rx_device *d, const struct rx_plan *plan,
            struct rx_error *error)
{
    struct rx_text made = {0};
    struct rx_error none = {0};
    char path[PATH_CHARS + 16];
    int status = find_folder(s, error);
    snprintf(path, sizeof path, "%s/NVRTC", s->folder);
    if (status == RX_OK)
        status = rx_file_read(path, &made, error);
    if (status == RX_OK) {
        const int fits = runs_on(plan->arch, d->arch);
        const int have = rx_nvrtc_open(&s->nvrtc, &none) == RX_OK;
        s->arch = fits ? plan->arch : d->arch;
        s->compile = !fits || (have && strncmp(rx_text_str(&made), s->nvrtc.identity,
                                               strlen(s->nvrtc.identity)) != 0);
        if (!fits && !have)
            status = rx_error_refused(error,
                                      "kernels: made for %s, the device is %s, and they cannot be "
                                      "compiled here: %.600s",
                                      plan->arch, d->arch, none.text);
    }
    rx_text_close(&made);
    return status;
}

static int
compile(const struct source *s, const char *name, struct rx_text *cubin, struct rx_error *error)
{
    char path[PATH_CHARS + 256], key[RX_HASH_CHARS];
    struct rx_text source = {0};
    snprintf(path, sizeof path, "%s/%s.cu", s->folder, name);
    int status = rx_file_read(path, &source, error);
    if (status == RX_OK) {
        rx_nvrtc_key(&s->nvrtc, rx_text_str(&source), s->arch, key);
        if (!rx_cache_read(key, cubin)) {
            status = rx_nvrtc_compile(&s->nvrtc, rx_text_str(&source), name, s->arch,
                                      RX_NVRTC_QUIET, cubin, NULL, error);
            if (status == RX_OK)
                rx_cache_write(key, rx_text_str(cubin), cubin->n);
        }
    }
    rx_text_close(&source);
    return status;
}

static int
load(struct rx_pool *p, const struct source *s, int i, struct rx_error *error)
{
    const char *name = p->plan->kernel[i].name;
    char path[PATH_CHARS + 256];
    struct rx_text cubin = {0};
    snprintf(path, sizeof path, "%s/%s.cubin", s->folder, name);
    int status = s->compile ? compile(s, name, &cubin, error) : rx_file_read(path, &cubin, error);
    if (status == RX_OK)
        status = rx_device_check(
            p->device,
            p->device->library_load(&p->library[i], cubin.s, NULL, NULL, 0, NULL, NULL, 0), name,
            error);
    if (status == RX_OK)
        status = rx_device_check(
            p->device, p->device->library_kernel(&p->kernel[i], p->library[i], name), name, error);
    if (status == RX_OK && p->plan->kernel[i].shared_bytes > 0)
        status = rx_device_check(p->device,
                                 p->device->set_attribute(p->kernel[i], MAX_DYNAMIC_SHARED,
                                                          p->plan->kernel[i].shared_bytes),
                                 name, error);
    rx_text_close(&cubin);
    return status;
}

int
rx_pool_open(const struct rx_device *device, const struct rx_plan *plan, struct rx_pool *p,
             struct rx_error *error)
{
    struct source source = {.folder = ""};
    *p = (struct rx_pool){.device = device, .plan = plan};
    p->library = rx_memory_alloc((size_t)plan->n_kernels * sizeof *p->library);
    p->kernel = rx_memory_alloc((size_t)plan->n_kernels * sizeof *p->kernel);
    int status = open_source(&source, device, plan, error);
    if (status == RX_OK)
        status = rx_device_check(device, device->stream_create(&p->stream, NON_BLOCKING),
                                 "a stream", error);
    for (int i = 0; i < plan->n_kernels && status == RX_OK; i++)
        status = load(p, &source, i, error);
    return status;
}

void
rx_pool_close(struct rx_pool *p)
{
    for (int i = 0; p->library != NULL && i < p->plan->n_kernels; i++)
        if (p->library[i] != NULL)
            p->device->library_unload(p->library[i]);
    if (p->stream != NULL)
        p->device->stream_destroy(p->stream);
    free(p->library);
    free(p->kernel);
}

int
rx_pool_launch(const struct rx_pool *p, int kernel, int n, int parts, void *const *operands,
               int n_operands)
{
    const struct rx_plan_kernel *k = &p->plan->kernel[kernel];
    const int64_t units =
        (n * k->task_image + k->task_fixed + k->task_divisor - 1) / k->task_divisor;
    const struct rx_cuda_launch launch = {
        .grid = {k->parts > 0 ? (unsigned)parts : (unsigned)units, (unsigned)k->columns, 1},
        .block = {(unsigned)k->block, 1, 1},
        .shared = (size_t)k->shared_bytes,
        .stream = p->stream,
    };
    void *argument[2 + RX_OPERANDS_MAX];
    argument[0] = &n;
    argument[1] = &parts;
    for (int i = 0; i < n_operands; i++)
        argument[2 + i] = (void *)&operands[i];
    return p->device->launch(&launch, p->kernel[kernel], argument);
}
