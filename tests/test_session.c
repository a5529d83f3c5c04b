// Sessions and the thread pool: what is allocated, where tensors lie, how tasks are shared.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/cpu/device.h"
#include "runtime/cpu/pool.h"
#include "runtime/session.h"
#include "runtime/base/amx.h"
#include "tests/support/tiny_plan.h"

enum { ALIGN = 64, THREADS_MAX = 8 };

// --- the pool ---

struct counts {
    int calls[THREADS_MAX];
    int n_threads;
    atomic_int total;
};

static void
count(void *user, int thread, int n_threads)
{
    struct counts *c = user;
    c->calls[thread]++;
    if (thread == 0)
        c->n_threads = n_threads;
    atomic_fetch_add(&c->total, 1);
}

static void
test_pool_runs_every_thread_once_a_job(void **state)
{
    (void)state;
    enum { JOBS = 2000 };
    for (int threads = 1; threads <= THREADS_MAX; threads += 3) {
        struct rx_error error = {0};
        struct rx_pool *pool = NULL;
        struct counts c = {0};
        assert_int_equal(rx_pool_open(threads, &pool, &error), RX_OK);
        assert_int_equal(rx_pool_threads(pool), threads);
        for (int i = 1; i <= JOBS; i++) {
            rx_pool_run(pool, count, &c);
            // All have returned: a barrier that let go early would be seen here.
            assert_int_equal(atomic_load(&c.total), i * threads);
        }
        for (int t = 0; t < threads; t++)
            assert_int_equal(c.calls[t], JOBS);
        assert_int_equal(c.n_threads, threads);
        rx_pool_close(pool);
    }
}

// --- memory ---

static int64_t
align(int64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

// Opens the tiny plan's session.
static struct rx_session *
open_tiny(int batch, int threads)
{
    struct rx_error error = {0};
    struct rx_session *s = NULL;
    if (rx_session_open(&rx_tiny_plan, batch, threads, &s, &error) != RX_OK)
        fail_msg("%s", error.text);
    return s;
}

static void
test_bytes_are_tensors_and_scratch(void **state)
{
    (void)state;
    const int batch = 6, threads = 3;
    int64_t session = 0, largest = 0;
    for (int i = 0; i < RX_TINY_TENSORS; i++) {
        const struct rx_plan_tensor *t = &rx_tiny_plan.tensor[i];
        const int64_t bytes =
            align(t->fixed_bytes + batch * t->image_bytes + threads * t->thread_bytes);
        if (t->life == RX_LIFE_SESSION)
            session += bytes;
    }
    // By hand, the most that is alive at once: x, logits, loss, dlogits and the partials at step 2.
    largest = align(batch * 64) + 2 * align(batch * 16) + align(batch * 4) + align(threads * 1088);
    const int64_t scratch = threads * align(100);
    assert_int_equal(rx_session_bytes(&rx_tiny_plan, batch, threads), session + largest + scratch);
    assert_int_equal(session, 3 * align(1088) + align(64));
}

static void
test_inference_takes_less(void **state)
{
    (void)state;
    const int64_t bytes = rx_session_bytes_infer(&rx_tiny_plan, 6, 3);
    // Parameters, x and logits, scratch.
    assert_int_equal(bytes, align(1088) + align(6 * 64) + align(6 * 16) + 3 * align(100));
    struct rx_error error = {0};
    struct rx_session *s = NULL;
    assert_int_equal(rx_session_open_infer(&rx_tiny_plan, 6, 3, &s, &error), RX_OK);
    float *x = rx_session_tensor(s, RX_TINY_X_INFER);
    float *params = rx_session_tensor(s, RX_TINY_PARAMS);
    const float *logits = rx_session_tensor(s, RX_TINY_LOGITS_INFER);
    params[256 + 2] = 3.0f;  // the bias of class 2
    memset(x, 0, 6 * 64);
    rx_session_run(s, RX_PROGRAM_INFER, 6);
    assert_true(logits[5 * 4 + 2] == 3.0f);
    assert_true(logits[5 * 4 + 1] == 0.0f);
    rx_session_close(s);
}

static void
test_tensors_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    const int batch = 5, threads = 2;
    struct rx_session *s = open_tiny(batch, threads);
    for (int i = 0; i < RX_TINY_TENSORS; i++) {
        const unsigned char *at = rx_session_tensor(s, i);
        assert_int_equal((uintptr_t)at % ALIGN, 0);
        assert_int_equal(*at, 0);
    }
    // Those that are alive together at step 2 do not overlap.
    static const int alive[] = {RX_TINY_PARAMS, RX_TINY_GRADIENT, RX_TINY_MOMENTUM,
                                RX_TINY_HYPER,  RX_TINY_X,        RX_TINY_LOGITS,
                                RX_TINY_LOSS,   RX_TINY_DLOGITS,  RX_TINY_PARTIAL};
    enum { N = sizeof alive / sizeof alive[0] };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            const struct rx_plan_tensor *t = &rx_tiny_plan.tensor[alive[i]];
            const char *a = rx_session_tensor(s, alive[i]), *b = rx_session_tensor(s, alive[j]);
            const int64_t bytes =
                t->fixed_bytes + batch * t->image_bytes + threads * t->thread_bytes;
            assert_true(i == j || b < a || b >= a + bytes);
        }
    rx_session_close(s);
}

static void
test_memory_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct rx_plan_tensor tensors[RX_TINY_TENSORS];
    memcpy(tensors, rx_tiny_plan.tensor, sizeof tensors);
    struct rx_plan plan = rx_tiny_plan;
    plan.tensor = tensors;
    static const int64_t image_bytes[] = {INT64_C(1) << 40, INT64_MAX / 2, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        struct rx_error error = {0};
        struct rx_session *s = NULL;
        tensors[RX_TINY_X].image_bytes = image_bytes[i];
        assert_int_equal(rx_session_open(&plan, 1024, 1, &s, &error), RX_REFUSED);
        assert_non_null(strstr(error.text, " MB are needed"));
        assert_null(s);
    }
    assert_true(rx_device_available() > 0);
}

// A plan of another machine is refused before anything is allocated. Whether this is one depends on
// where the test runs.
static void
test_machine_without_tiles_is_refused(void **state)
{
    (void)state;
    struct rx_plan plan = rx_tiny_plan;
    struct rx_error error = {0};
    struct rx_session *s = NULL;
    plan.arch = "x86-64-v4+amx";
    const int may = rx_amx_request();
    assert_int_equal(rx_session_open(&plan, 1, 1, &s, &error), may ? RX_OK : RX_REFUSED);
    if (!may)
        assert_non_null(strstr(error.text, "kernels for x86-64-v4+amx: this machine has no A"));
    rx_session_close(s);
}

// --- running ---

// What the spy kernel saw.
static struct seen {
    struct rx_call call[THREADS_MAX];
    int calls;
} seen;

static void
spy(const struct rx_call *call, void *const *t)
{
    (void)t;
    seen.call[call->thread] = *call;
    memset(call->scratch, call->thread + 1, 200);
    __atomic_fetch_add(&seen.calls, 1, __ATOMIC_SEQ_CST);
}

// Runs a plan of the one spy kernel and asserts that the threads share `tasks`.
static void
check_shares(const struct rx_plan_kernel *kernel, int n, int threads, int64_t tasks)
{
    static const struct rx_plan_step step = {.kernel = 0};
    struct rx_plan plan = rx_tiny_plan;
    plan.n_kernels = 1;
    plan.kernel = kernel;
    plan.program[RX_PROGRAM_FOLD] = (struct rx_plan_program){
        .n_steps = 1, .step = &step, .input = -1, .labels = -1, .logits = -1, .loss = -1};
    plan.program[RX_PROGRAM_TRAIN].n_steps = plan.program[RX_PROGRAM_INFER].n_steps = 0;
    struct rx_error error = {0};
    struct rx_session *s = NULL;
    assert_int_equal(rx_session_open(&plan, 9, threads, &s, &error), RX_OK);
    memset(&seen, 0, sizeof seen);
    rx_session_run(s, RX_PROGRAM_FOLD, n);
    assert_int_equal(seen.calls, threads);  // also where a share is empty
    int64_t next = 0;
    for (int t = 0; t < threads; t++) {
        const struct rx_call *c = &seen.call[t];
        assert_int_equal(c->n, n);
        assert_int_equal(c->thread, t);
        assert_int_equal(c->n_threads, threads);
        assert_int_equal(c->first, next);
        assert_true(c->last - c->first <= tasks / threads + 1);
        next = c->last;
        assert_int_equal((uintptr_t)c->scratch % ALIGN, 0);
        for (int i = 0; i < 200; i++)  // nobody else wrote there
            assert_int_equal(((unsigned char *)c->scratch)[i], t + 1);
    }
    assert_int_equal(next, tasks);
    rx_session_close(s);
}

static void
test_tasks_are_shared_in_order(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        const struct rx_plan_kernel per_image = {
            .fn = spy, .task_image = 3, .task_fixed = 1, .task_divisor = 2, .scratch_bytes = 200};
        check_shares(&per_image, 9, threads, 14);  // ceil((27 + 1) / 2)
        check_shares(&per_image, 2, threads, 4);   // ceil(7 / 2)
        const struct rx_plan_kernel one = {
            .fn = spy, .task_fixed = 1, .task_divisor = 1, .scratch_bytes = 200};
        check_shares(&one, 5, threads, 1);
    }
}

static void
test_timed_run_computes_the_same(void **state)
{
    (void)state;
    struct rx_session *s = open_tiny(2, 2);
    double seconds[5] = {0};
    float *x = rx_session_tensor(s, RX_TINY_X);
    for (int i = 0; i < 32; i++)
        x[i] = (float)i / 32.0f;
    float *hyper = rx_session_tensor(s, RX_TINY_HYPER);
    hyper[RX_HYPER_LR] = 0.1f;
    hyper[RX_HYPER_FIRST] = 1;
    rx_session_run_timed(s, RX_PROGRAM_TRAIN, 2, seconds);
    for (int i = 0; i < 5; i++)
        assert_true(seconds[i] > 0);
    // Class 0 is both images' label: its bias went up by lr * (1 - 1/4), the others down by lr / 4.
    const float *params = rx_session_tensor(s, RX_TINY_PARAMS);
    assert_true(params[256] > 0.0749f && params[256] < 0.0751f);
    assert_true(params[257] < -0.0249f && params[257] > -0.0251f);
    rx_session_close(s);
}

static void
test_any_number_of_threads_may_run(void **state)
{
    (void)state;
    float first[RX_TINY_CLASSES];
    for (int threads = 1; threads <= 6; threads++) {
        struct rx_session *s = open_tiny(7, threads);
        float *x = rx_session_tensor(s, RX_TINY_X);
        int32_t *labels = rx_session_tensor(s, RX_TINY_LABELS);
        for (int i = 0; i < 7 * 16; i++)
            x[i] = (float)(i % 11) / 11.0f;
        for (int i = 0; i < 7; i++)
            labels[i] = i % 4;
        float *hyper = rx_session_tensor(s, RX_TINY_HYPER);
        hyper[RX_HYPER_LR] = 0.5f;
        hyper[RX_HYPER_FIRST] = 1;
        rx_session_run(s, RX_PROGRAM_TRAIN, 7);
        const float *bias = (const float *)rx_session_tensor(s, RX_TINY_PARAMS) + 256;
        if (threads == 1)
            memcpy(first, bias, sizeof first);
        // Sums of 7 terms below 1 in another order: a few units in the last place.
        for (int k = 0; k < RX_TINY_CLASSES; k++)
            assert_true(bias[k] - first[k] <= 1e-6f && first[k] - bias[k] <= 1e-6f);
        rx_session_close(s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_runs_every_thread_once_a_job),
        cmocka_unit_test(test_bytes_are_tensors_and_scratch),
        cmocka_unit_test(test_inference_takes_less),
        cmocka_unit_test(test_tensors_are_aligned_zeroed_and_apart),
        cmocka_unit_test(test_memory_that_is_not_there_is_refused),
        cmocka_unit_test(test_machine_without_tiles_is_refused),
        cmocka_unit_test(test_tasks_are_shared_in_order),
        cmocka_unit_test(test_timed_run_computes_the_same),
        cmocka_unit_test(test_any_number_of_threads_may_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
