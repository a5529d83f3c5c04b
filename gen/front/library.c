// Lua's standard library, by an allow list. Functions whose loops the VM does not count run behind
// a guard that charges for them first; pairs goes through keys in order and tostring shows no
// address, so that a model file gives the same network every time. Left out for their running time
// or their order: table.sort, table.move, string.gmatch, next, math.random.
#include "gen/front/library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SORT_STEPS = 16,         // a key, to sort it: about its logarithm
    REP_STEPS = 4,           // characters of a repetition that cost a step
    CONVERSION_STEPS = 500,  // of string.format: hundreds of digits at worst
};

// The original function is the guard's upvalue. It runs in the guard's place on the stack, so that
// its messages name what the model file called.
static int
original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static double
total_length(lua_State *L)
{
    double n = 0;
    for (int i = 1; i <= lua_gettop(L); i++)
        if (lua_type(L, i) == LUA_TSTRING || lua_type(L, i) == LUA_TTABLE)
            n += (double)lua_rawlen(L, i);
    return n;
}

static int
guard_length(lua_State *L)
{
    rx_front_charge(L, total_length(L));
    return original(L);
}

// unpack(list, i, j) pushes nils where there is no element.
static int
guard_unpack(lua_State *L)
{
    const double first = luaL_optnumber(L, 2, 1);
    const double last = luaL_optnumber(L, 3, (double)lua_rawlen(L, 1));
    rx_front_charge(L, last > first ? last - first : 1);
    return original(L);
}

// The loop runs n times, also for an empty text.
static int
guard_rep(lua_State *L)
{
    const double n = luaL_checknumber(L, 2), length = total_length(L);
    if (!(n <= RX_LIMIT_STRING && n * length <= RX_LIMIT_STRING))
        rx_front_fail(L, "string.rep", "the result is longer than %d: repeat less often",
                      RX_LIMIT_STRING);
    rx_front_charge(L, (double)RX_LIMIT_STRING / REP_STEPS);
    return original(L);
}

// A match tries every start, and each repetition every length: (n + 1)^(repetitions + 1) attempts
// at most, each reading the pattern. Every character that may start one counts, also in a set.
static int
guard_pattern(lua_State *L)
{
    size_t n, m;
    luaL_checklstring(L, 1, &n);
    const char *pattern = luaL_checklstring(L, 2, &m);
    int repetitions = 0;
    for (size_t i = 0; i < m; i++)
        repetitions += strchr("*+-?%", pattern[i]) != NULL &&
                       (pattern[i] != '%' || pattern[i + 1] == 'b' ||
                        (pattern[i + 1] >= '0' && pattern[i + 1] <= '9'));
    const double steps = pow((double)n + 1, repetitions + 1) * (double)(m + 1);
    if (!(steps <= RX_LIMIT_STEPS))
        rx_front_fail(L, "pattern",
                      "%d repetitions over %zu characters may take too long: "
                      "fewer repetitions or a shorter text",
                      repetitions, n);
    rx_front_charge(L, steps);
    return original(L);
}

// %p and %s of a table show addresses.
static int
guard_format(lua_State *L)
{
    const char *format = luaL_checkstring(L, 1);
    for (const char *p = strchr(format, '%'); p != NULL; p = strchr(p + 1, '%')) {
        rx_front_charge(L, CONVERSION_STEPS);
        p += 1 + strspn(p + 1, "-+ #0123456789.");
        if (*p == 'p' || *p == '\0')
            rx_front_fail(L, "string.format", "a conversion of %%%c: use d, s or g",
                          *p != '\0' ? *p : ' ');
    }
    for (int i = 2; i <= lua_gettop(L); i++)
        if (lua_istable(L, i) || lua_isfunction(L, i))
            rx_front_fail(L, "string.format", "argument %d is a %s: a number or a text", i,
                          luaL_typename(L, i));
    rx_front_charge(L, total_length(L));
    return original(L);
}

static int
base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_istable(L, 1) || lua_isfunction(L, 1))
        lua_pushstring(L, luaL_typename(L, 1));
    else
        luaL_tolstring(L, 1, NULL);
    return 1;
}

struct key {
    const char *text;  // NULL: a number
    size_t n;          // its length
    double number;
    lua_Integer integer;  // tells numbers apart that are one double
    int position;         // in the list of keys as they came
};

static struct key
key_of(lua_State *L, int index, int position)
{
    struct key key = {.position = position};
    if (lua_type(L, index) == LUA_TSTRING)
        key.text = lua_tolstring(L, index, &key.n);
    else
        key.number = lua_tonumber(L, index);
    if (lua_isinteger(L, index))
        key.integer = lua_tointeger(L, index);
    return key;
}

static int
compare_texts(const struct key *a, const struct key *b)
{
    const int order = memcmp(a->text, b->text, a->n < b->n ? a->n : b->n);
    return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

// Numbers before texts, each ascending.
static int
compare(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    if (a->text != NULL && b->text != NULL)
        return compare_texts(a, b);
    if (a->text != NULL || b->text != NULL)
        return a->text != NULL ? 1 : -1;
    if (a->number != b->number)
        return a->number > b->number ? 1 : -1;
    return (a->integer > b->integer) - (a->integer < b->integer);
}

// Upvalues: table, list of keys in order, position of the last key given.
static int
pairs_step(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    for (;;) {
        lua_settop(L, 0);
        const int type = lua_rawgeti(L, lua_upvalueindex(2), ++i);
        if (type == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
            break;
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

static lua_Integer
count_keys(lua_State *L, int table)
{
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING && lua_type(L, -2) != LUA_TNUMBER)
            rx_front_fail(L, "pairs", "a key is a %s: keys are numbers and texts",
                          luaL_typename(L, -2));
        n++;
    }
    return n;
}

// pairs(t): a loop over its keys in order, whatever order they have in memory.
static int
base_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const lua_Integer n = count_keys(L, 1);
    rx_front_charge(L, (double)n * SORT_STEPS);
    struct key *key = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *key, 0);
    lua_createtable(L, (int)n, 0);
    int i = 0;
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        key[i] = key_of(L, -2, i + 1);
        lua_pushvalue(L, -2);
        lua_rawseti(L, 3, ++i);
    }
    qsort(key, (size_t)n, sizeof *key, compare);
    lua_pushvalue(L, 1);
    lua_createtable(L, (int)n, 0);
    for (i = 0; i < n; i++) {
        lua_rawgeti(L, 3, key[i].position);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 3);
    return 1;
}

struct entry {
    const char *library;  // "" for the base
    const char *name;
    lua_CFunction guard;  // NULL: the original as it is; else what runs in its place
};

static const struct entry entries[] = {
    {"", "assert", NULL},
    {"", "error", NULL},
    {"", "ipairs", NULL},
    {"", "select", NULL},
    {"", "tonumber", guard_length},
    {"", "type", NULL},
    {"", "pairs", base_pairs},
    {"", "tostring", base_tostring},
    {"math", "abs", NULL},
    {"math", "ceil", NULL},
    {"math", "exp", NULL},
    {"math", "floor", NULL},
    {"math", "fmod", NULL},
    {"math", "huge", NULL},
    {"math", "log", NULL},
    {"math", "max", NULL},
    {"math", "maxinteger", NULL},
    {"math", "min", NULL},
    {"math", "mininteger", NULL},
    {"math", "modf", NULL},
    {"math", "pi", NULL},
    {"math", "sqrt", NULL},
    {"math", "tointeger", NULL},
    {"math", "type", NULL},
    {"math", "ult", NULL},
    {"string", "byte", guard_length},
    {"string", "char", NULL},
    {"string", "find", guard_pattern},
    {"string", "format", guard_format},
    {"string", "gsub", guard_pattern},
    {"string", "len", NULL},
    {"string", "lower", guard_length},
    {"string", "match", guard_pattern},
    {"string", "rep", guard_rep},
    {"string", "reverse", guard_length},
    {"string", "sub", guard_length},
    {"string", "upper", guard_length},
    {"table", "concat", guard_length},
    {"table", "insert", guard_length},
    {"table", "pack", NULL},
    {"table", "remove", guard_length},
    {"table", "unpack", guard_unpack},
};

enum { N_ENTRIES = sizeof entries / sizeof entries[0] };

// Copies the allowed entries of one library, on top of the stack, into the table `target`.
static void
copy(lua_State *L, const char *library, int target)
{
    const int source = lua_gettop(L);
    for (int i = 0; i < N_ENTRIES; i++) {
        if (strcmp(entries[i].library, library) != 0)
            continue;
        lua_getfield(L, source, entries[i].name);
        if (entries[i].guard != NULL)
            lua_pushcclosure(L, entries[i].guard, 1);
        lua_setfield(L, target, entries[i].name);
    }
}

static void
add_library(lua_State *L, const char *name, lua_CFunction open)
{
    const int target = lua_gettop(L);
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    copy(L, name, target + 2);
    lua_pop(L, 1);
    lua_setfield(L, target, name);
    lua_settop(L, target);
}

// ("x"):rep(2) finds the guarded functions; strings have no other metamethods.
static void
set_string_methods(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_getfield(L, -3, "string");
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void
rx_library_add(lua_State *L)
{
    const int target = lua_gettop(L);
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1);
    copy(L, "", target);
    lua_pop(L, 1);
    add_library(L, "math", luaopen_math);
    add_library(L, "string", luaopen_string);
    add_library(L, "table", luaopen_table);
    set_string_methods(L);
    lua_newtable(L);  // the table of globals that luaopen_base filled is not kept
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
