// Kernels of aarch64 by a cross compiler and qemu's emulation of a process.
#include "tests/support/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/grid.h"
#include "tests/foreign/call.h"
#include "tests/support/folder.h"

enum { PATH_CHARS = RX_FOLDER_CHARS + 64 };

int
rx_foreign_is(const char *arch)
{
#if defined(__aarch64__)
    (void)arch;
    return 0;
#else
    return strcmp(arch, "armv8-a") == 0;
#endif
}

static const char *
or_default(const char *name, const char *value)
{
    return getenv(name) != NULL ? getenv(name) : value;
}

const char *
rx_foreign_compiler(void)
{
    return or_default("RXGEN_CROSS_CC", "aarch64-linux-gnu-gcc");
}

const char *
rx_foreign_emulator(void)
{
    return or_default("RXGEN_CROSS_RUN", "qemu-aarch64");
}

static int
is_installed(const char *program)
{
    char command[PATH_CHARS];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    if (system(command) == 0)
        return 1;
    fprintf(stderr, "skipped: there is no %s: tests/deps.sh long installs it\n", program);
    return 0;
}

int
rx_foreign_available(void)
{
    return is_installed(rx_foreign_compiler()) && is_installed(rx_foreign_emulator());
}

// The kernels' functions by name.
static void
write_table(const char *path, const char *const *name, int n)
{
    struct rx_text text = {0};
    struct rx_error error = {0};
    rx_text_add(&text, "#include <stddef.h>\n#include \"kernel.h\"\n");
    for (int i = 0; i < n; i++)
        if (name[i] != NULL)
            rx_text_printf(&text, "extern rx_kernel_fn %s;\n", name[i]);
    rx_text_add(&text, "const struct {\n    const char *name;\n    rx_kernel_fn *fn;\n} table[] "
                       "= {\n");
    for (int i = 0; i < n; i++)
        if (name[i] != NULL)
            rx_text_printf(&text, "    {\"%s\", %s},\n", name[i], name[i]);
    rx_text_add(&text, "    {NULL, NULL},\n};\n");
    if (rx_file_write(path, rx_text_str(&text), text.n, &error) != RX_OK)
        fprintf(stderr, "%s\n", error.text);
    rx_text_close(&text);
}

void
rx_foreign_link(const char *folder, int n_objects, const char *const *name, int n,
                struct rx_text *command)
{
    char path[PATH_CHARS];
    snprintf(path, sizeof path, "%s/table.c", folder);
    write_table(path, name, n);
    rx_text_printf(command, "%s -std=gnu11 -O1 -static -Iruntime -Itests/foreign -o %s/kernels ",
                   rx_foreign_compiler(), folder);
    for (int i = 0; i < n_objects; i++)
        rx_text_printf(command, "%s/l%d.o ", folder, i);
    rx_text_printf(command, "%s tests/foreign/kernels.c -lm || status=1\n", path);
}

static int64_t
aligned(int64_t at)
{
    return (at + FOREIGN_ALIGN - 1) / FOREIGN_ALIGN * FOREIGN_ALIGN;
}

static int64_t
room_of(size_t bytes)  // of an operand with its guards
{
    return aligned((int64_t)bytes) + 2 * RX_GUARD_BYTES;
}

static struct foreign_case
describe(const struct rx_kernel *k, const struct rx_case_data *data, int64_t *bytes)
{
    struct foreign_case c = {.n_operands = data->problem->n_operands,
                             .threads = data->threads,
                             .images = data->n,
                             .scratch_bytes = k->scratch_bytes};
    const int64_t units =
        (data->n * k->task_image + k->task_fixed + k->task_divisor - 1) / k->task_divisor;
    const struct rx_grid grid = rx_grid_cut(units, k->columns, data->threads);
    snprintf(c.kernel, sizeof c.kernel, "%s", k->name);
    for (int thread = 0; thread < data->threads; thread++) {
        const struct rx_call call = rx_grid_share(&grid, data->n, thread, data->threads, NULL);
        c.parts = call.parts;
        c.first[thread] = call.first;
        c.last[thread] = call.last;
    }
    *bytes = aligned(sizeof c);
    for (int i = 0; i < c.n_operands; i++) {
        c.at[i] = *bytes + RX_GUARD_BYTES;
        *bytes += room_of(data->bytes[i]);
    }
    return c;
}

int
rx_foreign_run(const char *folder, const char *label, const struct rx_kernel *kernel,
               const struct rx_case_data *data)
{
    int64_t bytes;
    const struct foreign_case c = describe(kernel, data, &bytes);
    char path[PATH_CHARS], command[3 * PATH_CHARS];
    char *file = calloc(1, (size_t)bytes);
    if (file == NULL)
        abort();
    memcpy(file, &c, sizeof c);
    for (int i = 0; i < c.n_operands; i++)
        memcpy(file + c.at[i] - RX_GUARD_BYTES, data->block[i], (size_t)room_of(data->bytes[i]));
    snprintf(path, sizeof path, "%s/case", folder);
    snprintf(command, sizeof command, "%s %s/kernels %s", rx_foreign_emulator(), folder, path);
    struct rx_text back = {0};
    struct rx_error error = {0};
    int wrong = rx_file_write(path, file, (size_t)bytes, &error) != RX_OK || system(command) != 0 ||
                rx_file_read(path, &back, &error) != RX_OK || back.n != (size_t)bytes;
    if (wrong)
        fprintf(stderr, "%s: %s does not run: %s\n", label, kernel->name, error.text);
    for (int i = 0; i < c.n_operands && !wrong; i++)
        memcpy(data->block[i], back.s + c.at[i] - RX_GUARD_BYTES, (size_t)room_of(data->bytes[i]));
    if (!wrong && ((const struct foreign_case *)(const void *)back.s)->intact != 1)
        wrong = fprintf(stderr, "%s: %s: written outside of its scratch memory\n", label,
                        kernel->name) > 0;
    rx_text_close(&back);
    free(file);
    return wrong;
}
