// Renders, compiles, loads and runs kernel cases on an emulated or a real device.
#include "tests/support/cuda_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/render/render.h"
#include "runtime/base/cache.h"
#include "runtime/base/memory.h"
#include "runtime/base/nvrtc.h"
#include "runtime/reference.h"
#include "tests/support/cuda.h"
#include "tests/support/kernel_data.h"

enum { CHILDREN_MAX = 16 };                          // a device holds the contexts of so many
enum { SEEDS = 5, SEED_STEP = 7, SEEDS_EVERY = 4 };  // orders of threads

// Factors are rounded to bf16: each product is off by 2^-8 of itself at most. A result is a sum of
// products of both signs, and errors are as often up as down, so they stay within that of the
// largest result.
static const double mma_tolerance = 0x1p-7;

struct build {
    const struct rx_kernel_case *cases;
    int n;
    const struct rx_machine *machine;
    struct rx_kernel *kernel;
    struct rx_text *source;  // of each case
    struct rx_nvrtc nvrtc;
    struct cuda *cuda;
};

const char *
rx_cuda_batch_folder(void)
{
    const char *folder = getenv("RXGEN_EMU_LIBS");
    if (getenv("RXGEN_TEST_DEVICE") != NULL)
        return NULL;
    return folder != NULL ? folder : "out/emu";
}

const char *
rx_cuda_batch_arch(const char *arch)
{
    const char *own = getenv("RXGEN_TEST_DEVICE");
    return own != NULL ? own : arch;
}

static int
n_children(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > CHILDREN_MAX ? CHILDREN_MAX : (int)cores;
}

int
rx_cuda_batch_available(void)
{
    struct cuda *cuda = cuda_open(rx_cuda_batch_folder());
    if (cuda != NULL)
        cuda_close(cuda);
    return cuda != NULL;
}

void
rx_cuda_batch_select(void)
{
    const char *emulated = rx_cuda_batch_folder();
    if (emulated == NULL)
        return;
    char *folder = realpath(emulated, NULL);
    setenv("RXGEN_CUDA_LIB_DIR", folder != NULL ? folder : emulated, 1);
    free(folder);
}

static int
render(struct build *b, int i, struct rx_error *error)
{
    const struct rx_kernel_case *c = &b->cases[i];
    const struct rx_banner banner = {
        .model = "a test",
        .nodes = c->label,
        .remake = "not from a model",
        .toolchain = b->machine->arch,
    };
    const char *own = getenv("RXGEN_TEMPLATES"), *templates = own != NULL ? own : "templates";
    const int status = rx_target_cuda.describe(b->machine, templates, b->machine->arch, &c->problem,
                                               c->config, &b->kernel[i], error);
    return status != RX_OK ? status
                           : rx_render_kernel(b->machine, templates, &b->kernel[i], &banner,
                                              &b->source[i], error);
}

// The compiled kernel from the cache, where it is put if need be.
static int
compile(const struct build *b, int i, struct rx_text *image, struct rx_error *error)
{
    const char *source = rx_text_str(&b->source[i]), *name = b->kernel[i].name;
    char key[RX_HASH_CHARS];
    rx_nvrtc_key(&b->nvrtc, source, b->machine->arch, key);
    if (rx_cache_read(key, image))
        return RX_OK;
    const int status = rx_nvrtc_compile(&b->nvrtc, source, name, b->machine->arch, RX_NVRTC_QUIET,
                                        image, NULL, error);
    if (status == RX_OK)
        rx_cache_write(key, image->s, image->n);
    return status;
}

// Children fill the cache, each with its share.
static void
compile_all(const struct build *b)
{
    const int n = n_children();
    pid_t child[CHILDREN_MAX];
    fflush(NULL);
    for (int c = 0; c < n; c++) {
        child[c] = fork();
        if (child[c] != 0)
            continue;
        for (int i = c; i < b->n; i += n) {
            struct rx_text image = {0};
            struct rx_error ignored = {0};
            compile(b, i, &image, &ignored);
            rx_text_close(&image);
        }
        _exit(0);
    }
    for (int c = 0; c < n; c++)
        waitpid(child[c], NULL, 0);
}

static int
run(const struct build *b, int i, const struct rx_case_data *data)
{
    const struct rx_kernel *k = &b->kernel[i];
    const int64_t units =
        (data->n * k->task_image + k->task_fixed + k->task_divisor - 1) / k->task_divisor;
    void *device[RX_OPERANDS_MAX], *args[2 + RX_OPERANDS_MAX];
    int n = data->n, parts = data->threads;
    args[0] = &n;
    args[1] = &parts;
    for (int o = 0; o < data->problem->n_operands; o++) {
        device[o] = cuda_upload(b->cuda, data->t[o], data->bytes[o]);
        args[2 + o] = &device[o];
    }
    const struct cuda_launch launch = {.kernel = k->name,
                                       .blocks = k->parts > 0 ? (unsigned)parts : (unsigned)units,
                                       .columns = (unsigned)k->columns,
                                       .threads = (unsigned)k->block,
                                       .shared = (size_t)k->shared_bytes,
                                       .args = args};
    const int status = cuda_run(b->cuda, &launch);
    for (int o = 0; o < data->problem->n_operands; o++) {
        if (status == 0)
            cuda_download(b->cuda, data->t[o], device[o], data->bytes[o]);
        cuda_free(b->cuda, device[o]);
    }
    if (status != 0)
        fprintf(stderr, "%s: %s: the device is lost\n", b->cases[i].label, k->name);
    return status != 0;
}

// In a process of its own, as a fault loses the device.
static int
check(const struct build *b, int i, int seed)
{
    const struct rx_kernel_case *c = &b->cases[i];
    struct rx_text image = {0};
    struct rx_error error = {0};
    struct rx_case_data kernel, reference;
    char option[32];
    if (compile(b, i, &image, &error) != RX_OK)
        return fprintf(stderr, "%s: %s\n", c->label, error.text), 1;
    cuda_load_image(b->cuda, image.s);
    snprintf(option, sizeof option, "seed=%d", seed);
    setenv("RXGEN_EMU", option, 1);
    rx_case_data_open(&kernel, c);
    rx_case_data_open(&reference, c);
    rx_reference_run(&c->problem, reference.n, reference.threads, reference.t);
    struct rx_kernel_case compared = *c;
    const int rounds =
        c->problem.products == RX_BF16 || strstr(c->config->skeleton, ".mma") != NULL;
    if (rounds && compared.tolerance < mma_tolerance)
        compared.tolerance = mma_tolerance;
    const int wrong =
        run(b, i, &kernel) || rx_case_data_compare(&compared, &kernel, &reference) != 0;
    rx_case_data_close(&kernel);
    rx_case_data_close(&reference);
    rx_text_close(&image);
    cuda_unload(b->cuda);
    return wrong;
}

static int
seeds_of(int i)
{
    const char *mode = getenv("RXGEN_TEST_CONFIGS");
    if (rx_cuda_batch_folder() == NULL)
        return 1;  // a device has its own
    return i % SEEDS_EVERY == 0 || (mode != NULL && strcmp(mode, "all") == 0) ? SEEDS : 1;
}

// Each case under its seeds; the cases are shared out to children.
static int
check_all(const struct build *b)
{
    const int n = n_children();
    pid_t child[CHILDREN_MAX];
    int failed = 0;
    fflush(NULL);
    for (int c = 0; c < n; c++) {
        child[c] = fork();
        if (child[c] != 0)
            continue;
        int wrong = 0;
        for (int i = c; i < b->n; i += n) {
            int bad = 0;
            for (int s = 0; s < seeds_of(i) && !bad; s++)
                bad = check(b, i, 1 + s * SEED_STEP);
            if (bad)
                fprintf(stderr, "%s: %s fails\n", b->cases[i].label, b->kernel[i].name);
            wrong += bad;
        }
        fflush(NULL);
        _exit(wrong < 255 ? wrong : 255);
    }
    for (int c = 0; c < n; c++) {
        int status = 0;
        waitpid(child[c], &status, 0);
        failed += WIFEXITED(status) ? WEXITSTATUS(status) : b->n;
    }
    return failed;
}

int
rx_cuda_batch(const struct rx_kernel_case *cases, int n_cases, const struct rx_machine *machine)
{
    struct rx_error error = {0};
    struct build b = {.cases = cases, .n = n_cases, .machine = machine};
    int failed = 0;
    rx_cuda_batch_select();
    b.kernel = rx_memory_alloc((size_t)n_cases * sizeof *b.kernel);
    b.source = rx_memory_alloc((size_t)n_cases * sizeof *b.source);
    int status = rx_nvrtc_open(&b.nvrtc, &error);
    for (int i = 0; i < n_cases && status == RX_OK; i++)
        status = render(&b, i, &error);
    if (status == RX_OK) {
        compile_all(&b);
        b.cuda = cuda_open(rx_cuda_batch_folder());
        failed = check_all(&b);
        cuda_close(b.cuda);
    } else {
        failed = n_cases, fprintf(stderr, "%s\n", error.text);
    }
    for (int i = 0; i < n_cases; i++)
        rx_text_close(&b.source[i]);
    free(b.source);
    free(b.kernel);
    return failed;
}
