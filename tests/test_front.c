// The front: exact counts of the paper's networks, settings, and what the sandbox must not let out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gen/front/front.h"
#include "runtime/base/file.h"

struct loaded {
    struct rx_graph graph;
    struct rx_front_output output;
    struct rx_error error;
    int status;
};

static void
load(struct loaded *l, const char *path, const struct rx_setting *setting, int n)
{
    *l = (struct loaded){0};
    rx_graph_open(&l->graph, "");
    l->output.graph = &l->graph;
    const struct rx_front_input input = {
        .path = path, .lib = "models/lib", .setting = setting, .n_settings = n};
    l->status = rx_front_load(&input, &l->output, &l->error);
}

struct row {
    const char *model;
    int64_t params, macs_millions, outputs_ten_thousands;
};

// Parameters exact; multiply-adds to the million; convolution outputs to ten thousand (0: not
// given).
static void
counts_are_the_papers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"resnet50", 25557032, 4089, 1111},          {"resnext50_32x4d", 25028904, 4230, 1440},
        {"resnet101", 44549160, 7801, 1623},         {"resnext101_32x4d", 44177704, 7970, 2122},
        {"resnext101_64x4d", 83455272, 15460, 3121}, {"resnext101_32x8d", 88791336, 16414, 3121},
        {"resnet152", 60192808, 11514, 2255},        {"resnext29_8x64d", 34426698, 5387, 0},
        {"resnext29_16x64d", 68155210, 10689, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "models/%s.lua", rows[i].model);
        struct loaded l;
        load(&l, path, NULL, 0);
        assert_string_equal(l.error.text, "");
        assert_int_equal(rx_graph_param_count(&l.graph), rows[i].params);
        assert_int_equal((rx_graph_macs(&l.graph) + 500000) / 1000000, rows[i].macs_millions);
        if (rows[i].outputs_ten_thousands > 0)
            assert_int_equal((rx_graph_conv_outputs(&l.graph) + 5000) / 10000,
                             rows[i].outputs_ten_thousands);
        assert_null(rx_graph_verify(&l.graph));
        rx_graph_close(&l.graph);
    }
}

// Weights of a conv2 block, as the paper's Table 2 gives them: C * (256*d + 9*d*d + d*256).
static void
equal_complexity_rows(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1", "64"}, {"2", "40"}, {"4", "24"}, {"8", "14"}, {"32", "4"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rx_setting set[] = {{"cardinality", rows[i][0]}, {"width", rows[i][1]}};
        struct loaded l;
        load(&l, "models/resnext50_32x4d.lua", set, 2);
        assert_int_equal(l.status, RX_OK);
        int64_t got = 0;
        for (int p = 0; p < l.graph.n_params; p++) {
            const struct rx_param *q = &l.graph.param[p];
            if (strncmp(q->name, "layer1.1.conv", strlen("layer1.1.conv")) == 0)
                got += q->file_shape[0] * q->file_shape[1] * q->file_shape[2] * q->file_shape[3];
        }
        const int c = atoi(rows[i][0]), d = atoi(rows[i][1]);
        assert_int_equal(got, c * (256 * d + 9 * d * d + d * 256));
        rx_graph_close(&l.graph);
    }
}

static void
expect_refused(const struct rx_setting *set, int n, const char *part)
{
    struct loaded l;
    load(&l, "models/resnext50_32x4d.lua", set, n);
    assert_int_equal(l.status, RX_USER);
    if (strstr(l.error.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, l.error.text);
    rx_graph_close(&l.graph);
}

static void
settings_are_checked(void **state)
{
    (void)state;
    expect_refused(&(struct rx_setting){"nosuch", "1"}, 1, "it has: depth cardinality width");
    expect_refused(&(struct rx_setting){"depth", "51"}, 1, "26 50 101 152 200");
    expect_refused(&(struct rx_setting){"width", "x"}, 1, "not an integer from");
    expect_refused(&(struct rx_setting){"width", "0"}, 1, "not an integer from");
    expect_refused(&(struct rx_setting){"width", "99999999999999999999"}, 1, "not an integer");
    expect_refused(&(struct rx_setting){"classes", "1"}, 1, "not an integer from 2");
    expect_refused(&(struct rx_setting){"image", ""}, 1, "not an integer");
}

// Runs a text as a model file; it must be refused within the limits.
static void
refuse_text(const char *text, size_t n, const char *part)
{
    char folder[] = "/tmp/rxgen-front-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[128];
    snprintf(path, sizeof path, "%s/m.lua", folder);
    struct rx_error error = {0};
    assert_int_equal(rx_file_write(path, text, n, &error), RX_OK);
    struct loaded l;
    load(&l, path, NULL, 0);
    unlink(path);
    rmdir(folder);
    if (l.status != RX_USER || strstr(l.error.text, part) == NULL)
        fail_msg("%s: status %d, '%s'", text, l.status, l.error.text);
    rx_graph_close(&l.graph);
}

static void
nothing_escapes(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"os.execute('true')", "'os'"},
        {"io.open('/etc/passwd')", "'io'"},
        {"debug.getinfo(1)", "'debug'"},
        {"load('return 1')()", "'load'"},
        {"loadstring('return 1')", "'loadstring'"},
        {"dofile('models/resnet50.lua')", "'dofile'"},
        {"loadfile('models/resnet50.lua')", "'loadfile'"},
        {"pcall(error)", "'pcall'"},
        {"xpcall(error, error)", "'xpcall'"},
        {"coroutine.create(error)", "'coroutine'"},
        {"setmetatable({}, {})", "'setmetatable'"},
        {"getmetatable('').__index = nil", "'getmetatable'"},
        {"collectgarbage()", "'collectgarbage'"},
        {"rawset({}, 1, 1)", "'rawset'"},
        {"string.dump(error)", "'dump'"},
        {"('x'):gsub('x', 'y')", "'gsub'"},
        {"('x'):find('x')", "'find'"},
        {"('x'):match('x')", "'match'"},
        {"string.gmatch('x', 'x')", "'gmatch'"},
        {"table.sort({3, 1})", "'sort'"},
        {"math.random()", "'random'"},
        {"print('x')", "'print'"},
        {"warn('x')", "'warn'"},
        {"require 'os'", "not a file of models/lib"},
        {"require 'lib.../x'", "not a file of models/lib"},
        {"require 'lib./etc/passwd'", "not a file of models/lib"},
        {"require 'lib.nosuch'", "cannot be opened"},
        {"package.loaded.x = 1", "'package'"},
        {"_G.require = nil", "'_G'"},
        {"error({})", "error without a text"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuse_text(texts[i][0], strlen(texts[i][0]), texts[i][1]);
}

static void
limits_end_what_does_not_end(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"while true do end", "must end"},
        {"::a:: goto a", "must end"},
        {"local t = {} while true do t[#t + 1] = 'x' end", "memory"},
        {"local s = 'x' while true do s = s .. s end", "memory"},
        {"local s = ('x'):rep(1e9)", "memory"},
        {"local s = string.rep('x', 1 << 62)", "too large"},
        {"local s = ('x'):rep(8e6) local u = ('x'):rep(8e6) while true do local q = s < u end",
         "must end"},
        {"local s = ('x'):rep(8e6) while true do local q = s:upper() end", "must end"},
        {"local function f() return f() end f()", "must end"},
        {"local function f() return 1 + f() end f()", "memory"},
        {"local s = '' for i = 1, 1e9 do s = s .. i end", "m"},
        {"for i = 1, 1e9 do field('a' .. i, 1, 1, 1) end", "at most"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuse_text(texts[i][0], strlen(texts[i][0]), texts[i][1]);
}

static void
bytecode_is_refused(void **state)
{
    (void)state;
    refuse_text("\x1bLua\x54\x00\x19\x93\r\n\x1a\n", 12, "attempt to load a binary chunk");
}

static void
wrong_use_names_file_and_line(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"model('m')\nlocal x = input(8, 8, 3)\nconv('a', x, {channels = 0})", "m.lua:3: conv"},
        {"model('m')\nconv('a', 7, {channels = 1})", "m.lua:2: conv"},
        {"model('m')\nconv('a', {id = 99}, {channels = 1})", "m.lua:2: conv"},
        {"model('m')\nlocal x = input(8, 8, 3)\nbn('a b', x)", "m.lua:3: a layer's name"},
        {"model('train')", "taken by a program"},
        {"model('a/b')", "m.lua:1: model"},
        {"model('m') recipe { lr = 0/0 }", "recipe: lr"},
        {"model('m') recipe { epochs = 1.5 }", "whole number"},
        {"model('m') recipe { speed = 1 }", "unknown key speed"},
        {"model('m') recipe { schedule = 'x' }", "step or cosine"},
        {"", "no name"},
        {"model('m') input(8, 8, 3)", "does not end with fc"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuse_text(texts[i][0], strlen(texts[i][0]), texts[i][1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_papers),         cmocka_unit_test(equal_complexity_rows),
        cmocka_unit_test(settings_are_checked),          cmocka_unit_test(nothing_escapes),
        cmocka_unit_test(limits_end_what_does_not_end),  cmocka_unit_test(bytecode_is_refused),
        cmocka_unit_test(wrong_use_names_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
