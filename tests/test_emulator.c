// The CUDA emulator: right kernels give right results and counts in any order of threads, and each
// planted fault is found, whatever that order. Skipped where `make emu` has built nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "tests/support/cuda.h"
#include "tests/support/folder.h"

enum { SEEDS = 5, THREADS = 64 };

static const char *
emu_folder(void)
{
    const char *folder = getenv("RXGEN_EMU_LIBS");
    return folder != NULL ? folder : "out/emu";
}

static void
read_file(const char *path, struct rx_text *text)
{
    struct rx_error error = {0};
    assert_int_equal(rx_file_read(path, text, &error), RX_OK);
}

static struct cuda *
open_case(const char *name)
{
    struct cuda *cuda = cuda_open(emu_folder());
    if (cuda == NULL)
        skip();
    // The cases stand behind the instructions' header, as in an emitted kernel.
    char path[256];
    struct rx_text source = {0}, body = {0};
    snprintf(path, sizeof path, "tests/emu/cases/%s", name);
    read_file("templates/cuda/rx_ptx.cuh", &source);
    read_file(path, &body);
    rx_text_printf(&source, "\n#line 1 \"%s\"\n%s", name, body.s);
    cuda_load(cuda, source.s, name);
    rx_text_close(&source);
    rx_text_close(&body);
    return cuda;
}

static void
set_seed(int seed, const char *more)
{
    char text[RX_FOLDER_CHARS + 64];
    snprintf(text, sizeof text, "seed=%d%s", seed, more);
    setenv("RXGEN_EMU", text, 1);
}

// Integers below 2^24: sums are exact in any order.
static void
test_sum(void **state)
{
    (void)state;
    enum { N = 512 };
    struct cuda *cuda = open_case("right.cu");
    float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i * 7 % 31);
    for (int seed = 0; seed < SEEDS; seed++) {
        set_seed(seed, "");
        void *dx = cuda_upload(cuda, x, sizeof x), *dy = cuda_upload(cuda, NULL, sizeof y);
        void *args[] = {&dx, &dy};
        const struct cuda_launch launch = {
            .kernel = "sum_block", .blocks = 2, .threads = 256, .args = args};
        assert_int_equal(cuda_run(cuda, &launch), 0);
        cuda_download(cuda, y, dy, sizeof y);
        for (int block = 0; block < 2; block++) {
            float sum = 0;
            for (int i = 0; i < 256; i++)
                sum += x[block * 256 + i];
            for (int i = 0; i < 256; i++)
                assert_true(y[block * 256 + i] == sum);
        }
    }
    cuda_close(cuda);
}

static uint16_t
bf16_of(float x)  // of a small integer: exact
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

// Small integers: products and sums are exact, so any fragment in a wrong place shows.
static void
test_multiply(void **state)
{
    (void)state;
    struct cuda *cuda = open_case("right.cu");
    uint16_t a[16][16], b[16][8];
    float c[16][8];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            a[i][j] = bf16_of((float)((i * 5 + j * 3) % 13 - 6));
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            b[i][j] = bf16_of((float)((i * 7 + j * 11) % 17 - 8));
    set_seed(3, "");
    void *da = cuda_upload(cuda, a, sizeof a), *db = cuda_upload(cuda, b, sizeof b);
    void *dc = cuda_upload(cuda, NULL, sizeof c);
    void *args[] = {&da, &db, &dc};
    const struct cuda_launch launch = {
        .kernel = "multiply", .blocks = 1, .threads = 32, .shared = 512, .args = args};
    assert_int_equal(cuda_run(cuda, &launch), 0);
    cuda_download(cuda, c, dc, sizeof c);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            int sum = 0;
            for (int k = 0; k < 16; k++)
                sum += ((i * 5 + k * 3) % 13 - 6) * ((k * 7 + j * 11) % 17 - 8);
            assert_true(c[i][j] == (float)sum);
        }
    cuda_close(cuda);
}

static long
field(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(json, key);
    assert_non_null(at);
    return strtol(at + strlen(key), NULL, 10);
}

// 32 lanes, `stride` floats apart: 32 lanes * 4 * stride / 32 sectors (at most one a lane); a
// column of shared memory with stride 32 lies in one bank, 32 passes for each of two accesses.
static void
expect_counts(const struct rx_test_folder *folder, int stride, long sectors, long wavefronts)
{
    struct cuda *cuda = open_case("right.cu");
    char name[32], path[RX_FOLDER_CHARS], option[RX_FOLDER_CHARS + 16];
    snprintf(name, sizeof name, "trace-%d", stride);
    rx_test_folder_file(folder, name, path);
    snprintf(option, sizeof option, ",trace=%s", path);
    set_seed(1, option);
    float x[1024] = {0};
    void *dx = cuda_upload(cuda, x, sizeof x), *dy = cuda_upload(cuda, NULL, 128);
    void *args[] = {&dx, &dy, &stride};
    const struct cuda_launch launch = {
        .kernel = "gather", .blocks = 1, .threads = 32, .args = args};
    assert_int_equal(cuda_run(cuda, &launch), 0);
    struct rx_text json = {0};
    read_file(path, &json);
    assert_int_equal(field(json.s, "sectors_read"), sectors);
    assert_int_equal(field(json.s, "sectors_read_requested"), sectors);
    assert_int_equal(field(json.s, "sectors_written"), 4);
    assert_int_equal(field(json.s, "wavefronts"), wavefronts);
    assert_int_equal(field(json.s, "wavefronts_ideal"), 2);
    rx_text_close(&json);
    cuda_close(cuda);
}

static void
test_counts(void **state)
{
    const struct rx_test_folder *folder = *state;
    expect_counts(folder, 1, 4, 2);
    expect_counts(folder, 2, 8, 4);
    expect_counts(folder, 32, 32, 64);
    expect_counts(folder, 31, 32, 2);
}

struct fault {
    const char *kernel, *said;
    unsigned blocks;
    size_t shared;
};

static const struct fault faults[] = {
    {"read_before_barrier", "read after write without a barrier", 1, 0},
    {"write_before_barrier", "without a barrier", 1, 0},
    {"lanes_without_warp_sync", "without a barrier", 1, 0},
    {"two_blocks_write", "write after write without a barrier", 2, 0},
    {"global_out_of_bounds", "device memory out of bounds", 1, 0},
    {"shared_out_of_bounds", "shared memory out of bounds", 1, 256},
    {"shared_never_written", "reads shared memory that nothing wrote", 1, 0},
    {"misaligned", "misaligned", 1, 0},
    {"barrier_in_a_branch", "barrier", 1, 0},
    {"shuffle_in_a_branch", "not reached by all lanes", 1, 0},
    {"copy_without_wait", "touches an asynchronous copy before its wait", 1, 256},
    {"copy_never_waited_for", "ends with copies under way", 1, 256},
};

// In a process of its own, as the device is lost afterwards; `log` gets its messages.
static int
run_fault(const struct fault *fault, int seed, const char *log)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen(log, "w", stderr) == NULL)
            _exit(99);
        set_seed(seed, "");
        struct cuda *cuda = open_case("wrong.cu");
        float x[THREADS] = {0};
        void *dx = cuda_upload(cuda, x, sizeof x), *dy = cuda_upload(cuda, NULL, sizeof x);
        void *args[] = {&dx, &dy};
        const struct cuda_launch launch = {.kernel = fault->kernel,
                                           .blocks = fault->blocks,
                                           .threads = THREADS,
                                           .shared = fault->shared,
                                           .args = args};
        const int status = cuda_run(cuda, &launch);
        fflush(NULL);
        _exit(status != 0 ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void
test_faults(void **state)
{
    struct cuda *cuda = cuda_open(emu_folder());
    if (cuda == NULL)
        skip();
    cuda_close(cuda);
    char log[RX_FOLDER_CHARS];
    rx_test_folder_file(*state, "log", log);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int seed = 0; seed < SEEDS; seed++) {
            struct rx_text said = {0};
            assert_int_equal(run_fault(&faults[i], seed, log), 1);
            read_file(log, &said);
            if (strstr(said.s, faults[i].said) == NULL || strstr(said.s, "wrong.cu:") == NULL)
                fail_msg("%s: %s", faults[i].kernel, said.s);
            rx_text_close(&said);
        }
}

// Runs a right kernel twice under an injected fault, in a process of its own: bit 0 of the answer
// says that the first run failed, bit 1 that the second did.
static int
run_injected(const char *fault)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        set_seed(1, fault);
        struct cuda *cuda = open_case("right.cu");
        float x[256] = {0};
        void *dx = cuda_upload(cuda, x, sizeof x), *dy = cuda_upload(cuda, NULL, sizeof x);
        void *args[] = {&dx, &dy};
        const struct cuda_launch launch = {
            .kernel = "sum_block", .blocks = 1, .threads = 256, .args = args};
        const int first = cuda_run(cuda, &launch) != 0, second = cuda_run(cuda, &launch) != 0;
        _exit(first | second << 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

// A refused launch leaves the device as it was, a lost device stays lost.
static void
test_injected(void **state)
{
    (void)state;
    struct cuda *cuda = cuda_open(emu_folder());
    if (cuda == NULL)
        skip();
    cuda_close(cuda);
    assert_int_equal(run_injected(""), 0);
    assert_int_equal(run_injected(",fault=launch:1"), 1);
    assert_int_equal(run_injected(",fault=launch:2"), 2);
    assert_int_equal(run_injected(",fault=lost:1"), 3);
    assert_int_equal(run_injected(",fault=lost:2"), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum), cmocka_unit_test(test_multiply), WITH_FOLDER(test_counts),
        WITH_FOLDER(test_faults),   cmocka_unit_test(test_injected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
