// Typed reading of Lua tables.
#include "gen/front/read.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/suggest.h"

enum { NAME_MAX_CHARS = 64, WHAT_CHARS = 48 };

int
rx_name_is_valid(const char *name, size_t n)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    return n >= 1 && n <= NAME_MAX_CHARS && strspn(name, allowed) == n;
}

static int
count(const char *const *words)
{
    int n = 0;
    while (words[n] != NULL)
        n++;
    return n;
}

static int
is_known(const char *word, const char *const *known)
{
    for (int i = 0; known[i] != NULL; i++)
        if (strcmp(word, known[i]) == 0)
            return 1;
    return 0;
}

static void
list(const char *const *words, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; words[i] != NULL && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "", words[i]);
}

_Noreturn static void
unknown_key(lua_State *L, const char *what, const char *key, const char *const *known)
{
    const char *near = rx_suggest(key, known, count(known));
    if (near != NULL)
        rx_front_fail(L, what, "unknown key %.64s; nearest: %s", key, near);
    char all[400];
    list(known, all, sizeof all);
    rx_front_fail(L, what, "unknown key %.64s: its keys are %s", key, all);
}

struct rx_reader
rx_reader_open(lua_State *L, int index, const char *what, const char *const *known)
{
    if (lua_isnoneornil(L, index))
        return (struct rx_reader){.L = L, .what = what};
    const int table = lua_absindex(L, index);
    if (!lua_istable(L, table))
        rx_front_fail(L, what, "its options are a %s: a table such as { key = value }",
                      luaL_typename(L, table));
    rx_front_charge(L, (double)lua_rawlen(L, table));
    const char *wrong = NULL;  // the first in byte order, as Lua's order differs between runs
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            rx_front_fail(L, what,
                          "its options have a %s for a key: a table such as "
                          "{ key = value }",
                          luaL_typename(L, -2));
        const char *key = lua_tostring(L, -2);
        if (!is_known(key, known) && (wrong == NULL || strcmp(key, wrong) < 0))
            wrong = key;
    }
    if (wrong != NULL)
        unknown_key(L, what, wrong, known);
    return (struct rx_reader){.L = L, .table = table, .what = what};
}

// Pushes the value of a key, nil where there is no table.
static int
push(const struct rx_reader *r, const char *key)
{
    if (r->table == 0) {
        lua_pushnil(r->L);
        return LUA_TNIL;
    }
    lua_pushstring(r->L, key);
    return lua_rawget(r->L, r->table);
}

int
rx_read_has(const struct rx_reader *r, const char *key)
{
    const int type = push(r, key);
    lua_pop(r->L, 1);
    return type != LUA_TNIL;
}

// The value on top of the stack as a message shows it.
static const char *
shown(lua_State *L, char out[WHAT_CHARS])
{
    if (lua_isinteger(L, -1))
        snprintf(out, WHAT_CHARS, "%lld", (long long)lua_tointeger(L, -1));
    else if (lua_type(L, -1) == LUA_TNUMBER)
        snprintf(out, WHAT_CHARS, "%.14g", lua_tonumber(L, -1));
    else if (lua_type(L, -1) == LUA_TSTRING)
        snprintf(out, WHAT_CHARS, "\"%.32s\"", lua_tostring(L, -1));
    else
        snprintf(out, WHAT_CHARS, "%s", lua_isnil(L, -1) ? "missing" : luaL_typename(L, -1));
    return out;
}

// The integer on top of the stack, popped. A float of integer value counts as one.
static int64_t
pop_integer(const struct rx_reader *r, const char *key, int64_t low, int64_t high)
{
    lua_State *L = r->L;
    char text[WHAT_CHARS];
    int is_integer = 0;
    const int64_t value = lua_tointegerx(L, -1, &is_integer);
    if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || value < low || value > high)
        rx_front_fail(L, r->what, "%s is %s: it is an integer %lld..%lld", key, shown(L, text),
                      (long long)low, (long long)high);
    lua_pop(L, 1);
    return value;
}

int64_t
rx_read_integer(const struct rx_reader *r, const char *key, int64_t low, int64_t high)
{
    push(r, key);
    return pop_integer(r, key, low, high);
}

int64_t
rx_read_integer_or(const struct rx_reader *r, const char *key, int64_t low, int64_t high,
                   int64_t otherwise)
{
    return rx_read_has(r, key) ? rx_read_integer(r, key, low, high) : otherwise;
}

static double
pop_number(const struct rx_reader *r, const char *key, double low, double high)
{
    lua_State *L = r->L;
    char text[WHAT_CHARS];
    const double value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    if (!(value >= low && value <= high))
        rx_front_fail(L, r->what, "%s is %s: it is a number from %g to %g", key, shown(L, text),
                      low, high);
    lua_pop(L, 1);
    return value;
}

double
rx_read_number(const struct rx_reader *r, const char *key, double low, double high)
{
    push(r, key);
    return pop_number(r, key, low, high);
}

double
rx_read_number_or(const struct rx_reader *r, const char *key, double low, double high,
                  double otherwise)
{
    return rx_read_has(r, key) ? rx_read_number(r, key, low, high) : otherwise;
}

int
rx_read_flag_or(const struct rx_reader *r, const char *key, int otherwise)
{
    lua_State *L = r->L;
    char text[WHAT_CHARS];
    const int type = push(r, key);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        rx_front_fail(L, r->what, "%s is %s: it is true or false", key, shown(L, text));
    const int value = type == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

const char *
rx_read_text(const struct rx_reader *r, const char *key)
{
    lua_State *L = r->L;
    char text[WHAT_CHARS];
    if (push(r, key) != LUA_TSTRING)
        rx_front_fail(L, r->what, "%s is %s: it is a text", key, shown(L, text));
    const char *value = lua_tostring(L, -1);
    if (strlen(value) != lua_rawlen(L, -1))
        rx_front_fail(L, r->what, "%s has a zero byte: it is a plain text", key);
    lua_pop(L, 1);
    return value;
}

// Pushes a list and returns its length; pushes nil and returns 0 where the key is absent.
static int
push_list(const struct rx_reader *r, const char *key, int max)
{
    lua_State *L = r->L;
    char text[WHAT_CHARS];
    const int type = push(r, key);
    if (type == LUA_TNIL)
        return 0;
    if (type != LUA_TTABLE)
        rx_front_fail(L, r->what, "%s is %s: it is a list such as { 30, 60 }", key, shown(L, text));
    if (lua_rawlen(L, -1) > (lua_Unsigned)max)
        rx_front_fail(L, r->what, "%s has %llu entries: at most %d", key,
                      (unsigned long long)lua_rawlen(L, -1), max);
    return (int)lua_rawlen(L, -1);
}

int
rx_read_integers(const struct rx_reader *r, const char *key, int64_t low, int64_t high, int max,
                 int64_t *out)
{
    const int n = push_list(r, key, max);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(r->L, -1, i + 1);
        out[i] = pop_integer(r, key, low, high);
    }
    lua_pop(r->L, 1);
    return n;
}

int
rx_read_numbers(const struct rx_reader *r, const char *key, double low, double high, int max,
                double *out)
{
    const int n = push_list(r, key, max);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(r->L, -1, i + 1);
        out[i] = pop_number(r, key, low, high);
    }
    lua_pop(r->L, 1);
    return n;
}
