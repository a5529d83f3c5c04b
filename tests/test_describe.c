// --describe: the table and the JSON object say the same, and what the graph says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gen/plan/describe.h"
#include "tests/support/model.h"

static json_t *
described(const struct rx_test_model *m, const struct rx_describe_memory *memory)
{
    struct rx_text text = {0};
    rx_describe_print_json(&m->graph, &m->output, memory, &text);
    const char *newline = strchr(rx_text_str(&text), '\n');
    assert_non_null(newline);
    assert_ptr_equal(newline, text.s + text.n - 1);  // one object on one line
    json_t *o = json_loads(rx_text_str(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    rx_text_close(&text);
    return o;
}

static int64_t
integer(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void
json_adds_up(void **state)
{
    (void)state;
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext101_64x4d.lua", NULL, 0);
    const struct rx_describe_memory memory = {.batch = 3, .threads = 2, .bytes = 5000000000};
    json_t *o = described(&m, &memory);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "resnext101_64x4d");
    assert_int_equal(integer(o, "params"), 83455272);
    assert_int_equal(integer(o, "macs"), rx_graph_macs(&m.graph));
    assert_int_equal(integer(o, "conv_outputs"), rx_graph_conv_outputs(&m.graph));
    assert_int_equal(integer(json_object_get(o, "memory"), "bytes"), 5000000000);
    assert_int_equal(integer(json_object_get(o, "memory"), "batch"), 3);
    int64_t params = 0, macs = 0, outputs = 0;
    size_t i;
    json_t *layer;
    json_array_foreach(json_object_get(o, "layers"), i, layer)
    {
        params += integer(layer, "params");
        macs += integer(layer, "macs");
        const json_t *shape = json_object_get(layer, "output");
        assert_int_equal(json_array_size(shape), 3);
        if (strcmp(json_string_value(json_object_get(layer, "op")), "conv") == 0)
            outputs += json_integer_value(json_array_get(shape, 0)) *
                       json_integer_value(json_array_get(shape, 1)) *
                       json_integer_value(json_array_get(shape, 2));
    }
    assert_int_equal(params, integer(o, "params"));
    assert_int_equal(macs, integer(o, "macs"));
    assert_int_equal(outputs, integer(o, "conv_outputs"));
    json_decref(o);
    rx_test_model_close(&m);
}

static const json_t *
named(const json_t *list, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        if (strcmp(json_string_value(json_object_get(o, "name")), name) == 0)
            return o;
    }
    return NULL;
}

static void
layers_and_fields(void **state)
{
    (void)state;
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnext29_8x64d.lua", NULL, 0);
    json_t *o = described(&m, NULL);
    assert_null(json_object_get(o, "memory"));
    const json_t *layers = json_object_get(o, "layers");
    const json_t *fc = named(layers, "fc");  // product and bias as one
    assert_string_equal(json_string_value(json_object_get(fc, "op")), "fc");
    assert_int_equal(integer(fc, "params"), 1024 * 10 + 10);
    assert_int_equal(integer(fc, "macs"), 1024 * 10);
    assert_ptr_equal(fc, json_array_get(layers, json_array_size(layers) - 1));
    const json_t *conv2 = named(layers, "layer2.0.conv2");
    assert_int_equal(integer(conv2, "params"), 9 * 128 * 1024);
    assert_int_equal(integer(conv2, "macs"), 9LL * 128 * 1024 * 16 * 16);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(conv2, "output"), 0)), 16);
    assert_int_equal(integer(named(layers, "layer2.0.bn2"), "params"), 2048);
    const json_t *fields = json_object_get(o, "fields");
    assert_int_equal(json_array_size(fields), 9);
    assert_int_equal(integer(named(fields, "depth"), "value"), 29);
    assert_int_equal(integer(named(fields, "depth"), "step"), 9);
    assert_int_equal(integer(named(fields, "width"), "high"), 4096);
    json_decref(o);
    rx_test_model_close(&m);

    rx_test_model_load(&m, "models/resnet50.lua", NULL, 0);
    o = described(&m, NULL);
    const json_t *depth = named(json_object_get(o, "fields"), "depth");
    assert_int_equal(json_array_size(json_object_get(depth, "choices")), 5);
    json_decref(o);
    rx_test_model_close(&m);
}

static void
table_has_layers_totals_memory_and_fields(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "resnet50\n",
        "conv1                        conv         112x112x64         9408      118013952\n",
        "layer1.0.downsample.0        conv          56x56x256        16384       51380224\n",
        "fc                           fc             1x1x1000      2049000        2048000\n",
        "parameters    25557032\n",
        "MACs          4089184256 an image\n",
        "conv outputs  11113984\n",
        "memory        1.5 MB at batch 4 with 2 threads\n",
        "--set depth=50  26|50|101|152|200  layers\n",
        "--set classes=1000  2..65536",
    };
    struct rx_test_model m;
    rx_test_model_load(&m, "models/resnet50.lua", NULL, 0);
    struct rx_text text = {0};
    const struct rx_describe_memory memory = {.batch = 4, .threads = 2, .bytes = 1500000};
    rx_describe_print(&m.graph, &m.output, &memory, &text);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(rx_text_str(&text), parts[i]) == NULL)
            fail_msg("'%s' is not in\n%s", parts[i], rx_text_str(&text));
    rx_text_clear(&text);
    rx_describe_print(&m.graph, &m.output, NULL, &text);
    assert_null(strstr(rx_text_str(&text), "memory"));
    rx_text_close(&text);
    rx_test_model_close(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_adds_up),
        cmocka_unit_test(layers_and_fields),
        cmocka_unit_test(table_has_layers_totals_memory_and_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
