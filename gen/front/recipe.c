// Checks and copies a recipe.
#include "gen/front/recipe.h"

#include <lauxlib.h>
#include <string.h>

#include "gen/front/read.h"
#include "runtime/base/suggest.h"

enum { EPOCHS_MAX = 100000, BATCH_MAX = 65536, PAD_MAX = 64, DATA_CHARS = 256 };

static const double TINY = 1e-12;  // stands for "above zero" in a closed range

static const char *const known[] = {
    "batch",    "crop_pad",        "data", "epochs",        "flip",     "gamma",
    "lr",       "label_smoothing", "mean", "milestones",    "momentum", "nesterov",
    "schedule", "no_decay_bn",     "std",  "warmup_epochs", "wd",       NULL,
};

// The text up to ':' is one of the sources that --data takes; the rest is the source's affair.
static const char *
read_data(const struct rx_reader *r)
{
    static const char *const sources[] = {"cifar10",  "cifar100", "fashion-mnist", "folder",
                                          "imagenet", "shards",   "synthetic",     "tensors"};
    enum { N_SOURCES = sizeof sources / sizeof sources[0] };
    lua_State *L = r->L;
    const char *data = rx_read_text(r, "data");
    const size_t n = strlen(data), scheme = strcspn(data, ":");
    for (size_t i = 0; i < n; i++)
        if (n > DATA_CHARS || data[i] < ' ' || data[i] > '~' || data[i] == '"' || data[i] == '\\')
            rx_front_fail(L, r->what,
                          "data is not at most %d printable characters without quotes "
                          "and backslashes",
                          DATA_CHARS);
    for (int i = 0; i < N_SOURCES; i++)
        if (strlen(sources[i]) == scheme && strncmp(data, sources[i], scheme) == 0)
            return rx_arena_text(&rx_front_of(L)->output->graph->arena, data);
    const char *near = rx_suggest(data, sources, N_SOURCES);
    rx_front_fail(L, r->what, "data \"%.64s\": it begins with %s", data,
                  near != NULL ? near
                               : "fashion-mnist, cifar10, cifar100, imagenet, folder, shards, "
                                 "synthetic or tensors");
}

static enum rx_schedule
read_schedule(const struct rx_reader *r)
{
    const char *text = rx_read_has(r, "schedule") ? rx_read_text(r, "schedule") : "step";
    if (strcmp(text, "step") != 0 && strcmp(text, "cosine") != 0)
        rx_front_fail(r->L, r->what, "schedule \"%.32s\": it is \"step\" or \"cosine\"", text);
    return strcmp(text, "cosine") == 0 ? RX_SCHEDULE_COSINE : RX_SCHEDULE_STEP;
}

static void
read_milestones(const struct rx_reader *r, struct rx_recipe *recipe)
{
    int64_t milestone[RX_MILESTONES_MAX];
    recipe->n_milestones =
        rx_read_integers(r, "milestones", 1, EPOCHS_MAX, RX_MILESTONES_MAX, milestone);
    for (int i = 0; i < recipe->n_milestones; i++) {
        if (i > 0 && milestone[i] <= milestone[i - 1])
            rx_front_fail(r->L, r->what, "milestones: %lld after %lld: they ascend",
                          (long long)milestone[i], (long long)milestone[i - 1]);
        recipe->milestone[i] = (int)milestone[i];
    }
}

static void
read_normalisation(const struct rx_reader *r, int channels, struct rx_recipe *recipe)
{
    recipe->n_mean = rx_read_numbers(r, "mean", -10, 10, RX_MEAN_MAX, recipe->mean);
    const int n_std = rx_read_numbers(r, "std", TINY, 10, RX_MEAN_MAX, recipe->std);
    if (recipe->n_mean != n_std)
        rx_front_fail(r->L, r->what, "mean has %d entries and std %d: one for each channel",
                      recipe->n_mean, n_std);
    if (n_std != 0 && n_std != channels)
        rx_front_fail(r->L, r->what, "mean and std have %d entries: the input has %d channels",
                      n_std, channels);
}

void
rx_recipe_read(lua_State *L, int channels, struct rx_recipe *recipe)
{
    if (!lua_istable(L, -1))
        rx_front_fail(L, "recipe", "it is a %s: it is a table such as { data = ..., batch = ... }",
                      luaL_typename(L, -1));
    const struct rx_reader r = rx_reader_open(L, -1, "recipe", known);
    *recipe = (struct rx_recipe){
        .data = read_data(&r),
        .epochs = (int)rx_read_integer(&r, "epochs", 1, EPOCHS_MAX),
        .batch = (int)rx_read_integer(&r, "batch", 1, BATCH_MAX),
        .lr = rx_read_number(&r, "lr", TINY, 1000),
        .momentum = rx_read_number_or(&r, "momentum", 0, 1, 0.9),
        .wd = rx_read_number_or(&r, "wd", 0, 1, 0),
        .nesterov = rx_read_flag_or(&r, "nesterov", 1),
        .schedule = read_schedule(&r),
        .gamma = rx_read_number_or(&r, "gamma", TINY, 1, 0.1),
        .warmup_epochs = rx_read_number_or(&r, "warmup_epochs", 0, EPOCHS_MAX, 0),
        .label_smoothing = rx_read_number_or(&r, "label_smoothing", 0, 1, 0),
        .no_decay_bn = rx_read_flag_or(&r, "no_decay_bn", 0),
        .crop_pad = (int)rx_read_integer_or(&r, "crop_pad", 0, PAD_MAX, 0),
        .flip = rx_read_flag_or(&r, "flip", 0),
    };
    read_milestones(&r, recipe);
    read_normalisation(&r, channels, recipe);
}
