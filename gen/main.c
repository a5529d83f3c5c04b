// rxgen: the command line.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/options.h"
#include "gen/pipeline.h"
#include "gen/plan/compile.h"
#include "gen/plan/describe.h"
#include "gen/plan/emit.h"
#include "gen/plan/explain.h"
#include "runtime/base/cuda.h"
#include "runtime/base/file.h"
#include "runtime/session.h"

static const char VERSION[] = "rxgen 0.1.0";

static void
out_of_memory(size_t bytes)
{
    fprintf(stderr, "rxgen: no memory for %zu bytes\n", bytes);
    exit(RX_REFUSED);
}

static const char *
compiler(void)
{
    const char *cc = getenv("CC");
    return cc != NULL && *cc != '\0' ? cc : "cc";
}

static int
describe(const struct rx_options *o, const struct rx_location *location, struct rx_network *net,
         struct rx_text *text, struct rx_error *error)
{
    struct rx_graph forward;
    struct rx_front_output front = {0};
    const int status = rx_pipeline_front(o, location, &forward, &front, error);
    if (status == RX_OK) {
        const struct rx_describe_memory memory = {
            .batch = front.recipe.batch,
            .threads = o->jobs,
            .bytes = rx_session_bytes(&net->plan, front.recipe.batch, o->jobs)};
        if (o->json)
            rx_describe_print_json(&forward, &front, &memory, text);
        else
            rx_describe_print(&forward, &front, &memory, text);
    }
    rx_graph_close(&forward);
    return status;
}

// The folder that a build of this network would go to.
static void
folder_of(const struct rx_options *o, const struct rx_network *net, char folder[RX_PATH_CHARS])
{
    snprintf(folder, RX_PATH_CHARS, "%s%.4000s", o->out != NULL ? "" : "out/",
             o->out != NULL ? o->out : net->plan.model);
}

static int
explain(const struct rx_options *o, const struct rx_location *location,
        const struct rx_network *net, struct rx_text *text, struct rx_error *error)
{
    char built[RX_PATH_CHARS];
    struct rx_explanation explanation;
    folder_of(o, net, built);
    const int status = rx_explain_open(net, location->templates, built, &explanation, error);
    if (status == RX_OK && o->json)
        rx_explain_print_json(net, &explanation, text);
    else if (status == RX_OK)
        rx_explain_print(net, &explanation, text);
    rx_explain_close(&explanation);
    return status;
}

// out/train and its like point to the model that was built last.
static int
link_programs(const char *model, struct rx_error *error)
{
    static const char *const name[] = {"train", "eval", "infer", "bench"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char to[256], link[64], temporary[64];
        snprintf(to, sizeof to, "%.128s/%s", model, name[i]);
        snprintf(link, sizeof link, "out/%s", name[i]);
        snprintf(temporary, sizeof temporary, "out/.%s.%ld", name[i], (long)getpid());
        // out/bench is the folder of reports.
        if (strcmp(name[i], "bench") == 0)
            continue;
        if (symlink(to, temporary) != 0 || rename(temporary, link) != 0)
            return rx_error_refused(error, "%s: cannot be linked: %s", link, strerror(errno));
    }
    return RX_OK;
}

// The command that leads here again. It names the model file without its folder's place on this
// machine; what a machine decides (--arch native) is in the banner's target line.
static const char *
remake(const struct rx_options *o, struct rx_network *net)
{
    const char *slash = strrchr(o->model, '/');
    struct rx_text text = {0};
    rx_text_printf(&text, "rxgen models/%s", slash != NULL ? slash + 1 : o->model);
    if (net->target->language->style == RX_CALL_LAUNCH)
        rx_text_printf(&text, " --target %s --arch %s", net->target->name, net->machine.arch);
    if (o->form != RX_FORM_C)
        rx_text_printf(&text, " --form %s", net->plan.form);
    if (o->gradients == RX_GRADIENTS_STORE)
        rx_text_add(&text, " --gradients store");
    if (o->dtype != RX_F32)
        rx_text_printf(&text, " --dtype %s", net->plan.dtype);
    for (int i = 0; i < o->n_settings; i++)
        rx_text_printf(&text, " --set %s=%s", o->setting[i].key, o->setting[i].value);
    const char *kept = rx_arena_text(&net->arena, rx_text_str(&text));
    rx_text_close(&text);
    return kept;
}

static int
build(const struct rx_options *o, const struct rx_location *location, const struct rx_nvrtc *nvrtc,
      struct rx_network *net, struct rx_error *error)
{
    char folder[RX_PATH_CHARS];
    folder_of(o, net, folder);
    const struct rx_emit emit = {.location = location,
                                 .folder = folder,
                                 .remake = remake(o, net),
                                 .compile = {.compiler = compiler(),
                                             .flags = nvrtc != NULL ? "" : net->machine.flags,
                                             .include = location->share,
                                             .arch = net->machine.arch,
                                             .nvrtc = nvrtc,
                                             .jobs = o->jobs,
                                             .quiet = o->quiet}};
    if (o->only != NULL)
        return rx_emit_only(&emit, net, o->only, error);
    int status = rx_emit_network(&emit, net, error);
    if (status == RX_OK && o->out == NULL)
        status = link_programs(net->plan.model, error);
    if (status == RX_OK && !o->quiet)
        fprintf(stderr, "%s/ is built: %d kernels; %s\n", folder, net->n_kernels,
                o->out == NULL ? "out/train trains it" : "train, eval, infer and bench are in it");
    return status;
}

// auto: what --arch names, else cuda where a device answers.
static const struct rx_target *
choose_target(const struct rx_options *o)
{
    char arch[RX_CUDA_ARCH_CHARS];
    struct rx_error why = {0};
    if (o->target != RX_TARGET_AUTO)
        return o->target == RX_TARGET_CPU ? &rx_target_cpu : &rx_target_cuda;
    if (strcmp(o->arch, "native") != 0)
        return strncmp(o->arch, "sm_", 3) == 0 ? &rx_target_cuda : &rx_target_cpu;
    const int found = rx_cuda_device_arch(arch, &why) == RX_OK;
    if (o->action != RX_ACTION_DESCRIBE && !o->quiet)
        fprintf(stderr, found ? "target cuda: a device answers, %s\n" : "target cpu: no GPU (%s)\n",
                found ? arch : why.text);
    return found ? &rx_target_cuda : &rx_target_cpu;
}

// What compiles kernels, as text: "gcc 12.2.0", "nvrtc 13.0". An explanation needs none.
static int
find_toolchain(const struct rx_options *o, const struct rx_network *net, struct rx_nvrtc *nvrtc,
               struct rx_text *text, struct rx_error *error)
{
    if (net->target->language->style == RX_CALL_TABLE)
        return rx_compile_toolchain(compiler(), text, error);
    struct rx_error none = {0};
    const int may_lack = o->action == RX_ACTION_EXPLAIN;
    const int status = rx_nvrtc_open(nvrtc, may_lack ? &none : error);
    if (status != RX_OK && may_lack) {
        rx_text_add(text, "nvrtc none");
        return RX_OK;
    }
    if (status == RX_OK)
        rx_text_printf(text, "nvrtc %d.%d", nvrtc->major, nvrtc->minor);
    return status;
}

static int
run(const struct rx_options *o, struct rx_network *net, struct rx_error *error)
{
    struct rx_location location;
    struct rx_nvrtc nvrtc = {0};
    struct rx_text toolchain = {0}, text = {0};
    int status = rx_locate(&location, error);
    net->target = choose_target(o);
    // Kernels' hashes hold the compiler's version; a description has none of them.
    if (status == RX_OK && o->action != RX_ACTION_DESCRIBE)
        status = find_toolchain(o, net, &nvrtc, &toolchain, error);
    net->toolchain = rx_arena_text(&net->arena, rx_text_str(&toolchain));
    if (status == RX_OK)
        status = rx_pipeline_run(o, &location, net, error);
    if (status == RX_OK && o->action == RX_ACTION_BUILD)
        status = build(o, &location, nvrtc.library != NULL ? &nvrtc : NULL, net, error);
    else if (status == RX_OK && o->action == RX_ACTION_DESCRIBE)
        status = describe(o, &location, net, &text, error);
    else if (status == RX_OK)
        status = explain(o, &location, net, &text, error);
    if (status == RX_OK && fputs(rx_text_str(&text), stdout) < 0)
        status = rx_error_refused(error, "standard output: cannot be written");
    rx_text_close(&text);
    rx_text_close(&toolchain);
    return status;
}

int
main(int argc, char **argv)
{
    rx_memory_on_failure(out_of_memory);
    struct rx_error error = {0};
    struct rx_options options;
    if (rx_options_parse(&options, argc, argv, &error) == RX_OK) {
        if (options.action == RX_ACTION_HELP || options.action == RX_ACTION_VERSION) {
            puts(options.action == RX_ACTION_HELP ? RX_USAGE : VERSION);
            return RX_OK;
        }
        struct rx_network net = {0};
        run(&options, &net, &error);
        rx_network_close(&net);
    } else if (argc == 1) {
        fputs(RX_USAGE, stderr);
    }
    if (fflush(stdout) != 0)
        rx_error_refused(&error, "standard output: cannot be written: %s", strerror(errno));
    if (error.status != RX_OK)
        fprintf(stderr, "rxgen: %s\n", error.text);
    return error.status;
}
