// Runs that are stopped and go on: to the same bits, or with a message.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/kernel.h"
#include "runtime/signals.h"
#include "tests/support/run_files.h"

enum { POLL_US = 1000, POLLS_MAX = 60000 };

// --- resuming ---

static void
test_resume_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const recipe = "--batch 8 --lr 0.05 --wd 0.01 --seed 7 --threads 2";
    EXPECT(0, "train --run %s/full %s --steps 21 --save %s/full.w", rx_run_folder.path, recipe,
           rx_run_folder.path);
    EXPECT(0, "train --run %s/part %s --steps 5", rx_run_folder.path, recipe);
    // Without repeating the flags: the run goes on as it was started.
    EXPECT(0, "train --resume %s/part --steps 13 --workers 3", rx_run_folder.path);
    EXPECT(0, "train --run %s/part --resume --steps 21 --save %s/part.w", rx_run_folder.path,
           rx_run_folder.path);
    rx_run_same_files("full.w", "part.w");
    rx_run_same_tensors("full/last.safetensors", "part/last.safetensors");
}

static void
test_resume_cuts_the_log_back(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/full --epochs 2", rx_run_folder.path);
    EXPECT(0, "train --run %s/part --epochs 1", rx_run_folder.path);
    char path[RX_PATH_CHARS];
    rx_run_file("part/metrics.jsonl", path);
    // As if the program had been killed later than its checkpoint, inside a line.
    FILE *log = fopen(path, "a");
    assert_non_null(log);
    fputs("{\"step\":5,\"epoch\":2,\"loss\":1.5,\"lr\":0.1,\"images_per_s\":1}\n{\"step\":6,\"ep",
          log);
    fclose(log);
    EXPECT(0, "train --resume %s/part --epochs 2", rx_run_folder.path);
    rx_run_same_training("full/metrics.jsonl", "part/metrics.jsonl");
    rx_run_same_files("full/summary.csv", "part/summary.csv");
    rx_run_same_tensors("full/last.safetensors", "part/last.safetensors");
    rx_run_same_files("full/best.safetensors", "part/best.safetensors");
}

static void
test_finished_runs_resume_to_nothing(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run", rx_run_folder.path);
    struct rx_text before = rx_run_read("run/metrics.jsonl");
    EXPECT(0, "train --resume %s/run --save %s/w", rx_run_folder.path, rx_run_folder.path);
    struct rx_text after = rx_run_read("run/metrics.jsonl");
    assert_string_equal(before.s, after.s);
    rx_run_same_files("w", "w");
    rx_text_close(&before);
    rx_text_close(&after);
}

static void
test_resume_says_what_differs(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --epochs 1 --threads 2", rx_run_folder.path);
    struct rx_plan plan = rx_tiny_plan;
    plan.hash = "another";
    struct rx_test_result r = rx_test_program_run(
        &plan, "train --resume %s/run --epochs 2 --threads 1", rx_run_folder.path);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.err.s, "under another plan"));
    assert_non_null(strstr(r.err.s, "another number of threads"));
    rx_test_result_close(&r);
    r = rx_test_program_run(&plan, "train --resume %s/run --epochs 3 --threads 1",
                            rx_run_folder.path);
    assert_int_equal(r.status, 0);
    assert_null(strstr(r.err.s, "another"));
    rx_test_result_close(&r);
    REFUSES(2, "was started with --seed 1", "train --resume %s/run --seed 2", rx_run_folder.path);
    REFUSES(2, "was started with --batch 16", "train --resume %s/run --batch 8",
            rx_run_folder.path);
    REFUSES(2, "steps an epoch", "train --resume %s/run --data synthetic:128", rx_run_folder.path);
}

static void
test_weights_are_no_checkpoint(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --save %s/w", rx_run_folder.path, rx_run_folder.path);
    char path[2][RX_PATH_CHARS];
    rx_run_file("w", path[0]);
    rx_run_file("run/last.safetensors", path[1]);
    assert_int_equal(rename(path[0], path[1]), 0);
    REFUSES(2, "is not a checkpoint", "train --resume %s/run --epochs 5", rx_run_folder.path);
    rx_test_folder_write(path[1], "garbage!garbage!", 16);
    REFUSES(2, "last.safetensors", "train --resume %s/run --epochs 5", rx_run_folder.path);
}

// --- signals ---

static void
wait_for_a_line(const char *name)
{
    char path[RX_PATH_CHARS];
    struct stat st;
    rx_run_file(name, path);
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
    char line[RX_PATH_CHARS];
    snprintf(line, sizeof line, "train --run %s/stopped --steps 1000000000 --threads 2",
             rx_run_folder.path);
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
    EXPECT(0, "train --resume %s/stopped --steps %ld", rx_run_folder.path, step + 20);
    EXPECT(0, "train --run %s/full --steps %ld --threads 2", rx_run_folder.path, step + 20);
    rx_run_same_training("full/metrics.jsonl", "stopped/metrics.jsonl");
    rx_run_same_tensors("full/last.safetensors", "stopped/last.safetensors");
}

// The last evaluation's.
static double
seconds_of(const char *name)
{
    json_t *lines = rx_run_read_lines(name);
    const double seconds =
        rx_run_real(json_array_get(lines, json_array_size(lines) - 1), "seconds");
    json_decref(lines);
    return seconds;
}

// One step more takes longer than all steps, not than none.
static void
test_time_goes_on(void **state)
{
    (void)state;
    EXPECT(0, "train --run %s/run --steps 400", rx_run_folder.path);
    const double before = seconds_of("run/metrics.jsonl");
    assert_true(before > 0);
    EXPECT(0, "train --resume %s/run --steps 401", rx_run_folder.path);
    assert_true(seconds_of("run/metrics.jsonl") > before);
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
    rx_test_program_expect(&plan, RX_STOPPED, "train --run %s/stopped", rx_run_folder.path);
    json_t *lines = rx_run_read_lines("stopped/metrics.jsonl");
    assert_int_equal(json_array_size(lines), 4);  // steps, and no evaluation
    json_decref(lines);
    EXPECT(0, "train --resume %s/stopped", rx_run_folder.path);
    EXPECT(0, "train --run %s/full", rx_run_folder.path);
    rx_run_same_training("full/metrics.jsonl", "stopped/metrics.jsonl");
    rx_run_same_tensors("full/last.safetensors", "stopped/last.safetensors");
    rx_run_same_files("full/best.safetensors", "stopped/best.safetensors");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, rx_run_folder_open, rx_run_folder_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_resume_goes_on_to_the_same_bits), TEST(test_resume_cuts_the_log_back),
        TEST(test_finished_runs_resume_to_nothing), TEST(test_resume_says_what_differs),
        TEST(test_weights_are_no_checkpoint),       TEST(test_sigterm_saves_and_stops),
        TEST(test_sigint_saves_and_stops),          TEST(test_a_stopped_evaluation_is_made_up_for),
        TEST(test_second_signal_ends_at_once),      TEST(test_time_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
