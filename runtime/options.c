// The command lines of the generated programs: one table of flags.
#include "runtime/options.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { T = 1 << RX_COMMAND_TRAIN, E = 1 << RX_COMMAND_EVAL, I = 1 << RX_COMMAND_INFER };
enum { B = 1 << RX_COMMAND_BENCH, ALL = T | E | I | B };

const char *const RX_PROGRAM_USAGE[RX_COMMANDS] = {
    [RX_COMMAND_TRAIN] =
        "usage: train --data SPEC [--epochs N] [--steps N] [--batch N] [--lr F] [--momentum F]\n"
        "  [--wd F] [--nesterov | --no-nesterov] [--schedule step|cosine] [--milestones A,B,C]\n"
        "  [--gamma F] [--warmup-epochs F] [--label-smoothing F] [--no-decay-bn]\n"
        "  [--weights F.safetensors] [--save F.safetensors] [--run DIR] [--resume [DIR]]\n"
        "  [--seed N] [--threads N] [--workers N] [--augment recipe|none]\n"
        "  [--shuffle | --no-shuffle] [--eval-every N] [--checkpoint-every STEPS]\n"
        "  [--progress auto|bar|plain|json|off]\n"
        "SPEC: fashion-mnist[:DIR], synthetic[:N], tensors:FILE.safetensors\n",
    [RX_COMMAND_EVAL] =
        "usage: eval --data SPEC --weights F.safetensors [--split val|train] [--batch N]\n"
        "  [--topk 1,5] [--json] [--confusion F.csv] [--threads N] [--workers N]\n",
    [RX_COMMAND_INFER] =
        "usage: infer --weights F.safetensors --input X.safetensors --output Y.safetensors\n"
        "  [--topk K] [--labels FILE] [--json] [--batch N] [--threads N]\n",
    [RX_COMMAND_BENCH] =
        "usage: bench [--mode train|infer] [--batch N] [--steps N] [--threads N] [--kernels]\n"
        "  [--json]\n",
};

enum id {
    DATA,
    EPOCHS,
    STEPS,
    BATCH,
    LR,
    MOMENTUM,
    WD,
    NESTEROV,
    NO_NESTEROV,
    SCHEDULE,
    MILESTONES,
    GAMMA,
    WARMUP,
    SMOOTHING,
    NO_DECAY_BN,
    WEIGHTS,
    SAVE,
    RUN,
    RESUME,
    SEED,
    THREADS,
    WORKERS,
    AUGMENT,
    SHUFFLE,
    NO_SHUFFLE,
    EVAL_EVERY,
    CHECKPOINT_EVERY,
    PROGRESS,
    SPLIT,
    TOPK,
    JSON,
    CONFUSION,
    INPUT,
    OUTPUT,
    LABELS,
    MODE,
    KERNELS,
    HELP,
    LATER
};

enum kind { NONE, TEXT, INTEGER, REAL, OPTIONAL };

struct flag {
    const char *name;
    enum id id;
    int commands;
    enum kind kind;
    double low, high;
};

static const struct flag FLAGS[] = {
    {"--data", DATA, T | E, TEXT, 0, 0},
    {"--epochs", EPOCHS, T, INTEGER, 1, 1e6},
    {"--steps", STEPS, T | B, INTEGER, 1, 1e12},
    {"--batch", BATCH, ALL, INTEGER, 1, 65536},
    {"--lr", LR, T, REAL, 0, 1e6},
    {"--momentum", MOMENTUM, T, REAL, 0, 1},
    {"--wd", WD, T, REAL, 0, 1e3},
    {"--nesterov", NESTEROV, T, NONE, 0, 0},
    {"--no-nesterov", NO_NESTEROV, T, NONE, 0, 0},
    {"--schedule", SCHEDULE, T, TEXT, 0, 0},
    {"--milestones", MILESTONES, T, TEXT, 0, 0},
    {"--gamma", GAMMA, T, REAL, 0, 1e3},
    {"--warmup-epochs", WARMUP, T, REAL, 0, 1e6},
    {"--label-smoothing", SMOOTHING, T, REAL, 0, 0.999},
    {"--no-decay-bn", NO_DECAY_BN, T, NONE, 0, 0},
    {"--weights", WEIGHTS, T | E | I, TEXT, 0, 0},
    {"--save", SAVE, T, TEXT, 0, 0},
    {"--run", RUN, T, TEXT, 0, 0},
    {"--resume", RESUME, T, OPTIONAL, 0, 0},
    {"--seed", SEED, T, INTEGER, 0, 9e15},
    {"--threads", THREADS, ALL, INTEGER, 1, 1024},
    {"--workers", WORKERS, T | E, INTEGER, 0, 256},
    {"--augment", AUGMENT, T, TEXT, 0, 0},
    {"--shuffle", SHUFFLE, T, NONE, 0, 0},
    {"--no-shuffle", NO_SHUFFLE, T, NONE, 0, 0},
    {"--eval-every", EVAL_EVERY, T, INTEGER, 1, 1e6},
    {"--checkpoint-every", CHECKPOINT_EVERY, T, INTEGER, 1, 1e12},
    {"--progress", PROGRESS, T, TEXT, 0, 0},
    {"--split", SPLIT, E, TEXT, 0, 0},
    {"--topk", TOPK, E | I, TEXT, 0, 0},
    {"--json", JSON, E | I | B, NONE, 0, 0},
    {"--confusion", CONFUSION, E, TEXT, 0, 0},
    {"--input", INPUT, I, TEXT, 0, 0},
    {"--output", OUTPUT, I, TEXT, 0, 0},
    {"--labels", LABELS, I, TEXT, 0, 0},
    {"--mode", MODE, B, TEXT, 0, 0},
    {"--kernels", KERNELS, B, NONE, 0, 0},
    {"--help", HELP, ALL, NONE, 0, 0},
    {"--on-nan", LATER, T, TEXT, 0, 0},
    {"--accumulate", LATER, T, TEXT, 0, 0},
    {"--ema", LATER, T, TEXT, 0, 0},
    {"--mixup", LATER, T, TEXT, 0, 0},
    {"--strict", LATER, T, NONE, 0, 0},
    {"--crop", LATER, E, TEXT, 0, 0},
    {"--classes", LATER, E, TEXT, 0, 0},
};

enum { N_FLAGS = sizeof FLAGS / sizeof FLAGS[0] };

const char *
rx_origin_text(enum rx_origin origin)
{
    static const char *const text[] = {"default", "recipe", "flag", "scaled with the batch"};
    return text[origin];
}

static int
number(const struct flag *f, const char *text, double *value, struct rx_error *error)
{
    char *end;
    errno = 0;
    const double v = strtod(text, &end);
    const int bad = *text == '\0' || *end != '\0' || errno != 0 || !isfinite(v) ||
                    (f->kind == INTEGER && v != floor(v));
    if (bad || !(v >= f->low && v <= f->high))
        return rx_error_user(error, "%s %.40s: is not %s from %.17g to %.17g", f->name, text,
                             f->kind == INTEGER ? "a whole number" : "a number", f->low, f->high);
    *value = v;
    return RX_OK;
}

// A list of ascending positive whole numbers, separated by commas.
static int
list(const struct flag *f, const char *text, int *to, int max, int *n, struct rx_error *error)
{
    *n = 0;
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        const long v = strtol(p, &end, 10);
        if (end == p || errno != 0 || v < 1 || v > 1000000 || *n == max ||
            (*n > 0 && v <= to[*n - 1]) || (*end != ',' && *end != '\0'))
            return rx_error_user(error,
                                 "%s %.60s: is not a list of at most %d ascending whole numbers, "
                                 "such as 30,60,90",
                                 f->name, text, max);
        to[(*n)++] = (int)v;
        if (*end == '\0')
            return RX_OK;
        p = end;
    }
}

// The number of a word in a list; -1 with a message.
static int
word(const struct flag *f, const char *text, const char *const *words, struct rx_error *error)
{
    char all[128] = "";
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0)
            return i;
        strcat(strcat(all, i > 0 ? ", " : ""), words[i]);
    }
    rx_error_user(error, "%s %.40s: is none of %s", f->name, text, all);
    return -1;
}

static int
set_word(const struct flag *f, const char *text, struct rx_settings *s, struct rx_error *error)
{
    static const char *const schedules[] = {"step", "cosine", NULL};
    static const char *const augments[] = {"none", "recipe", NULL};
    static const char *const modes[] = {"train", "infer", NULL};
    static const char *const splits[] = {"val", "train", NULL};
    static const char *const progress[] = {"auto", "bar", "plain", "json", "off", NULL};
    int v = 0;
    if (f->id == SCHEDULE && (v = word(f, text, schedules, error)) >= 0) {
        s->recipe.schedule = (enum rx_schedule)v;
        s->origin_schedule = RX_ORIGIN_FLAG;
    } else if (f->id == AUGMENT && (v = word(f, text, augments, error)) >= 0) {
        s->augment = v;
    } else if (f->id == MODE && (v = word(f, text, modes, error)) >= 0) {
        s->mode = text;
    } else if (f->id == SPLIT && (v = word(f, text, splits, error)) >= 0) {
        s->split = text;
    } else if (f->id == PROGRESS && (v = word(f, text, progress, error)) >= 0) {
        s->progress = (enum rx_progress_mode)v;
    }
    return error->status;
}

static int
set_text(const struct flag *f, const char *text, struct rx_settings *s, struct rx_error *error)
{
    struct rx_recipe *r = &s->recipe;
    switch (f->id) {
    case DATA:
        r->data = text, s->origin_data = RX_ORIGIN_FLAG;
        return RX_OK;
    case WEIGHTS:
        s->weights = text;
        return RX_OK;
    case SAVE:
        s->save = text;
        return RX_OK;
    case RUN:
        s->run = text;
        return RX_OK;
    case CONFUSION:
        s->confusion = text;
        return RX_OK;
    case INPUT:
        s->input = text;
        return RX_OK;
    case OUTPUT:
        s->output = text;
        return RX_OK;
    case LABELS:
        s->labels = text;
        return RX_OK;
    case TOPK:
        return list(f, text, s->topk, RX_TOPK_MAX, &s->n_topk, error);
    case MILESTONES:
        s->origin_milestones = RX_ORIGIN_FLAG;
        return list(f, text, r->milestone, RX_MILESTONES_MAX, &r->n_milestones, error);
    default:
        return set_word(f, text, s, error);
    }
}

static void
set_number(const struct flag *f, double v, struct rx_settings *s)
{
    struct rx_recipe *r = &s->recipe;
    switch (f->id) {
    case EPOCHS:
        r->epochs = (int)v, s->origin_epochs = RX_ORIGIN_FLAG;
        break;
    case STEPS:
        s->steps = (int64_t)v;
        break;
    case BATCH:
        r->batch = (int)v, s->origin_batch = RX_ORIGIN_FLAG;
        break;
    case LR:
        r->lr = v, s->origin_lr = RX_ORIGIN_FLAG;
        break;
    case MOMENTUM:
        r->momentum = v, s->origin_momentum = RX_ORIGIN_FLAG;
        break;
    case WD:
        r->wd = v, s->origin_wd = RX_ORIGIN_FLAG;
        break;
    case GAMMA:
        r->gamma = v, s->origin_gamma = RX_ORIGIN_FLAG;
        break;
    case WARMUP:
        r->warmup_epochs = v, s->origin_warmup_epochs = RX_ORIGIN_FLAG;
        break;
    case SMOOTHING:
        r->label_smoothing = v, s->origin_label_smoothing = RX_ORIGIN_FLAG;
        break;
    case SEED:
        s->seed = (int64_t)v;
        break;
    case THREADS:
        s->threads = (int64_t)v;
        break;
    case WORKERS:
        s->workers = (int64_t)v;
        break;
    case EVAL_EVERY:
        s->eval_every = (int64_t)v;
        break;
    case CHECKPOINT_EVERY:
        s->checkpoint_every = (int64_t)v;
        break;
    default:
        break;
    }
}

static void
set_switch(const struct flag *f, struct rx_settings *s)
{
    switch (f->id) {
    case NESTEROV:
        s->recipe.nesterov = 1, s->origin_nesterov = RX_ORIGIN_FLAG;
        break;
    case NO_NESTEROV:
        s->recipe.nesterov = 0, s->origin_nesterov = RX_ORIGIN_FLAG;
        break;
    case NO_DECAY_BN:
        s->recipe.no_decay_bn = 1, s->origin_no_decay_bn = RX_ORIGIN_FLAG;
        break;
    case SHUFFLE:
        s->shuffle = 1;
        break;
    case NO_SHUFFLE:
        s->shuffle = 0;
        break;
    case JSON:
        s->json = 1;
        break;
    case KERNELS:
        s->kernels = 1;
        break;
    case HELP:
        s->help = 1;
        break;
    default:
        break;
    }
}

static const struct flag *
find(const char *name, enum rx_command command)
{
    for (int i = 0; i < N_FLAGS; i++)
        if (strcmp(FLAGS[i].name, name) == 0 && (FLAGS[i].commands >> command & 1))
            return &FLAGS[i];
    return NULL;
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
    const enum rx_origin r = RX_ORIGIN_RECIPE;
    struct rx_settings s = {.recipe = plan->recipe,
                            .origin_epochs = r,
                            .origin_batch = r,
                            .origin_lr = r,
                            .origin_momentum = r,
                            .origin_wd = r,
                            .origin_nesterov = r,
                            .origin_schedule = r,
                            .origin_milestones = r,
                            .origin_gamma = r,
                            .origin_warmup_epochs = r,
                            .origin_label_smoothing = r,
                            .origin_no_decay_bn = r,
                            .origin_data = r,
                            .shuffle = 1,
                            .augment = 1,
                            .seed = 1,
                            .threads = cores(),
                            .workers = 1,
                            .eval_every = 1,
                            .split = "val",
                            .mode = "train",
                            .n_topk = 2,
                            .topk = {1, 5}};
    if (command == RX_COMMAND_BENCH) {
        s.steps = 10;
        s.recipe.batch = 16;
    }
    return s;
}

int
rx_settings_parse(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
                  struct rx_settings *s, struct rx_error *error)
{
    *s = defaults(command, plan);
    for (int i = 1; i < argc && error->status == RX_OK; i++) {
        const struct flag *f = find(argv[i], command);
        if (f == NULL)
            return rx_error_user(error, "%.64s: unknown %s: --help lists the options", argv[i],
                                 argv[i][0] == '-' ? "option" : "argument");
        if (f->id == LATER)
            return rx_error_user(error, "%s: comes with a later version", f->name);
        if (f->kind == NONE) {
            set_switch(f, s);
            continue;
        }
        if (f->kind == OPTIONAL) {
            s->resume = 1;
            s->resume_folder = i + 1 < argc && argv[i + 1][0] != '-' ? argv[++i] : NULL;
            continue;
        }
        if (i + 1 == argc)
            return rx_error_user(error, "%s: its value is missing", f->name);
        double v = 0;
        if (f->kind == TEXT)
            set_text(f, argv[++i], s, error);
        else if (number(f, argv[++i], &v, error) == RX_OK)
            set_number(f, v, s);
    }
    // The recipe's rate belongs to its batch.
    if (s->origin_batch == RX_ORIGIN_FLAG && s->origin_lr == RX_ORIGIN_RECIPE &&
        s->recipe.batch != plan->recipe.batch) {
        s->recipe.lr = plan->recipe.lr * s->recipe.batch / plan->recipe.batch;
        s->origin_lr = RX_ORIGIN_SCALED;
    }
    return error->status;
}
