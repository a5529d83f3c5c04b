// The predictions of the CUDA target: occupancy, bytes, limits and totals against cases that were
// worked out by hand from docs/cuda-model.md, and what must hold for any kernel: more of anything
// is not slower, equal inputs give equal bytes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gen/target/cuda/cost.h"
#include "gen/target/cuda/cuda.h"
#include "runtime/weights.h"
#include "tests/support/command.h"
#include "tests/support/conv_problem.h"
#include "tests/support/kernel_case.h"

enum { H100, H200, A100, RTX_4090 };
enum { IMAGES = 256 };

static struct rx_load
load_on(int device)
{
    return (struct rx_load){
        .device = &rx_cuda_devices[device], .memory_share = 0.90, .images = IMAGES};
}

static struct rx_machine
machine_of(const char *arch)
{
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_cuda_machine(arch, &machine, &error), RX_OK);
    return machine;
}

// A 1x1 convolution of bf16 maps that takes statistics of what it stores.
static struct rx_problem
pointwise(enum rx_problem_op op, int size, int c, int k, enum rx_conv_epilogue epilogue)
{
    const struct rx_conv_spec spec = {
        .op = op, .geometry = rx_case_conv(size, size, c, k, 1, 1, 1, 0), .epilogue = epilogue};
    struct rx_problem p = rx_conv_problem(&spec);
    for (int i = 0; i < p.n_operands; i++)
        if (p.operand[i].kind == RX_OPERAND_MAP)
            p.operand[i].dtype = RX_BF16;
    rx_case_to_products(&p, RX_BF16);
    return p;
}

static struct rx_kernel
launched(const struct rx_problem *p, struct rx_config config)
{
    const struct rx_machine machine = machine_of("sm_90a");
    struct rx_kernel k = {.problem = p, .config = config};
    rx_cuda_launch(&machine, &k);
    return k;
}

static double
seconds_of(const struct rx_kernel *k, const struct rx_load *load)
{
    struct rx_prediction prediction;
    rx_cuda_predict(k, load, &prediction);
    assert_true(prediction.seconds > 0 && prediction.seconds < 1);
    return prediction.seconds;
}

static const struct rx_config mma_64x128 = {"conv_fwd.mma", 8, 64, 2, 2, 128};
static const struct rx_config wgrad_128x128 = {"conv_wgrad.mma", 8, 128, 2, 2, 128};

// Blocks of a multiprocessor by registers, warps, shared memory and their own number.
static void
test_occupancy(void **state)
{
    (void)state;
    static const struct {
        int device, block, registers, shared, blocks;
    } cases[] = {
        {H100, 128, 168, 24576, 3},     // 16384 / (168 * 32) = 3 warps a quarter, 12 in all
        {H100, 128, 161, 0, 3},         // registers are given out by eights: as 168
        {H100, 128, 128, 0, 4},         // 16384 / (128 * 32) = 4, 16 in all
        {H100, 224, 80, 0, 3},          // 6 a quarter: 24 hold three blocks of 7
        {H100, 256, 255, 0, 1},         // 2 a quarter
        {H100, 256, 32, 0, 8},          // 2048 threads
        {A100, 256, 32, 0, 8},          // the same
        {RTX_4090, 256, 32, 0, 6},      // 1536 threads
        {H100, 32, 16, 0, 32},          // no more blocks
        {RTX_4090, 32, 16, 0, 24},      // likewise
        {H100, 256, 32, 100 << 10, 2},  // 228 KB hold two of 101
        {A100, 256, 32, 100 << 10, 1},  // 164 KB hold one
        {RTX_4090, 256, 32, 100 << 10, 0},
        {H100, 256, 32, 56 << 10, 4},  // with a kilobyte each, four fill it
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rx_resources r = {cases[i].registers, cases[i].shared};
        const int blocks = rx_cuda_occupancy(&rx_cuda_devices[cases[i].device], cases[i].block, &r);
        if (blocks != cases[i].blocks)
            fail_msg("case %zu: %d blocks, not %d", i, blocks, cases[i].blocks);
    }
}

// A forward 1x1 convolution 128 -> 256 of 56x56 pixels, blocks of 64 pixels by 128 channels.
static void
test_forward_work(void **state)
{
    (void)state;
    const struct rx_problem p = pointwise(RX_PROBLEM_CONV_FWD, 56, 128, 256, RX_CONV_STORE);
    const struct rx_kernel k = launched(&p, mma_64x128);
    const struct rx_load load = load_on(H100);
    struct rx_cuda_work w;
    rx_cuda_work(&k, &load, &w);
    const double pixels = IMAGES * 56.0 * 56.0;
    assert_true(w.blocks == (int64_t)(pixels / 64) * 2);
    assert_true(w.rounds == 128 / 32);
    assert_true(w.mma == pixels * 128 * 256 / (16 * 8 * 16));
    // Operands once, and the inputs again for the second column of blocks, as they exceed the L2.
    const double inputs = pixels * 128 * 2, outputs = pixels * 256 * 2, weights = 128 * 256 * 2;
    assert_true(w.memory_bytes == 2 * inputs + outputs + weights);
    // From the cache: each block both factors, and the outputs.
    assert_true(w.cache_bytes == 2 * inputs + outputs + (double)w.blocks * 128 * 128 * 2);
}

// Statistics make a block a part: all columns of blocks run side by side and read memory once.
static void
test_parts_work(void **state)
{
    (void)state;
    const struct rx_problem p = pointwise(RX_PROBLEM_CONV_FWD, 56, 128, 256, RX_CONV_STATS);
    const struct rx_kernel k = launched(&p, mma_64x128);
    struct rx_load load = load_on(H100);
    struct rx_cuda_work all, few;
    rx_cuda_work(&k, &load, &all);
    assert_int_equal(k.parts, 132 * 3 / 2);
    assert_true(all.blocks == k.parts * 2);
    load.parts = 1;
    rx_cuda_work(&k, &load, &few);
    // A part: count, mean and M2 of 256 channels in double.
    assert_true(all.memory_bytes - few.memory_bytes == (k.parts - 1) * 3.0 * 256 * 8);
    assert_true(few.blocks == 2 && few.rounds == ceil(IMAGES * 56.0 * 56 / 64) * 4);
}

// A weight gradient: each part is as large as the weights.
static void
test_gradient_work(void **state)
{
    (void)state;
    const struct rx_problem p = pointwise(RX_PROBLEM_CONV_WGRAD, 28, 256, 512, RX_CONV_STORE);
    const struct rx_kernel k = launched(&p, wgrad_128x128);
    const struct rx_load load = load_on(H100);
    struct rx_cuda_work w;
    rx_cuda_work(&k, &load, &w);
    const double pixels = IMAGES * 28.0 * 28.0;
    assert_int_equal(k.columns, 2 * 4);
    assert_int_equal(k.parts, 132 / 8);
    assert_true(w.rounds == ceil(pixels / k.parts / 32));
    assert_true(w.memory_bytes == pixels * (256 + 512) * 2 + k.parts * 256.0 * 512 * 4);
}

// What limits a kernel: memory a map, latency or what multiplies a product of many channels.
static void
test_limits(void **state)
{
    (void)state;
    const struct rx_problem p = pointwise(RX_PROBLEM_CONV_FWD, 56, 32, 32, RX_CONV_STORE);
    const struct rx_kernel k = launched(&p, (struct rx_config){"conv_fwd.mma", 8, 128, 2, 1, 32});
    const struct rx_load load = load_on(RTX_4090);
    struct rx_prediction prediction;
    rx_cuda_predict(&k, &load, &prediction);
    assert_string_equal(prediction.limit, "memory");
    // Never less than the bytes take.
    assert_true(prediction.seconds >= prediction.bytes / (1.008e12 * 0.90));
    const struct rx_problem deep = pointwise(RX_PROBLEM_CONV_FWD, 7, 2048, 2048, RX_CONV_STORE);
    const struct rx_kernel much = launched(&deep, mma_64x128);
    rx_cuda_predict(&much, &load, &prediction);
    assert_string_equal(prediction.limit, "tensor cores");
    assert_true(prediction.seconds >= prediction.flops / 165.2e12);
}

// Nothing that is added makes a kernel slower.
static void
test_monotonic(void **state)
{
    (void)state;
    static const struct rx_config configs[] = {{"conv_fwd.mma", 8, 64, 2, 2, 128},
                                               {"conv_fwd.mma", 8, 128, 2, 2, 128},
                                               {"conv_fwd.mma", 8, 64, 2, 1, 64}};
    for (int c = 64; c <= 2048; c *= 2)
        for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
            const struct rx_problem p =
                pointwise(RX_PROBLEM_CONV_FWD, 7 * 2048 / c, c, 2 * c, RX_CONV_STORE);
            struct rx_kernel k = launched(&p, configs[i]);
            struct rx_load load = load_on(H100);
            load.resources = (struct rx_resources){128, 24576};
            double last = seconds_of(&k, &load);
            load.memory_share = 0.85;
            assert_true(seconds_of(&k, &load) >= last);
            load.memory_share = 0.90;
            load.resources.registers = 255;  // fewer blocks at once
            assert_true(seconds_of(&k, &load) >= last);
            load.resources.registers = 128;
            load.device = &rx_cuda_devices[H200];
            assert_true(seconds_of(&k, &load) <= last);
            struct rx_target_device_data data = *rx_cuda_devices[H100].data;
            const struct rx_target_device wide = {"wider", "sm_90a", &data};
            load.device = &wide;
            for (int more = 0; more < 3; more++) {
                data.multiprocessors += 33;
                const double now = seconds_of(&k, &load);
                assert_true(now <= last);
                last = now;
            }
            for (int stages = 2; stages <= 6; stages++) {
                k.stages = stages;
                const double now = seconds_of(&k, &load);
                assert_true(stages == 2 || now <= last);
                last = now;
            }
        }
}

// A deeper ring must help where latency is the limit.
static void
test_stages(void **state)
{
    (void)state;
    const struct rx_problem p = pointwise(RX_PROBLEM_CONV_WGRAD, 14, 512, 1024, RX_CONV_STORE);
    struct rx_kernel k = launched(&p, wgrad_128x128);
    const struct rx_load load = load_on(H100);
    struct rx_prediction two, three;
    k.stages = 2;
    rx_cuda_predict(&k, &load, &two);
    k.stages = 3;
    rx_cuda_predict(&k, &load, &three);
    assert_string_equal(two.limit, "latency");
    assert_true(three.seconds < 0.9 * two.seconds);
}

// Every architecture has a device.
static void
test_devices(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        int device;
    } cases[] = {{"sm_80", A100},  {"sm_86", RTX_4090}, {"sm_89", RTX_4090}, {"sm_90", H100},
                 {"sm_90a", H100}, {"sm_100", H100},    {"sm_120", RTX_4090}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rx_cuda_device_of(cases[i].arch), cases[i].device);
    // 2 * 128 * multiprocessors * clock of the vendor's f32 figure, within what clocks differ.
    const struct rx_target_device_data *a = rx_cuda_devices[A100].data;
    const double peak = 2.0 * a->multiply_adds * a->multiprocessors * a->clock_hz;
    assert_true(peak > 19.4e12 && peak < 19.6e12);
    const double tensor =
        4.0 * a->multiprocessors * a->clock_hz * (2 * 16 * 8 * 16) / a->mma_cycles;
    assert_true(tensor > 311e12 && tensor < 313e12);
}

static json_t *
explained(const char *options, struct rx_command *c)
{
    // No library at all: neither a compiler nor a device.
    rx_command_add(c, "env RXGEN_CUDA_LIB_DIR=tests %s --target cuda --explain --json %s",
                   rx_command_rxgen(), options);
    rx_command_run_well(c);
    json_error_t error;
    json_t *o = json_loads(rx_text_str(&c->out), 0, &error);
    assert_non_null(o);
    return o;
}

static double
number(const json_t *o, const char *key)
{
    assert_true(json_is_number(json_object_get(o, key)));
    return json_number_value(json_object_get(o, key));
}

static double
seconds_in(const json_t *of, const char *program)
{
    const json_t *sum = json_object_get(of, program);
    return sum == NULL ? 0 : number(sum, "seconds");
}

// Sums are of doubles in two orders: a few thousand roundings of 1e-16.
static void
assert_sum(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fabs(b)))
        fail_msg("%.17g is not %.17g", a, b);
}

// Totals of the device are the sums of its kernels and of their kinds.
static void
check_totals(const json_t *o, const char *program)
{
    const json_t *kernels = json_object_get(o, "kernels");
    const json_t *predicted = json_object_get(o, "predicted");
    const json_t *kinds = json_object_get(predicted, program);
    const json_t *first = json_array_get(json_object_get(predicted, "devices"), 0);
    const double total = seconds_in(first, program);
    double by_kernel = 0, by_kind = 0;
    assert_true(total > 0);
    assert_string_equal(json_string_value(json_object_get(first, "device")),
                        json_string_value(json_object_get(predicted, "device")));
    for (size_t i = 0; i < json_array_size(kernels); i++) {
        const json_t *p = json_object_get(json_array_get(kernels, i), "predicted");
        assert_string_equal(json_string_value(json_object_get(p, "registers_from")),
                            "launch bounds");
        assert_true(number(p, "blocks") >= 1 && number(p, "occupancy") <= 1);
        by_kernel += seconds_in(p, program);
    }
    for (size_t i = 0; i < json_array_size(kinds); i++)
        by_kind += number(json_array_get(kinds, i), "seconds");
    assert_sum(by_kernel, total);
    assert_sum(by_kind, total);
    assert_sum(number(json_object_get(first, program), "images_per_s") * total, IMAGES);
}

static void
test_explained(void **state)
{
    (void)state;
    static const char *const options[] = {"--arch sm_90a --dtype bf16 models/fashion_resnext.lua",
                                          "--arch sm_90 models/fashion_resnext.lua"};
    for (int i = 0; i < 2; i++) {
        struct rx_command c = {0}, again = {0};
        json_t *o = explained(options[i], &c), *same = explained(options[i], &again);
        assert_string_equal(rx_text_str(&c.out), rx_text_str(&again.out));
        check_totals(o, "training");
        check_totals(o, "inference");
        const json_t *devices = json_object_get(json_object_get(o, "predicted"), "devices");
        assert_int_equal(json_array_size(devices), 4 * 2);
        for (size_t d = 0; d < 8; d += 2)  // 0.90 of the memory, then 0.85
            assert_true(seconds_in(json_array_get(devices, d), "training") <=
                        seconds_in(json_array_get(devices, d + 1), "training"));
        json_decref(o);
        json_decref(same);
        rx_command_close(&c);
        rx_command_close(&again);
    }
}

// The text says of every time that it is predicted.
static void
test_text(void **state)
{
    (void)state;
    struct rx_command c = {0};
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=tests %s --target cuda --arch sm_80 --explain",
                   rx_command_rxgen());
    rx_command_add(&c, "models/fashion_resnext.lua");
    rx_command_run_well(&c);
    for (char *save, *line = strtok_r(c.out.s, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
        if (strstr(line, " us") != NULL || strstr(line, "images/s") != NULL)
            assert_non_null(strstr(line, "predicted"));
    rx_command_close(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_occupancy),  cmocka_unit_test(test_forward_work),
        cmocka_unit_test(test_parts_work), cmocka_unit_test(test_gradient_work),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_stages),     cmocka_unit_test(test_devices),
        cmocka_unit_test(test_explained),  cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
