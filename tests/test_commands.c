// The programs' refusals, evaluation, inference and benchmark, on the hand-written plan.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/safetensors.h"
#include "tests/support/run_files.h"

enum { N_CLASSES = RX_TINY_CLASSES };

// --- refusals: one message, its status, nothing written ---

static void
test_wrong_training_is_refused(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *flags, *message;
    } wrong[] = {
        {2, "--batch 0", "--batch 0"},
        {2, "--lr nan", "--lr nan"},
        {2, "--nosuch", "--nosuch"},
        {2, "--data nosuch:x", "nosuch"},
        {2, "--data synthetic:8", "--batch 16"},
        {2, "--data tensors:/nonexistent.safetensors", "/nonexistent.safetensors"},
        {2, "--weights /nonexistent", "/nonexistent"},
        {2, "--weights /dev/null", "/dev/null"},
        {2, "--resume", "nothing to resume"},
        {1, "--save /nonexistent/w", "/nonexistent/w"},
        {2, "--ema 0.1", "later"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        REFUSES(wrong[i].status, wrong[i].message, "train --run %s/run %s", rx_run_folder.path,
                wrong[i].flags);
        assert_false(rx_run_exists("run"));
    }
    REFUSES(2, "which run", "train --resume%s", "");
    REFUSES(2, "is no folder", "train --run %s", "/dev/null");
    REFUSES(1, "/dev/null/run", "train --run %s/run", "/dev/null");
}

static void
test_one_value_a_channel_has_no_variance(void **state)
{
    (void)state;
    struct rx_plan plan = rx_tiny_plan;
    plan.min_pixels = 1;
    rx_test_program_refuses(&plan, 2, "no variance", "train --batch 1 --run %s/run",
                            rx_run_folder.path);
    assert_false(rx_run_exists("run"));
    rx_test_program_refuses(&plan, 2, "no variance", "bench --batch 1");
    rx_test_program_expect(&plan, 0, "train --batch 2 --epochs 1 --run %s/run", rx_run_folder.path);
}

static void
test_a_loss_that_is_no_number_stops(void **state)
{
    (void)state;
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "train --run %s/run --lr 1e6 --epochs 3 --progress off", rx_run_folder.path);
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.err.s, "loss is not finite"));
    rx_test_result_close(&r);
    json_t *lines = rx_run_read_lines("run/metrics.jsonl");  // whole lines of the steps before
    assert_true(json_array_size(lines) >= 1);
    json_decref(lines);
}

// A name for the device that is always full: were it replaced by a file, it would only be the name.
static void
link_full(void)
{
    char path[RX_PATH_CHARS];
    assert_int_equal(symlink("/dev/full", rx_run_file("full", path)), 0);
}

static void
assert_still_full(void)
{
    char path[RX_PATH_CHARS];
    struct stat st;
    assert_int_equal(stat(rx_run_file("full", path), &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void
test_full_disks_are_reported(void **state)
{
    (void)state;
    const char *f = rx_run_folder.path;
    link_full();
    REFUSES(1, "/full", "train --run %s/run --epochs 1 --progress off --save %s/full", f, f);
    REFUSES(1, "standard output", "train --run %s/b --progress json > /dev/full", f);
    REFUSES(1, "standard output", "eval --json --weights %s/run/best.safetensors > /dev/full", f);
    REFUSES(1, "standard output", "bench > %s", "/dev/full");
    REFUSES(1, "/full", "eval --confusion %s/full --weights %s/run/best.safetensors", f, f);
    assert_still_full();
}

static void
test_commands(void **state)
{
    (void)state;
    REFUSES(2, "later version", "%s", "/some/where/tune");
    REFUSES(2, "later version", "program export%s", " --onnx f");
    REFUSES(2, "is no command", "program %s", "dance");
    REFUSES(2, "is no command", "%s", "program");
    struct rx_test_result r = rx_test_program_run(&rx_tiny_plan, "program train --help");
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out.s, "--label-smoothing F"));
    rx_test_result_close(&r);
}

// --- evaluation ---

static void
test_evaluation_agrees_with_the_run(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --save %s/w", rx_run_folder.path, rx_run_folder.path);
    json_t *log = rx_run_read_lines("run/metrics.jsonl");
    const json_t *last = json_array_get(log, json_array_size(log) - 1);
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "eval --weights %s/w --json --topk 2,3 --batch 7 --confusion %s/c.csv",
        rx_run_folder.path, rx_run_folder.path);
    assert_int_equal(r.status, 0);
    json_t *lines = rx_run_parse_lines(r.out.s);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *line = json_array_get(lines, 0);
    assert_true(rx_run_real(line, "top1") == rx_run_real(last, "top1"));
    assert_true(rx_run_real(line, "top5") == 1);
    // The same terms, summed in the same order.
    assert_true(rx_run_real(line, "loss") == rx_run_real(last, "loss"));
    assert_int_equal(rx_run_real(line, "images"), 64);
    assert_true(rx_run_real(line, "top2") >= rx_run_real(line, "top1") &&
                rx_run_real(line, "top3") <= 1);
    assert_null(json_object_get(line, "lr"));
    // Rows sum to the classes' 16 images, the diagonal to top-1.
    struct rx_text csv = rx_run_read("c.csv");
    int diagonal = 0, count[N_CLASSES][N_CLASSES];
    const char *p = csv.s;
    for (int i = 0; i < N_CLASSES; i++) {
        int sum = 0;
        for (int j = 0; j < N_CLASSES; j++) {
            char *end;
            count[i][j] = (int)strtol(p, &end, 10);
            assert_int_equal(*end, j + 1 < N_CLASSES ? ',' : '\n');
            p = end + 1;
            sum += count[i][j];
        }
        assert_int_equal(sum, 16);
        diagonal += count[i][i];
    }
    assert_int_equal(*p, '\0');
    assert_true(diagonal / 64.0 == rx_run_real(line, "top1"));
    rx_text_close(&csv);
    json_decref(lines);
    json_decref(log);
    rx_test_result_close(&r);
    REFUSES(2, "--weights: is missing", "eval%s", "");
    REFUSES(1, "/nonexistent/c", "eval --weights %s/w --confusion /nonexistent/c",
            rx_run_folder.path);
}

static void
test_training_from_weights(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/a --save %s/w", rx_run_folder.path, rx_run_folder.path);
    EXPECT(0, "train --run %s/b --weights %s/w --lr 0 --wd 0 --epochs 1 --save %s/again",
           rx_run_folder.path, rx_run_folder.path, rx_run_folder.path);
    rx_run_same_files("w", "again");
}

// --- inference ---

// Writes `images` F32 [n,1,4,side] with values of their index.
static void
write_images(const char *name, int n, int side)
{
    char path[RX_PATH_CHARS];
    float data[32 * RX_TINY_FEATURES];
    assert_true(n <= 32 && side <= RX_TINY_SIDE);
    for (int i = 0; i < n * RX_TINY_SIDE * side; i++)
        data[i] = (float)((i * 37) % 101) / 50.0f - 1.0f;
    const struct rx_safetensors_entry entry = {.name = "images",
                                               .dtype = "F32",
                                               .rank = 4,
                                               .shape = {n, 1, RX_TINY_SIDE, side},
                                               .data = data};
    const struct rx_safetensors_content content = {.n = 1, .entry = &entry};
    struct rx_error error = {0};
    rx_run_file(name, path);
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_OK);
}

static void
test_inference_takes_any_number_of_images(void **state)
{
    (void)state;
    const char *f = rx_run_folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 7, RX_TINY_SIDE);
    EXPECT(0, "infer --weights %s/w --input %s/x --output %s/all", f, f, f);
    EXPECT(0, "infer --weights %s/w --input %s/x --output %s/pairs --batch 2 --threads 3", f, f, f);
    rx_run_same_files("all", "pairs");
    char path[RX_PATH_CHARS];
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    snprintf(path, sizeof path, "%s/all", f);
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    const struct rx_safetensor *logits = rx_safetensors_find(&file, "logits");
    assert_non_null(logits);
    assert_string_equal(logits->dtype, "F32");
    assert_true(logits->rank == 2 && logits->shape[0] == 7 && logits->shape[1] == N_CLASSES);
    // Against the file's weights, in double: sums of 16 products of size 1, to float.
    char weights[RX_PATH_CHARS];
    struct rx_safetensors w = {0};
    snprintf(weights, sizeof weights, "%s/w", f);
    assert_int_equal(rx_safetensors_open(&w, weights, &error), RX_OK);
    const float *matrix = rx_safetensors_find(&w, "fc.weight")->data;
    const float *bias = rx_safetensors_find(&w, "fc.bias")->data;
    for (int n = 0; n < 7; n++)
        for (int k = 0; k < N_CLASSES; k++) {
            double sum = (double)bias[k];
            for (int i = 0; i < RX_TINY_FEATURES; i++)
                sum += (double)((float)(((n * 16 + i) * 37) % 101) / 50.0f - 1.0f) *
                       (double)matrix[k * RX_TINY_FEATURES + i];
            const double d = (double)((const float *)logits->data)[n * N_CLASSES + k] - sum;
            assert_true(d <= 1e-5 && d >= -1e-5);
        }
    rx_safetensors_close(&file);
    rx_safetensors_close(&w);
}

static void
test_inference_names_the_best_classes(void **state)
{
    (void)state;
    const char *f = rx_run_folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 3, RX_TINY_SIDE);
    char labels[RX_PATH_CHARS];
    snprintf(labels, sizeof labels, "%s/names", f);
    rx_test_folder_write(labels, "ant\nbee\r\ncat\ndog", 16);
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan,
        "infer --weights %s/w --input %s/x --output %s/y --json --topk 9 --labels %s", f, f, f,
        labels);
    assert_int_equal(r.status, 0);
    json_t *lines = rx_run_parse_lines(r.out.s);
    assert_int_equal(json_array_size(lines), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *topk = json_object_get(json_array_get(lines, i), "topk");
        assert_int_equal(json_array_size(topk), N_CLASSES);
        double sum = 0, before = 1;
        for (size_t k = 0; k < N_CLASSES; k++) {
            static const char *const names[] = {"ant", "bee", "cat", "dog"};
            const json_t *row = json_array_get(topk, k);
            const double p = rx_run_real(row, "probability");
            assert_true(p <= before && p > 0);
            before = p;
            sum += p;
            assert_string_equal(json_string_value(json_object_get(row, "label")),
                                names[(int)rx_run_real(row, "class")]);
        }
        assert_true(sum > 1 - 1e-12 && sum < 1 + 1e-12);
    }
    json_decref(lines);
    rx_test_result_close(&r);
    rx_test_folder_write(labels, "ant\nbee\n", 8);
    REFUSES(2, "has 2 lines: the network has 4 classes",
            "infer --weights %s/w --input %s/x --output %s/z --labels %s", f, f, f, labels);
}

static void
test_wrong_inference_is_refused(void **state)
{
    (void)state;
    const char *f = rx_run_folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 3, RX_TINY_SIDE);
    write_images("narrow", 3, RX_TINY_SIDE - 1);
    REFUSES(2, "4x3x1", "infer --weights %s/w --input %s/narrow --output %s/y", f, f, f);
    REFUSES(2, "images", "infer --weights %s/w --input %s/w --output %s/y", f, f, f);
    REFUSES(2, "/x", "infer --weights %s/x --input %s/x --output %s/y", f, f, f);
    REFUSES(2, "are needed", "infer --weights %s/w --input %s/x", f, f);
    REFUSES(1, "/nonexistent/y", "infer --weights %s/w --input %s/x --output /nonexistent/y", f, f);
    link_full();
    REFUSES(1, "/full", "infer --weights %s/w --input %s/x --output %s/full", f, f, f);
    assert_still_full();
    REFUSES(2, "later version", "infer --weights %s/w cat.png", f);
    assert_false(rx_run_exists("y"));
}

// --- the benchmark ---

static const json_t *
find_row(const json_t *rows, const char *name)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return row;
    }
    fail_msg("no kernel %s", name);
    return NULL;
}

// The slowest is first, and a share is that of the peak which is nearer. Equal but for the rounding
// of two divisions.
static void
assert_shares(const json_t *line)
{
    const double gflops = rx_run_real(line, "peak_gflops");
    const double gbytes = rx_run_real(line, "peak_gbytes_per_s");
    assert_true(gflops > 0.1 && gbytes > 0.1);
    const json_t *rows = json_object_get(line, "kernels");
    double flops = 0, before = 1e30;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const double a = rx_run_real(row, "gflops") / gflops;
        const double b = rx_run_real(row, "gbytes_per_s") / gbytes;
        const double share = a > b ? a : b;
        assert_true(fabs(rx_run_real(row, "share") - share) <= 1e-12 * share);
        assert_true(rx_run_real(row, "ms") <= before);
        before = rx_run_real(row, "ms");
        flops += rx_run_real(row, "flops");
    }
    const double share = flops / rx_run_real(line, "ms_per_step") * 1e-6 / gflops;
    assert_true(fabs(rx_run_real(line, "share") - share) <= 1e-12 * share);
}

static void
test_benchmark_reports(void **state)
{
    (void)state;
    static const char *const modes[] = {"train", "infer"};
    double peak[2];
    for (int i = 0; i < 2; i++) {
        struct rx_test_result r = rx_test_program_run(
            &rx_tiny_plan, "bench --mode %s --batch 8 --steps 3 --kernels --json --threads 2",
            modes[i]);
        assert_int_equal(r.status, 0);
        json_t *lines = rx_run_parse_lines(r.out.s);
        assert_int_equal(json_array_size(lines), 1);
        const json_t *line = json_array_get(lines, 0);
        assert_string_equal(json_string_value(json_object_get(line, "mode")), modes[i]);
        assert_int_equal(rx_run_real(line, "batch"), 8);
        const double ms = rx_run_real(line, "ms_per_step"),
                     rate = rx_run_real(line, "images_per_s");
        assert_true(ms > 0 && rate * ms > 7999 && rate * ms < 8001);
        peak[i] = rx_run_real(line, "peak_bytes");
        const json_t *rows = json_object_get(line, "kernels");
        assert_int_equal(json_array_size(rows), i == 0 ? 5 : 1);
        const json_t *row = find_row(rows, "forward");
        assert_int_equal(rx_run_real(row, "calls"), 1);
        assert_true(rx_run_real(row, "flops") == 8 * 2 * 16 * 4);
        assert_true(rx_run_real(row, "bytes") == 8 * 20 * 4);
        assert_true(rx_run_real(row, "gflops") > 0 && rx_run_real(row, "gbytes_per_s") > 0);
        assert_shares(line);
        assert_int_equal(json_array_size(json_object_get(line, "ms_of_steps")), 3);
        json_decref(lines);
        rx_test_result_close(&r);
    }
    assert_true(peak[1] > 0 && peak[1] < peak[0]);
    EXPECT(0, "bench --kernels%s", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rx_run_folder_open, rx_run_folder_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wrong_training_is_refused),
        TEST(test_one_value_a_channel_has_no_variance),
        TEST(test_a_loss_that_is_no_number_stops),
        TEST(test_full_disks_are_reported),
        TEST(test_commands),
        TEST(test_evaluation_agrees_with_the_run),
        TEST(test_training_from_weights),
        TEST(test_inference_takes_any_number_of_images),
        TEST(test_inference_names_the_best_classes),
        TEST(test_wrong_inference_is_refused),
        TEST(test_benchmark_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
