// --set KEY=VALUE, and the fields that it overrides.
#include "gen/front/settings.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/front/read.h"
#include "runtime/base/suggest.h"

static const char *const passed_on[] = {"name",
                                        "recipe"};  // not fields, but an author's all the same

enum { N_PASSED_ON = 2, BOUND = 1 << 30, TEXT_CHARS = 400 };

static int
is_allowed(const struct rx_field *field, int64_t value)
{
    for (int i = 0; i < field->n_choices; i++)
        if (field->choice[i] == value)
            return 1;
    return field->n_choices == 0 && value >= field->low && value <= field->high &&
           (value - field->low) % field->step == 0;
}

// "one of 26, 50, 101", "9n + 2, from 11 to 1001" or "from 1 to 64".
static void
rule_text(const struct rx_field *field, char out[TEXT_CHARS])
{
    size_t n = 0;
    if (field->n_choices > 0)
        n += (size_t)snprintf(out, TEXT_CHARS, "one of ");
    else if (field->step > 1)
        n += (size_t)snprintf(out, TEXT_CHARS, "%lldn + %lld, from %lld to %lld",
                              (long long)field->step, (long long)(field->low % field->step),
                              (long long)field->low, (long long)field->high);
    else
        n += (size_t)snprintf(out, TEXT_CHARS, "from %lld to %lld", (long long)field->low,
                              (long long)field->high);
    for (int i = 0; i < field->n_choices; i++)
        n += (size_t)snprintf(out + n, TEXT_CHARS - n, "%s%lld", i > 0 ? ", " : "",
                              (long long)field->choice[i]);
}

static void
read_choices(const struct rx_reader *r, struct rx_field *field)
{
    field->n_choices = rx_read_integers(r, "choices", -BOUND, BOUND, RX_CHOICES_MAX, field->choice);
    if (field->n_choices == 0)
        rx_front_fail(r->L, r->what, "%s has no choices: a list of at least one", field->name);
    field->low = field->high = field->choice[0];
    for (int i = 1; i < field->n_choices; i++) {
        field->low = field->choice[i] < field->low ? field->choice[i] : field->low;
        field->high = field->choice[i] > field->high ? field->choice[i] : field->high;
    }
}

// A copy of one of the declaration's texts, "" where it is absent.
static const char *
text_of(const struct rx_reader *r, const char *key)
{
    return rx_arena_text(&rx_front_of(r->L)->output->graph->arena,
                         rx_read_has(r, key) ? rx_read_text(r, key) : "");
}

// Reads the declaration at the top of the stack. Its default, where it has one, goes to `value`
// and 1 to `has_value`.
static struct rx_field
read_declaration(lua_State *L, int *has_value)
{
    static const char *const known[] = {"choices", "default", "help", "high",
                                        "low",     "name",    "step", NULL};
    const int declaration = lua_gettop(L);
    const struct rx_reader r = rx_reader_open(L, declaration, "fields", known);
    struct rx_field field = {.name = text_of(&r, "name"), .step = 1, .help = text_of(&r, "help")};
    if (!rx_name_is_valid(field.name, strlen(field.name)))
        rx_front_fail(L, "fields", "a field is named \"%.64s\": names are 1..64 of A-Z a-z 0-9 _ .",
                      field.name);
    if (rx_read_has(&r, "choices")) {
        read_choices(&r, &field);
    } else {
        field.low = rx_read_integer(&r, "low", -BOUND, BOUND);
        field.high = rx_read_integer(&r, "high", field.low, BOUND);
        field.step = rx_read_integer_or(&r, "step", 1, BOUND, 1);
    }
    *has_value = rx_read_has(&r, "default");
    field.value = rx_read_integer_or(&r, "default", -BOUND, BOUND, 0);
    lua_settop(L, declaration);
    return field;
}

// What --set says of a field: the last setting of that name, or the value as it is.
static int64_t
overridden(lua_State *L, const struct rx_field *field, int64_t value, int *has_value)
{
    const struct rx_front_input *in = rx_front_of(L)->input;
    char rule[TEXT_CHARS], where[TEXT_CHARS];
    for (int i = 0; i < in->n_settings; i++) {
        const char *text = in->setting[i].value;
        if (strcmp(in->setting[i].key, field->name) != 0)
            continue;
        char *end;
        const long long number = strtoll(text, &end, 10);  // the far ends where it does not fit
        const size_t first = text[0] == '-';
        if (*end != '\0' || strspn(text + first, "0123456789") == 0 || !is_allowed(field, number)) {
            rule_text(field, rule);
            snprintf(where, sizeof where, "--set %s=%.64s", field->name, text);
            rx_front_fail_at(L, where, "%s is an integer, %s", field->name, rule);
        }
        value = number;
        *has_value = 1;
    }
    return value;
}

// The author's value of a field in the table `given`, checked.
static int64_t
authors_value(lua_State *L, int given, const struct rx_field *field, int64_t value, int *has_value)
{
    char rule[TEXT_CHARS], place[RX_PLACE_CHARS];
    lua_pushstring(L, field->name);
    if (lua_rawget(L, given) != LUA_TNIL) {
        int is_integer = 0;
        value = lua_tointegerx(L, -1, &is_integer);
        *has_value = 1;
        if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || !is_allowed(field, value)) {
            rule_text(field, rule);
            const char *shown = luaL_tolstring(L, -1, NULL);
            if (lua_istable(L, -2) || lua_isfunction(L, -2))
                shown = luaL_typename(L, -2);
            rx_front_fail_at(L, rx_front_place(rx_front_author(L), place),
                             "%s is %.64s: it is an integer, %s", field->name, shown, rule);
        }
    }
    lua_pop(L, 1);
    return value;
}

// The names of all fields, for messages.
static void
all_names(const struct rx_front_output *output, char out[TEXT_CHARS])
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < output->n_fields && n < TEXT_CHARS; i++)
        n += (size_t)snprintf(out + n, TEXT_CHARS - n, "%s%s", i > 0 ? ", " : "",
                              output->field[i].name);
}

static int
is_field(const struct rx_front_output *output, const char *name)
{
    for (int i = 0; i < output->n_fields; i++)
        if (strcmp(output->field[i].name, name) == 0)
            return 1;
    return 0;
}

_Noreturn static void
fail_unknown(lua_State *L, const char *where, const char *name)
{
    const struct rx_front_output *output = rx_front_of(L)->output;
    const char *words[RX_FIELDS_MAX];
    char all[TEXT_CHARS];
    for (int i = 0; i < output->n_fields; i++)
        words[i] = output->field[i].name;
    all_names(output, all);
    const char *near = rx_suggest(name, words, output->n_fields);
    if (near != NULL)
        rx_front_fail_at(L, where, "the model has no field %.64s; nearest: %s (of %s)", name, near,
                         all);
    rx_front_fail_at(L, where, "the model has no field %.64s: its fields are %s", name, all);
}

// Keys of the author's table and of --set must be fields.
static void
check_keys(lua_State *L, int given)
{
    const struct rx_front *f = rx_front_of(L);
    char where[TEXT_CHARS], place[RX_PLACE_CHARS];
    const char *wrong = NULL;
    for (lua_pushnil(L); lua_next(L, given) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const int passes = strcmp(key, passed_on[0]) == 0 || strcmp(key, passed_on[1]) == 0;
        if (!passes && !is_field(f->output, key) && (wrong == NULL || strcmp(key, wrong) < 0))
            wrong = key;
    }
    if (wrong != NULL)
        fail_unknown(L, rx_front_place(rx_front_author(L), place), wrong);
    for (int i = 0; i < f->input->n_settings; i++)
        if (!is_field(f->output, f->input->setting[i].key)) {
            snprintf(where, sizeof where, "--set %.64s=%.64s", f->input->setting[i].key,
                     f->input->setting[i].value);
            fail_unknown(L, where, f->input->setting[i].key);
        }
}

// Reads the declaration at the top of the stack into the output's next field.
static void
declare(lua_State *L, int given)
{
    struct rx_front_output *output = rx_front_of(L)->output;
    if (output->n_fields == RX_FIELDS_MAX)
        rx_front_fail(L, "fields", "more than %d fields: declare fewer", RX_FIELDS_MAX);
    int has_value = 0;
    struct rx_field field = read_declaration(L, &has_value);
    if (is_field(output, field.name))
        rx_front_fail(L, "fields", "%s is declared twice", field.name);
    field.value = authors_value(L, given, &field, field.value, &has_value);
    field.value = overridden(L, &field, field.value, &has_value);
    char rule[TEXT_CHARS], place[RX_PLACE_CHARS];
    if (!has_value || !is_allowed(&field, field.value)) {
        rule_text(&field, rule);
        rx_front_fail_at(L, rx_front_place(rx_front_author(L), place),
                         "%s is missing: it is an integer, %s", field.name, rule);
    }
    output->field[output->n_fields++] = field;
}

static void
push_result(lua_State *L, int given)
{
    const struct rx_front_output *output = rx_front_of(L)->output;
    lua_newtable(L);
    for (int i = 0; i < output->n_fields; i++) {
        lua_pushinteger(L, output->field[i].value);
        lua_setfield(L, -2, output->field[i].name);
    }
    for (int i = 0; i < N_PASSED_ON; i++) {
        lua_pushstring(L, passed_on[i]);
        lua_rawget(L, given);
        lua_setfield(L, -2, passed_on[i]);
    }
}

static int
word_fields(lua_State *L)
{
    struct rx_front *f = rx_front_of(L);
    if (f->has_fields)
        rx_front_fail(L, "fields", "a model declares its fields once");
    f->has_fields = 1;
    lua_settop(L, 2);
    for (int i = 1; i <= 2; i++)
        if (!lua_istable(L, i))
            rx_front_fail(L, "fields", "argument %d is a %s: it is a table", i,
                          luaL_typename(L, i));
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        declare(L, 1);
        lua_settop(L, 2);
    }
    check_keys(L, 1);
    push_result(L, 1);
    return 1;
}

void
rx_settings_add(lua_State *L)
{
    lua_pushcfunction(L, word_fields);
    lua_setfield(L, -2, "fields");
}

void
rx_settings_check(lua_State *L)
{
    const struct rx_front *f = rx_front_of(L);
    char where[TEXT_CHARS];
    if (f->has_fields || f->input->n_settings == 0)
        return;
    snprintf(where, sizeof where, "--set %.64s=%.64s", f->input->setting[0].key,
             f->input->setting[0].value);
    rx_front_fail_at(L, where, "the model has no fields that could be set");
}
