// The recipe: recipe { data = "fashion-mnist", epochs = 5, batch = 64, lr = 0.1, ... }. Every key
// is checked; what is missing has the paper's value.
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "gen/front/internal.h"

static const char *const KEYS[] = {
    "data",        "epochs",   "batch",      "lr",    "momentum",      "wd",
    "nesterov",    "schedule", "milestones", "gamma", "warmup_epochs", "label_smoothing",
    "no_decay_bn", "crop_pad", "flip",       "mean",  "std",
};

static double
number(lua_State *lua, const char *key, double otherwise, double low, double high)
{
    lua_getfield(lua, 1, key);
    double v = otherwise;
    if (!lua_isnil(lua, -1)) {
        if (lua_type(lua, -1) != LUA_TNUMBER)
            rx_sandbox_raise(lua, "recipe: %s is not a number", key);
        v = lua_tonumber(lua, -1);
        if (!(v >= low && v <= high))
            rx_sandbox_raise(lua, "recipe: %s = %g: it is from %g to %g", key, v, low, high);
    }
    lua_pop(lua, 1);
    return v;
}

static int
integer(lua_State *lua, const char *key, int otherwise, int low, int high)
{
    const double v = number(lua, key, otherwise, low, high);
    if (v != floor(v))
        rx_sandbox_raise(lua, "recipe: %s = %g: it is a whole number", key, v);
    return (int)v;
}

static int
flag(lua_State *lua, const char *key, int otherwise)
{
    lua_getfield(lua, 1, key);
    int v = otherwise;
    if (!lua_isnil(lua, -1)) {
        if (!lua_isboolean(lua, -1))
            rx_sandbox_raise(lua, "recipe: %s is true or false", key);
        v = lua_toboolean(lua, -1);
    }
    lua_pop(lua, 1);
    return v;
}

static const char *
text(lua_State *lua, const char *key, const char *otherwise)
{
    lua_getfield(lua, 1, key);
    const char *v = otherwise;
    if (!lua_isnil(lua, -1)) {
        if (lua_type(lua, -1) != LUA_TSTRING)
            rx_sandbox_raise(lua, "recipe: %s is not a text", key);
        v = rx_arena_text(&rx_sandbox_of(lua)->output->graph->arena, lua_tostring(lua, -1));
    }
    lua_pop(lua, 1);
    return v;
}

// A list of numbers; returns how many.
static int
list(lua_State *lua, const char *key, double *to, int max, double low, double high)
{
    lua_getfield(lua, 1, key);
    int n = 0;
    if (!lua_isnil(lua, -1)) {
        if (!lua_istable(lua, -1) || lua_rawlen(lua, -1) > (size_t)max)
            rx_sandbox_raise(lua, "recipe: %s is not a list of at most %d numbers", key, max);
        n = (int)lua_rawlen(lua, -1);
        for (int i = 0; i < n; i++) {
            lua_rawgeti(lua, -1, i + 1);
            to[i] = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : NAN;
            if (!(to[i] >= low && to[i] <= high))
                rx_sandbox_raise(lua, "recipe: %s: each is a number from %g to %g", key, low, high);
            lua_pop(lua, 1);
        }
    }
    lua_pop(lua, 1);
    return n;
}

static void
check_keys(lua_State *lua)
{
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        lua_pop(lua, 1);
        int known = 0;
        for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
            known |=
                lua_type(lua, -1) == LUA_TSTRING && strcmp(lua_tostring(lua, -1), KEYS[i]) == 0;
        if (!known)
            rx_sandbox_raise(lua, "recipe: unknown key %s",
                             lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1)
                                                              : "(no text)");
    }
}

static enum rx_schedule
schedule(lua_State *lua)
{
    const char *name = text(lua, "schedule", "step");
    if (strcmp(name, "step") != 0 && strcmp(name, "cosine") != 0)
        rx_sandbox_raise(lua, "recipe: schedule %s: it is step or cosine", name);
    return strcmp(name, "cosine") == 0 ? RX_SCHEDULE_COSINE : RX_SCHEDULE_STEP;
}

static int
lua_recipe(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    check_keys(lua);
    struct rx_recipe *r = &rx_sandbox_of(lua)->output->recipe;
    r->data = text(lua, "data", "synthetic");
    r->epochs = integer(lua, "epochs", 100, 1, 100000);
    r->batch = integer(lua, "batch", 256, 1, 65536);
    r->lr = number(lua, "lr", 0.1, 0, 1000);
    r->momentum = number(lua, "momentum", 0.9, 0, 1);
    r->wd = number(lua, "wd", 1e-4, 0, 1);
    r->nesterov = flag(lua, "nesterov", 1);
    r->schedule = schedule(lua);
    double milestone[RX_MILESTONES_MAX];
    r->n_milestones = list(lua, "milestones", milestone, RX_MILESTONES_MAX, 1, 100000);
    for (int i = 0; i < r->n_milestones; i++)
        r->milestone[i] = (int)milestone[i];
    r->gamma = number(lua, "gamma", 0.1, 0, 1);
    r->warmup_epochs = number(lua, "warmup_epochs", 0, 0, 1000);
    r->label_smoothing = number(lua, "label_smoothing", 0, 0, 0.999);
    r->no_decay_bn = flag(lua, "no_decay_bn", 0);
    r->crop_pad = integer(lua, "crop_pad", 0, 0, 64);
    r->flip = flag(lua, "flip", 0);
    r->n_mean = list(lua, "mean", r->mean, RX_MEAN_MAX, 0, 1);
    if (list(lua, "std", r->std, RX_MEAN_MAX, 1e-6, 10) != r->n_mean)
        return rx_sandbox_raise(lua, "recipe: mean and std have different lengths");
    return 0;
}

void
rx_recipe_open(lua_State *lua)
{
    lua_register(lua, "recipe", lua_recipe);
}
