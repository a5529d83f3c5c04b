// Training runs, in processes of their own on the hand-written plan: what they log, what each step
// is told, what their folders hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/kernel.h"
#include "tests/support/run_files.h"

// --- training ---

static void
test_training_learns_and_logs(void **state)
{
    (void)state;
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "train --run %s/run --progress json --threads 2", rx_run_folder.path);
    assert_int_equal(r.status, 0);
    json_t *lines = rx_run_parse_lines(rx_text_str(&r.out));
    int64_t steps = 0, evaluations = 0;
    double seconds = 0;
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        if (!rx_run_is_training(line)) {
            evaluations++;
            assert_int_equal(rx_run_real(line, "images"), 64);
            assert_true(rx_run_real(line, "top5") == 1);
            assert_true(rx_run_real(line, "seconds") > seconds);
            seconds = rx_run_real(line, "seconds");
            continue;
        }
        steps++;
        assert_int_equal(rx_run_real(line, "step"), steps);
        assert_int_equal(rx_run_real(line, "epoch"), (steps - 1) / 4 + 1);
        assert_true(rx_run_real(line, "images_per_s") > 0);
        assert_null(json_object_get(line, "top1"));
        // 0.1 until two epochs are complete, then a tenth.
        const double lr = steps <= 8 ? 0.1 : 0.1 * 0.1;
        assert_true(rx_run_real(line, "lr") == lr);
    }
    assert_int_equal(steps, 12);
    assert_int_equal(evaluations, 3);
    const json_t *first = json_array_get(lines, 0), *last = json_array_get(lines, 13);
    assert_true(rx_run_real(last, "loss") < 0.7 * rx_run_real(first, "loss"));
    assert_true(rx_run_real(json_array_get(lines, 14), "top1") > 0.9);
    assert_non_null(strstr(rx_text_str(&r.err), "memory: "));
    assert_null(strchr(rx_text_str(&r.err), '{'));
    json_decref(lines);
    // The log is what was printed.
    struct rx_text log = rx_run_read("run/metrics.jsonl");
    assert_string_equal(rx_text_str(&log), rx_text_str(&r.out));
    rx_text_close(&log);
    rx_test_result_close(&r);
    struct rx_text csv = rx_run_read("run/summary.csv");
    static const char head[] = "epoch,step,train_loss,lr,top1,top5,val_loss\n1,4,";
    assert_int_equal(strncmp(csv.s, head, strlen(head)), 0);
    rx_text_close(&csv);
    assert_true(rx_run_exists("run/last.safetensors") && rx_run_exists("run/best.safetensors"));
}

static void
test_one_seed_is_one_run(void **state)
{
    (void)state;
    static const char *const flags[] = {"--workers 1", "--workers 0", "--workers 4",
                                        "--progress off"};
    char save[64];
    for (int i = 0; i < 4; i++) {
        EXPECT(0, "train --threads 2 --run %s/r%d --save %s/w%d %s", rx_run_folder.path, i,
               rx_run_folder.path, i, flags[i]);
        snprintf(save, sizeof save, "w%d", i);
        rx_run_same_files("w0", save);
    }
    EXPECT(0, "train --threads 2 --seed 2 --run %s/other --save %s/other.w", rx_run_folder.path,
           rx_run_folder.path);
    struct rx_text a = rx_run_read("w0"), b = rx_run_read("other.w");
    assert_true(a.n == b.n && memcmp(a.s, b.s, a.n) != 0);
    rx_text_close(&a);
    rx_text_close(&b);
}

static void
test_plain_order_and_partial_batches(void **state)
{
    (void)state;
    // 64 images in batches of 12: five a epoch, the last four images are dropped, but evaluated.
    EXPECT(0, "train --run %s/run --batch 12 --lr 0.05 --epochs 2 --no-shuffle",
           rx_run_folder.path);
    json_t *lines = rx_run_read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 12);
    assert_int_equal(rx_run_real(json_array_get(lines, 5), "images"), 64);
    assert_int_equal(rx_run_real(json_array_get(lines, 10), "step"), 10);
    json_decref(lines);
}

static void
test_steps_bound_a_run(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/a --steps 6", rx_run_folder.path);
    EXPECT(0, "train --run %s/b --steps 6 --epochs 1", rx_run_folder.path);
    EXPECT(0, "train --run %s/c --steps 15", rx_run_folder.path);
    static const int expected[] = {6 + 2, 4 + 1, 15 + 4};  // training and evaluation lines
    static const char *const logs[] = {"a/metrics.jsonl", "b/metrics.jsonl", "c/metrics.jsonl"};
    for (int i = 0; i < 3; i++) {
        json_t *lines = rx_run_read_lines(logs[i]);
        assert_int_equal(json_array_size(lines), expected[i]);
        assert_false(rx_run_is_training(json_array_get(lines, json_array_size(lines) - 1)));
        json_decref(lines);
    }
}

static void
test_evaluation_every_other_epoch(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 5 --eval-every 2", rx_run_folder.path);
    json_t *lines = rx_run_read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 20 + 3);  // epochs 2, 4 and the end
    assert_int_equal(rx_run_real(json_array_get(lines, 8), "images"), 64);
    json_decref(lines);
}

// --- what each step is told ---

static float (*told)[RX_HYPER_N];  // shared with the child, one row a step
static void
spy(const struct rx_call *call, void *const *t)
{
    const float *hyper = t[3];
    if (call->thread != 0)
        return;
    int i = 0;
    while (told[i][RX_HYPER_N - 1] != 0)
        i++;
    memcpy(told[i], hyper, sizeof told[i]);
    told[i][RX_HYPER_N - 1] = 1;
}

static void
test_hyper_parameters_of_each_step(void **state)
{
    (void)state;
    struct rx_plan_kernel kernels[5];
    memcpy(kernels, rx_tiny_plan.kernel, sizeof kernels);
    kernels[4].fn = spy;
    struct rx_plan plan = rx_tiny_plan;
    plan.kernel = kernels;
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    rx_test_program_expect(&plan, 0,
                           "train --run %s/run --schedule cosine --warmup-epochs 0.5 --momentum "
                           "0.8 --wd 0.01 --no-decay-bn --label-smoothing 0.1 --epochs 1 --lr 0.4",
                           rx_run_folder.path);
    rx_test_program_expect(&plan, 0, "train --resume %s/run --epochs 2 --steps 5 --no-nesterov",
                           rx_run_folder.path);
    // Warm-up over two steps, then from the full rate to 0 at the fourth; the resumed run's cosine
    // ends at the fifth: its share there is (1 + cos(pi)) / 2.
    static const float lr[] = {0.2f, 0.4f, 0.4f, 0.0f, 0.0f};
    for (int i = 0; i < 5; i++) {
        const float *h = told[i];
        assert_true(h[RX_HYPER_LR] == lr[i]);
        assert_true(h[RX_HYPER_MOMENTUM] == 0.8f);
        assert_true(h[RX_HYPER_WD] == 0.01f);
        assert_true(h[RX_HYPER_WD_BN] == 0.0f);
        assert_true(h[RX_HYPER_NESTEROV] == (i < 4 ? 1.0f : 0.0f));
        assert_true(h[RX_HYPER_FIRST] == (i == 0 ? 1.0f : 0.0f));
        assert_true(h[RX_HYPER_SMOOTHING] == 0.1f);
        assert_true(h[RX_HYPER_BN_MOMENTUM] == 0.1f);
    }
    assert_true(told[5][RX_HYPER_N - 1] == 0);
    munmap(told, 4096);
}

// --- the run folder ---

static void
test_config_says_where_settings_come_from(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --batch 32 --wd 0.25 --epochs 1", rx_run_folder.path);
    struct rx_text text = rx_run_read("run/config.json");
    json_t *config = json_loads(text.s, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(config);
    static const char *const from[][2] = {{"batch", "flag"},      {"wd", "flag"},
                                          {"momentum", "recipe"}, {"lr", "scaled with the batch"},
                                          {"seed", "default"},    {"data", "recipe"}};
    for (int i = 0; i < 6; i++)
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(config, from[i][0]), "from")),
            from[i][1]);
    assert_true(rx_run_real(json_object_get(config, "lr"), "value") == 0.2);
    assert_string_equal(json_string_value(json_object_get(config, "model")), "tiny");
    json_decref(config);
    rx_text_close(&text);
}

static void
test_a_run_is_not_overwritten(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 1", rx_run_folder.path);
    struct rx_text before = rx_run_read("run/metrics.jsonl");
    REFUSES(2, "holds a run already", "train --run %s/run", rx_run_folder.path);
    struct rx_text after = rx_run_read("run/metrics.jsonl");
    assert_string_equal(before.s, after.s);
    rx_text_close(&before);
    rx_text_close(&after);
}

static void
test_an_unfinished_folder_is_used_again(void **state)
{
    (void)state;
    char path[RX_PATH_CHARS];
    rx_run_file("run", path);
    assert_int_equal(mkdir(path, 0777), 0);
    rx_run_file("run/metrics.jsonl", path);
    rx_test_folder_write(path, "{\"step\":1}\n", 11);
    rx_run_file("run/best.safetensors", path);
    rx_test_folder_write(path, "old", 3);
    EXPECT(0, "train --run %s/run --epochs 1", rx_run_folder.path);
    json_t *lines = rx_run_read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 5);
    json_decref(lines);
    EXPECT(0, "eval --weights %s/run/best.safetensors", rx_run_folder.path);
}

static void
test_runs_are_numbered_beside_the_program(void **state)
{
    (void)state;
    // The program is this test, so its runs lie beside it: two, then they go.
    struct rx_test_result r =
        rx_test_program_run(&rx_tiny_plan, "train --epochs 1 --seed %d", (int)getpid());
    assert_int_equal(r.status, 0);
    const char *at = strstr(r.err.s, "checkpoint ");
    assert_non_null(at);
    char command[RX_PATH_CHARS];
    const char *end = strstr(at, "/last.safetensors");
    assert_non_null(end);
    const char *number = end;
    while (number[-1] != '/')
        number--;
    assert_true(strtol(number, NULL, 10) >= 1);
    assert_int_equal(strncmp(number - 5, "runs/", 5), 0);
    snprintf(command, sizeof command, "rm -r '%.*s'", (int)(end - at - 11), at + 11);
    assert_int_equal(system(command), 0);
    rx_test_result_close(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rx_run_folder_open, rx_run_folder_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_training_learns_and_logs),
        TEST(test_one_seed_is_one_run),
        TEST(test_plain_order_and_partial_batches),
        TEST(test_steps_bound_a_run),
        TEST(test_evaluation_every_other_epoch),
        TEST(test_hyper_parameters_of_each_step),
        TEST(test_config_says_where_settings_come_from),
        TEST(test_a_run_is_not_overwritten),
        TEST(test_an_unfinished_folder_is_used_again),
        TEST(test_runs_are_numbered_beside_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
