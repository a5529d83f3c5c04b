// Programs whose first steps run on slices of the images: the same results in less memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/session.h"

enum { SIDE = 40, BATCH = 7, IMAGE = SIDE * sizeof(float) };

// Tensors: x -> a -> b -> y -> z, where z also reads s, which step 0 made of x.
enum { X, A, B, S, Y, Z, TENSORS };

// An image's work is one task. Kernels see images of their slice alone.
static void
shift(const struct rx_call *call, void *const *t)
{
    const float *x = t[0];       // [N][SIDE]
    float *a = t[1], *s = t[2];  // [N][SIDE], [N][SIDE]
    for (int64_t i = call->first * SIDE; i < call->last * SIDE; i++) {
        a[i] = x[i] + 1;
        s[i] = 3 * x[i];
    }
}

static void
twice(const struct rx_call *call, void *const *t)
{
    const float *x = t[0];  // [N][SIDE]
    float *y = t[1];        // [N][SIDE]
    for (int64_t i = call->first * SIDE; i < call->last * SIDE; i++)
        y[i] = 2 * x[i];
}

static void
sum(const struct rx_call *call, void *const *t)
{
    const float *x = t[0], *s = t[1];  // [N][SIDE], [N][SIDE]
    float *y = t[2];                   // [N][SIDE]
    for (int64_t i = call->first * SIDE; i < call->last * SIDE; i++)
        y[i] = x[i] + s[i];
}

#define TENSOR(text, from, to)                                                                     \
    {                                                                                              \
        .name = text, .image_bytes = IMAGE, .life = RX_LIFE_STEPS, .program = RX_PROGRAM_INFER,    \
        .first = from, .last = to,                                                                 \
    }
static const struct rx_plan_tensor tensor[TENSORS] = {
    [X] = TENSOR("x", 0, 0), [A] = TENSOR("a", 0, 1), [B] = TENSOR("b", 1, 2),
    [S] = TENSOR("s", 0, 3), [Y] = TENSOR("y", 2, 3), [Z] = TENSOR("z", 3, 3),
};
static const struct rx_plan_kernel kernel[] = {
    {.name = "shift", .op = "map", .fn = shift, .task_image = 1, .task_divisor = 1, .columns = 1},
    {.name = "twice", .op = "map", .fn = twice, .task_image = 1, .task_divisor = 1, .columns = 1},
    {.name = "sum", .op = "map", .fn = sum, .task_image = 1, .task_divisor = 1, .columns = 1},
};
static const struct rx_plan_arg arg[] = {{X, 0}, {A, 0}, {S, 0}, {A, 0}, {B, 0},
                                         {B, 0}, {Y, 0}, {Y, 0}, {S, 0}, {Z, 0}};
static const struct rx_plan_step step[] = {
    {0, 0, 3, "shift"}, {1, 3, 2, "twice"}, {1, 5, 2, "twice"}, {2, 7, 3, "sum"}};

static struct rx_plan
plan_of(int slice_steps, int slice_images)
{
    struct rx_plan plan = {.version = RX_PLAN_VERSION,
                           .arch = "generic",
                           .n_tensors = TENSORS,
                           .n_kernels = 3,
                           .n_args = 10,
                           .tensor = tensor,
                           .kernel = kernel,
                           .arg = arg};
    for (int i = 0; i < RX_PROGRAMS; i++)
        plan.program[i] =
            (struct rx_plan_program){.input = -1, .labels = -1, .logits = -1, .loss = -1};
    plan.program[RX_PROGRAM_INFER] = (struct rx_plan_program){.n_steps = 4,
                                                              .step = step,
                                                              .input = X,
                                                              .labels = -1,
                                                              .logits = Z,
                                                              .loss = -1,
                                                              .slice_steps = slice_steps,
                                                              .slice_images = slice_images};
    return plan;
}

static void
check(int slice_steps, int slice_images, int n, int threads)
{
    const struct rx_plan plan = plan_of(slice_steps, slice_images);
    struct rx_error error = {0};
    struct rx_session *s = NULL;
    assert_int_equal(rx_session_open_infer(&plan, BATCH, threads, &s, &error), RX_OK);
    float *x = rx_session_tensor(s, X);
    for (int i = 0; i < n * SIDE; i++)
        x[i] = (float)i;
    double seconds[4] = {0};
    rx_session_run_timed(s, RX_PROGRAM_INFER, n, seconds);
    const float *z = rx_session_tensor(s, Z);
    for (int i = 0; i < n * SIDE; i++)  // whole numbers below 2^24: exact
        assert_true(z[i] == 4 * ((float)i + 1) + 3 * (float)i);
    for (int i = 0; i < 4; i++)
        assert_true(seconds[i] > 0);
    rx_session_close(s);
}

static void
test_slices_compute_the_same(void **state)
{
    (void)state;
    for (int steps = 0; steps <= 3; steps++)
        for (int images = 1; images <= BATCH + 1; images++)
            for (int threads = 1; threads <= 4; threads += 3)
                for (int n = 1; n <= BATCH; n++)
                    check(steps, images, n, threads);
}

// By hand: what is alive at once. Between steps of a slice: x, a (or y, b) and s.
static void
test_slices_take_less_memory(void **state)
{
    (void)state;
    const struct rx_plan whole = plan_of(0, 0), sliced = plan_of(3, 2), large = plan_of(3, BATCH);
    const int64_t all = (BATCH * IMAGE + 63) / 64 * 64, few = (2 * IMAGE + 63) / 64 * 64;
    assert_int_equal(rx_session_bytes_infer(&whole, BATCH, 1), 3 * all);
    assert_int_equal(rx_session_bytes_infer(&large, BATCH, 1), 3 * all);
    // x, s and y outlive the slices; a and b are those of a slice.
    assert_int_equal(rx_session_bytes_infer(&sliced, BATCH, 1), 3 * all + 2 * few);
}

// A slice has an image for every thread.
static void
test_slices_grow_with_threads(void **state)
{
    (void)state;
    const struct rx_plan plan = plan_of(3, 2), five = plan_of(3, 5), none = plan_of(0, 0);
    assert_int_equal(rx_session_bytes_infer(&plan, BATCH, 5),
                     rx_session_bytes_infer(&five, BATCH, 1));
    assert_int_equal(rx_session_bytes_infer(&plan, BATCH, BATCH),
                     rx_session_bytes_infer(&none, BATCH, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_compute_the_same),
        cmocka_unit_test(test_slices_take_less_memory),
        cmocka_unit_test(test_slices_grow_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
