// The sandbox: model files are data. They see an allow-listed environment, and three limits end
// what does not end by itself: memory, instructions, and CPU time (which bounds what one
// instruction can take, such as comparing long strings). Nothing that could catch an error is
// there, so a limit cannot be survived; neither are patterns, sorting, metatables, coroutines or
// loaders.
#include "gen/front/internal.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

enum {
    MEMORY_MAX = 32 << 20,
    HOOK_EVERY = 100,
    INSTRUCTIONS_MAX = 20 * 1000 * 1000,
    CPU_SECONDS_MAX = 2,
    FILE_MAX = 1 << 20,
    LIB_NAME_MAX = 64
};

static void *
allocate(void *user, void *old, size_t old_size, size_t size)
{
    struct rx_sandbox *s = user;
    const size_t before = old != NULL ? old_size : 0;
    if (size == 0) {
        free(old);
        s->memory -= before;
        return NULL;
    }
    if (size > before && s->memory + (size - before) > MEMORY_MAX)
        return NULL;
    void *p = realloc(old, size);
    if (p != NULL)
        s->memory += size - before;
    return p;
}

struct rx_sandbox *
rx_sandbox_of(lua_State *lua)
{
    void *user;
    lua_getallocf(lua, &user);
    return user;
}

static double
seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

static void
limit(lua_State *lua, lua_Debug *debug)
{
    (void)debug;
    struct rx_sandbox *s = rx_sandbox_of(lua);
    s->instructions += HOOK_EVERY;
    if (s->instructions > INSTRUCTIONS_MAX)
        luaL_error(lua, "the model runs for more than %d instructions: it must end",
                   INSTRUCTIONS_MAX);
    if (seconds_since(&s->start) > CPU_SECONDS_MAX)
        luaL_error(lua, "the model runs for more than %d seconds: it must end", CPU_SECONDS_MAX);
}

struct rx_where
rx_sandbox_where(lua_State *lua)
{
    lua_Debug debug;
    for (int level = 1; lua_getstack(lua, level, &debug); level++) {
        lua_getinfo(lua, "Sl", &debug);
        if (debug.currentline > 0) {
            const struct rx_sandbox *s = rx_sandbox_of(lua);
            return (struct rx_where){rx_arena_text(&s->output->graph->arena, debug.short_src),
                                     debug.currentline};
        }
    }
    return (struct rx_where){"model", 0};
}

int
rx_sandbox_raise(lua_State *lua, const char *format, ...)
{
    const struct rx_sandbox *s = rx_sandbox_of(lua);
    if (s->error->status == RX_OK) {
        char text[sizeof s->error->text];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        const struct rx_where where = rx_sandbox_where(lua);
        rx_error_user(s->error, "%s:%d: %s", where.file, where.line, text);
    }
    lua_pushstring(lua, s->error->text);
    return lua_error(lua);
}

// require "lib.NAME": a file of models/lib, run once.
static int
require_lib(lua_State *lua)
{
    const struct rx_sandbox *s = rx_sandbox_of(lua);
    const char *name = luaL_checkstring(lua, 1);
    const char *stem = name + strlen("lib.");
    if (strncmp(name, "lib.", strlen("lib.")) != 0 || strlen(stem) > LIB_NAME_MAX ||
        *stem == '\0' || strspn(stem, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(stem))
        return rx_sandbox_raise(lua,
                                "require: %.100s is not a file of models/lib: "
                                "require \"lib.NAME\"",
                                name);
    lua_getfield(lua, LUA_REGISTRYINDEX, name);
    if (!lua_isnil(lua, -1))
        return 1;
    char path[4096], shown[128];
    snprintf(path, sizeof path, "%s/%s.lua", s->input->lib, stem);
    snprintf(shown, sizeof shown, "models/lib/%s.lua", stem);
    if (rx_sandbox_run(rx_sandbox_of(lua), path, shown) != RX_OK)
        return rx_sandbox_raise(lua, "require");
    lua_pushvalue(lua, -1);
    lua_setfield(lua, LUA_REGISTRYINDEX, name);
    return 1;
}

// Keeps the named entries of a library's table and takes out all others.
static void
keep_only(lua_State *lua, const char *const *keep)
{
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pop(lua, 1);
        const char *key = lua_tostring(lua, -1);
        int kept = 0;
        for (int i = 0; keep[i] != NULL; i++)
            kept |= strcmp(keep[i], key) == 0;
        if (kept)
            continue;
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_settable(lua, -4);
    }
}

static void
open_library(lua_State *lua, const char *name, lua_CFunction open, const char *const *keep)
{
    luaL_requiref(lua, name, open, 1);
    keep_only(lua, keep);
    lua_pop(lua, 1);
}

static int
open_environment(lua_State *lua)
{
    static const char *const base[] = {"assert", "error",    "ipairs",   "pairs", "next",
                                       "select", "tonumber", "tostring", "type",  NULL};
    static const char *const math[] = {"floor", "ceil", "max",       "min",  "abs",
                                       "huge",  "pi",   "tointeger", "type", NULL};
    static const char *const string[] = {"format", "sub",  "len",     "upper", "lower",
                                         "rep",    "byte", "reverse", NULL};
    static const char *const table[] = {"concat", NULL};
    open_library(lua, LUA_GNAME, luaopen_base, base);
    open_library(lua, LUA_MATHLIBNAME, luaopen_math, math);
    open_library(lua, LUA_STRLIBNAME, luaopen_string, string);
    open_library(lua, LUA_TABLIBNAME, luaopen_table, table);
    lua_pushcfunction(lua, require_lib);
    lua_setglobal(lua, "require");
    rx_vocabulary_open(lua);
    rx_settings_open(lua);
    rx_recipe_open(lua);
    return 0;
}

int
rx_sandbox_open(struct rx_sandbox *s)
{
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &s->start);
    s->lua = lua_newstate(allocate, s);
    if (s->lua == NULL)
        return rx_error_refused(s->error, "no memory for the model's state");
    lua_pushcfunction(s->lua, open_environment);
    if (lua_pcall(s->lua, 0, 0, 0) != LUA_OK)
        return rx_error_refused(s->error, "no memory for the model's state");
    lua_sethook(s->lua, limit, LUA_MASKCOUNT, HOOK_EVERY);
    return RX_OK;
}

void
rx_sandbox_close(struct rx_sandbox *s)
{
    if (s->lua != NULL)
        lua_close(s->lua);
    s->lua = NULL;
}

static int
lua_failed(struct rx_sandbox *s, const char *shown)
{
    if (s->error->status != RX_OK)
        return s->error->status;
    const char *text =
        lua_type(s->lua, -1) == LUA_TSTRING ? lua_tostring(s->lua, -1) : "error without a text";
    if (strncmp(text, "not enough memory", strlen("not enough memory")) == 0)
        return rx_error_user(s->error, "%s: the model takes more than %d MB of memory", shown,
                             MEMORY_MAX >> 20);
    return rx_error_user(s->error, "%s", text);
}

int
rx_sandbox_run(struct rx_sandbox *s, const char *path, const char *shown)
{
    struct rx_text text = {0};
    int status = rx_file_read(path, &text, s->error);
    if (status == RX_OK && text.n > FILE_MAX)
        status = rx_error_user(s->error, "%s: is larger than %d KB: a model is a few lines", shown,
                               FILE_MAX >> 10);
    if (status == RX_OK) {
        char chunk[4200];
        snprintf(chunk, sizeof chunk, "@%s", shown);
        if (luaL_loadbufferx(s->lua, rx_text_str(&text), text.n, chunk, "t") != LUA_OK ||
            lua_pcall(s->lua, 0, 1, 0) != LUA_OK)
            status = lua_failed(s, shown);
    }
    rx_text_close(&text);
    return status;
}
