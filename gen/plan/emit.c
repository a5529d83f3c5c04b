// Writing out/<model>/: everything is built in a temporary folder inside it and moved into place at
// the end, so that a failure leaves what was there before.
#include "gen/plan/emit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/plan/cubin.h"
#include "gen/render/render.h"
#include "gen/select/name.h"
#include "runtime/base/file.h"

static const char *const PROGRAMS[] = {"eval", "infer", "bench"};

struct stage {
    const struct rx_emit *emit;
    struct rx_network *net;
    char folder[RX_PATH_CHARS];  // where it is built
    struct rx_compile_job *job;
    int n_jobs;
};

// A path in the stage, in the network's arena.
static char *
at(const struct stage *s, const char *format, const char *name)
{
    const char *rest = rx_arena_printf(&s->net->arena, format, name);
    return rx_arena_printf(&s->net->arena, "%s/%s", s->folder, rest);
}

static void
remove_tree(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        unlink(path);
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char inner[RX_PATH_CHARS + 256];
        snprintf(inner, sizeof inner, "%.4090s/%s", path, e->d_name);
        remove_tree(inner);
    }
    closedir(d);
    rmdir(path);
}

// A kernel's object is known by its source, the headers it includes and all that the compiler is
// told.
static const char *
object_key(const struct stage *s, const struct rx_text *source, const struct rx_text *headers)
{
    const struct rx_compile *c = &s->emit->compile;
    struct rx_text text = {0};
    const char *more = getenv("RXGEN_CFLAGS");
    char hash[RX_HASH_CHARS];
    rx_text_printf(&text, "%s\n%s\n%s\n", s->net->toolchain, c->flags, more != NULL ? more : "");
    rx_text_add(&text, rx_text_str(headers));
    rx_text_add(&text, rx_text_str(source));
    if (c->nvrtc != NULL)
        rx_nvrtc_key(c->nvrtc, rx_text_str(source), c->arch, hash);
    else
        rx_hash_bytes(rx_text_str(&text), text.n, hash);
    rx_text_close(&text);
    return rx_arena_text(&s->net->arena, hash);
}

static int
render(const struct stage *s, const struct rx_network_kernel *k, struct rx_text *source,
       struct rx_error *error)
{
    char model[RX_PATH_CHARS], remake[RX_PATH_CHARS], toolchain[256];
    snprintf(model, sizeof model, "%.4000s:%d", k->where.file, k->where.line);
    snprintf(remake, sizeof remake, "%.4000s --only %.8s", s->emit->remake, k->kernel.hash);
    snprintf(toolchain, sizeof toolchain, "%s, %.150s", s->net->machine.arch, s->net->toolchain);
    const struct rx_banner banner = {
        .model = model, .nodes = k->label, .remake = remake, .toolchain = toolchain};
    return rx_render_kernel(&s->net->machine, s->emit->location->templates, &k->kernel, &banner,
                            source, error);
}

static int
copy(const struct stage *s, const char *from_share, const char *to, struct rx_text *keep,
     struct rx_error *error)
{
    struct rx_text text = {0};
    const char *from =
        rx_arena_printf(&s->net->arena, "%s/%s", s->emit->location->share, from_share);
    int status = rx_file_read(from, &text, error);
    if (status == RX_OK)
        status = rx_file_write(to, rx_text_str(&text), text.n, error);
    if (status == RX_OK && keep != NULL)
        rx_text_add(keep, rx_text_str(&text));
    rx_text_close(&text);
    return status;
}

// What kernels include; those of a target whose kernels are launched include nothing.
static int
write_headers(const struct stage *s, const char *folder, struct rx_text *headers,
              struct rx_error *error)
{
    struct rx_arena *a = &s->net->arena;
    const struct rx_machine *machine = &s->net->machine;
    const char *const tile[] = {machine->isa, machine->tiles};
    int status = rx_file_make_folder(folder, error);
    if (s->net->target->language->style == RX_CALL_LAUNCH)
        return status;
    if (status == RX_OK)
        status =
            copy(s, "runtime/kernel.h", rx_arena_printf(a, "%s/kernel.h", folder), headers, error);
    const char *shared = s->net->target->language->shared_header;
    if (status == RX_OK)
        status = copy(s, rx_arena_printf(a, "templates/cpu/%s", shared),
                      rx_arena_printf(a, "%s/%s", folder, shared), headers, error);
    for (int i = 0; i < 2 && status == RX_OK && tile[i][0] != '\0'; i++)
        status = copy(s, rx_arena_printf(a, "templates/cpu/tile_%s.h", tile[i]),
                      rx_arena_printf(a, "%s/tile_%s.h", folder, tile[i]), headers, error);
    return status;
}

static int
write_kernels(struct stage *s, struct rx_error *error)
{
    struct rx_text headers = {0}, source = {0};
    int status = write_headers(s, at(s, "%s", "kernels"), &headers, error);
    for (int i = 0; i < s->net->n_kernels && status == RX_OK; i++) {
        const struct rx_network_kernel *k = s->net->kernel[i];
        rx_text_clear(&source);
        status = render(s, k, &source, error);
        if (status != RX_OK)
            break;
        struct rx_compile_job *job = &s->job[s->n_jobs++];
        const char *stem = at(s, "kernels/%s", k->kernel.name);
        const struct rx_language *l = s->net->target->language;
        job->source = rx_arena_printf(&s->net->arena, "%s%s", stem, l->suffix);
        job->object = rx_arena_printf(&s->net->arena, "%s%s", stem, l->object_suffix);
        job->compile = s->emit->compile.nvrtc != NULL ? rx_compile_cubin : NULL;
        const char *tile = rx_kernel_tile_header(&s->net->machine, &k->kernel.config);
        job->header = job->compile == NULL ? at(s, "kernels/tile_%s.h", tile) : NULL;
        job->key = object_key(s, &source, &headers);
        status = rx_file_write(job->source, rx_text_str(&source), source.n, error);
    }
    rx_text_close(&headers);
    rx_text_close(&source);
    return status;
}

// Which NVRTC made the cubins: a program that finds another one compiles them again.
static int
write_identity(const struct stage *s, struct rx_error *error)
{
    const struct rx_nvrtc *nvrtc = s->emit->compile.nvrtc;
    struct rx_text text = {0};
    rx_text_printf(&text, "%s\n", nvrtc->identity);
    const int status =
        rx_file_write(at(s, "%s", "kernels/NVRTC"), rx_text_str(&text), text.n, error);
    rx_text_close(&text);
    return status;
}

// What each kernel takes of a multiprocessor: one line a kernel.
static int
write_resources(const struct stage *s, struct rx_error *error)
{
    struct rx_text text = {0}, object = {0};
    int status = RX_OK;
    for (int i = 0; i < s->net->n_kernels && status == RX_OK; i++) {
        struct rx_cubin cubin;
        rx_text_clear(&object);
        status = rx_file_read(s->job[i].object, &object, error);
        if (status == RX_OK && rx_cubin_read(rx_text_str(&object), object.n, &cubin))
            rx_text_printf(&text, "%s registers %d shared %lld frame %lld\n",
                           s->net->kernel[i]->kernel.name, cubin.registers, cubin.shared_bytes,
                           cubin.frame_bytes);
    }
    if (status == RX_OK)
        status = rx_file_write(at(s, "%s", "kernels/RESOURCES"), rx_text_str(&text), text.n, error);
    rx_text_close(&object);
    rx_text_close(&text);
    return status;
}

static int
write_text(const struct stage *s, const char *name,
           void (*print)(const struct rx_network *net, struct rx_text *text),
           struct rx_error *error)
{
    struct rx_text text = {0};
    print(s->net, &text);
    const int status = rx_file_write(at(s, "%s", name), rx_text_str(&text), text.n, error);
    rx_text_close(&text);
    return status;
}

static void
print_manifest(const struct rx_network *net, struct rx_text *text)
{
    rx_text_printf(text, "model %s form %s dtype %s arch %s toolchain %s\n", net->plan.model,
                   net->plan.form, net->plan.dtype, net->machine.arch, net->toolchain);
    for (int i = 0; i < net->n_kernels; i++) {
        const struct rx_kernel *k = &net->kernel[i]->kernel;
        rx_text_printf(text, "%s %s uses %d; %s\n", k->hash, k->name, net->kernel[i]->uses, k->why);
    }
}

// Links the objects with the target's part of the runtime, which lies beside the common one.
static int
link_program(const struct stage *s, const char *program, struct rx_error *error)
{
    const char *common = s->emit->location->library, *own = s->net->target->language->runtime;
    if (own != NULL)
        own = rx_arena_printf(&s->net->arena, "%.*s/%s", (int)(strrchr(common, '/') - common),
                              common, own);
    return rx_compile_link(&s->emit->compile, s->job, s->n_jobs, own, common, program, error);
}

static int
build(struct stage *s, struct rx_error *error)
{
    int status = write_kernels(s, error);
    if (status == RX_OK && s->emit->compile.nvrtc != NULL)
        status = write_identity(s, error);
    if (status == RX_OK)
        status = write_text(s, "plan.c", rx_network_print_plan, error);
    if (status == RX_OK)
        status = write_text(s, "plan.txt", rx_network_print_steps, error);
    if (status == RX_OK)
        status = write_text(s, "MANIFEST", print_manifest, error);
    if (status != RX_OK)
        return status;
    s->job[s->n_jobs++] =
        (struct rx_compile_job){.source = at(s, "%s", "plan.c"), .object = at(s, "%s", "plan.o")};
    status = rx_compile_all(&s->emit->compile, s->job, s->n_jobs, error);
    if (status == RX_OK && s->emit->compile.nvrtc != NULL)
        status = write_resources(s, error);
    if (status == RX_OK)
        status = link_program(s, at(s, "%s", "train"), error);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof PROGRAMS[0] && status == RX_OK; i++)
        if (symlink("train", at(s, "%s", PROGRAMS[i])) != 0)
            status = rx_error_refused(error, "%s/%s: the link cannot be made: %s", s->folder,
                                      PROGRAMS[i], strerror(errno));
    return status;
}

// Moves what was built over what was there; the programs last.
static int
install(const struct stage *s, struct rx_error *error)
{
    static const char *const parts[] = {"kernels", "plan.c", "plan.o", "plan.txt", "MANIFEST",
                                        "eval",    "infer",  "bench",  "train"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *to = rx_arena_printf(&s->net->arena, "%s/%s", s->emit->folder, parts[i]);
        if (strcmp(parts[i], "kernels") == 0)
            remove_tree(to);
        if (rename(at(s, "%s", parts[i]), to) != 0)
            return rx_error_refused(error, "%.900s: cannot be written: %s", to, strerror(errno));
    }
    return RX_OK;
}

static int
open_stage(struct stage *s, const struct rx_emit *emit, struct rx_network *net,
           struct rx_error *error)
{
    *s = (struct stage){.emit = emit, .net = net};
    const int status = rx_file_make_folder(emit->folder, error);
    if (status != RX_OK)
        return status;
    snprintf(s->folder, sizeof s->folder, "%.4000s/.new-%ld", emit->folder, (long)getpid());
    s->job = rx_memory_alloc((size_t)(net->n_kernels + 1) * sizeof *s->job);
    return rx_file_make_folder(s->folder, error);
}

int
rx_emit_network(const struct rx_emit *emit, struct rx_network *net, struct rx_error *error)
{
    struct stage s;
    int status = open_stage(&s, emit, net, error);
    if (status == RX_OK)
        status = build(&s, error);
    if (status == RX_OK)
        status = install(&s, error);
    if (s.folder[0] != '\0')
        remove_tree(s.folder);
    rmdir(emit->folder);  // only succeeds if nothing is there: nothing half-written stays
    free(s.job);
    return status;
}

static const struct rx_network_kernel *
find_kernel(const struct rx_network *net, const char *which)
{
    enum { LEAST_DIGITS = 8 };
    const size_t n = strlen(which);
    for (int i = 0; i < net->n_kernels; i++) {
        const struct rx_kernel *k = &net->kernel[i]->kernel;
        if (strcmp(k->name, which) == 0 || (n >= LEAST_DIGITS && strncmp(k->hash, which, n) == 0))
            return net->kernel[i];
    }
    return NULL;
}

// The kernel's source and its object; a kernel that is launched lies in kernels/ beside the driver,
// where the runtime looks for it.
static int
place_only(struct stage *s, const struct rx_network_kernel *k, struct rx_error *error)
{
    const struct rx_language *l = s->net->target->language;
    const int launch = s->emit->compile.nvrtc != NULL;
    const char *stem = at(s, launch ? "kernels/%s" : "%s", k->kernel.name);
    s->job[0] = (struct rx_compile_job){
        .source = rx_arena_printf(&s->net->arena, "%s%s", stem, l->suffix),
        .object = rx_arena_printf(&s->net->arena, "%s%s", stem, l->object_suffix),
        .compile = launch ? rx_compile_cubin : NULL};
    s->job[1] = (struct rx_compile_job){.source = at(s, "%s", "driver.c"),
                                        .object = at(s, "%s", "driver.o")};
    s->n_jobs = 2;
    if (!launch)
        return RX_OK;
    const int status = rx_file_make_folder(at(s, "%s", "kernels"), error);
    return status == RX_OK ? write_identity(s, error) : status;
}

static int
build_only(struct stage *s, const struct rx_network_kernel *k, struct rx_error *error)
{
    struct rx_text headers = {0}, source = {0};
    int status = write_headers(s, s->folder, &headers, error);
    if (status == RX_OK)
        status = place_only(s, k, error);
    if (status == RX_OK)
        status = render(s, k, &source, error);
    if (status == RX_OK)
        status = rx_file_write(s->job[0].source, rx_text_str(&source), source.n, error);
    rx_text_clear(&source);
    if (status == RX_OK)
        status = rx_render_driver(&s->net->machine, &k->kernel, &source, error);
    if (status == RX_OK)
        status = rx_file_write(s->job[1].source, rx_text_str(&source), source.n, error);
    if (status == RX_OK)
        status = rx_compile_all(&s->emit->compile, s->job, s->n_jobs, error);
    if (status == RX_OK)
        status = link_program(s, at(s, "%s", "driver"), error);
    rx_text_close(&headers);
    rx_text_close(&source);
    return status;
}

int
rx_emit_only(const struct rx_emit *emit, struct rx_network *net, const char *which,
             struct rx_error *error)
{
    const struct rx_network_kernel *k = find_kernel(net, which);
    if (k == NULL)
        return rx_error_user(error,
                             "--only %.100s: no kernel of %s has this name, or a hash that "
                             "starts with it: --explain lists them",
                             which, net->plan.model);
    struct stage s = {.emit = emit, .net = net};
    snprintf(s.folder, sizeof s.folder, "%.4000s/only-%.8s", emit->folder, k->kernel.hash);
    struct rx_compile_job job[2];
    s.job = job;
    int status = rx_file_make_folder(s.folder, error);
    if (status == RX_OK)
        status = build_only(&s, k, error);
    if (status == RX_OK && !emit->compile.quiet)
        fprintf(stderr, "%s/driver checks and times %s\n", s.folder, k->kernel.name);
    return status;
}
