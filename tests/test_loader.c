// The loader: the same batches for any number of workers and from any place, errors, shutdown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/data/data.h"
#include "runtime/data/source.h"

enum { H = 4, W = 5, C = 2, N = 23, BATCH = 4 };

static const struct rx_data_shape shape = {.h = H, .w = W, .c = C, .classes = N};

// A source whose image i is filled with i + 1; image `bad` cannot be read. The label is i.
struct fake {
    int64_t bad;
    useconds_t delay;
};

static int
read_fake(const struct rx_data *data, enum rx_split split, int64_t index, float *image,
          struct rx_error *error)
{
    const struct fake *fake = data->state;
    (void)split;
    if (fake->delay > 0)
        usleep((unsigned)(index * 7 % 5) * fake->delay);
    if (index == fake->bad)
        return rx_error_user(error, "image %lld: is broken", (long long)index);
    for (int i = 0; i < H * W * C; i++)
        image[i] = (float)(index + 1) + (float)i / 64.0f;
    return RX_OK;
}

static struct rx_data
fake_data(struct fake *fake)
{
    static int32_t labels[N];
    for (int i = 0; i < N; i++)
        labels[i] = i;
    return (struct rx_data){.shape = shape,
                            .recipe = {.crop_pad = 1, .flip = 1},
                            .count = {N, N},
                            .labels = {labels, labels},
                            .read = read_fake,
                            .state = fake};
}

static const struct rx_loader_options training = {
    .split = RX_SPLIT_TRAIN, .batch = BATCH, .shuffle = 1, .augment = 1, .drop_last = 1, .seed = 5};
static const struct rx_loader_options evaluation = {.split = RX_SPLIT_VAL, .batch = BATCH};

static struct rx_loader *
open_loader(struct rx_data *data, struct rx_loader_options options, int workers)
{
    struct rx_loader *loader;
    struct rx_error error = {0};
    options.workers = workers;
    assert_int_equal(rx_loader_open(data, &options, &loader, &error), RX_OK);
    return loader;
}

struct copy {
    float images[BATCH * H * W * C];
    int32_t labels[BATCH];
    int n;
};

static struct copy
next(struct rx_loader *loader)
{
    struct rx_batch batch;
    struct rx_error error = {0};
    assert_int_equal(rx_loader_next(loader, &batch, &error), RX_OK);
    assert_in_range(batch.n, 1, BATCH);
    struct copy copy = {.n = batch.n};
    memcpy(copy.images, batch.images, (size_t)batch.n * H * W * C * sizeof(float));
    memcpy(copy.labels, batch.labels, (size_t)batch.n * sizeof(int32_t));
    return copy;
}

enum { BATCHES = N / BATCH, EPOCHS = 3, STEPS = EPOCHS * BATCHES };

static void
workers_do_not_change_batches(void **state)
{
    (void)state;
    static struct copy one[STEPS], other;
    struct fake fake = {.bad = -1, .delay = 100};
    struct rx_data data = fake_data(&fake);
    struct rx_loader *loader = open_loader(&data, training, 0);
    assert_int_equal(rx_loader_batches(loader), BATCHES);
    for (int i = 0; i < STEPS; i++)
        one[i] = next(loader);
    rx_loader_close(loader);
    static const int workers[] = {1, 3, 8};
    for (int k = 0; k < 3; k++) {
        loader = open_loader(&data, training, workers[k]);
        rx_loader_seek(loader, 1, 0);
        for (int i = 0; i < STEPS; i++) {
            other = next(loader);
            assert_memory_equal(&one[i], &other, sizeof other);
        }
        rx_loader_close(loader);
    }
}

static void
seek_gives_the_same_batches(void **state)
{
    (void)state;
    static struct copy one[STEPS], other;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    for (int workers = 0; workers <= 3; workers += 3) {
        struct rx_loader *loader = open_loader(&data, training, workers);
        for (int i = 0; i < STEPS; i++)
            one[i] = next(loader);
        // Back and forth, also when prepared batches lie in the ring, and to an epoch's end.
        static const int places[] = {7, 0, 14, 3, BATCHES};
        for (int k = 0; k < 5; k++) {
            rx_loader_seek(loader, 1 + places[k] / BATCHES, places[k] % BATCHES);
            for (int i = places[k]; i < places[k] + 3 && i < STEPS; i++) {
                other = next(loader);
                assert_memory_equal(&one[i], &other, sizeof other);
            }
        }
        rx_loader_seek(loader, 1, BATCHES);
        other = next(loader);
        assert_memory_equal(&one[BATCHES], &other, sizeof other);
        rx_loader_close(loader);
    }
}

// A batch that was in work when the place changed must not appear at the new one.
static void
seek_waits_for_workers(void **state)
{
    (void)state;
    static struct copy one[STEPS], other;
    struct fake fake = {.bad = -1, .delay = 100};
    struct rx_data data = fake_data(&fake);
    struct rx_loader *loader = open_loader(&data, training, 3);
    for (int i = 0; i < STEPS; i++)
        one[i] = next(loader);
    for (int i = 0; i < 60; i++) {
        const int place = i * 7 % STEPS;
        rx_loader_seek(loader, 1 + place / BATCHES, place % BATCHES);
        if (i % 3 == 0)
            continue;
        other = next(loader);
        assert_memory_equal(&one[place], &other, sizeof other);
    }
    rx_loader_close(loader);
}

// Each epoch of training has full batches of different samples, all in range; images belong to
// their labels.
static void
training_drops_the_last_batch(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    struct rx_loader_options options = training;
    options.augment = 0;
    struct rx_loader *loader = open_loader(&data, options, 2);
    int32_t first[EPOCHS];
    for (int e = 0; e < EPOCHS; e++) {
        int seen[N] = {0};
        for (int b = 0; b < BATCHES; b++) {
            const struct copy copy = next(loader);
            assert_int_equal(copy.n, BATCH);
            for (int i = 0; i < BATCH; i++) {
                assert_int_equal(seen[copy.labels[i]]++, 0);
                assert_true(copy.images[i * H * W * C] == (float)(copy.labels[i] + 1));
            }
            first[e] = b == 0 ? copy.labels[0] * N + copy.labels[1] : first[e];
        }
    }
    assert_true(first[0] != first[1] || first[0] != first[2]);
    rx_loader_close(loader);
}

static void
evaluation_keeps_the_last_batch(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    for (int workers = 0; workers < 3; workers++) {
        struct rx_loader *loader = open_loader(&data, evaluation, workers);
        assert_int_equal(rx_loader_batches(loader), BATCHES + 1);
        for (int epoch = 0; epoch < 2; epoch++)
            for (int b = 0; b <= BATCHES; b++) {
                const struct copy copy = next(loader);
                assert_int_equal(copy.n, b < BATCHES ? BATCH : N % BATCH);
                for (int i = 0; i < copy.n; i++) {
                    assert_int_equal(copy.labels[i], b * BATCH + i);
                    assert_true(copy.images[i * H * W * C + 1] ==
                                (float)(b * BATCH + i + 1) + 1.0f / 64.0f);
                }
            }
        rx_loader_close(loader);
    }
}

// Data that are used as they are stay so even where augmentation is asked for.
static void
fixed_data_are_not_augmented(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    data.fixed = 1;
    struct rx_loader *loader = open_loader(&data, training, 1);
    for (int b = 0; b < BATCHES; b++) {
        const struct copy copy = next(loader);
        for (int i = 0; i < BATCH; i++)
            for (int k = 0; k < H * W * C; k++)
                assert_true(copy.images[i * H * W * C + k] ==
                            (float)(copy.labels[i] + 1) + (float)k / 64.0f);
    }
    rx_loader_close(loader);
}

static void
errors_reach_the_caller(void **state)
{
    (void)state;
    struct fake fake = {.bad = 2 * BATCH + 1};
    struct rx_data data = fake_data(&fake);
    for (int workers = 0; workers < 3; workers++) {
        struct rx_loader *loader = open_loader(&data, evaluation, workers);
        struct rx_batch batch;
        struct rx_error error = {0};
        assert_int_equal(rx_loader_next(loader, &batch, &error), RX_OK);
        assert_int_equal(rx_loader_next(loader, &batch, &error), RX_OK);
        assert_int_equal(rx_loader_next(loader, &batch, &error), RX_USER);
        assert_string_equal(error.text, "image 9: is broken");
        rx_loader_close(loader);
    }
}

static void
too_few_images_are_refused(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    struct rx_loader_options options = training;
    options.batch = N + 1;
    struct rx_loader *loader = NULL;
    struct rx_error error = {0};
    assert_int_equal(rx_loader_open(&data, &options, &loader, &error), RX_USER);
    assert_string_equal(error.text, "--batch 24: there are only 23 training images, less than one "
                                    "batch: at most 23");
    assert_null(loader);
    options.batch = N;
    loader = open_loader(&data, options, 0);
    assert_int_equal(rx_loader_batches(loader), 1);
    rx_loader_close(loader);
}

// Closing at any moment: never used, in the middle of work, with a full ring.
static void
closing_never_hangs(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1, .delay = 50};
    struct rx_data data = fake_data(&fake);
    for (int taken = 0; taken < 8; taken++) {
        struct rx_loader *loader = open_loader(&data, training, 3);
        for (int i = 0; i < taken; i++)
            (void)next(loader);
        if (taken % 2)
            usleep(2000);
        rx_loader_close(loader);
    }
    struct rx_loader *loader = open_loader(&data, training, 3);
    for (int i = 0; i < 50; i++)
        rx_loader_seek(loader, i + 1, i % BATCHES);
    rx_loader_close(loader);
}

// Slots of workers + 2, or one: images, an image, labels and samples, and one order; each part is
// rounded to 64 bytes.
static void
bytes_are_known(void **state)
{
    (void)state;
    struct fake fake = {.bad = -1};
    struct rx_data data = fake_data(&fake);
    const int64_t slot = 640 + 192 + 64 + 64, order = 128;
    for (int workers = 0; workers < 4; workers++) {
        struct rx_loader *loader = open_loader(&data, training, workers);
        const int64_t n_slots = workers > 0 ? workers + 2 : 1;
        assert_int_equal(rx_loader_bytes(loader), n_slots * slot + order);
        rx_loader_close(loader);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_do_not_change_batches),
        cmocka_unit_test(seek_gives_the_same_batches),
        cmocka_unit_test(seek_waits_for_workers),
        cmocka_unit_test(training_drops_the_last_batch),
        cmocka_unit_test(evaluation_keeps_the_last_batch),
        cmocka_unit_test(fixed_data_are_not_augmented),
        cmocka_unit_test(errors_reach_the_caller),
        cmocka_unit_test(too_few_images_are_refused),
        cmocka_unit_test(closing_never_hangs),
        cmocka_unit_test(bytes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
