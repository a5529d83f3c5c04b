// The table of flags: name, value, help, commands, kind, range, place, key in config.json.
#include "runtime/options_table.h"

#include <assert.h>

enum { T = 1 << RX_COMMAND_TRAIN, E = 1 << RX_COMMAND_EVAL, I = 1 << RX_COMMAND_INFER };
enum { B = 1 << RX_COMMAND_BENCH, ALL = T | E | I | B };

static const char *const schedules[] = {"step", "cosine", NULL};  // as rx_schedule
static const char *const augments[] = {"none", "recipe", NULL};
static const char *const splits[] = {"train", "val", NULL};   // as rx_split
static const char *const modes[] = {"train", "infer", NULL};  // as RX_MODE_*
static const char *const progress[] = {"auto", "bar", "plain", "json", "off", NULL};

static const double SEED_MAX = 9007199254740991.0;  // every whole number up to it is a double

#define AT(field) offsetof(struct rx_settings, field)
#define TEXT(field, key) RX_FLAG_TEXT, 0, 0, NULL, AT(field), key
#define INT(low, high, field, key) RX_FLAG_INT, low, high, NULL, AT(field), key
#define INTEGER(low, high, field, key) RX_FLAG_INTEGER, low, high, NULL, AT(field), key
#define REAL(low, high, field, key) RX_FLAG_REAL, low, high, NULL, AT(field), key
#define SWITCH(value, field, key) RX_FLAG_SWITCH, value, value, NULL, AT(field), key
#define WORD(words, field, key) RX_FLAG_WORD, 0, 0, words, AT(field), key
#define LIST(count, max, key) RX_FLAG_LIST, 1, max, NULL, AT(count), key
#define LATER RX_FLAG_LATER, 0, 0, NULL, 0, NULL

const struct rx_flag rx_flags[] = {
    {"--data", "SPEC", "fashion-mnist[:DIR], synthetic[:N] or tensors:FILE.safetensors", T | E,
     TEXT(recipe.data, "data")},
    {"--epochs", "N", "stop after N epochs", T, INT(1, 1e6, recipe.epochs, "epochs")},
    {"--steps", "N", "train: stop after N steps; bench: steps to time", T | B,
     INTEGER(1, 1e12, steps, "steps")},
    {"--batch", "N", "images a step", ALL, INT(1, 65536, recipe.batch, "batch")},
    {"--lr", "F", "learning rate; without it the recipe's is scaled to the batch", T,
     REAL(0, 1e6, recipe.lr, "lr")},
    {"--momentum", "F", "of SGD", T, REAL(0, 1, recipe.momentum, "momentum")},
    {"--wd", "F", "weight decay", T, REAL(0, 1e3, recipe.wd, "wd")},
    {"--nesterov", NULL, "Nesterov's momentum", T, SWITCH(1, recipe.nesterov, "nesterov")},
    {"--no-nesterov", NULL, "plain momentum", T, SWITCH(0, recipe.nesterov, NULL)},
    {"--schedule", "step|cosine", "of the learning rate", T,
     WORD(schedules, recipe.schedule, "schedule")},
    {"--milestones", "A,B,C", "epochs complete when the rate is multiplied by gamma", T,
     LIST(recipe.n_milestones, RX_MILESTONES_MAX, "milestones")},
    {"--gamma", "F", "see --milestones", T, REAL(0, 1e3, recipe.gamma, "gamma")},
    {"--warmup-epochs", "N", "epochs over which the rate rises to its full value", T,
     REAL(0, 1e6, recipe.warmup_epochs, "warmup_epochs")},
    {"--label-smoothing", "F", "share of the loss that every class gets", T,
     REAL(0, 1, recipe.label_smoothing, "label_smoothing")},
    {"--no-decay-bn", NULL, "no weight decay on batch norms", T,
     SWITCH(1, recipe.no_decay_bn, "no_decay_bn")},
    {"--weights", "F.safetensors", "weights to start from", T, TEXT(weights, "weights")},
    {"--weights", "F.safetensors", "weights to use", E | I, TEXT(weights, NULL)},
    {"--save", "F.safetensors", "write the last weights there", T, TEXT(save, "save")},
    {"--run", "DIR", "run folder; default: the next runs/NNN beside the program", T,
     TEXT(run, NULL)},
    {"--resume", "[DIR]", "go on with the run in DIR, or in --run's", T, RX_FLAG_RESUME, 0, 0, NULL,
     AT(resume_folder), NULL},
    {"--seed", "N", "of initial values, order and augmentation", T,
     INTEGER(0, SEED_MAX, seed, "seed")},
    {"--threads", "N", "that compute; default: all cores", ALL,
     INTEGER(1, 1024, threads, "threads")},
    {"--workers", "N", "threads that load; 0: the training thread loads", T | E,
     INTEGER(0, 256, workers, "workers")},
    {"--augment", "recipe|none", "random changes of training images", T,
     WORD(augments, augment, "augment")},
    {"--shuffle", NULL, "a new order each epoch", T, SWITCH(1, shuffle, "shuffle")},
    {"--no-shuffle", NULL, "the data's order", T, SWITCH(0, shuffle, NULL)},
    {"--eval-every", "N", "epochs between evaluations", T,
     INTEGER(1, 1e6, eval_every, "eval_every")},
    {"--checkpoint-every", "STEPS", "besides those at evaluations", T,
     INTEGER(1, 1e12, checkpoint_every, "checkpoint_every")},
    {"--progress", "auto|bar|plain|json|off", "what is shown", T, WORD(progress, progress, NULL)},
    {"--split", "val|train", "images to evaluate", E, WORD(splits, split, NULL)},
    {"--topk", "1,5", "accuracies to report", E, LIST(n_topk, RX_TOPK_MAX, NULL)},
    {"--topk", "K", "print each image's K best classes", I, INT(1, 1e6, n_best, NULL)},
    {"--confusion", "F.csv", "write counts: a row a true class, a column a predicted one", E,
     TEXT(confusion, NULL)},
    {"--input", "X.safetensors", "`images`, F32 [N,C,H,W]", I, TEXT(input, NULL)},
    {"--output", "Y.safetensors", "`logits`, F32 [N,classes]", I, TEXT(output, NULL)},
    {"--labels", "FILE", "names of the classes, one a line", I, TEXT(labels, NULL)},
    {"--mode", "train|infer", "what to time", B, WORD(modes, mode, NULL)},
    {"--kernels", NULL, "time each kernel", B, SWITCH(1, kernels, NULL)},
    {"--json", NULL, "the result as JSON on standard output", E | I | B, SWITCH(1, json, NULL)},
    {"--help", NULL, "this text", ALL, SWITCH(1, help, NULL)},
    {"--on-nan", "stop|skip", "later", T, LATER},
    {"--accumulate", "N", "later", T, LATER},
    {"--ema", "F", "later", T, LATER},
    {"--mixup", "F", "later", T, LATER},
    {"--strict", NULL, "later", T, LATER},
    {"--crop", "center|ten", "later", E, LATER},
    {"--classes", "FILE", "later", E, LATER},
};

const int rx_flags_n = sizeof rx_flags / sizeof rx_flags[0];

_Static_assert(sizeof rx_flags / sizeof rx_flags[0] <= RX_FLAGS_MAX, "room for every origin");
// A list's values follow its count.
_Static_assert(AT(recipe.milestone) == AT(recipe.n_milestones) + sizeof(int), "milestones");
_Static_assert(AT(topk) == AT(n_topk) + sizeof(int), "topk");

void *
rx_flag_value(const struct rx_flag *flag, struct rx_settings *settings)
{
    assert(flag->kind != RX_FLAG_LATER);
    return (char *)settings + flag->offset;
}

int
rx_flag_home(const struct rx_flag *flag)
{
    int i = 0;
    while (rx_flags[i].offset != flag->offset || rx_flags[i].kind == RX_FLAG_LATER)
        i++;
    return i;
}
