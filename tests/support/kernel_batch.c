// Renders, compiles, loads and runs a batch of kernel cases; those of a foreign machine in a
// program of its own.
#include "tests/support/kernel_batch.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/render/render.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/grid.h"
#include "runtime/reference.h"
#include "tests/support/folder.h"
#include "tests/support/foreign.h"
#include "tests/support/kernel_data.h"

enum { COMPILERS = 2 };

enum { PATH_CHARS = RX_FOLDER_CHARS + 64 };

struct build {
    const struct rx_kernel_case *cases;
    int n;
    struct rx_machine machine;
    struct rx_kernel *kernel;
    struct rx_test_folder folder;
    struct rx_text compiler;  // with its flags
    void *library[COMPILERS];
};

static const char *
or_default(const char *name, const char *value)
{
    return getenv(name) ? getenv(name) : value;
}

static int
same_as_earlier(const struct build *b, int i)
{
    for (int j = 0; j < i; j++)
        if (strcmp(b->kernel[j].name, b->kernel[i].name) == 0)
            return 1;
    return 0;
}

static int
render(struct build *b, int i, struct rx_error *error)
{
    const struct rx_kernel_case *c = &b->cases[i];
    const struct rx_banner banner = {
        .model = "a test",
        .nodes = c->label,
        .remake = "not from a model",
        .toolchain = b->machine.arch,
    };
    const char *templates = or_default("RXGEN_TEMPLATES", "templates");
    int status = rx_target_cpu.describe(&b->machine, templates, b->machine.arch, &c->problem,
                                        c->config, &b->kernel[i], error);
    if (status != RX_OK || same_as_earlier(b, i))
        return status;
    struct rx_text source = {0};
    status = rx_render_kernel(&b->machine, templates, &b->kernel[i], &banner, &source, error);
    if (status == RX_OK) {
        char path[PATH_CHARS];
        snprintf(path, sizeof path, "%s/k%d_%d.c", b->folder.path, i % COMPILERS, i);
        status = rx_file_write(path, rx_text_str(&source), source.n, error);
    }
    rx_text_close(&source);
    return status;
}

// Kernels for AVX-512 run on lesser machines too (and on others if RXGEN_TEST_EMULATE is set), with
// its intrinsics in plain C. Optimising that fully takes ten times as long, and what it gives is
// nobody's kernel.
int
rx_case_compiler(const struct rx_machine *machine, struct rx_text *command, struct rx_error *error)
{
    struct rx_machine here;
    const int status = rx_target_cpu.machine("native", &here, error);
    const char *own = or_default("CC", "cc");
    const int emulate = strcmp(machine->isa, "avx512") == 0 &&
                        (getenv("RXGEN_TEST_EMULATE") != NULL || strcmp(here.isa, "avx512") != 0 ||
                         machine->dot2 > here.dot2 || strcmp(machine->tiles, here.tiles) > 0);
    rx_text_printf(command,
                   "%s -std=gnu11 %s -fno-predictive-commoning -ffp-contract=fast "
                   "-fno-math-errno -Wall -Wextra -Wconversion -Wshadow -Werror -fPIC %s %s %s %s "
                   "-Iruntime -Itemplates/cpu ",
                   rx_foreign_is(machine->arch) ? rx_foreign_compiler() : own,
                   emulate ? "-O2" : "-O3", emulate ? here.flags : machine->flags,
                   emulate ? "-Wno-psabi -Itests/support/avx512" : "",
                   emulate && machine->dot2 ? "-DEMU_BF16" : "", or_default("RXGEN_CFLAGS", ""));
    return status;
}

static void
link_foreign(const struct build *b, struct rx_text *command)
{
    const char **name = rx_memory_alloc((size_t)b->n * sizeof *name);
    for (int i = 0; i < b->n; i++)
        name[i] = same_as_earlier(b, i) ? NULL : b->kernel[i].name;
    rx_foreign_link(b->folder.path, b->n < COMPILERS ? b->n : COMPILERS, name, b->n, command);
    free(name);
}

// One shared object a compiler, made at the same time. The tile header, which is most of what they
// read, is compiled once.
static int
compile(const struct build *b)
{
    struct rx_text command = {0};
    rx_text_add(&command, rx_text_str(&b->compiler));
    rx_text_printf(&command, "-x c-header templates/cpu/tile_%s.h -o %s/tile_%s.h.gch || exit 1\n",
                   b->machine.isa, b->folder.path, b->machine.isa);
    const int foreign = rx_foreign_is(b->machine.arch);
    for (int i = 0; i < COMPILERS && i < b->n; i++) {
        rx_text_add(&command, rx_text_str(&b->compiler));
        rx_text_printf(&command, "%s -o %s/l%d.%s %s/k%d_*.c %s & p%d=$!\n",
                       foreign ? "-r -nostdlib" : "-shared", b->folder.path, i,
                       foreign ? "o" : "so", b->folder.path, i, foreign ? "" : "-lm", i);
    }
    rx_text_add(&command, "status=0\n");
    for (int i = 0; i < COMPILERS && i < b->n; i++)
        rx_text_printf(&command, "wait $p%d || status=1\n", i);
    if (foreign)
        link_foreign(b, &command);
    rx_text_add(&command, "exit $status\n");
    const int status = system(rx_text_str(&command));
    rx_text_close(&command);
    return status == 0 ? 0 : 1;
}

static rx_kernel_fn *
find(const struct build *b, const char *name)
{
    for (int i = 0; i < COMPILERS; i++) {
        void *symbol = b->library[i] ? dlsym(b->library[i], name) : NULL;
        if (symbol) {
            rx_kernel_fn *fn;
            memcpy(&fn, &symbol, sizeof fn);
            return fn;
        }
    }
    return NULL;
}

// Runs all threads' shares, which are the runtime's, one after the other.
static int
run(const struct build *b, int i, const struct rx_case_data *data)
{
    const struct rx_kernel *k = &b->kernel[i];
    if (rx_foreign_is(b->machine.arch))
        return rx_foreign_run(b->folder.path, b->cases[i].label, k, data);
    rx_kernel_fn *fn = find(b, k->name);
    if (!fn)
        return fprintf(stderr, "%s: %s is not in the library\n", b->cases[i].label, k->name), 1;
    const int64_t units =
        (data->n * k->task_image + k->task_fixed + k->task_divisor - 1) / k->task_divisor;
    const struct rx_grid grid = rx_grid_cut(units, k->columns, data->threads);
    int wrong = 0;
    for (int thread = 0; thread < data->threads; thread++) {
        void *block;
        void *scratch = rx_guarded_alloc((size_t)k->scratch_bytes, &block);
        const struct rx_call call = rx_grid_share(&grid, data->n, thread, data->threads, scratch);
        fn(&call, data->t);
        if (!rx_guarded_intact(block, (size_t)k->scratch_bytes)) {
            fprintf(stderr, "%s: %s: written outside of its scratch memory of %lld bytes\n",
                    b->cases[i].label, k->name, (long long)k->scratch_bytes);
            wrong = 1;
        }
        free(block);
    }
    return wrong;
}

static int
check(const struct build *b, int i)
{
    const struct rx_kernel_case *c = &b->cases[i];
    struct rx_case_data kernel, reference;
    rx_case_data_open(&kernel, c);
    rx_case_data_open(&reference, c);
    rx_reference_run(&c->problem, reference.n, reference.threads, reference.t);
    int wrong = run(b, i, &kernel);
    wrong += rx_case_data_compare(c, &kernel, &reference);
    rx_case_data_close(&kernel);
    rx_case_data_close(&reference);
    return wrong != 0;
}

static void
load(struct build *b)
{
    for (int i = 0; i < COMPILERS && i < b->n && !rx_foreign_is(b->machine.arch); i++) {
        char path[PATH_CHARS];
        snprintf(path, sizeof path, "%s/l%d.so", b->folder.path, i);
        b->library[i] = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!b->library[i])
            fprintf(stderr, "%s\n", dlerror());
    }
}

static void
clean(struct build *b)
{
    for (int i = 0; i < COMPILERS; i++)
        if (b->library[i])
            dlclose(b->library[i]);
    if (getenv("RXGEN_KEEP") == NULL)
        rx_test_folder_close(&b->folder);
    free(b->kernel);
    rx_text_close(&b->compiler);
}

int
rx_kernel_batch(const struct rx_kernel_case *cases, int n_cases, const struct rx_machine *machine)
{
    struct rx_error error = {0};
    struct build b = {.cases = cases, .n = n_cases, .machine = *machine};
    int failed = 0;
    b.kernel = rx_memory_alloc((size_t)n_cases * sizeof *b.kernel);
    rx_test_folder_open(&b.folder);
    int status = rx_case_compiler(&b.machine, &b.compiler, &error);
    for (int i = 0; i < n_cases && status == RX_OK; i++)
        status = render(&b, i, &error);
    if (status == RX_OK && compile(&b) != 0)
        status = rx_error_refused(&error, "%s: kernels do not compile", b.folder.path);
    if (status == RX_OK)
        load(&b);
    else
        failed = n_cases, fprintf(stderr, "%s\n", error.text);
    for (int i = 0; i < n_cases && status == RX_OK; i++)
        failed += check(&b, i);
    clean(&b);
    return failed;
}
