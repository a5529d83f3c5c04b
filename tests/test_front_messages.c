// The front's messages: where, what is wrong, what would be right.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/model.h"

#define HEAD "local resnext = require 'lib.resnext'\n"
#define NET HEAD "return resnext.cifar { name = 'm', depth = 11, cardinality = 2, width = 8, "
#define X "local x = input { height = 8, width = 8, channels = 3 }\n"
#define BODY X "x = gap(x, 'g') x = fc(x, 'fc', { classes = 2 })\n"
#define RECIPE(more)                                                                               \
    BODY "return { name = 'm', output = x, recipe = { data = 'synthetic', " more " } }"

static const char *const vocabulary[][2] = {
    {X "conv(x, 'a', { channels = 6, groups = 3, window = 3, stride = 1, pads = 1 })",
     "m.lua:2: conv: unknown key pads; nearest: pad"},
    {X "conv(x, 'a', { chanels = 6 })", "m.lua:2: conv: unknown key chanels; nearest: channels"},
    {X "conv(x, 'a', { dilation = 6 })", "its keys are channels, groups, pad, stride, window"},
    {X "conv(x, 'a')", "conv: channels is missing: it is an integer 1..65536"},
    {X "conv(x, 'a', { channels = 1.5 })", "channels is 1.5: it is an integer"},
    {X "conv(x, 'a', { channels = '8' })", "channels is \"8\": it is an integer"},
    {X "conv(x, 'a', { channels = 0/0 })", "it is an integer"},
    {X "conv(x, 'a', { channels = 1 << 40 })", "channels is 1099511627776"},
    {X "conv(x, 'a', { channels = 4, groups = 3 })",
     "m.lua:2: conv: groups 3 does not divide channels 4; nearest: 3, 6"},
    {X "conv(x, 'a', 3)", "conv: its options are a number"},
    {X "conv(x, 'a', { 3 })", "conv: its options have a number for a key"},
    {X "conv(x, 'a', { channels = 3 }, 1)", "conv: 4 arguments: it takes at most 3"},
    {X "conv(nil, 'a', { channels = 3 })", "conv: argument 1 is a nil"},
    {X "conv({ id = 0 }, 'a', { channels = 3 })", "conv: argument 1 is a table"},
    {X "conv(x, 7, { channels = 3 })", "conv: argument 2 is a number: it is the layer's name"},
    {X "bn(x, 'a b')", "bn: the name \"a b\": names are 1..64 of A-Z a-z 0-9 _ ."},
    {X "bn(x, '')", "bn: the name \"\""},
    {X "bn(x, 'a\\0b')", "bn: the name \"a\""},
    {X "bn(x, ('a'):rep(65))", "bn: the name"},
    {X "relu(x, 'a')\nrelu(x, 'a')", "m.lua:3: relu: a layer is named a already"},
    {X "add(x, conv(x, 'c', { channels = 4 }), 'a')", "m.lua:2: add: 8x8x3 and 8x8x4"},
    {X "maxpool(x, 'p', { window = 3 })", "maxpool: stride is missing"},
    {X "maxpool(x, 'p', { window = 30, stride = 2 })", "maxpool: a window of 30x30"},
    {X "fc(x, 'fc', { classes = 10 })", "fc: its input is a map of 8x8: put a gap before it"},
    {X X, "input: there is one already"},
    {X "local c = x.chanels", "m.lua:2: layer output: it has no field chanels; nearest: channels"},
    {X "local c = x.depth", "it has channels, height and width"},
    {X "x.channels = 4", "m.lua:2: layer output: its fields cannot be assigned"},
    {X "\nx = conw(x, 'a')", "m.lua:3: conw: there is no such name; nearest: conv"},
    {X "y = x", "m.lua:2: y: a global is assigned: write local y"},
    {"input { height = 8, width = 8, channels = 5 }", "input: 8x8 pixels of 5 channels"},
    {"local x = 1 +", "m.lua:1: "},
    {"error('no')", "m.lua:1: no"},
    {"error('no', 0)", "m.lua:1: no"},
    {"assert(false, 'no')", "m.lua:1: no"},
    {"local x = nil + 1", "m.lua:1: attempt to perform arithmetic"},
    {"error({})", "m.lua:1: an error that is a table"},
    {"error('a\\27[31m\\nb')", "m.lua:1: a [31m b"},
};

static const char *const results[][2] = {
    {"", "model: the file returns a nil"},
    {X "return { name = 'm', output = x, recipe = {} }", "model: the network has no classifier"},
    {"return { name = 'm' }", "model: the network has no input"},
    {BODY "return { name = 'm', output = 1 }", "model: output is not the classifier's"},
    {BODY "return { name = 'm', output = x }", "recipe: it is a nil"},
    {BODY "return { name = 'm', output = x, extra = 1 }", "model: unknown key extra"},
    {BODY "return { name = 'train', output = x }", "name train: it is the name of a link"},
    {BODY "return { name = 'build', output = x }", "name build"},
    {BODY "return { name = 'a/b', output = x }", "name \"a/b\""},
    {BODY "return { name = '..', output = x }", "name \"..\""},
    {BODY "return { output = x }", "model: name is missing"},
};

static const char *const fields[][2] = {
    {HEAD "return resnext.cifar { name = 'm', depth = 11, cardinality = 2 }",
     "m.lua: width is missing: it is an integer, from 1 to 4096"},
    {HEAD "local m = resnext.cifar { name = 'm',\ndepth = 12, cardinality = 2, width = 8 }\n",
     "m.lua:2: depth is 12: it is an integer, 9n + 2"},
    {HEAD "local m = resnext.imagenet { name = 'm', depth = 34, cardinality = 2, width = 8 }\n",
     "m.lua:2: depth is 34: it is an integer, one of 26, 50, 101, 152, 200"},
    {NET "recipe = 'imagenet', widht = 3 }", "the model has no field widht; nearest: width"},
    {NET "classes = '10', recipe = 'imagenet' }", "classes is 10: it is an integer, from 2"},
    {NET "recipe = 'imagnet' }", "m.lua: recipe imagnet: there are imagenet, cifar10 and"},
    {NET "}", "recipe nil"},
    {"fields({}, {}) fields({}, {})", "fields: a model declares its fields once"},
    {"fields({}, { { name = 'a', low = 2, high = 1 } })", "fields: high is 1"},
    {"fields({}, { { name = 'a', choices = {} } })", "fields: a has no choices"},
    {"fields({}, { { low = 2, high = 3 } })", "fields: a field is named \"\""},
};

static const char *const recipes[][2] = {
    {RECIPE("epochs = 1, batch = 1"), "recipe: lr is missing"},
    {RECIPE("epochs = 1, batch = 1, lr = 0/0"), "recipe: lr is "},
    {RECIPE("epochs = 1, batch = 1, lr = 1/0"), "recipe: lr is inf"},
    {RECIPE("epochs = 1, batch = 1, lr = 0"), "recipe: lr is 0"},
    {RECIPE("epochs = 1.5, batch = 1, lr = 1"), "recipe: epochs is 1.5: it is an integer"},
    {RECIPE("epochs = 1, batch = 0, lr = 1"), "recipe: batch is 0"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, speed = 1"), "recipe: unknown key speed"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, wdd = 1"), "unknown key wdd; nearest: wd"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, schedule = 'x'"), "it is \"step\" or \"cosine\""},
    {RECIPE("epochs = 1, batch = 1, lr = 1, nesterov = 1"), "nesterov is 1: it is true or false"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, milestones = { 3, 3 }"), "milestones: 3 after 3"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, milestones = 3"), "milestones is 3: it is a list"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, mean = { 1 }, std = { 1 }"),
     "mean and std have 1 entries: the input has 3 channels"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, mean = { 1, 1, 1 }, std = { 1 }"),
     "mean has 3 entries and std 1"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, mean = { 1, 1, 1 }, std = { 1, 1, 0 }"),
     "std is 0: it is a number"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, data = 'fashon-mnist'"), "fashion-mnist"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, data = 'tensors:a\"b'"), "without quotes"},
    {RECIPE("epochs = 1, batch = 1, lr = 1, data = 'nosuch:x'"), "it begins with fashion-mnist"},
};

static void
refuse_all(const char *const cases[][2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct rx_test_model m;
        rx_test_model_text(&m, cases[i][0], strlen(cases[i][0]));
        rx_test_model_refused(&m, cases[i][0], cases[i][1]);
        assert_null(strchr(m.error.text, '\n'));
        rx_test_model_close(&m);
    }
}

static void
wrong_layers_say_what_is_right(void **state)
{
    (void)state;
    refuse_all(vocabulary, sizeof vocabulary / sizeof vocabulary[0]);
}

static void
wrong_results_say_what_is_right(void **state)
{
    (void)state;
    refuse_all(results, sizeof results / sizeof results[0]);
}

static void
wrong_fields_say_what_is_right(void **state)
{
    (void)state;
    refuse_all(fields, sizeof fields / sizeof fields[0]);
}

static void
wrong_recipes_say_what_is_right(void **state)
{
    (void)state;
    refuse_all(recipes, sizeof recipes / sizeof recipes[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_layers_say_what_is_right),
        cmocka_unit_test(wrong_results_say_what_is_right),
        cmocka_unit_test(wrong_fields_say_what_is_right),
        cmocka_unit_test(wrong_recipes_say_what_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
