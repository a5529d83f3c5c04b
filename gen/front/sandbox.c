// The sandboxed Lua state. Its limits hold because nothing that a model file can name catches an
// error: there is no pcall, no coroutine, no metatable, so no handler of __close or __gc either.
// Time is bounded by counting instructions and allocated bytes, and by making every single
// operation small: no string over 4 KB, no array over 256 KB.
#include "gen/front/sandbox.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/suggest.h"

enum {
    HOOK_EVERY = 1000,  // instructions between two looks at the limits
    BYTES_A_STEP = 16,  // allocated bytes that cost as much as an instruction
    REFUSALS_MAX = 16,  // a refusal costs a full collection, so few of them are all the steps
    NS_A_SECOND = 1000000000,
    WORDS_MAX = 128
};

struct rx_front *
rx_front_of(lua_State *L)
{
    return *(struct rx_front **)lua_getextraspace(L);
}

static int64_t
processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_A_SECOND + t.tv_nsec;
}

// What stands against growing a block, RX_REFUSAL_NONE if nothing does.
static enum rx_refusal
why_not(const struct rx_front *f, int is_string, size_t old, size_t bytes)
{
    if (f->steps > RX_LIMIT_STEPS)
        return RX_REFUSAL_STEPS;
    if (bytes > (is_string ? RX_LIMIT_STRING : RX_LIMIT_BLOCK))
        return RX_REFUSAL_BLOCK;
    return f->memory - old + bytes > RX_LIMIT_MEMORY ? RX_REFUSAL_MEMORY : RX_REFUSAL_NONE;
}

// lua_Alloc. For a new object `old_bytes` is its type, not a size.
static void *
allocate(void *user, void *block, size_t old_bytes, size_t bytes)
{
    struct rx_front *f = user;
    const size_t old = block != NULL ? old_bytes : 0;
    if (bytes == 0) {
        free(block);
        f->memory -= old;
        return NULL;
    }
    if (bytes > old) {
        const int is_string = block == NULL && old_bytes == LUA_TSTRING;
        const enum rx_refusal refusal = why_not(f, is_string, old, bytes);
        if (refusal != RX_REFUSAL_NONE) {
            f->refusal = refusal;
            f->steps += RX_LIMIT_STEPS / REFUSALS_MAX;
            return NULL;
        }
        f->steps += (int64_t)(bytes / BYTES_A_STEP);
    }
    void *grown = realloc(block, bytes);
    if (grown == NULL)
        return bytes <= old ? block : NULL;  // Lua relies on it that shrinking never fails
    f->memory = f->memory - old + bytes;
    return grown;
}

struct rx_where
rx_front_where(lua_State *L)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline > 0)
            return (struct rx_where){frame.source + 1, frame.currentline};
    }
    return (struct rx_where){rx_front_of(L)->model, 0};
}

struct rx_where
rx_front_author(lua_State *L)
{
    const char *model = rx_front_of(L)->model;
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline > 0 && strcmp(frame.source + 1, model) == 0)
            return (struct rx_where){model, frame.currentline};
    }
    return (struct rx_where){model, 0};
}

const char *
rx_front_place(struct rx_where where, char out[RX_PLACE_CHARS])
{
    if (where.line > 0)
        snprintf(out, RX_PLACE_CHARS, "%.200s:%d", where.file, where.line);
    else
        snprintf(out, RX_PLACE_CHARS, "%.200s", where.file);
    return out;
}

void
rx_front_raise(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    lua_error(L);
    abort();
}

void
rx_front_fail(lua_State *L, const char *what, const char *format, ...)
{
    char text[512], place[RX_PLACE_CHARS];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rx_error_user(rx_front_of(L)->error, "%s: %s: %s", rx_front_place(rx_front_where(L), place),
                  what, text);
    rx_front_raise(L);
}

void
rx_front_fail_at(lua_State *L, const char *where, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rx_error_user(rx_front_of(L)->error, "%s: %s", where, text);
    rx_front_raise(L);
}

void
rx_front_charge(lua_State *L, double steps)
{
    struct rx_front *f = rx_front_of(L);
    f->steps += steps < RX_LIMIT_STEPS ? (int64_t)steps : RX_LIMIT_STEPS;
    if (f->steps > RX_LIMIT_STEPS)
        rx_front_fail(L, "limit",
                      "the model file computes for more than %d steps: "
                      "a network of hundreds of layers takes a hundredth of them",
                      RX_LIMIT_STEPS);
}

static void
on_count(lua_State *L, lua_Debug *frame)
{
    (void)frame;
    rx_front_charge(L, HOOK_EVERY);
    if (processor_ns() > rx_front_of(L)->seconds_end)
        rx_front_fail(L, "limit",
                      "the model file computes for more than %d s: "
                      "a network of hundreds of layers takes a hundredth of that",
                      RX_LIMIT_SECONDS);
}

// Whether a text begins with this place or with "something:12:", as Lua's own messages do. A chunk
// that cannot be loaded comes by twice, from the parser and from where it was needed.
static int
has_place(const char *text, const char *place)
{
    if (strncmp(text, place, strlen(place)) == 0)
        return 1;
    for (const char *p = strchr(text, ':'); p != NULL; p = strchr(p + 1, ':')) {
        const size_t digits = strspn(p + 1, "0123456789");
        if (digits > 0 && p[1 + digits] == ':')
            return 1;
    }
    return 0;
}

// Runs where the error was raised, so that the line is still known.
static int
on_error(lua_State *L)
{
    if (rx_front_of(L)->error->status != RX_OK)
        return 1;
    char place[RX_PLACE_CHARS];
    rx_front_place(rx_front_where(L), place);
    if (lua_type(L, 1) != LUA_TSTRING)
        lua_pushfstring(L, "%s: an error that is a %s: error takes a text", place,
                        luaL_typename(L, 1));
    else if (!has_place(lua_tostring(L, 1), place))
        lua_pushfstring(L, "%s: %s", place, lua_tostring(L, 1));
    else
        lua_settop(L, 1);
    return 1;
}

static const char *
refusal_text(enum rx_refusal refusal)
{
    static const char *const text[] = {
        [RX_REFUSAL_NONE] = "the machine has no memory left",
        [RX_REFUSAL_STEPS] = "the model file computes too much: a network of hundreds of layers "
                             "takes a hundredth of the steps it may",
        [RX_REFUSAL_MEMORY] = "the model file holds more than 16 MB: a network of hundreds of "
                              "layers takes a hundredth of that",
        [RX_REFUSAL_BLOCK] = "a string over 4 KB, a table over 256 KB or calls nested too deeply: "
                             "a model file needs none of them",
    };
    return text[refusal];
}

// Turns what ended the run into front->error; what rx_front_fail said stays.
static int
report(lua_State *L, struct rx_front *f, int status)
{
    if (f->error->status != RX_OK)
        return f->error->status;
    if (status == LUA_ERRMEM && f->refusal == RX_REFUSAL_NONE)
        return rx_error_refused(f->error, "%s: %s", f->model, refusal_text(f->refusal));
    if (status == LUA_ERRMEM)
        return rx_error_user(f->error, "%s: limit: %s", f->model, refusal_text(f->refusal));
    const char *text = lua_tostring(L, -1);
    return rx_error_user(f->error, "%s", text != NULL ? text : f->model);
}

int
rx_sandbox_run(struct rx_front *front, lua_CFunction body)
{
    lua_State *L = lua_newstate(allocate, front);
    if (L == NULL)
        return rx_error_refused(front->error, "%s: no memory for a Lua state", front->model);
    *(struct rx_front **)lua_getextraspace(L) = front;
    front->seconds_end = processor_ns() + (int64_t)RX_LIMIT_SECONDS * NS_A_SECOND;
    lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(L, on_error);  // light C functions take no memory: safe outside a pcall
    lua_pushcfunction(L, body);
    const int status = lua_pcall(L, 0, 0, 1);
    const int code = status == LUA_OK ? RX_OK : report(L, front, status);
    lua_close(L);
    return code;
}

// The names in a table of the environment, for a suggestion.
static int
words_of(lua_State *L, int table, const char *words[WORDS_MAX])
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING && n < WORDS_MAX)
            words[n++] = lua_tostring(L, -2);
    return n;
}

static int
read_global(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    const char *words[WORDS_MAX];
    const char *near = rx_suggest(name, words, words_of(L, lua_upvalueindex(1), words));
    if (near != NULL)
        rx_front_fail(L, name, "there is no such name; nearest: %s", near);
    rx_front_fail(L, name, "there is no such name in a model file");
}

static int
write_global(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    rx_front_fail(L, name, "a global is assigned: write local %s", name);
}

void
rx_sandbox_push_environment(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, read_global, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, write_global);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}
