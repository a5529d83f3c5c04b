// The command line of rxgen: one table of flags.
#include "gen/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char RX_USAGE[] =
    "usage: rxgen [options] MODEL.lua      generate and build out/<model>/\n"
    "  --set KEY=VALUE   override a field of the model (--describe lists them)\n"
    "  --form a|b|c      which of the paper's equivalent block forms (default c)\n"
    "  --gradients update|store  of weights: used where they are summed (default), or kept\n"
    "  --target auto|cpu|cuda    auto: cuda where a device answers\n"
    "  --dtype f32|bf16  storage of activations and their gradients (default f32)\n"
    "  --arch ARCH       native; x86-64-v4+amx, -v4+bf16, -v4, -v3, -v2; armv8-a; generic;\n"
    "                    sm_80 to sm_120\n"
    "  --out DIR         build there; no link under out/ changes\n"
    "  --describe        print the layer table, totals and memory; build nothing\n"
    "  --explain         print which kernel was chosen for each problem and why\n"
    "  --json            with the two above: one JSON object\n"
    "  --dump DIR        write NN-<pass>.ir after each pass\n"
    "  --only KERNEL     emit one kernel with a driver that builds, checks and times it\n"
    "  --tune estimate   measure, --tune-seconds and --wisdom come later\n"
    "  --jobs N  --quiet  --version  --help\n";

enum flag {
    SET,
    FORM,
    GRADIENTS,
    TARGET,
    DTYPE,
    ARCH,
    OUT,
    TUNE,
    TUNE_SECONDS,
    WISDOM,
    DUMP,
    ONLY,
    JOBS,
    DESCRIBE,
    EXPLAIN,
    JSON,
    QUIET,
    VERSION,
    HELP,
    N_FLAGS
};

enum { FIRST_WITHOUT_VALUE = DESCRIBE, JOBS_MAX = 256 };

static const char *const NAME[N_FLAGS] = {
    "--set",     "--form",         "--gradients", "--target",  "--dtype", "--arch", "--out",
    "--tune",    "--tune-seconds", "--wisdom",    "--dump",    "--only",  "--jobs", "--describe",
    "--explain", "--json",         "--quiet",     "--version", "--help",
};

static int
parse_set(struct rx_options *o, char *text, struct rx_error *error)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return rx_error_user(error, "--set %.64s: is not KEY=VALUE", text);
    if (o->n_settings == RX_SETTINGS_MAX)
        return rx_error_user(error, "--set: more than %d of them", RX_SETTINGS_MAX);
    *equals = '\0';
    o->setting[o->n_settings++] = (struct rx_setting){.key = text, .value = equals + 1};
    return RX_OK;
}

static int
later(const char *flag, const char *value, struct rx_error *error)
{
    return rx_error_user(error, "%s %s: comes with a later version", flag, value);
}

static int
one_of(const char *flag, const char *value, const char *now, const char *coming,
       struct rx_error *error)
{
    if (strcmp(value, now) == 0)
        return RX_OK;
    if (strcmp(value, coming) == 0)
        return later(flag, value, error);
    return rx_error_user(error, "%s %.40s: is not known: it is %s or %s", flag, value, now, coming);
}

static int
parse_gradients(struct rx_options *o, const char *value, struct rx_error *error)
{
    if (strcmp(value, "update") != 0 && strcmp(value, "store") != 0)
        return rx_error_user(error, "--gradients %.40s: it is update or store", value);
    o->gradients = value[0] == 'u' ? RX_GRADIENTS_UPDATE : RX_GRADIENTS_STORE;
    return RX_OK;
}

static int
parse_target(struct rx_options *o, const char *value, struct rx_error *error)
{
    static const char *const name[] = {"auto", "cpu", "cuda"};
    for (int i = 0; i < (int)(sizeof name / sizeof name[0]); i++)
        if (strcmp(value, name[i]) == 0) {
            o->target = (enum rx_target_choice)i;
            return RX_OK;
        }
    return rx_error_user(error, "--target %.40s: it is auto, cpu or cuda", value);
}

static int
parse_value(struct rx_options *o, enum flag flag, char *value, struct rx_error *error)
{
    switch (flag) {
    case SET:
        return parse_set(o, value, error);
    case FORM:
        if (strlen(value) != 1 || strchr("abc", value[0]) == NULL)
            return rx_error_user(error, "--form %.40s: it is a, b or c", value);
        o->form = (enum rx_form)(value[0] - 'a');
        return RX_OK;
    case GRADIENTS:
        return parse_gradients(o, value, error);
    case TARGET:
        return parse_target(o, value, error);
    case DTYPE:
        if (strcmp(value, "f32") != 0 && strcmp(value, "bf16") != 0)
            return rx_error_user(error, "--dtype %.40s: it is f32 or bf16", value);
        o->dtype = strcmp(value, "f32") == 0 ? RX_F32 : RX_BF16;
        return RX_OK;
    case TUNE:
        return one_of("--tune", value, "estimate", "measure", error);
    case TUNE_SECONDS:
    case WISDOM:
        return later(NAME[flag], value, error);
    case ARCH:
        o->arch = value;
        return RX_OK;
    case OUT:
        o->out = value;
        return RX_OK;
    case DUMP:
        o->dump = value;
        return RX_OK;
    case ONLY:
        o->only = value;
        return RX_OK;
    case JOBS: {
        char *end;
        const long n = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0' || n < 1 || n > JOBS_MAX)
            return rx_error_user(error, "--jobs %.40s: is not a number from 1 to %d", value,
                                 JOBS_MAX);
        o->jobs = (int)n;
        return RX_OK;
    }
    default:
        return RX_OK;
    }
}

static void
set_switch(struct rx_options *o, enum flag flag)
{
    static const enum rx_action action[N_FLAGS] = {[DESCRIBE] = RX_ACTION_DESCRIBE,
                                                   [EXPLAIN] = RX_ACTION_EXPLAIN,
                                                   [VERSION] = RX_ACTION_VERSION,
                                                   [HELP] = RX_ACTION_HELP};
    if (flag == JSON)
        o->json = 1;
    else if (flag == QUIET)
        o->quiet = 1;
    else
        o->action = action[flag];
}

int
rx_options_parse(struct rx_options *o, int argc, char **argv, struct rx_error *error)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct rx_options){
        .form = RX_FORM_C, .dtype = RX_F32, .arch = "native", .jobs = cores > 0 ? (int)cores : 1};
    for (int i = 1; i < argc; i++) {
        int flag = 0;
        while (flag < N_FLAGS && strcmp(argv[i], NAME[flag]) != 0)
            flag++;
        if (flag == N_FLAGS && argv[i][0] == '-')
            return rx_error_user(error, "%.64s: unknown option: rxgen --help lists them", argv[i]);
        if (flag == N_FLAGS) {
            if (o->model != NULL)
                return rx_error_user(error, "%.200s: a second model: give one", argv[i]);
            o->model = argv[i];
        } else if (flag >= FIRST_WITHOUT_VALUE) {
            set_switch(o, (enum flag)flag);
        } else {
            if (i + 1 == argc)
                return rx_error_user(error, "%s: its value is missing", argv[i]);
            const int status = parse_value(o, (enum flag)flag, argv[++i], error);
            if (status != RX_OK)
                return status;
        }
    }
    if (o->model == NULL && o->action != RX_ACTION_HELP && o->action != RX_ACTION_VERSION)
        return rx_error_user(error, "no model is given: rxgen models/fashion_resnext.lua");
    return RX_OK;
}
