// Settings as JSON, for config.json and checkpoints, and as --help shows them.
#include <stdio.h>
#include <string.h>

#include "runtime/options_table.h"

static const char *const origins[] = {"default", "recipe", "flag", "scaled with the batch"};

enum { N_ORIGINS = sizeof origins / sizeof origins[0], VALUE_CHARS = 512 };

static json_t *
list_json(const int *list)
{
    json_t *array = json_array();
    for (int i = 0; i < list[0]; i++)
        json_array_append_new(array, json_integer(list[1 + i]));
    return array;
}

// Numbers of which 0 means "not set" and texts that are not there become null.
static json_t *
value_json(const struct rx_flag *f, struct rx_settings *s)
{
    const void *v = rx_flag_value(f, s);
    const char *text = NULL;
    switch (f->kind) {
    case RX_FLAG_SWITCH:
        return json_boolean(*(const int *)v == (int)f->low);
    case RX_FLAG_INT:
        return json_integer(*(const int *)v);
    case RX_FLAG_INTEGER: {
        const int64_t n = *(const int64_t *)v;
        return n == 0 && f->low > 0 ? json_null() : json_integer(n);
    }
    case RX_FLAG_REAL:
        return json_real(*(const double *)v);
    case RX_FLAG_WORD:
        return json_string(f->words[*(const int *)v]);
    case RX_FLAG_LIST:
        return list_json(v);
    case RX_FLAG_TEXT:
        memcpy(&text, v, sizeof text);
        return text != NULL ? json_string(text) : json_null();
    case RX_FLAG_RESUME:
    case RX_FLAG_LATER:
        break;
    }
    return json_null();
}

static void
put(json_t *config, const char *key, json_t *value, enum rx_origin origin)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "value", value != NULL ? value : json_null());
    json_object_set_new(entry, "from", json_string(origins[origin]));
    json_object_set_new(config, key, entry);
}

static json_t *
reals_json(const double *v, int n)
{
    json_t *array = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(array, json_real(v[i]));
    return array;
}

json_t *
rx_settings_config(const struct rx_settings *settings)
{
    struct rx_settings s = *settings;
    json_t *config = json_object();
    for (int i = 0; i < rx_flags_n; i++)
        if (rx_flags[i].key != NULL)
            put(config, rx_flags[i].key, value_json(&rx_flags[i], &s), s.origin[i]);
    put(config, "crop_pad", json_integer(s.recipe.crop_pad), RX_ORIGIN_RECIPE);
    put(config, "flip", json_boolean(s.recipe.flip), RX_ORIGIN_RECIPE);
    put(config, "mean", reals_json(s.recipe.mean, s.recipe.n_mean), RX_ORIGIN_RECIPE);
    put(config, "std", reals_json(s.recipe.std, s.recipe.n_mean), RX_ORIGIN_RECIPE);
    return config;
}

// A value as its flag would be given it; NULL if it is of no kind that a flag has.
static const char *
text_of(const json_t *value, char buffer[VALUE_CHARS])
{
    int n = 0;
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(buffer, VALUE_CHARS, "%lld", (long long)json_integer_value(value));
        return buffer;
    }
    if (json_is_real(value)) {
        snprintf(buffer, VALUE_CHARS, "%.17g", json_real_value(value));
        return buffer;
    }
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        const long long v = (long long)json_integer_value(json_array_get(value, i));
        n += snprintf(buffer + n, (size_t)(VALUE_CHARS - n), "%s%lld", i > 0 ? "," : "", v);
        if (n >= VALUE_CHARS)
            return NULL;
    }
    return json_is_array(value) && n > 0 ? buffer : NULL;
}

static enum rx_origin
origin_of(const json_t *entry)
{
    const char *from = json_string_value(json_object_get(entry, "from"));
    for (int i = 0; from != NULL && i < N_ORIGINS; i++)
        if (strcmp(from, origins[i]) == 0)
            return (enum rx_origin)i;
    return RX_ORIGIN_DEFAULT;
}

static int
restore_one(const struct rx_flag *f, const json_t *value, const char *where, struct rx_settings *s,
            struct rx_error *error)
{
    char buffer[VALUE_CHARS];
    if (json_is_boolean(value) && f->kind == RX_FLAG_SWITCH) {
        *(int *)rx_flag_value(f, s) = json_is_true(value) ? (int)f->low : !(int)f->low;
        return RX_OK;
    }
    if (json_is_array(value) && json_array_size(value) == 0 && f->kind == RX_FLAG_LIST) {
        *(int *)rx_flag_value(f, s) = 0;
        return RX_OK;
    }
    const char *text = text_of(value, buffer);
    if (text == NULL || f->kind == RX_FLAG_SWITCH)
        return rx_error_user(error, "%s: its recipe has a wrong %s", where, f->key);
    struct rx_error why = {0};
    if (rx_flag_set(f, text, s, &why) != RX_OK)
        return rx_error_user(error, "%s: its recipe: %.300s", where, why.text);
    return RX_OK;
}

int
rx_settings_restore(struct rx_settings *s, const json_t *config, const char *where,
                    struct rx_error *error)
{
    const int rebound = rx_settings_origin(s, "--epochs") == RX_ORIGIN_FLAG ||
                        rx_settings_origin(s, "--steps") == RX_ORIGIN_FLAG;
    for (int i = 0; i < rx_flags_n; i++) {
        const struct rx_flag *f = &rx_flags[i];
        const json_t *entry = f->key != NULL ? json_object_get(config, f->key) : NULL;
        const json_t *value = json_object_get(entry, "value");
        // Another bound replaces the run's --steps.
        const int is_old_bound = rebound && strcmp(f->name, "--steps") == 0;
        if (value == NULL || json_is_null(value) || s->origin[i] == RX_ORIGIN_FLAG || is_old_bound)
            continue;
        const int status = restore_one(f, value, where, s, error);
        if (status != RX_OK)
            return status;
        s->origin[i] = origin_of(entry);
    }
    return RX_OK;
}

static const char *const usage[RX_COMMANDS] = {
    [RX_COMMAND_TRAIN] = "usage: train [--data SPEC] [options]      trains the network",
    [RX_COMMAND_EVAL] = "usage: eval --weights F.safetensors [--data SPEC] [options]      "
                        "evaluates weights",
    [RX_COMMAND_INFER] = "usage: infer --weights F.safetensors --input X.safetensors --output "
                         "Y.safetensors [options]",
    [RX_COMMAND_BENCH] = "usage: bench [options]      times steps on synthetic images",
};

void
rx_settings_help(enum rx_command command, struct rx_text *out)
{
    rx_text_printf(out, "%s\n", usage[command]);
    for (int i = 0; i < rx_flags_n; i++) {
        const struct rx_flag *f = &rx_flags[i];
        char left[64];
        if (!(f->commands >> command & 1))
            continue;
        snprintf(left, sizeof left, "%s %s", f->name, f->argument != NULL ? f->argument : "");
        rx_text_printf(out, "  %-36s %s\n", left, f->help);
    }
}
