// The front: exact counts of the paper's networks, settings, recipes and messages.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/model.h"

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
        struct rx_test_model m;
        rx_test_model_load(&m, path, NULL, 0);
        assert_string_equal(m.error.text, "");
        assert_string_equal(m.graph.name, rows[i].model);
        assert_int_equal(rx_graph_param_count(&m.graph), rows[i].params);
        assert_int_equal((rx_graph_macs(&m.graph) + 500000) / 1000000, rows[i].macs_millions);
        if (rows[i].outputs_ten_thousands > 0)
            assert_int_equal((rx_graph_conv_outputs(&m.graph) + 5000) / 10000,
                             rows[i].outputs_ten_thousands);
        assert_null(rx_graph_verify(&m.graph));
        rx_test_model_close(&m);
    }
}

static void
batch_norm_parameters(void **state)
{
    (void)state;
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext50_32x4d.lua", NULL, 0);
    int64_t n = 0;
    for (int i = 0; i < m.graph.n_params; i++)
        if (m.graph.param[i].kind == RX_PARAM_BN_WEIGHT ||
            m.graph.param[i].kind == RX_PARAM_BN_BIAS)
            n += m.graph.param[i].slice_count;
    assert_int_equal(n, 68224);
    rx_test_model_close(&m);
}

// A network of the family in numbers.
struct shape {
    int stages, blocks[4], cardinality, width, planes, stem, classes, channels, stem_taps;
};

// Parameters of such a network by the formulas of the paper's table 1, a stage at a time: no graph,
// no layers.
static int64_t
params_by_formula(const struct shape *s)
{
    int64_t in = s->stem;
    int64_t n = (int64_t)s->channels * s->stem * s->stem_taps * s->stem_taps + 2 * s->stem;
    for (int i = 0; i < s->stages; i++) {
        const int64_t planes = (int64_t)s->planes << i, out = 4 * planes;
        const int64_t d = planes * s->width / 64, inner = d * s->cardinality;
        const int64_t rest = 9 * d * inner + inner * out + 4 * inner + 2 * out;
        n += s->blocks[i] * rest + in * inner + (s->blocks[i] - 1) * out * inner;
        if (in != out || i > 0)
            n += in * out + 2 * out;
        in = out;
    }
    return n + in * s->classes + s->classes;
}

static const struct {
    const char *path;
    const char *set[8][2];
    struct shape shape;
} others[] = {
    {"models/resnext50_32x4d.lua",
     {{"cardinality", "1"}, {"width", "64"}},
     {4, {3, 4, 6, 3}, 1, 64, 64, 64, 1000, 3, 7}},
    {"models/resnext50_32x4d.lua",
     {{"cardinality", "2"}, {"width", "40"}},
     {4, {3, 4, 6, 3}, 2, 40, 64, 64, 1000, 3, 7}},
    {"models/resnext50_32x4d.lua",
     {{"cardinality", "4"}, {"width", "24"}},
     {4, {3, 4, 6, 3}, 4, 24, 64, 64, 1000, 3, 7}},
    {"models/resnext50_32x4d.lua",
     {{"cardinality", "8"}, {"width", "14"}},
     {4, {3, 4, 6, 3}, 8, 14, 64, 64, 1000, 3, 7}},
    {"models/resnext101_64x4d.lua",
     {{"cardinality", "2"}, {"width", "64"}},
     {4, {3, 4, 23, 3}, 2, 64, 64, 64, 1000, 3, 7}},
    {"models/resnext101_64x4d.lua",
     {{"cardinality", "1"}, {"width", "100"}},
     {4, {3, 4, 23, 3}, 1, 100, 64, 64, 1000, 3, 7}},
    {"models/resnet200.lua", {{NULL, NULL}}, {4, {3, 24, 36, 3}, 1, 64, 64, 64, 1000, 3, 7}},
    {"models/resnet50.lua",
     {{"depth", "26"}, {"classes", "5000"}, {"channels", "1"}},
     {4, {2, 2, 2, 2}, 1, 64, 64, 64, 5000, 1, 7}},
    {"models/resnext29_8x64d.lua",
     {{"depth", "11"}, {"cardinality", "3"}, {"width", "14"}, {"planes", "24"}},
     {3, {1, 1, 1}, 3, 14, 24, 24, 10, 3, 3}},
    {"models/resnext29_8x64d.lua",
     {{"depth", "20"}, {"cardinality", "5"}, {"width", "13"}, {"stem", "16"}, {"image", "40"}},
     {3, {2, 2, 2}, 5, 13, 64, 16, 10, 3, 3}},
    {"models/fashion_resnext.lua", {{NULL, NULL}}, {3, {1, 1, 1}, 8, 16, 16, 32, 10, 1, 3}},
    {"models/fashion_resnext.lua",
     {{"stem", "0"}, {"stride", "1"}},
     {3, {1, 1, 1}, 8, 16, 16, 16, 10, 1, 3}},
};

static void
other_networks_follow_the_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct rx_setting set[8];
        int n = 0;
        for (; n < 8 && others[i].set[n][0] != NULL; n++)
            set[n] = (struct rx_setting){others[i].set[n][0], others[i].set[n][1]};
        struct rx_test_model m;
        rx_test_model_load(&m, others[i].path, set, n);
        assert_string_equal(m.error.text, "");
        assert_int_equal(rx_graph_param_count(&m.graph), params_by_formula(&others[i].shape));
        assert_null(rx_graph_verify(&m.graph));
        rx_test_model_close(&m);
    }
}

// Weights of a conv2 block, as the paper's table 2 gives them: C * (256*d + 9*d*d + d*256).
static void
equal_complexity_rows(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1", "64"}, {"2", "40"}, {"4", "24"}, {"8", "14"}, {"32", "4"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rx_setting set[] = {{"cardinality", rows[i][0]}, {"width", rows[i][1]}};
        struct rx_test_model m;
        rx_test_model_load(&m, "models/resnext50_32x4d.lua", set, 2);
        assert_int_equal(m.status, RX_OK);
        int64_t got = 0;
        for (int p = 0; p < m.graph.n_params; p++) {
            const struct rx_param *q = &m.graph.param[p];
            if (strncmp(q->name, "layer1.1.conv", strlen("layer1.1.conv")) == 0)
                got += q->file_shape[0] * q->file_shape[1] * q->file_shape[2] * q->file_shape[3];
        }
        const int c = atoi(rows[i][0]), d = atoi(rows[i][1]);
        assert_int_equal(got, c * (256 * d + 9 * d * d + d * 256));
        rx_test_model_close(&m);
    }
}

static const struct rx_node *
node_named(const struct rx_graph *g, const char *name)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (strcmp(g->node[i].name, name) == 0)
            return &g->node[i];
    return NULL;
}

static void
layers_have_torchvisions_names_and_their_line(void **state)
{
    (void)state;
    static const char *const names[] = {
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        "layer1.0.conv1",
        "layer1.0.bn1",
        "layer1.0.relu1",
        "layer1.0.downsample.0",
        "layer1.0.downsample.1",
        "layer1.0.add",
        "layer4.2.bn3",
        "layer4.2.relu3",
        "avgpool",
        "fc",
    };
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext50_32x4d.lua", NULL, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(node_named(&m.graph, names[i]));
    assert_null(node_named(&m.graph, "layer1.1.downsample.0"));
    const struct rx_node *n = node_named(&m.graph, "layer2.0.conv2");
    assert_int_equal(n->geometry.stride, 2);
    assert_int_equal(n->geometry.groups, 32);
    assert_string_equal(n->where.file, "models/lib/bottleneck.lua");
    assert_in_range(n->where.line, 1, 100);
    assert_int_equal(node_named(&m.graph, "layer2.0.conv1")->geometry.stride, 1);
    assert_int_equal(node_named(&m.graph, "layer1.0.downsample.0")->geometry.stride, 1);
    rx_test_model_close(&m);
}

// What is generated must not depend on where the files lie.
static void
absolute_paths_are_not_shown(void **state)
{
    (void)state;
    char root[2048], path[2200], lib[2200];
    assert_non_null(getcwd(root, sizeof root));
    snprintf(path, sizeof path, "%s/models/resnet50.lua", root);
    snprintf(lib, sizeof lib, "%s/models/lib", root);
    struct rx_test_model m = {0};
    rx_graph_open(&m.graph, "");
    m.output.graph = &m.graph;
    const struct rx_front_input input = {.path = path, .lib = lib};
    assert_int_equal(rx_front_load(&input, &m.output, &m.error), RX_OK);
    assert_string_equal(node_named(&m.graph, "fc")->where.file, "models/lib/resnext.lua");
    rx_test_model_close(&m);

    rx_test_model_text(&m, "conv(1)", 7);
    assert_null(strstr(m.error.text, "/tmp"));
    assert_non_null(strstr(m.error.text, "m.lua:1: conv: argument 1 is a number"));
    rx_test_model_close(&m);
}

static void
recipes_arrive(void **state)
{
    (void)state;
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext101_32x4d.lua", NULL, 0);
    const struct rx_recipe *r = &m.output.recipe;
    assert_string_equal(r->data, "synthetic");
    assert_int_equal(r->batch, 256);
    assert_int_equal(r->epochs, 100);
    assert_true(r->lr == 0.1 && r->momentum == 0.9 && r->wd == 1e-4 && r->gamma == 0.1);
    assert_int_equal(r->nesterov, 1);
    assert_int_equal(r->schedule, RX_SCHEDULE_STEP);
    assert_int_equal(r->n_milestones, 3);
    assert_int_equal(r->milestone[2], 90);
    assert_int_equal(r->n_mean, 3);
    assert_true(r->mean[0] == 0.485 && r->std[2] == 0.225);
    rx_test_model_close(&m);

    rx_test_model_load(&m, "models/resnext29_16x64d.lua", &(struct rx_setting){"channels", "1"}, 1);
    r = &m.output.recipe;
    assert_int_equal(r->batch, 128);
    assert_true(r->wd == 5e-4);
    assert_int_equal(r->crop_pad, 4);
    assert_int_equal(r->milestone[1], 225);
    assert_int_equal(r->n_mean, 1);  // of one channel: the average of the three
    const double mean = (125.3 + 123.0 + 113.9) / (3 * 255);
    assert_true(r->mean[0] > mean - 1e-12 && r->mean[0] < mean + 1e-12);
    rx_test_model_close(&m);

    rx_test_model_load(&m, "models/fashion_resnext.lua", NULL, 0);
    assert_string_equal(m.output.recipe.data, "fashion-mnist");
    assert_int_equal(m.output.recipe.schedule, RX_SCHEDULE_COSINE);
    rx_test_model_close(&m);
}

static void
fields_say_what_they_may_be(void **state)
{
    (void)state;
    const struct rx_setting set[] = {{"width", "8"}, {"depth", "101"}, {"width", "6"}};
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext50_32x4d.lua", set, 3);
    assert_int_equal(m.status, RX_OK);
    const struct rx_field *f = m.output.field;
    assert_int_equal(m.output.n_fields, 8);
    assert_string_equal(f[0].name, "depth");
    assert_int_equal(f[0].value, 101);
    assert_int_equal(f[0].n_choices, 5);
    assert_int_equal(f[0].low, 26);
    assert_int_equal(f[0].high, 200);
    assert_string_equal(f[2].name, "width");
    assert_int_equal(f[2].value, 6);  // the last of a repeated setting
    assert_int_equal(f[2].high, 4096);
    assert_true(strlen(f[2].help) > 0);
    rx_test_model_close(&m);
}

static void
settings_are_checked(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"resnext50_32x4d", "nosuch", "1",
         "--set nosuch=1: the model has no field nosuch: its "
         "fields are depth, cardinality, width, planes"},
        {"resnext50_32x4d", "cardinalty", "1", "no field cardinalty; nearest: cardinality"},
        {"resnext50_32x4d", "depth", "51", "--set depth=51: depth is an integer, one of 26, 50"},
        {"resnext29_8x64d", "depth", "30", "depth is an integer, 9n + 2, from 11 to 1001"},
        {"resnext29_8x64d", "depth", "2", "9n + 2"},
        {"resnext50_32x4d", "width", "x", "--set width=x: width is an integer, from 1 to 4096"},
        {"resnext50_32x4d", "width", "4x", "from 1 to 4096"},
        {"resnext50_32x4d", "width", " 4", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "+4", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "-4", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "4.0", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "0", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "4097", "from 1 to 4096"},
        {"resnext50_32x4d", "width", "99999999999999999999", "from 1 to 4096"},
        {"resnext50_32x4d", "classes", "1", "from 2 to 65536"},
        {"resnext50_32x4d", "image", "", "from 8 to 1024"},
        {"resnext50_32x4d", "", "1", "no field"},
        {"resnext50_32x4d", "name", "1", "no field name"},
        {"resnext50_32x4d", "planes", "8", "= 0 channels; nearest: 8"},
        {"fashion_resnext", "planes", "3", "nearest: 22"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "models/%s.lua", cases[i][0]);
        const struct rx_setting set = {cases[i][1], cases[i][2]};
        struct rx_test_model m;
        rx_test_model_load(&m, path, &set, 1);
        rx_test_model_refused(&m, cases[i][1], cases[i][3]);
        rx_test_model_close(&m);
    }
}

#define X "local x = input { height = 8, width = 8, channels = 3 }\n"

static void
a_model_of_primitives(void **state)
{
    (void)state;
    static const char text[] =
        X "assert(x.height == 8 and x.width == 8 and x.channels == 3 and tostring(x) == '8x8x3')\n"
          "x = conv(x, 'c', { channels = 6, window = 3, stride = 2, groups = 3 })\n"
          "assert(tostring(x) == '4x4x6')\n"
          "x = fc(gap(relu(bn(x, 'b'), 'r'), 'g'), 'fc', { classes = 2 })\n"
          "return { name = 'tiny', output = x, recipe = {\n"
          "  data = 'tensors:x.safetensors', batch = 2, epochs = 3, lr = 0.5 } }";
    struct rx_test_model m;
    rx_test_model_text(&m, text, sizeof text - 1);
    assert_string_equal(m.error.text, "");
    assert_string_equal(m.graph.name, "tiny");
    assert_int_equal(m.graph.classes, 2);
    assert_int_equal(rx_graph_param_count(&m.graph), 6 * 9 + 12 + 12 + 2);
    assert_int_equal(node_named(&m.graph, "c")->where.line, 3);
    assert_int_equal(m.output.recipe.nesterov, 1);
    assert_int_equal(m.output.n_fields, 0);
    rx_test_model_close(&m);
}

static void
files_that_are_not_there(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"models/nosuch.lua", "models/nosuch.lua: cannot be read: No such file"},
        {"models", "models: cannot be read: Is a directory"},
        {"/dev/zero", "/dev/zero: cannot be read"},
        {"", "cannot be read"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct rx_test_model m;
        rx_test_model_load(&m, paths[i][0], NULL, 0);
        rx_test_model_refused(&m, paths[i][0], paths[i][1]);
        rx_test_model_close(&m);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_papers),
        cmocka_unit_test(batch_norm_parameters),
        cmocka_unit_test(other_networks_follow_the_formula),
        cmocka_unit_test(equal_complexity_rows),
        cmocka_unit_test(layers_have_torchvisions_names_and_their_line),
        cmocka_unit_test(absolute_paths_are_not_shown),
        cmocka_unit_test(recipes_arrive),
        cmocka_unit_test(fields_say_what_they_may_be),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(a_model_of_primitives),
        cmocka_unit_test(files_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
