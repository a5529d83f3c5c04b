// What a model file must not reach, and what must end it when it does not end by itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/model.h"

// The limit is one second of processor time and a step of grace; the rest is for sanitisers, which
// make every single operation slower.
static const double SECONDS_MAX = 4;

static void
refuse(const char *text, size_t n, const char *part)
{
    struct rx_test_model m;
    rx_test_model_text(&m, text, n);
    rx_test_model_refused(&m, text, part);
    if (!(m.seconds <= SECONDS_MAX))
        fail_msg("%.100s: took %.1f s", text, m.seconds);
    rx_test_model_close(&m);
}

static void
refuse_all(const char *const cases[][2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        refuse(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

#define REFUSE_ALL(cases) refuse_all(cases, sizeof cases / sizeof cases[0])

static const char *const outside[][2] = {
    {"os.execute('true')", "m.lua:1: os: there is no such name"},
    {"io.open('/etc/passwd')", "io: there is no such name"},
    {"debug.getinfo(1)", "debug: there is no such name"},
    {"package.loaded.x = 1", "package: there is no such name"},
    {"load('return 1')()", "load: there is no such name"},
    {"loadstring('return 1')", "loadstring: there is no such name"},
    {"dofile('models/resnet50.lua')", "dofile: there is no such name"},
    {"loadfile('models/resnet50.lua')", "loadfile: there is no such name"},
    {"pcall(error)", "pcall: there is no such name"},
    {"xpcall(error, error)", "xpcall: there is no such name"},
    {"coroutine.wrap(error)()", "coroutine: there is no such name"},
    {"setmetatable({}, {})", "setmetatable: there is no such name"},
    {"getmetatable('').__index = nil", "getmetatable: there is no such name"},
    {"collectgarbage()", "collectgarbage: there is no such name"},
    {"rawset({}, 1, 1)", "rawset: there is no such name"},
    {"rawget({}, 1)", "rawget: there is no such name"},
    {"next({})", "next: there is no such name"},
    {"print('x')", "print: there is no such name"},
    {"warn('x')", "warn: there is no such name"},
    {"_G.require = nil", "_G: there is no such name"},
    {"_ENV.os.exit()", "os: there is no such name"},
    {"_ENV.x = 1", "x: a global is assigned"},
    {"string.dump(error)", "attempt to call a nil value (field 'dump')"},
    {"('x').dump()", "attempt to call a nil value (field 'dump')"},
    {"string.gmatch('x', 'x')", "attempt to call a nil value (field 'gmatch')"},
    {"table.sort({ 3, 1 })", "attempt to call a nil value (field 'sort')"},
    {"table.move({}, 1, 1 << 60, 2)", "attempt to call a nil value (field 'move')"},
    {"math.random()", "attempt to call a nil value (field 'random')"},
    {"string.format('%p', {})", "string.format: a conversion of %p"},
    {"string.format('%s', {})", "string.format: argument 2 is a table"},
    {"string.format('%10.4p', '')", "string.format: a conversion of %p"},
    {"string.format('%s', error)", "string.format: argument 2 is a function"},
    {"return '10' + 1", "attempt to perform arithmetic on a string value"},
    {"return ('').__index()", "attempt to call a nil value (field '__index')"},
    {"require 'os'", "require: \"os\": it takes \"lib.x\""},
    {"require 'lib.../x'", "require: \"lib.../x\""},
    {"require 'lib/../../x'", "require: \"lib/../../x\""},
    {"require 'lib.../../etc/passwd'", "require: "},
    {"require 'lib./etc/passwd'", "require: "},
    {"require 'lib.'", "require: "},
    {"require 'lib...'", "require: "},
    {"require 'lib.a.b'", "require: "},
    {"require 'lib.resnext\\0x'", "require: "},
    {"require(nil)", "require: \"\""},
    {"require({})", "require: \"\""},
    {"require('lib.' .. ('a'):rep(100))", "require: "},
    {"require 'lib.nosuch'", "models/lib/nosuch.lua: cannot be read"},
};

static void
nothing_outside_is_there(void **state)
{
    (void)state;
    REFUSE_ALL(outside);
}

static void
bytecode_is_refused(void **state)
{
    (void)state;
    refuse("\x1bLua\x54\x00\x19\x93\r\n\x1a\n", 12, "attempt to load a binary chunk");
    refuse("\x1bLua", 4, "attempt to load a binary chunk");
}

static const char *const endless[][2] = {
    {"while true do end", "m.lua:1: limit: the model file computes for more than"},
    {"::a:: goto a", "limit"},
    {"repeat until false", "limit"},
    {"for i = 1, math.huge do end", "limit"},
    {"for i = 1, 0, 0 do end", "'for' step is zero"},
    {"local function f() return f() end f()", "limit"},
    {"local function f() f() end f()", "limit"},
    {"local function f() return 1 + f() end f()", "limit"},
    {"local function f(...) return f(1, ...) end f()", "limit"},
    {"local function f(...) while true do local n = select('#', ...) end end "
     "local t = {} for i = 1, 10000 do t[i] = i end f(table.unpack(t))",
     "limit"},
    // A handler that would run after the limit: there is none to be had.
    {"local x <close> = setmetatable({}, { __close = function() while true do end end })",
     "setmetatable"},
    {"local x <close> = input { height = 8, width = 8, channels = 1 }", "non-closable value"},
    {"setmetatable({}, { __gc = function() while true do end end })", "setmetatable"},
    {"error(setmetatable({}, { __tostring = function() while true do end end }))", "setmetatable"},
    {"while true do pcall(function() while true do end end) end", "pcall"},
    // C functions that call back, deeply.
    {"local function f() return ('x'):gsub('x', f) end f()", "stack overflow"},
    {"('x'):gsub('x', function() while true do end end)", "limit"},
    {"local t = {} for i = 1, 250 do t[i] = '(' end local s = table.concat(t)", "returns a nil"},
};

static void
what_does_not_end_is_ended(void **state)
{
    (void)state;
    REFUSE_ALL(endless);
}

// Single operations that take long: each must be bounded, and all of them together.
static const char *const long_operations[][2] = {
    {"local s = ('x'):rep(1e9)", "string.rep: the result is longer"},
    {"local s = string.rep('x', 1 << 62)", "string.rep: the result is longer"},
    {"local s = string.rep('', 1 << 62)", "string.rep: the result is longer"},
    {"local s = string.rep('x', 2, ('x'):rep(4000))", "string.rep: the result is longer"},
    {"local s = string.rep('', 10, ('x'):rep(400))", "returns a nil"},
    {"local s = 'x' while true do s = s .. s end", "limit: a string over 4 KB"},
    {"local s = '' for i = 1, 1e9 do s = s .. i end", "limit: a string over 4 KB"},
    {"local s = ('x'):rep(4000) local u = ('x'):rep(3999) .. 'x' "
     "while true do local q = s < u end",
     "limit"},
    {"local s = ('x'):rep(4000) while true do local q = s == (s .. 'y') end", "limit"},
    {"local s = ('x'):rep(4000) while true do local q = s:upper() end", "limit"},
    {"local s = ('x'):rep(4000) while true do local q = s:reverse() end", "limit"},
    {"while true do local q = ('9'):rep(4000) + 0 end", "arithmetic on a string"},
    {"while true do local q = tonumber(('9'):rep(4000)) end", "limit"},
    {"while true do local q = ('x'):rep(4000):byte(1, -1) end", "limit"},
    {"('a'):rep(30):find(('a*'):rep(15) .. 'b')", "pattern: 15 repetitions over 30 characters"},
    {"('a'):rep(4000):match('.-.-.-b')", "pattern: 3 repetitions over 4000"},
    {"('a'):rep(4000):gsub('.-b', '')", "pattern: 1 repetitions over 4000"},
    {"('('):rep(4000):find('%b()')", "pattern: 1 repetitions over 4000"},
    {"('a'):rep(40):find('(a+)(a+)%1%2%1b')", "pattern: 5 repetitions over 40"},
    {"('a'):rep(99):find(('[a-z]'):rep(20))", "pattern: 20 repetitions"},
    {"while true do local q = ('a'):rep(100):find('a*b') end", "limit"},
    {"('x'):rep(4000):gsub('x', ('y'):rep(4000))", "limit"},
    {"('x'):find(('('):rep(4000))", "too many captures"},
    {"('x'):find('%')", "malformed pattern"},
    {"table.concat({}, 'x', 1, 1 << 60)", "invalid value"},
    {"local t = {} for i = 1, 4000 do t[i] = '' end while true do table.concat(t) end", "limit"},
    {"local t = {} for i = 1, 4000 do t[i] = i end while true do table.insert(t, 1, 1) "
     "table.remove(t, 1) end",
     "limit"},
    {"table.unpack({}, 1, 1e7)", "limit"},
    {"table.unpack({}, 1, 9e6)", "too many results"},
    {"table.unpack({}, math.mininteger, math.maxinteger)", "limit"},
    {"while true do local q = table.pack(table.unpack({}, 1, 9000)) end", "limit"},
    {"string.format('%99.99f', 1e308)", "returns a nil"},
    {"string.format(('%99d'):rep(100), 1)", "bad argument"},
    {"string.format('%5000d', 1)", "invalid conversion"},
    {"while true do local q = string.format('%99.99f', 1e308) end", "limit"},
    {"local t = {} for i = 1, 9000 do t['k' .. i] = i end "
     "while true do for k in pairs(t) do break end end",
     "limit"},
    // An array that is counted again at each of a small hash part's rehashes.
    {"local t = {} for i = 1, 15000 do t[i] = i end local i = 0 while true do i = i + 1 "
     "t['a' .. i] = 1 t['b' .. i] = 1 t['a' .. i] = nil t['b' .. i] = nil end",
     "limit"},
};

static void
long_operations_are_bounded(void **state)
{
    (void)state;
    REFUSE_ALL(long_operations);
}

static void
memory_is_bounded(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"local t = {} while true do t[#t + 1] = 'x' end", "a table over 256 KB"},
        {"local t = {} while true do t = { t, t, t, t } end", "limit"},
        {"local t, p = {}, ('x'):rep(2000) for i = 1, 9000 do t[i] = p .. i .. p end",
         "holds more than 16 MB"},
        {"local t = {} for i = 1, 1e9 do t[i .. ''] = i end", "limit"},
        {"local t = {} for i = 1, 1e9 do t[i * 1e9] = i end", "limit"},
        {"local t = {} for i = 1, 1e9 do t[i] = function() return i end end", "limit"},
        {"local t for i = 1, 1e9 do t = { t } end", "limit"},
        {"local t for i = 1, 1e9 do local u = t t = function() return u end end", "limit"},
    };
    REFUSE_ALL(cases);
}

static void
networks_are_bounded(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"local x = input { height = 8, width = 8, channels = 1 } "
         "for i = 1, 1e9 do x = relu(x, 'r' .. i) end",
         "relu: the network has more than 4096 layers"},
        {"local x = input { height = 8, width = 8, channels = 1 } "
         "for i = 1, 1e9 do x = bn(x, 'r' .. i) end",
         "bn: the network has more than 4096 layers"},
        {"local x = input { height = 4096, width = 4096, channels = 4 } "
         "x = conv(x, 'a', { channels = 65536, window = 15 }) "
         "x = conv(x, 'b', { channels = 65536, window = 15 })",
         "weights and"},
        {"for i = 1, 1e9 do input { height = 0, width = 8, channels = 1 } end",
         "input: height is 0"},
        {"local d = {} for i = 1, 33 do d[i] = { name = 'a' .. i, low = 1, high = 1, default = 1 } "
         "end fields({}, d)",
         "fields: more than 32 fields"},
        {"local d = {} for i = 1, 4000 do d['k' .. i] = 1 end fields(d, {})", "no field k1"},
        {"local d = {} for i = 1, 17 do d[i] = i end "
         "fields({}, { { name = 'a', choices = d } })",
         "choices has 17 entries: at most 16"},
    };
    REFUSE_ALL(cases);
}

// A text of `n` copies of `part` between a head and a tail.
static void
refuse_repeated(const char *head, const char *part, int n, const char *tail, const char *message)
{
    struct rx_text text = {0};
    rx_text_add(&text, head);
    for (int i = 0; i < n; i++)
        rx_text_printf(&text, part, i);  // NOLINT: the parts are the literals below
    rx_text_add(&text, tail);
    refuse(rx_text_str(&text), text.n, message);
    rx_text_close(&text);
}

static void
large_and_deep_sources_are_bounded(void **state)
{
    (void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    refuse_repeated("", "--[[ %d ]]", 20000, "", "longer than 64 KB");
    refuse_repeated("return ", "(", 30000, "1", "C stack overflow");
    refuse_repeated("return ", "{", 30000, "1", "C stack overflow");
    refuse_repeated("", "do ", 20000, "", "C stack overflow");
    refuse_repeated("return ", "- ", 30000, "1", "C stack overflow");
    refuse_repeated("return ", "not ", 16000, "1", "C stack overflow");
    refuse_repeated("", "::a%d:: ", 6000, "", "m.lua: C stack overflow");
    refuse_repeated("", "::a%d:: do end ", 3700, "", "returns a nil");
    refuse_repeated("", "goto a%d do end ", 3500, "", "m.lua:1: no visible label");
    refuse_repeated("", "goto b ", 9000, "::b::", "m.lua");
    refuse_repeated("", "local a%d ", 300, "", "too many local variables");
    refuse_repeated("return ", "'x' .. ", 9000, "'x'", "m.lua");
    refuse_repeated("return { ", "%d, ", 9000, "}", "model: ");
    refuse_repeated("return '", "x", 60000, "'", "m.lua");
#pragma GCC diagnostic pop
}

// Files of the library that need each other, themselves, or too many others.
static void
load_with_library(const char *const files[][2], int n, const char *text, const char *part)
{
    struct rx_test_folder folder;
    char path[RX_FOLDER_CHARS], model[RX_FOLDER_CHARS];
    rx_test_folder_open(&folder);
    for (int i = 0; i < n; i++)
        rx_test_folder_write(rx_test_folder_file(&folder, files[i][0], path), files[i][1],
                             strlen(files[i][1]));
    rx_test_folder_write(rx_test_folder_file(&folder, "m.lua", model), text, strlen(text));
    struct rx_test_model m = {0};
    rx_graph_open(&m.graph, "");
    m.output.graph = &m.graph;
    const struct rx_front_input input = {.path = model, .lib = folder.path};
    m.status = rx_front_load(&input, &m.output, &m.error);
    rx_test_model_refused(&m, text, part);
    rx_test_model_close(&m);
    rx_test_folder_close(&folder);
}

static void
libraries_are_sandboxed_too(void **state)
{
    (void)state;
    static const char *const cycle[][2] = {{"a.lua", "require 'lib.b'"},
                                           {"b.lua", "return require 'lib.a'"}};
    load_with_library(cycle, 2, "require 'lib.a'", "b.lua:1: require: lib.a needs itself");
    static const char *const once[][2] = {{"a.lua", "return { n = 0 }"}};
    load_with_library(once, 1,
                      "local a = require 'lib.a' a.n = 7\nerror('n is ' .. require('lib.a').n)",
                      "m.lua:2: n is 7");
    static const char *const bad[][2] = {{"a.lua", "\n\nos.exit(3)"}};
    load_with_library(bad, 1, "require 'lib.a'", "a.lua:3: os: there is no such name");
    static const char *const none[][2] = {{"a.lua", "local x = 1"}};
    load_with_library(none, 1, "error(tostring(require 'lib.a'))", "true");
    static const char *const loop[][2] = {{"a.lua", "while true do end"}};
    load_with_library(loop, 1, "require 'lib.a'", "a.lua:1: limit");
    static const char *const binary[][2] = {{"a.lua", "\x1bLua"}};
    load_with_library(binary, 1, "require 'lib.a'", "attempt to load a binary chunk");
}

// What a model file may use gives the same in every run: no addresses, no order of a hash.
static void
what_is_there_is_the_same_every_time(void **state)
{
    (void)state;
    static const char text[] =
        "local t = { b = 1, a = 2, [10] = 3, [2] = 4, c = 5, [1.5] = 6 }\n"
        "local s = ''\n"
        "for k, v in pairs(t) do s = s .. k .. '=' .. v .. ' ' t[k] = nil end\n"
        "for i, v in ipairs { 7, 8 } do s = s .. i .. v .. ' ' end\n"
        "s = s .. tostring({}) .. tostring(error) .. tostring(nil) .. tostring(1.5) .. ' '\n"
        "s = s .. ('a1b22'):gsub('%d+', '#') .. ' ' .. ('50_32x4d'):match('(%d+)x') .. ' '\n"
        "s = s .. string.format('%d %5.2f %s %q', 3, 2.5, true, 'x') .. ' ' .. #t .. ' '\n"
        "s = s .. table.concat({ table.unpack { 1, 2 } }, ',') .. select('#', 1, nil)\n"
        "error(s, 0)";
    for (int i = 0; i < 3; i++)
        refuse(text, sizeof text - 1,
               "1.5=6 2=4 10=3 a=2 b=1 c=5 17 28 tablefunctionnil1.5 a#b# 32 3  2.50 true \"x\" 0 "
               "1,22");
    refuse("for k in pairs { [true] = 1 } do end", 36, "pairs: a key is a boolean");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outside_is_there),
        cmocka_unit_test(bytecode_is_refused),
        cmocka_unit_test(what_does_not_end_is_ended),
        cmocka_unit_test(long_operations_are_bounded),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(networks_are_bounded),
        cmocka_unit_test(large_and_deep_sources_are_bounded),
        cmocka_unit_test(libraries_are_sandboxed_too),
        cmocka_unit_test(what_is_there_is_the_same_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
