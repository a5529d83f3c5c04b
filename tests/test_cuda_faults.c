// The unmodified programs on an emulated CUDA device that fails in every way it can: a clear
// message, the right status, nothing half-written, a checkpoint where one was due; and on a machine
// that has neither device nor toolkit. Skipped where `make emu` has built nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/run_files.h"

enum { BATCH = 4, STEPS = 3, IMAGES = 3, SIDE = 8 };

// As small as networks get: every thread of a kernel is a fiber.
static const char MODEL[] = "models/fashion_resnext.lua --set image=8 --set stem=8 --set planes=8 "
                            "--set cardinality=2 --set classes=4";
static const char NO_TOOLKIT[] = "env RXGEN_CUDA_LIB_DIR=/nonexistent";

// The network for the device and the one for the CPU, and the weights of an undisturbed run.
static char net[RX_FOLDER_CHARS + 16], cpu[RX_FOLDER_CHARS + 16];
static struct rx_test_folder built;
static char libraries[RX_PATH_CHARS];  // "": there is no emulated device

static void
run_well(struct rx_command *c)
{
    rx_command_run_well(c);
    rx_command_close(c);
}

// A command on the emulated device with a fault ("" for none), to be added to.
static struct rx_command
on_device(const char *fault)
{
    struct rx_command c = {0};
    rx_command_add(&c, "env RXGEN_CUDA_LIB_DIR=%s RXGEN_EMU=%s", libraries, fault);
    return c;
}

static void
add_training(struct rx_command *c, const char *run)
{
    rx_command_add(c, "%s/train --data synthetic:16 --batch %d --steps %d --checkpoint-every 1",
                   net, BATCH, STEPS);
    rx_command_add(c, "--workers 0 --threads 1 --progress json --run %s/%s --save %s/%s.weights",
                   rx_run_folder.path, run, rx_run_folder.path, run);
}

// The command fails with a status and a message, and says nothing else on standard output.
static void
refuses(struct rx_command *c, int status, const char *message)
{
    rx_command_run(c);
    if (c->status != status || strstr(rx_text_str(&c->err), message) == NULL)
        fail_msg("exit %d, not %d with `%s`: %s", c->status, status, message, rx_text_str(&c->err));
    rx_command_close(c);
}

static int
build_networks(void **state)
{
    (void)state;
    char *folder = realpath(rx_cuda_batch_folder(), NULL);
    rx_test_folder_open(&built);
    if (folder == NULL || !rx_cuda_batch_available())
        return 0;
    snprintf(libraries, sizeof libraries, "%s", folder);
    free(folder);
    snprintf(net, sizeof net, "%s/net", built.path);
    snprintf(cpu, sizeof cpu, "%s/cpu", built.path);
    struct rx_command device = on_device(""), none = {0};
    rx_command_add(&device, "%s --target auto --out %s %s", rx_command_rxgen(), net, MODEL);
    rx_command_run_well(&device);
    if (strstr(rx_text_str(&device.err), "target cuda: a device answers, sm_90") == NULL)
        fail_msg("%s", rx_text_str(&device.err));
    rx_command_add(&none, "%s %s --target auto --out %s %s", NO_TOOLKIT, rx_command_rxgen(), cpu,
                   MODEL);
    rx_command_run_well(&none);
    if (strstr(rx_text_str(&none.err), "target cpu: no GPU (RXGEN_CUDA_LIB_DIR=/nonexistent: no "
                                       "libcudart.so.13 there)") == NULL)
        fail_msg("%s", rx_text_str(&none.err));
    rx_command_close(&device);
    rx_command_close(&none);
    return 0;
}

static int
remove_networks(void **state)
{
    (void)state;
    rx_test_folder_close(&built);
    return 0;
}

static void
write_images(void)
{
    enum { ELEMENTS = IMAGES * SIDE * SIDE };
    float image[ELEMENTS];
    char path[RX_PATH_CHARS];
    struct rx_error error = {0};
    for (int i = 0; i < ELEMENTS; i++)
        image[i] = (float)(i * 37 % 101) / 50.0f - 1;
    const struct rx_safetensors_entry entry = {.name = "images",
                                               .dtype = "F32",
                                               .rank = 4,
                                               .shape = {IMAGES, 1, SIDE, SIDE},
                                               .data = image};
    const struct rx_safetensors_content content = {.n = 1, .entry = &entry};
    rx_run_file("images.safetensors", path);
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_OK);
}

// --- what --target auto finds, and says ---

static void
test_target_auto(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *message;
    } found[] = {
        {"", "target cuda: a device answers, sm_90"},
        {"fault=none", "target cpu: no GPU (CUDA: no CUDA-capable device is detected)"},
        {"fault=driver", "target cpu: no GPU (CUDA: CUDA driver version is insufficient"},
    };
    if (*libraries == '\0')
        skip();
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
        struct rx_command c = on_device(found[i].fault);
        rx_command_add(&c, "%s --target auto --explain %s", rx_command_rxgen(), MODEL);
        refuses(&c, 0, found[i].message);
    }
    struct rx_command native = on_device("fault=driver"), without = {0}, program = {0};
    rx_command_add(&native, "%s --target cuda --explain %s", rx_command_rxgen(), MODEL);
    refuses(&native, 2, "--arch native: no device answers (CUDA: CUDA driver version is");
    rx_command_add(&without, "%s %s --target cuda --arch sm_90 --out %s/none %s", NO_TOOLKIT,
                   rx_command_rxgen(), rx_run_folder.path, MODEL);
    refuses(&without, 1, "no libnvrtc.so.13 there");
    assert_false(rx_run_exists("none"));
    rx_command_add(&program, "%s", NO_TOOLKIT);
    add_training(&program, "run");
    refuses(&program, 1, "no libcudart.so.13 there");
    assert_false(rx_run_exists("run"));
}

// The program of a CPU names no function of CUDA, and runs where there is nothing of it.
static void
test_cpu_program_is_free_of_cuda(void **state)
{
    (void)state;
    char path[RX_PATH_CHARS];
    struct rx_text program = {0};
    struct rx_error error = {0};
    if (*libraries == '\0')
        skip();
    snprintf(path, sizeof path, "%s/train", cpu);
    assert_int_equal(rx_file_read(path, &program, &error), RX_OK);
    assert_null(memmem(program.s, program.n, "libcudart", strlen("libcudart")));
    assert_null(memmem(program.s, program.n, "cudaMalloc", strlen("cudaMalloc")));
    snprintf(path, sizeof path, "%s/train", net);  // the search finds what is there
    rx_text_clear(&program);
    assert_int_equal(rx_file_read(path, &program, &error), RX_OK);
    assert_non_null(memmem(program.s, program.n, "cudaMalloc", strlen("cudaMalloc")));
    rx_text_close(&program);
    struct rx_command c = {0};
    rx_command_add(&c, "%s %s/bench --mode train --batch %d --steps 1", NO_TOOLKIT, cpu, BATCH);
    run_well(&c);
}

// --- faults when a program opens ---

static void
test_faults_at_open(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *message;
    } wrong[] = {
        {"fault=driver", "CUDA: CUDA driver version is insufficient for CUDA runtime version"},
        {"fault=none", "CUDA: no CUDA-capable device is detected"},
        {"fault=alloc:1", "MB of the device cannot be had: a smaller --batch takes less"},
        {"fault=alloc:2", "CUDA: pinned memory: out of memory"},
        {"fault=alloc:3", "out of memory"},  // of the first kernel's code
        {"fault=launch:1", "too many resources requested for launch"},
    };
    static const char *const command[] = {
        "train --data synthetic:16 --run %s/run --save %s/saved",
        "eval --data synthetic:16 --weights %s/good.weights --confusion %s/saved",
        "infer --weights %s/good.weights --input %s/images.safetensors --output %s/saved",
        "bench --mode infer --json",
    };
    if (*libraries == '\0')
        skip();
    struct rx_command good = on_device("");
    add_training(&good, "good");
    run_well(&good);
    write_images();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (size_t k = 0; k < sizeof command / sizeof command[0]; k++) {
            const char *f = rx_run_folder.path;
            char line[4 * RX_PATH_CHARS];
            snprintf(line, sizeof line, command[k], f, f, f);
            struct rx_command c = on_device(wrong[i].fault);
            rx_command_add(&c, "%s/%s --batch %d", net, line, BATCH);
            rx_command_run(&c);
            if (c.status != 1 || c.out.n > 0 ||
                strstr(rx_text_str(&c.err), wrong[i].message) == NULL)
                fail_msg("%s: %s: exit %d: %s", wrong[i].fault, line, c.status,
                         rx_text_str(&c.err));
            rx_command_close(&c);
            assert_false(rx_run_exists("run"));
            assert_false(rx_run_exists("saved"));
        }
}

// --- faults while it runs ---

// The number of the line of a trace that has a text for the nth time, from 1.
static int
line_of(const char *trace, const char *text, int nth)
{
    int number = 0;
    struct rx_text all = rx_run_read(trace);
    for (const char *line = rx_text_str(&all); *line != '\0'; line = strchr(line, '\n') + 1) {
        number++;
        if (memmem(line, strcspn(line, "\n"), text, strlen(text)) != NULL && --nth == 0)
            break;
    }
    assert_int_equal(nth, 0);
    rx_text_close(&all);
    return number;
}

static int
training_lines(const char *metrics)
{
    json_t *lines = rx_run_read_lines(metrics), *line;
    size_t i;
    int n = 0;
    json_array_foreach(lines, i, line) n += rx_run_is_training(line);
    json_decref(lines);
    return n;
}

// A training run is cut off by a fault after some steps; its checkpoint, if there is one, is whole
// and goes on to the same bits as a run that was never cut off.
static void
check_cut_run(const char *fault, const char *run, int lines, int checkpoints)
{
    char metrics[64], last[64], saved[64];
    snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", run);
    snprintf(last, sizeof last, "%s/last.safetensors", run);
    snprintf(saved, sizeof saved, "%s.weights", run);
    struct rx_command c = on_device(fault);
    add_training(&c, run);
    refuses(&c, 1, "unspecified launch failure");
    assert_int_equal(training_lines(metrics), lines);
    assert_false(rx_run_exists(saved));
    assert_int_equal(rx_run_exists(last), checkpoints > 0);
    if (checkpoints == 0)
        return;
    struct rx_command again = on_device("");
    add_training(&again, run);
    rx_command_add(&again, "--resume");
    run_well(&again);
    rx_run_same_tensors("good/last.safetensors", last);
    rx_run_same_training("good/metrics.jsonl", metrics);
}

// The number of the second copy for a checkpoint, the nth, in a log of copies: a step writes its
// batch, reads losses and logits, and then the checkpoint reads the rest.
static int
copy_for_checkpoint(const char *copies, int nth)
{
    enum { OF_STEP = 2, SECOND = 2 };
    struct rx_text all = rx_run_read(copies);
    const char *at = rx_text_str(&all);
    for (int i = 0; i < nth; i++) {
        at += i > 0 ? strspn(at, "h") : 0;
        at += strspn(at, "d");
    }
    assert_true(strspn(at, "h") > OF_STEP + SECOND);
    const int number = (int)(at - all.s) + OF_STEP + SECOND;
    rx_text_close(&all);
    return number;
}

static void
test_lost_device(void **state)
{
    (void)state;
    char option[2 * RX_PATH_CHARS + 64], path[2][RX_PATH_CHARS];
    if (*libraries == '\0')
        skip();
    snprintf(option, sizeof option, "trace=%s,copies=%s", rx_run_file("trace", path[0]),
             rx_run_file("copies", path[1]));
    struct rx_command good = on_device(option);
    add_training(&good, "good");
    run_well(&good);
    // In the graph of the third step.
    snprintf(option, sizeof option, "fault=lost:%d", line_of("trace", "\"rx_loss", STEPS));
    check_cut_run(option, "lost", STEPS - 1, STEPS - 1);
    // While the first checkpoint is read from the device, and the second one.
    snprintf(option, sizeof option, "fault=copy:%d", copy_for_checkpoint("copies", 1));
    check_cut_run(option, "first", 1, 0);
    snprintf(option, sizeof option, "fault=copy:%d", copy_for_checkpoint("copies", 2));
    check_cut_run(option, "second", 2, 1);
}

// --- graphs ---

static void
infer(const char *fault, int batch, const char *output)
{
    struct rx_command c = on_device(fault);
    rx_command_add(&c, "%s/infer --weights %s/good.weights --input %s/images.safetensors", net,
                   rx_run_folder.path, rx_run_folder.path);
    rx_command_add(&c, "--output %s/%s --batch %d", rx_run_folder.path, output, batch);
    run_well(&c);
}

// A full batch is a graph, a smaller one single launches: the same bits. Nothing is allocated once
// the first has been launched.
static void
test_graphs(void **state)
{
    (void)state;
    if (*libraries == '\0')
        skip();
    write_images();
    struct rx_command c = on_device("fault=late"), bench = on_device("fault=late");
    add_training(&c, "good");
    run_well(&c);
    rx_command_add(&bench, "%s/bench --mode train --batch %d --steps 1", net, BATCH);
    run_well(&bench);
    infer("fault=late", 1, "one");
    infer("fault=late", 2, "two");  // a graph of two, then one alone
    infer("fault=late", IMAGES, "all");
    rx_run_same_files("one", "two");
    rx_run_same_files("one", "all");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rx_run_folder_open, rx_run_folder_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_target_auto),    TEST(test_cpu_program_is_free_of_cuda),
        TEST(test_faults_at_open), TEST(test_lost_device),
        TEST(test_graphs),
    };
    return cmocka_run_group_tests(tests, build_networks, remove_networks);
}
