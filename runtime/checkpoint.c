// Checkpoints.
#include "runtime/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/json.h"
#include "runtime/params.h"

static const char *
number_text(struct rx_arena *arena, int64_t value)
{
    return rx_arena_printf(arena, "%lld", (long long)value);
}

int
rx_checkpoint_save(struct rx_session *session, const char *path, const struct rx_settings *s,
                   const struct rx_place *place, struct rx_error *error)
{
    const struct rx_plan *plan = rx_session_plan(session);
    struct rx_arena arena = {0};
    json_t *config = rx_settings_config(s);
    char *recipe = json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(RX_JSON_DIGITS));
    json_decref(config);
    const struct rx_metadata metadata[] = {
        {"epoch", number_text(&arena, place->step / place->per_epoch)},
        {"step", number_text(&arena, place->step)},
        {"seed", number_text(&arena, s->seed)},
        {"position", number_text(&arena, place->step % place->per_epoch)},
        {"steps_per_epoch", number_text(&arena, place->per_epoch)},
        {"threads", number_text(&arena, rx_session_threads(session))},
        {"best", rx_arena_printf(&arena, "%.17g", place->best)},
        {"seconds", rx_arena_printf(&arena, "%.17g", place->seconds)},
        {"evaluate", place->evaluate ? "1" : "0"},
        {"recipe", recipe},
        {"model", plan->model},
        {"plan", plan->hash},
    };
    const int status = rx_params_save(session, path, RX_PARAMS_CHECKPOINT, place->batches, metadata,
                                      (int)(sizeof metadata / sizeof metadata[0]), error);
    free(recipe);
    rx_arena_close(&arena);
    return status;
}

// A whole number of the metadata, at least 0.
static int
number(const struct rx_safetensors *file, const char *key, int64_t *value, struct rx_error *error)
{
    const char *text = rx_safetensors_metadata(file, key);
    char *end = NULL;
    errno = 0;
    *value = text != NULL ? strtoll(text, &end, 10) : -1;
    if (text == NULL || end == text || *end != '\0' || errno != 0 || *value < 0)
        return rx_error_user(error,
                             "%s: its metadata has no number `%s`: it is not a checkpoint, such as "
                             "last.safetensors of a run",
                             file->path, key);
    return RX_OK;
}

// A number of the metadata, or what stands for one that is not there.
static double
real(const struct rx_safetensors *file, const char *key, double otherwise)
{
    const char *text = rx_safetensors_metadata(file, key);
    const double value = text != NULL ? strtod(text, NULL) : otherwise;
    return isfinite(value) ? value : otherwise;
}

static int
is_text(const struct rx_safetensors *file, const char *key, const char *expected)
{
    const char *text = rx_safetensors_metadata(file, key);
    return text != NULL && strcmp(text, expected) == 0;
}

static int
read_place(struct rx_checkpoint *c, struct rx_error *error)
{
    struct rx_place *p = &c->place;
    int64_t evaluate = 0;
    int status = number(&c->file, "step", &p->step, error);
    if (status == RX_OK)
        status = number(&c->file, "steps_per_epoch", &p->per_epoch, error);
    if (status == RX_OK)
        status = number(&c->file, "evaluate", &evaluate, error);
    p->evaluate = evaluate != 0;
    p->best = real(&c->file, "best", -1);
    p->seconds = real(&c->file, "seconds", 0);
    return status;
}

static int
read_recipe(struct rx_checkpoint *c, struct rx_settings *s, struct rx_error *error)
{
    const char *text = rx_safetensors_metadata(&c->file, "recipe");
    c->recipe = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(c->recipe))
        return rx_error_user(error, "%s: its metadata has no recipe: it is not a checkpoint",
                             c->file.path);
    return rx_settings_restore(s, c->recipe, c->file.path, error);
}

// What a run cannot change on its way.
static int
check_fixed(const struct rx_checkpoint *c, const struct rx_settings *s, struct rx_error *error)
{
    int64_t seed;
    const json_int_t batch =
        json_integer_value(json_object_get(json_object_get(c->recipe, "batch"), "value"));
    int status = number(&c->file, "seed", &seed, error);
    if (status == RX_OK && seed != s->seed)
        status = rx_error_user(error, "--seed %lld: the run was started with --seed %lld",
                               (long long)s->seed, (long long)seed);
    if (status == RX_OK && batch != s->recipe.batch)
        status = rx_error_user(error, "--batch %d: the run was started with --batch %lld",
                               s->recipe.batch, (long long)batch);
    return status;
}

int
rx_checkpoint_open(struct rx_checkpoint *c, const char *path, const struct rx_plan *plan,
                   struct rx_settings *s, struct rx_error *error)
{
    int64_t threads = 0;
    int status = rx_safetensors_open(&c->file, path, error);
    if (status == RX_OK)
        status = read_place(c, error);
    if (status == RX_OK)
        status = read_recipe(c, s, error);
    if (status == RX_OK)
        status = check_fixed(c, s, error);
    if (status == RX_OK)
        status = number(&c->file, "threads", &threads, error);
    if (status != RX_OK)
        return status;
    c->is_other_plan =
        !is_text(&c->file, "plan", plan->hash) || !is_text(&c->file, "model", plan->model);
    c->is_other_threads = threads != s->threads;
    return RX_OK;
}

int
rx_checkpoint_restore(struct rx_checkpoint *c, struct rx_session *session, struct rx_error *error)
{
    const int status = rx_params_restore(session, &c->file, &c->place.batches, error);
    rx_safetensors_close(&c->file);
    return status;
}

void
rx_checkpoint_close(struct rx_checkpoint *c)
{
    rx_safetensors_close(&c->file);
    json_decref(c->recipe);
    c->recipe = NULL;
}
