// The model's name and its fields, which --set may override:
//   model("resnext50_32x4d")
//   local depth = field("depth", 50, 26, 200, "layers")
#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "gen/front/internal.h"

enum { MODEL_NAME_MAX = 64 };

static int
is_reserved(const char *name)
{
    static const char *const reserved[] = {"train", "eval", "infer", "bench", "emu", "build"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i]) == 0)
            return 1;
    return 0;
}

static int
lua_model(lua_State *lua)
{
    struct rx_sandbox *s = rx_sandbox_of(lua);
    const char *name = lua_type(lua, 1) == LUA_TSTRING ? lua_tostring(lua, 1) : "";
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    const size_t n = strlen(name);
    if (n < 1 || n > MODEL_NAME_MAX || strspn(name, allowed) != n || name[0] == '.')
        return rx_sandbox_raise(lua, "model: its name is 1 to %d of A-Z a-z 0-9 _ and .",
                                MODEL_NAME_MAX);
    if (is_reserved(name))
        return rx_sandbox_raise(lua,
                                "model: the name %s is taken by a program or a folder: "
                                "choose another",
                                name);
    s->output->graph->name = rx_arena_text(&s->output->graph->arena, name);
    s->named = 1;
    return 0;
}

static const char *
setting(struct rx_sandbox *s, const char *key)
{
    const char *value = NULL;
    for (int i = 0; i < s->input->n_settings; i++)
        if (strcmp(s->input->setting[i].key, key) == 0) {
            value = s->input->setting[i].value;
            s->used[i] = 1;
        }
    return value;
}

static int64_t
parse(lua_State *lua, const struct rx_field *f, const char *text)
{
    struct rx_sandbox *s = rx_sandbox_of(lua);
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || v < f->low || v > f->high) {
        rx_error_user(s->error, "--set %s=%.40s: is not an integer from %lld to %lld", f->name,
                      text, (long long)f->low, (long long)f->high);
        rx_sandbox_raise(lua, "set");
    }
    return v;
}

static int
lua_field(lua_State *lua)
{
    struct rx_sandbox *s = rx_sandbox_of(lua);
    struct rx_front_output *o = s->output;
    if (o->n_fields == RX_FIELDS_MAX)
        return rx_sandbox_raise(lua, "field: a model has at most %d", RX_FIELDS_MAX);
    struct rx_field *f = &o->field[o->n_fields++];
    *f = (struct rx_field){.name = rx_arena_text(&o->graph->arena, luaL_checkstring(lua, 1)),
                           .value = luaL_checkinteger(lua, 2),
                           .low = luaL_checkinteger(lua, 3),
                           .high = luaL_checkinteger(lua, 4),
                           .help = rx_arena_text(&o->graph->arena, luaL_optstring(lua, 5, ""))};
    const char *text = setting(s, f->name);
    if (text != NULL)
        f->value = parse(lua, f, text);
    if (f->value < f->low || f->value > f->high)
        return rx_sandbox_raise(lua, "%s %lld: is not from %lld to %lld", f->name,
                                (long long)f->value, (long long)f->low, (long long)f->high);
    lua_pushinteger(lua, f->value);
    return 1;
}

void
rx_settings_open(lua_State *lua)
{
    lua_register(lua, "model", lua_model);
    lua_register(lua, "field", lua_field);
}

int
rx_settings_check(const struct rx_sandbox *s)
{
    for (int i = 0; i < s->input->n_settings; i++) {
        if (s->used[i])
            continue;
        struct rx_text names = {0};
        for (int j = 0; j < s->output->n_fields; j++)
            rx_text_printf(&names, " %s", s->output->field[j].name);
        const int status =
            rx_error_user(s->error, "--set %.64s: %s has no such field; it has:%s",
                          s->input->setting[i].key, s->input->path, rx_text_str(&names));
        rx_text_close(&names);
        return status;
    }
    return RX_OK;
}
