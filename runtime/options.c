// Parsing the command lines of the generated programs.
#include "runtime/options.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/suggest.h"
#include "runtime/data/data.h"
#include "runtime/options_table.h"

enum { NAME_CHARS = 64, SHOWN = 60 };

// Decimal numbers only: strtod alone would take hex, "inf" and leading blanks.
static int
is_decimal(const char *text, const char *allowed)
{
    return *text != '\0' && text[strspn(text, allowed)] == '\0';
}

static int
parse_number(const struct rx_flag *f, const char *text, double *value, struct rx_error *error)
{
    const int whole = f->kind != RX_FLAG_REAL;
    char *end;
    errno = 0;
    const double v = strtod(text, &end);
    if (!is_decimal(text, whole ? "-0123456789" : "+-.eE0123456789") || *end != '\0' ||
        errno != 0 || !(v >= f->low && v <= f->high))
        return rx_error_user(error, "%s %.*s: is not %s from %.17g to %.17g", f->name, SHOWN, text,
                             whole ? "a whole number" : "a number", f->low, f->high);
    *value = v;
    return RX_OK;
}

// Ascending positive whole numbers, separated by commas.
static int
parse_list(const struct rx_flag *f, const char *text, int *n, int *to, struct rx_error *error)
{
    const int most = (int)f->high;
    int count = 0, value[RX_MILESTONES_MAX];
    for (const char *p = text;; p++) {
        char *end;
        const long v = strtol(p, &end, 10);
        if (*p < '0' || *p > '9' || v < 1 || v > 1000000 || count == most ||
            (count > 0 && v <= value[count - 1]) || (*end != ',' && *end != '\0'))
            return rx_error_user(error,
                                 "%s %.*s: is not a list of ascending whole numbers, at most %d: "
                                 "%s would be one",
                                 f->name, SHOWN, text, most, f->argument);
        value[count++] = (int)v;
        if (*end == '\0')
            break;
        p = end;
    }
    *n = count;
    memcpy(to, value, (size_t)count * sizeof *to);
    return RX_OK;
}

static int
parse_word(const struct rx_flag *f, const char *text, int *to, struct rx_error *error)
{
    for (int i = 0; f->words[i] != NULL; i++)
        if (strcmp(f->words[i], text) == 0) {
            *to = i;
            return RX_OK;
        }
    return rx_error_user(error, "%s %.*s: is not %s", f->name, SHOWN, text, f->argument);
}

int
rx_flag_set(const struct rx_flag *f, const char *text, struct rx_settings *s,
            struct rx_error *error)
{
    void *to = rx_flag_value(f, s);
    double v = 0;
    switch (f->kind) {
    case RX_FLAG_TEXT:
        if (*text == '\0')
            return rx_error_user(error, "%s: is empty: %s", f->name, f->argument);
        memcpy(to, &text, sizeof text);
        return RX_OK;
    case RX_FLAG_WORD:
        return parse_word(f, text, to, error);
    case RX_FLAG_LIST:
        return parse_list(f, text, to, (int *)to + 1, error);
    case RX_FLAG_INT:
        if (parse_number(f, text, &v, error) == RX_OK)
            *(int *)to = (int)v;
        return error->status;
    case RX_FLAG_INTEGER:
        if (parse_number(f, text, &v, error) == RX_OK)
            *(int64_t *)to = (int64_t)v;
        return error->status;
    case RX_FLAG_REAL:
        return parse_number(f, text, to, error);
    case RX_FLAG_SWITCH:
    case RX_FLAG_RESUME:
    case RX_FLAG_LATER:
        break;
    }
    return RX_OK;
}

static const struct rx_flag *
find(const char *name, enum rx_command command)
{
    for (int i = 0; i < rx_flags_n; i++)
        if (strcmp(rx_flags[i].name, name) == 0 && (rx_flags[i].commands >> command & 1))
            return &rx_flags[i];
    return NULL;
}

static int
refuse_unknown(const char *name, enum rx_command command, struct rx_error *error)
{
    const char *known[RX_FLAGS_MAX];
    int n = 0;
    if (name[0] != '-')
        return rx_error_user(error, "%.*s: %s", SHOWN, name,
                             command == RX_COMMAND_INFER
                                 ? "image files come with a later version: --input takes tensors"
                                 : "is no option: --help lists them");
    for (int i = 0; i < rx_flags_n; i++)
        if (rx_flags[i].commands >> command & 1)
            known[n++] = rx_flags[i].name;
    const char *close = rx_suggest(name, known, n);
    return rx_error_user(error, "%.*s: unknown option: %s%s", SHOWN, name,
                         close != NULL ? "did you mean " : "--help lists them",
                         close != NULL ? close : "");
}

static int
cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static struct rx_settings
defaults(enum rx_command command, const struct rx_plan *plan)
{
    struct rx_settings s = {.recipe = plan->recipe,
                            .shuffle = 1,
                            .augment = 1,
                            .seed = 1,
                            .threads = cores(),
                            .workers = 1,
                            .eval_every = 1,
                            .split = RX_SPLIT_VAL,
                            .n_topk = 2,
                            .topk = {1, 5}};
    if (command == RX_COMMAND_BENCH) {
        s.steps = 10;
        s.recipe.batch = 16;
    }
    for (int i = 0; i < rx_flags_n; i++)
        if (rx_flags[i].kind != RX_FLAG_LATER && rx_flags[i].offset < sizeof s.recipe)
            s.origin[i] = RX_ORIGIN_RECIPE;
    return s;
}

// Takes one flag, with its value where it has one: `inline_value` of --flag=value, or the next
// argument. Returns how many arguments more were used, or -1.
static int
take(const struct rx_flag *f, const char *inline_value, const char *next, struct rx_settings *s,
     struct rx_error *error)
{
    if (f->kind == RX_FLAG_LATER) {
        rx_error_user(error, "%s: comes with a later version", f->name);
        return -1;
    }
    s->origin[rx_flag_home(f)] = RX_ORIGIN_FLAG;
    if (f->kind == RX_FLAG_SWITCH) {
        *(int *)rx_flag_value(f, s) = (int)f->low;
        if (inline_value != NULL)
            rx_error_user(error, "%s: takes no value", f->name);
        return error->status == RX_OK ? 0 : -1;
    }
    const char *value = inline_value != NULL ? inline_value : next;
    const int used = inline_value == NULL;
    if (f->kind == RX_FLAG_RESUME) {
        s->resume = 1;
        s->resume_folder = value != NULL && (!used || value[0] != '-') ? value : NULL;
        return used && s->resume_folder != NULL;
    }
    if (value == NULL) {
        rx_error_user(error, "%s: its value is missing: %s %s", f->name, f->name, f->argument);
        return -1;
    }
    return rx_flag_set(f, value, s, error) == RX_OK ? used : -1;
}

// The recipe's rate belongs to its batch.
static void
scale_rate(const struct rx_plan *plan, struct rx_settings *s)
{
    if (s->recipe.batch == plan->recipe.batch || rx_settings_origin(s, "--lr") != RX_ORIGIN_RECIPE)
        return;
    s->recipe.lr = plan->recipe.lr * s->recipe.batch / plan->recipe.batch;
    s->origin[rx_flag_home(find("--lr", RX_COMMAND_TRAIN))] = RX_ORIGIN_SCALED;
}

int
rx_settings_parse(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
                  struct rx_settings *s, struct rx_error *error)
{
    *s = defaults(command, plan);
    for (int i = 1; i < argc; i++) {
        const char *equals = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;
        const size_t n = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        char name[NAME_CHARS] = "";
        if (n < sizeof name)
            memcpy(name, argv[i], n);
        const struct rx_flag *f = find(name, command);
        if (f == NULL)
            return refuse_unknown(n < sizeof name ? name : argv[i], command, error);
        const int used = take(f, equals != NULL ? equals + 1 : NULL, argv[i + 1], s, error);
        if (used < 0)
            return error->status;
        i += used;
    }
    // A resumed run takes its rate from its checkpoint.
    if (command == RX_COMMAND_TRAIN && !s->resume)
        scale_rate(plan, s);
    return RX_OK;
}

enum rx_origin
rx_settings_origin(const struct rx_settings *s, const char *name)
{
    for (int i = 0; i < rx_flags_n; i++)
        if (strcmp(rx_flags[i].name, name) == 0)
            return s->origin[rx_flag_home(&rx_flags[i])];
    return RX_ORIGIN_DEFAULT;
}

int64_t
rx_settings_total_steps(const struct rx_settings *s, int64_t steps_an_epoch)
{
    const int64_t all = steps_an_epoch * s->recipe.epochs;
    const int is_bound = s->steps == 0 || rx_settings_origin(s, "--epochs") != RX_ORIGIN_RECIPE;
    return s->steps > 0 && (!is_bound || s->steps < all) ? s->steps : all;
}
