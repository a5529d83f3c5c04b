// Grouped 3x3 convolutions on tensor cores, on the emulated device: every group size, both strides,
// tiles that fit and tiles that do not; and that a fault in one of these kernels is seen.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/target/target.h"
#include "runtime/base/file.h"
#include "tests/support/command.h"
#include "tests/support/conv_problem.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/folder.h"
#include "tests/support/kernel_configs.h"

enum { CASES_TOGETHER = 200, LABEL_CHARS = 128 };  // in one run of a program

// Sums in f32 of up to 288 products, each of which may be rounded once.
static const double SUMS = 0x1p-18;

struct shape {
    int h, w, c, groups, stride;
};

static const struct shape shapes[] = {
    {6, 8, 32, 8, 1},   {5, 6, 48, 12, 1},  {9, 4, 64, 16, 1},  {8, 8, 32, 8, 2}, {7, 12, 16, 4, 2},
    {6, 7, 32, 4, 1},   {9, 10, 64, 8, 1},  {8, 6, 64, 8, 2},   {7, 7, 32, 4, 2}, {7, 7, 64, 4, 1},
    {14, 14, 32, 2, 1}, {5, 8, 64, 4, 2},   {7, 7, 64, 2, 1},   {3, 3, 32, 1, 1}, {6, 6, 64, 2, 2},
    {1, 2, 32, 8, 1},   {28, 28, 32, 8, 1}, {28, 28, 32, 4, 2},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

struct list {
    struct rx_kernel_case c[CASES_TOGETHER];
    char label[CASES_TOGETHER][LABEL_CHARS];
    struct rx_config config[CASES_TOGETHER];
    int n;
};

// Runs what is in the list and empties it.
static void
run_list(struct list *list)
{
    if (list->n > 0)
        assert_int_equal(rx_kernel_cases(list->c, list->n, "sm_90"), 0);
    list->n = 0;
}

static struct rx_problem
problem_of(const struct shape *s, enum rx_problem_op op, int training)
{
    struct rx_conv_spec spec = {
        op,
        rx_case_conv(s->h, s->w, s->c, s->c, s->groups, 3, s->stride, 1),
        RX_CONV_LOAD,
        RX_CONV_LOAD,
        op == RX_PROBLEM_CONV_FWD ? RX_CONV_EVAL : RX_CONV_ADD_MASK,
        8,
    };
    if (training) {
        spec.prologue0 = op == RX_PROBLEM_CONV_DGRAD ? RX_CONV_BN_GRAD : RX_CONV_BN_RELU;
        spec.prologue1 = RX_CONV_BN_GRAD;
        spec.epilogue = op == RX_PROBLEM_CONV_FWD ? RX_CONV_STATS : RX_CONV_MASK;
        spec.view = 0;
    }
    struct rx_problem p = rx_conv_problem(&spec);
    rx_case_to_bf16(&p);
    return p;
}

static struct rx_machine
machine_of(void)
{
    struct rx_machine machine;
    struct rx_error error = {0};
    assert_int_equal(rx_target_cuda.machine("sm_90", &machine, &error), RX_OK);
    return machine;
}

// Adds the problem with the best of its configs on tensor cores, or with another one, which follows
// from the case's number.
static void
add(struct list *list, const struct shape *s, enum rx_problem_op op, int training)
{
    static struct rx_config config[RX_CASE_CONFIGS_MAX];
    const struct rx_machine machine = machine_of();
    const struct rx_problem p = problem_of(s, op, training);
    const int all = rx_case_configs(&rx_target_cuda, &machine, &p, config, RX_CASE_CONFIGS_MAX);
    int n = 0;
    for (int i = 0; i < all; i++)
        if (strstr(config[i].skeleton, ".mma") != NULL)
            config[n++] = config[i];
    assert_true(n > 0);
    const char *mode = getenv("RXGEN_TEST_CONFIGS");
    const int every = mode != NULL && strcmp(mode, "all") == 0;
    const int number = (int)(s - shapes), best = (number + training) % 2 == 0;
    const int one = best ? 0 : (int)(((unsigned)number * 2654435761u >> 8) % (unsigned)n);
    for (int i = every ? 0 : one; i < (every ? n : one + 1); i++) {
        if (list->n == CASES_TOGETHER)
            run_list(list);
        char *label = list->label[list->n];
        snprintf(label, LABEL_CHARS, "%s %dx%dx%d g%d s%d%s", rx_problem_op_text(op), s->h, s->w,
                 s->c, s->groups, s->stride, training ? " training" : "");
        list->config[list->n] = config[i];
        list->c[list->n] = (struct rx_kernel_case){.label = label,
                                                   .problem = p,
                                                   .n = 3,
                                                   .threads = 2,
                                                   .tolerance = SUMS,
                                                   .config = &list->config[list->n]};
        list->n++;
    }
}

static void
run(enum rx_problem_op op)
{
    if (!rx_cuda_batch_available())
        skip();
    for (int training = 0; training < 2; training++) {
        struct list *list = calloc(1, sizeof *list);
        assert_non_null(list);
        for (int i = 0; i < N_SHAPES; i++)
            if (op != RX_PROBLEM_CONV_DGRAD || shapes[i].w % 2 == 0 ||
                shapes[i].c / shapes[i].groups > 4)
                add(list, &shapes[i], op, training);
        run_list(list);
        free(list);
    }
}

static void
test_forward(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_FWD);
}

static void
test_data_gradient(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_DGRAD);
}

static void
test_weight_gradient(void **state)
{
    (void)state;
    run(RX_PROBLEM_CONV_WGRAD);
}

// What is done to a template, and each must be seen: by the emulator or by the values.
static const struct mutation {
    const char *from, *to;
    int nth;  // occurrence of `from`
    enum rx_problem_op op;
} mutations[] = {
    {"__syncthreads();", "", 1, 0},                                // after the ring is cleared
    {"__syncthreads();", "", 2, 0},                                // between batches
    {"(batch - 1) * BATCH + HALO", "(batch - 1) * BATCH", 1, 0},   // the halo a row off
    {"top * STEP - PAD + above", "top * STEP + above", 1, 0},      // what is copied a row off
    {"top * STEP - PAD + above", "top * STEP + above", 3, 0},      // what is padding a row off
    {"pixel * APART + PAD", "pixel * APART", 1, 0},                // the strip a column off
    {"ih >= 0 && ", "", 1, 0},                                     // padding is read from elsewhere
    {"inside ? item : zero", "item", 1, 0},                        // and goes through the prologue
    {"rx_cp_wait<0>();", "", 1, 0},                                // rows that have not come
    {"(STEPS > 1 ? 2 : 1) * BATCH + HALO", "BATCH + HALO", 1, 0},  // a ring too small
    {"if (y >= MROWS || oh >= bottom)", "if (y >= MROWS)", 1, 0},  // rows of the next strip
    {"chunk >= CHUNKS", "chunk > CHUNKS", 1, 0},                   // a weight for no value
    {"rx_cp_wait<0>();", "", 1, RX_PROBLEM_CONV_DGRAD},
    {"inside ? item : zero", "item", 1, RX_PROBLEM_CONV_DGRAD},
    {" && ih % APART == 0", "", 1, RX_PROBLEM_CONV_DGRAD},   // no zeros between rows
    {"raw + m * RAW_MAP", "raw", 1, RX_PROBLEM_CONV_DGRAD},  // a map in the place of another
};
enum { N_MUTATIONS = sizeof mutations / sizeof *mutations };

// Appends `text` with the nth `from` replaced; 0 where there are fewer.
static int
replace(const char *text, const struct mutation *m, struct rx_text *out)
{
    const char *at = text;
    for (int i = 0; i < m->nth; i++) {
        at = strstr(i > 0 ? at + 1 : at, m->from);
        if (at == NULL)
            return 0;
    }
    rx_text_add_bytes(out, text, (size_t)(at - text));
    rx_text_add(out, m->to);
    rx_text_add(out, at + strlen(m->from));
    return 1;
}

// The templates in `folder`, mutated.
static void
write_mutant(const char *folder, const struct mutation *m)
{
    struct rx_command copy = {0};
    struct rx_text text = {0}, changed = {0};
    struct rx_error error = {0};
    char path[RX_FOLDER_CHARS + 64];
    rx_command_add(&copy, "cp -r templates/cuda %s/", folder);
    rx_command_run_well(&copy);
    rx_command_close(&copy);
    snprintf(path, sizeof path, "%s/cuda/%s.mma.cu", folder,
             m->op == RX_PROBLEM_CONV_FWD ? "gconv_fwd" : "gconv_dgrad");
    assert_int_equal(rx_file_read(path, &text, &error), RX_OK);
    assert_true(replace(rx_text_str(&text), m, &changed));
    assert_int_equal(rx_file_write(path, rx_text_str(&changed), changed.n, &error), RX_OK);
    rx_text_close(&text);
    rx_text_close(&changed);
}

// The kernel that is mutated: strided, so that both directions have something between.
static int
count_failed(enum rx_problem_op op)
{
    static const struct shape shape = {6, 8, 64, 8, 2};
    static const struct rx_config forward = {"gconv_fwd.mma", 8, 2, 1, 2, 32},
                                  back = {"gconv_dgrad.mma", 8, 3, 2, 2, 32};
    const struct rx_kernel_case one = {.label = "a mutant",
                                       .problem = problem_of(&shape, op, 1),
                                       .n = 3,
                                       .threads = 2,
                                       .tolerance = SUMS,
                                       .config = op == RX_PROBLEM_CONV_FWD ? &forward : &back};
    return rx_kernel_cases(&one, 1, "sm_90");
}

static void
test_mutants(void **state)
{
    (void)state;
    if (!rx_cuda_batch_available() || rx_cuda_batch_folder() == NULL)
        skip();  // it takes the emulator to see some of them
    assert_int_equal(count_failed(RX_PROBLEM_CONV_FWD), 0);
    assert_int_equal(count_failed(RX_PROBLEM_CONV_DGRAD), 0);
    for (int i = 0; i < N_MUTATIONS; i++) {
        struct rx_test_folder folder;
        rx_test_folder_open(&folder);
        write_mutant(folder.path, &mutations[i]);
        setenv("RXGEN_TEMPLATES", folder.path, 1);
        if (count_failed(mutations[i].op) != 1)
            fail_msg("not seen: %s", mutations[i].from);
        unsetenv("RXGEN_TEMPLATES");
        rx_test_folder_close(&folder);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_data_gradient),
        cmocka_unit_test(test_weight_gradient),
        cmocka_unit_test(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
