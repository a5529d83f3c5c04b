// The programs, run in processes of their own on the hand-written plan: runs, their folders,
// resuming, signals, evaluation, inference, benchmark, and every way to be refused.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/kernel.h"
#include "runtime/safetensors.h"
#include "runtime/signals.h"
#include "tests/support/folder.h"
#include "tests/support/program.h"
#include "tests/support/tiny_plan.h"

enum { PATH_CHARS = 1024, N_CLASSES = RX_TINY_CLASSES, POLL_US = 1000, POLLS_MAX = 60000 };

static struct rx_test_folder folder;

static int
open_folder(void **state)
{
    (void)state;
    rx_test_folder_open(&folder);
    return 0;
}

static int
close_folder(void **state)
{
    (void)state;
    rx_test_folder_close(&folder);
    return 0;
}

// --- what a program leaves ---

static struct rx_text
read_file(const char *name)
{
    char path[PATH_CHARS];
    struct rx_text text = {0};
    struct rx_error error = {0};
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    if (rx_file_read(path, &text, &error) != RX_OK)
        fail_msg("%s", error.text);
    return text;
}

static int
exists(const char *name)
{
    char path[PATH_CHARS];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    return access(path, F_OK) == 0;
}

static void
assert_same_files(const char *a, const char *b)
{
    struct rx_text x = read_file(a), y = read_file(b);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.s, y.s, x.n);
    rx_text_close(&x);
    rx_text_close(&y);
}

// All lines of a text as a JSON array of objects.
static json_t *
parse_lines(const char *text)
{
    json_t *lines = json_array();
    for (const char *p = text, *end; *p != '\0'; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        json_t *line = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(line))
            fail_msg("not an object: %.*s", (int)(end - p), p);
        json_array_append_new(lines, line);
    }
    return lines;
}

static json_t *
read_lines(const char *name)
{
    struct rx_text text = read_file(name);
    json_t *lines = parse_lines(rx_text_str(&text));
    rx_text_close(&text);
    return lines;
}

static double
real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("no number %s", key);
    return json_number_value(value);
}

static int
is_training(const json_t *line)
{
    return json_object_get(line, "lr") != NULL;
}

// Training lines of both logs have the same steps, losses and rates, bit for bit.
static void
assert_same_training(const char *a, const char *b)
{
    static const char *const keys[] = {"step", "epoch", "loss", "lr"};
    json_t *x = read_lines(a), *y = read_lines(b);
    assert_int_equal(json_array_size(x), json_array_size(y));
    for (size_t i = 0; i < json_array_size(x); i++) {
        const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
        assert_int_equal(is_training(p), is_training(q));
        for (int k = 0; k < (is_training(p) ? 4 : 3); k++)
            assert_true(real(p, keys[k]) == real(q, keys[k]));
    }
    json_decref(x);
    json_decref(y);
}

// The tensors of two checkpoints, bit for bit (their metadata may differ in the settings).
static void
assert_same_tensors(const char *a, const char *b)
{
    char path[2][PATH_CHARS];
    struct rx_safetensors x = {0}, y = {0};
    struct rx_error error = {0};
    snprintf(path[0], PATH_CHARS, "%s/%s", folder.path, a);
    snprintf(path[1], PATH_CHARS, "%s/%s", folder.path, b);
    assert_int_equal(rx_safetensors_open(&x, path[0], &error), RX_OK);
    assert_int_equal(rx_safetensors_open(&y, path[1], &error), RX_OK);
    assert_int_equal(x.n, y.n);
    for (int i = 0; i < x.n; i++) {
        const struct rx_safetensor *t = rx_safetensors_find(&y, x.tensor[i].name);
        assert_non_null(t);
        assert_int_equal(t->bytes, x.tensor[i].bytes);
        assert_memory_equal(t->data, x.tensor[i].data, t->bytes);
    }
    rx_safetensors_close(&x);
    rx_safetensors_close(&y);
}

#define EXPECT(status, format, ...)                                                                \
    rx_test_program_expect(&rx_tiny_plan, status, format, __VA_ARGS__)
#define REFUSES(status, message, format, ...)                                                      \
    rx_test_program_refuses(&rx_tiny_plan, status, message, format, __VA_ARGS__)

// --- training ---

static void
test_training_learns_and_logs(void **state)
{
    (void)state;
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "train --run %s/run --progress json --threads 2", folder.path);
    assert_int_equal(r.status, 0);
    json_t *lines = parse_lines(rx_text_str(&r.out));
    int64_t steps = 0, evaluations = 0;
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        if (!is_training(line)) {
            evaluations++;
            assert_int_equal(real(line, "images"), 64);
            assert_true(real(line, "top5") == 1);
            continue;
        }
        steps++;
        assert_int_equal(real(line, "step"), steps);
        assert_int_equal(real(line, "epoch"), (steps - 1) / 4 + 1);
        assert_true(real(line, "images_per_s") > 0);
        assert_null(json_object_get(line, "top1"));
        // 0.1 until two epochs are complete, then a tenth.
        const double lr = steps <= 8 ? 0.1 : 0.1 * 0.1;
        assert_true(real(line, "lr") == lr);
    }
    assert_int_equal(steps, 12);
    assert_int_equal(evaluations, 3);
    const json_t *first = json_array_get(lines, 0), *last = json_array_get(lines, 13);
    assert_true(real(last, "loss") < 0.7 * real(first, "loss"));
    assert_true(real(json_array_get(lines, 14), "top1") > 0.9);
    assert_non_null(strstr(rx_text_str(&r.err), "memory: "));
    assert_null(strchr(rx_text_str(&r.err), '{'));
    json_decref(lines);
    // The log is what was printed.
    struct rx_text log = read_file("run/metrics.jsonl");
    assert_string_equal(rx_text_str(&log), rx_text_str(&r.out));
    rx_text_close(&log);
    rx_test_result_close(&r);
    struct rx_text csv = read_file("run/summary.csv");
    static const char head[] = "epoch,step,train_loss,lr,top1,top5,val_loss\n1,4,";
    assert_int_equal(strncmp(csv.s, head, strlen(head)), 0);
    rx_text_close(&csv);
    assert_true(exists("run/last.safetensors") && exists("run/best.safetensors"));
}

static void
test_one_seed_is_one_run(void **state)
{
    (void)state;
    static const char *const flags[] = {"--workers 1", "--workers 0", "--workers 4",
                                        "--progress off"};
    char save[64];
    for (int i = 0; i < 4; i++) {
        EXPECT(0, "train --threads 2 --run %s/r%d --save %s/w%d %s", folder.path, i, folder.path, i,
               flags[i]);
        snprintf(save, sizeof save, "w%d", i);
        assert_same_files("w0", save);
    }
    EXPECT(0, "train --threads 2 --seed 2 --run %s/other --save %s/other.w", folder.path,
           folder.path);
    struct rx_text a = read_file("w0"), b = read_file("other.w");
    assert_true(a.n == b.n && memcmp(a.s, b.s, a.n) != 0);
    rx_text_close(&a);
    rx_text_close(&b);
}

static void
test_plain_order_and_partial_batches(void **state)
{
    (void)state;
    // 64 images in batches of 12: five a epoch, the last four images are dropped, but evaluated.
    EXPECT(0, "train --run %s/run --batch 12 --lr 0.05 --epochs 2 --no-shuffle", folder.path);
    json_t *lines = read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 12);
    assert_int_equal(real(json_array_get(lines, 5), "images"), 64);
    assert_int_equal(real(json_array_get(lines, 10), "step"), 10);
    json_decref(lines);
}

static void
test_steps_bound_a_run(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/a --steps 6", folder.path);
    EXPECT(0, "train --run %s/b --steps 6 --epochs 1", folder.path);
    EXPECT(0, "train --run %s/c --steps 15", folder.path);
    static const int expected[] = {6 + 2, 4 + 1, 15 + 4};  // training and evaluation lines
    static const char *const logs[] = {"a/metrics.jsonl", "b/metrics.jsonl", "c/metrics.jsonl"};
    for (int i = 0; i < 3; i++) {
        json_t *lines = read_lines(logs[i]);
        assert_int_equal(json_array_size(lines), expected[i]);
        assert_false(is_training(json_array_get(lines, json_array_size(lines) - 1)));
        json_decref(lines);
    }
}

static void
test_evaluation_every_other_epoch(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 5 --eval-every 2", folder.path);
    json_t *lines = read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 20 + 3);  // epochs 2, 4 and the end
    assert_int_equal(real(json_array_get(lines, 8), "images"), 64);
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
                           folder.path);
    rx_test_program_expect(&plan, 0, "train --resume %s/run --epochs 2 --steps 5 --no-nesterov",
                           folder.path);
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

// --- resuming ---

static void
test_resume_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const recipe = "--batch 8 --lr 0.05 --wd 0.01 --seed 7 --threads 2";
    EXPECT(0, "train --run %s/full %s --steps 21 --save %s/full.w", folder.path, recipe,
           folder.path);
    EXPECT(0, "train --run %s/part %s --steps 5", folder.path, recipe);
    // Without repeating the flags: the run goes on as it was started.
    EXPECT(0, "train --resume %s/part --steps 13 --workers 3", folder.path);
    EXPECT(0, "train --run %s/part --resume --steps 21 --save %s/part.w", folder.path, folder.path);
    assert_same_files("full.w", "part.w");
    assert_same_tensors("full/last.safetensors", "part/last.safetensors");
}

static void
test_resume_cuts_the_log_back(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/full --epochs 2", folder.path);
    EXPECT(0, "train --run %s/part --epochs 1", folder.path);
    char path[PATH_CHARS];
    snprintf(path, sizeof path, "%s/part/metrics.jsonl", folder.path);
    // As if the program had been killed later than its checkpoint, inside a line.
    FILE *log = fopen(path, "a");
    assert_non_null(log);
    fputs("{\"step\":5,\"epoch\":2,\"loss\":1.5,\"lr\":0.1,\"images_per_s\":1}\n{\"step\":6,\"ep",
          log);
    fclose(log);
    EXPECT(0, "train --resume %s/part --epochs 2", folder.path);
    assert_same_training("full/metrics.jsonl", "part/metrics.jsonl");
    assert_same_files("full/summary.csv", "part/summary.csv");
    assert_same_tensors("full/last.safetensors", "part/last.safetensors");
    assert_same_files("full/best.safetensors", "part/best.safetensors");
}

static void
test_finished_runs_resume_to_nothing(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run", folder.path);
    struct rx_text before = read_file("run/metrics.jsonl");
    EXPECT(0, "train --resume %s/run --save %s/w", folder.path, folder.path);
    struct rx_text after = read_file("run/metrics.jsonl");
    assert_string_equal(before.s, after.s);
    assert_same_files("w", "w");
    rx_text_close(&before);
    rx_text_close(&after);
}

static void
test_resume_says_what_differs(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 1 --threads 2", folder.path);
    struct rx_plan plan = rx_tiny_plan;
    plan.hash = "another";
    struct rx_test_result r =
        rx_test_program_run(&plan, "train --resume %s/run --epochs 2 --threads 1", folder.path);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.err.s, "under another plan"));
    assert_non_null(strstr(r.err.s, "another number of threads"));
    rx_test_result_close(&r);
    r = rx_test_program_run(&plan, "train --resume %s/run --epochs 3 --threads 1", folder.path);
    assert_int_equal(r.status, 0);
    assert_null(strstr(r.err.s, "another"));
    rx_test_result_close(&r);
    REFUSES(2, "was started with --seed 1", "train --resume %s/run --seed 2", folder.path);
    REFUSES(2, "was started with --batch 16", "train --resume %s/run --batch 8", folder.path);
    REFUSES(2, "steps an epoch", "train --resume %s/run --data synthetic:128", folder.path);
}

static void
test_weights_are_no_checkpoint(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --save %s/w", folder.path, folder.path);
    char path[2][PATH_CHARS];
    snprintf(path[0], PATH_CHARS, "%s/w", folder.path);
    snprintf(path[1], PATH_CHARS, "%s/run/last.safetensors", folder.path);
    assert_int_equal(rename(path[0], path[1]), 0);
    REFUSES(2, "is not a checkpoint", "train --resume %s/run --epochs 5", folder.path);
    rx_test_folder_write(path[1], "garbage!garbage!", 16);
    REFUSES(2, "last.safetensors", "train --resume %s/run --epochs 5", folder.path);
}

// --- signals ---

static void
wait_for_a_line(const char *name)
{
    char path[PATH_CHARS];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    for (int i = 0; i < POLLS_MAX; i++) {
        if (stat(path, &st) == 0 && st.st_size > 0)
            return;
        usleep(POLL_US);
    }
    fail_msg("no line came");
}

static void
check_signal(int number)
{
    char line[PATH_CHARS];
    snprintf(line, sizeof line, "train --run %s/stopped --steps 1000000000 --threads 2",
             folder.path);
    struct rx_test_program p = rx_test_program_start(&rx_tiny_plan, line);
    wait_for_a_line("stopped/metrics.jsonl");
    kill(p.pid, number);
    struct rx_test_result r = rx_test_program_wait(&p);
    assert_int_equal(r.status, RX_STOPPED);
    const char *said = strstr(r.err.s, "stopped after step ");
    assert_non_null(said);
    assert_non_null(strstr(said, "--resume"));
    const long step = strtol(said + strlen("stopped after step "), NULL, 10);
    rx_test_result_close(&r);
    // Every step has its line, none twice, and a run that was never stopped has the same.
    EXPECT(0, "train --resume %s/stopped --steps %ld", folder.path, step + 20);
    EXPECT(0, "train --run %s/full --steps %ld --threads 2", folder.path, step + 20);
    assert_same_training("full/metrics.jsonl", "stopped/metrics.jsonl");
    assert_same_tensors("full/last.safetensors", "stopped/last.safetensors");
}

static void
test_sigterm_saves_and_stops(void **state)
{
    (void)state;
    check_signal(SIGTERM);
}

static void
test_sigint_saves_and_stops(void **state)
{
    (void)state;
    check_signal(SIGINT);
}

// An inference kernel in which the first signal comes, inside the run's first evaluation.
static void
interrupted(const struct rx_call *call, void *const *t)
{
    rx_tiny_plan.kernel[0].fn(call, t);
    if (call->thread == 0 && !rx_signals_caught())
        kill(getpid(), SIGTERM);
}

static void
test_a_stopped_evaluation_is_made_up_for(void **state)
{
    (void)state;
    struct rx_plan_kernel kernels[6];
    memcpy(kernels, rx_tiny_plan.kernel, 5 * sizeof kernels[0]);
    kernels[5] = kernels[0];
    kernels[5].fn = interrupted;
    const struct rx_plan_step step = {.kernel = 5,
                                      .first_arg =
                                          rx_tiny_plan.program[RX_PROGRAM_INFER].step->first_arg,
                                      .n_args = 3};
    struct rx_plan plan = rx_tiny_plan;
    plan.n_kernels = 6;
    plan.kernel = kernels;
    plan.program[RX_PROGRAM_INFER].step = &step;
    rx_test_program_expect(&plan, RX_STOPPED, "train --run %s/stopped", folder.path);
    json_t *lines = read_lines("stopped/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 4);  // steps, and no evaluation
    json_decref(lines);
    EXPECT(0, "train --resume %s/stopped", folder.path);
    EXPECT(0, "train --run %s/full", folder.path);
    assert_same_training("full/metrics.jsonl", "stopped/metrics.jsonl");
    assert_same_tensors("full/last.safetensors", "stopped/last.safetensors");
    assert_same_files("full/best.safetensors", "stopped/best.safetensors");
}

static void
test_second_signal_ends_at_once(void **state)
{
    (void)state;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        rx_signals_catch();
        raise(SIGINT);
        if (!rx_signals_caught())
            _exit(1);
        raise(SIGTERM);
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

// --- the run folder ---

static void
test_config_says_where_settings_come_from(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --batch 32 --wd 0.25 --epochs 1", folder.path);
    struct rx_text text = read_file("run/config.json");
    json_t *config = json_loads(text.s, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(config);
    static const char *const from[][2] = {{"batch", "flag"},      {"wd", "flag"},
                                          {"momentum", "recipe"}, {"lr", "scaled with the batch"},
                                          {"seed", "default"},    {"data", "recipe"}};
    for (int i = 0; i < 6; i++)
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(config, from[i][0]), "from")),
            from[i][1]);
    assert_true(real(json_object_get(config, "lr"), "value") == 0.2);
    assert_string_equal(json_string_value(json_object_get(config, "model")), "tiny");
    json_decref(config);
    rx_text_close(&text);
}

static void
test_a_run_is_not_overwritten(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 1", folder.path);
    struct rx_text before = read_file("run/metrics.jsonl");
    REFUSES(2, "holds a run already", "train --run %s/run", folder.path);
    struct rx_text after = read_file("run/metrics.jsonl");
    assert_string_equal(before.s, after.s);
    rx_text_close(&before);
    rx_text_close(&after);
}

static void
test_an_unfinished_folder_is_used_again(void **state)
{
    (void)state;
    char path[PATH_CHARS];
    snprintf(path, sizeof path, "%s/run", folder.path);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/run/metrics.jsonl", folder.path);
    rx_test_folder_write(path, "{\"step\":1}\n", 11);
    snprintf(path, sizeof path, "%s/run/best.safetensors", folder.path);
    rx_test_folder_write(path, "old", 3);
    EXPECT(0, "train --run %s/run --epochs 1", folder.path);
    json_t *lines = read_lines("run/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 5);
    json_decref(lines);
    EXPECT(0, "eval --weights %s/run/best.safetensors", folder.path);
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
    char command[PATH_CHARS];
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
        REFUSES(wrong[i].status, wrong[i].message, "train --run %s/run %s", folder.path,
                wrong[i].flags);
        assert_false(exists("run"));
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
    rx_test_program_refuses(&plan, 2, "no variance", "train --batch 1 --run %s/run", folder.path);
    assert_false(exists("run"));
    rx_test_program_refuses(&plan, 2, "no variance", "bench --batch 1");
    rx_test_program_expect(&plan, 0, "train --batch 2 --epochs 1 --run %s/run", folder.path);
}

static void
test_a_loss_that_is_no_number_stops(void **state)
{
    (void)state;
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "train --run %s/run --lr 1e6 --epochs 3 --progress off", folder.path);
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.err.s, "loss is not finite"));
    rx_test_result_close(&r);
    json_t *lines = read_lines("run/metrics.jsonl");  // whole lines of the steps before
    assert_true(json_array_size(lines) >= 1);
    json_decref(lines);
}

static void
test_full_disks_are_reported(void **state)
{
    (void)state;
    struct stat st;
    REFUSES(1, "/dev/full", "train --run %s/run --epochs 1 --progress off --save /dev/full",
            folder.path);
    assert_true(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));  // not replaced
    REFUSES(1, "standard output", "train --run %s/b --progress json > /dev/full", folder.path);
    REFUSES(1, "standard output", "eval --json --weights %s/run/best.safetensors > /dev/full",
            folder.path);
    REFUSES(1, "standard output", "bench > %s", "/dev/full");
    REFUSES(1, "/dev/full", "eval --confusion /dev/full --weights %s/run/best.safetensors",
            folder.path);
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
    EXPECT(0, "train --run %s/run --save %s/w", folder.path, folder.path);
    json_t *log = read_lines("run/metrics.jsonl");
    const json_t *last = json_array_get(log, json_array_size(log) - 1);
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan, "eval --weights %s/w --json --topk 2,3 --batch 7 --confusion %s/c.csv",
        folder.path, folder.path);
    assert_int_equal(r.status, 0);
    json_t *lines = parse_lines(r.out.s);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *line = json_array_get(lines, 0);
    assert_true(real(line, "top1") == real(last, "top1"));
    assert_true(real(line, "top5") == 1);
    // The same terms, summed in the same order.
    assert_true(real(line, "loss") == real(last, "loss"));
    assert_int_equal(real(line, "images"), 64);
    assert_true(real(line, "top2") >= real(line, "top1") && real(line, "top3") <= 1);
    assert_null(json_object_get(line, "lr"));
    // Rows sum to the classes' 16 images, the diagonal to top-1.
    struct rx_text csv = read_file("c.csv");
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
    assert_true(diagonal / 64.0 == real(line, "top1"));
    rx_text_close(&csv);
    json_decref(lines);
    json_decref(log);
    rx_test_result_close(&r);
    REFUSES(2, "--weights: is missing", "eval%s", "");
    REFUSES(1, "/nonexistent/c", "eval --weights %s/w --confusion /nonexistent/c", folder.path);
}

static void
test_training_from_weights(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/a --save %s/w", folder.path, folder.path);
    EXPECT(0, "train --run %s/b --weights %s/w --lr 0 --wd 0 --epochs 1 --save %s/again",
           folder.path, folder.path, folder.path);
    assert_same_files("w", "again");
}

// --- inference ---

// Writes `images` F32 [n,1,4,side] with values of their index.
static void
write_images(const char *name, int n, int side)
{
    char path[PATH_CHARS];
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
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_OK);
}

static void
test_inference_takes_any_number_of_images(void **state)
{
    (void)state;
    const char *f = folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 7, RX_TINY_SIDE);
    EXPECT(0, "infer --weights %s/w --input %s/x --output %s/all", f, f, f);
    EXPECT(0, "infer --weights %s/w --input %s/x --output %s/pairs --batch 2 --threads 3", f, f, f);
    assert_same_files("all", "pairs");
    char path[PATH_CHARS];
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    snprintf(path, sizeof path, "%s/all", f);
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    const struct rx_safetensor *logits = rx_safetensors_find(&file, "logits");
    assert_non_null(logits);
    assert_string_equal(logits->dtype, "F32");
    assert_true(logits->rank == 2 && logits->shape[0] == 7 && logits->shape[1] == N_CLASSES);
    // Against the file's weights, in double: sums of 16 products of size 1, to float.
    char weights[PATH_CHARS];
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
    const char *f = folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 3, RX_TINY_SIDE);
    char labels[PATH_CHARS];
    snprintf(labels, sizeof labels, "%s/names", f);
    rx_test_folder_write(labels, "ant\nbee\r\ncat\ndog", 16);
    struct rx_test_result r = rx_test_program_run(
        &rx_tiny_plan,
        "infer --weights %s/w --input %s/x --output %s/y --json --topk 9 --labels %s", f, f, f,
        labels);
    assert_int_equal(r.status, 0);
    json_t *lines = parse_lines(r.out.s);
    assert_int_equal(json_array_size(lines), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *topk = json_object_get(json_array_get(lines, i), "topk");
        assert_int_equal(json_array_size(topk), N_CLASSES);
        double sum = 0, before = 1;
        for (size_t k = 0; k < N_CLASSES; k++) {
            static const char *const names[] = {"ant", "bee", "cat", "dog"};
            const json_t *row = json_array_get(topk, k);
            const double p = real(row, "probability");
            assert_true(p <= before && p > 0);
            before = p;
            sum += p;
            assert_string_equal(json_string_value(json_object_get(row, "label")),
                                names[(int)real(row, "class")]);
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
    const char *f = folder.path;
    EXPECT(0, "train --run %s/run --save %s/w --epochs 1", f, f);
    write_images("x", 3, RX_TINY_SIDE);
    write_images("narrow", 3, RX_TINY_SIDE - 1);
    REFUSES(2, "4x3x1", "infer --weights %s/w --input %s/narrow --output %s/y", f, f, f);
    REFUSES(2, "images", "infer --weights %s/w --input %s/w --output %s/y", f, f, f);
    REFUSES(2, "/x", "infer --weights %s/x --input %s/x --output %s/y", f, f, f);
    REFUSES(2, "are needed", "infer --weights %s/w --input %s/x", f, f);
    REFUSES(1, "/nonexistent/y", "infer --weights %s/w --input %s/x --output /nonexistent/y", f, f);
    REFUSES(1, "/dev/full", "infer --weights %s/w --input %s/x --output /dev/full", f, f);
    REFUSES(2, "later version", "infer --weights %s/w cat.png", f);
    assert_false(exists("y"));
}

// --- the benchmark ---

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
        json_t *lines = parse_lines(r.out.s);
        assert_int_equal(json_array_size(lines), 1);
        const json_t *line = json_array_get(lines, 0);
        assert_string_equal(json_string_value(json_object_get(line, "mode")), modes[i]);
        assert_int_equal(real(line, "batch"), 8);
        const double ms = real(line, "ms_per_step"), rate = real(line, "images_per_s");
        assert_true(ms > 0 && rate * ms > 7999 && rate * ms < 8001);
        peak[i] = real(line, "peak_bytes");
        const json_t *rows = json_object_get(line, "kernels");
        assert_int_equal(json_array_size(rows), i == 0 ? 5 : 1);
        const json_t *row = json_array_get(rows, 0);
        assert_string_equal(json_string_value(json_object_get(row, "name")), "forward");
        assert_int_equal(real(row, "calls"), 1);
        assert_true(real(row, "flops") == 8 * 2 * 16 * 4);
        assert_true(real(row, "bytes") == 8 * 20 * 4);
        assert_true(real(row, "gflops") > 0 && real(row, "gbytes_per_s") > 0);
        json_decref(lines);
        rx_test_result_close(&r);
    }
    assert_true(peak[1] > 0 && peak[1] < peak[0]);
    EXPECT(0, "bench --kernels%s", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

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
        TEST(test_resume_goes_on_to_the_same_bits),
        TEST(test_resume_cuts_the_log_back),
        TEST(test_finished_runs_resume_to_nothing),
        TEST(test_resume_says_what_differs),
        TEST(test_weights_are_no_checkpoint),
        TEST(test_sigterm_saves_and_stops),
        TEST(test_sigint_saves_and_stops),
        TEST(test_a_stopped_evaluation_is_made_up_for),
        TEST(test_second_signal_ends_at_once),
        TEST(test_config_says_where_settings_come_from),
        TEST(test_a_run_is_not_overwritten),
        TEST(test_an_unfinished_folder_is_used_again),
        TEST(test_runs_are_numbered_beside_the_program),
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
