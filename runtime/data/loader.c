// The loader: batches are prepared on threads into a ring of slots, and taken in order.
//
// A worker claims the next batch under the lock, which fixes its samples, and fills its slot
// outside. What a slot gets depends on nothing but the batch's place, so any number of workers
// gives the same bits. Slots are two more than workers: one is the caller's, one is ready.
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/data/augment.h"
#include "runtime/data/source.h"

enum { SPARE_SLOTS = 2, SLOT_ALIGN = 64 };

struct slot {
    int64_t epoch;
    int n;
    int is_ready;
    float *images;     // [batch][h][w][c]
    float *whole;      // [h][w][c], an image before augmentation
    int32_t *labels;   // [batch]
    uint32_t *sample;  // [batch]
    struct rx_error error;
};

struct rx_loader {
    const struct rx_data *data;
    struct rx_loader_options options;
    int64_t bytes, batches, image_bytes;
    int n_slots, n_threads;
    struct slot *slot;
    pthread_t *thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_running;  // 1: workers may claim batches
    int is_closing;
    int n_busy;                        // batches that are being prepared
    int64_t claimed, taken, released;  // batches since the last seek
    int64_t epoch, next;               // place of the batch to be claimed next
    uint32_t *order;                   // [count], samples of order_epoch
    int64_t order_epoch;               // 0: none
};

static int64_t
count_of(const struct rx_loader *l)
{
    return l->data->count[l->options.split];
}

// Claims the next batch: fixes its samples and moves on. The lock is held.
static struct slot *
claim(struct rx_loader *l)
{
    struct slot *slot = &l->slot[l->claimed++ % l->n_slots];
    if (l->options.shuffle && l->order_epoch != l->epoch)
        rx_order_shuffle(l->order, count_of(l), l->options.seed, (uint64_t)l->epoch);
    l->order_epoch = l->epoch;
    const int64_t first = l->next * l->options.batch, left = count_of(l) - first;
    slot->n = left < l->options.batch ? (int)left : l->options.batch;
    slot->epoch = l->epoch;
    memcpy(slot->sample, l->order + first, (size_t)slot->n * sizeof *slot->sample);
    slot->is_ready = 0;
    if (++l->next == l->batches) {
        l->next = 0;
        l->epoch++;
    }
    return slot;
}

// Reads one sample into its place in the slot.
static int
prepare_sample(const struct rx_loader *l, struct slot *slot, int i)
{
    const struct rx_data *data = l->data;
    const enum rx_split split = l->options.split;
    const int64_t sample = slot->sample[i];
    float *image = slot->images + i * rx_data_elements(data);
    slot->labels[i] = data->labels[split][sample];
    if (!l->options.augment || data->fixed)
        return data->read(data, split, sample, image, &slot->error);
    const int status = data->read(data, split, sample, slot->whole, &slot->error);
    if (status != RX_OK)
        return status;
    const struct rx_recipe *recipe = &data->recipe;
    const struct rx_augment a =
        rx_augment_draw(recipe, l->options.seed, (uint64_t)slot->epoch, sample);
    rx_augment_apply(&a, &data->shape, recipe->crop_pad, slot->whole, image);
    return RX_OK;
}

static void
prepare(const struct rx_loader *l, struct slot *slot)
{
    slot->error = (struct rx_error){0};
    for (int i = 0; i < slot->n; i++)
        if (prepare_sample(l, slot, i) != RX_OK)
            return;
}

static void *
work(void *user)
{
    struct rx_loader *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->is_closing) {
        if (!l->is_running || l->claimed - l->released >= l->n_slots) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        struct slot *slot = claim(l);
        l->n_busy++;
        pthread_mutex_unlock(&l->lock);
        prepare(l, slot);
        pthread_mutex_lock(&l->lock);
        l->n_busy--;
        slot->is_ready = 1;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

// Signals belong to the main thread, so workers start with all of them blocked.
static int
start_threads(struct rx_loader *l, struct rx_error *error)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = 0;
    while (l->n_threads < l->options.workers && code == 0) {
        code = pthread_create(&l->thread[l->n_threads], NULL, work, l);
        l->n_threads += code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code != 0)
        return rx_error_refused(error, "loader: thread %d cannot be started: %s: fewer --workers",
                                l->n_threads + 1, strerror(code));
    return RX_OK;
}

// Adds to the loader's bytes; NULL sticks as an error.
static void *
allocate(struct rx_loader *l, size_t bytes, struct rx_error *error)
{
    const size_t rounded = (bytes + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    void *memory = aligned_alloc(SLOT_ALIGN, rounded);
    l->bytes += (int64_t)rounded;
    if (memory == NULL)
        rx_error_refused(error,
                         "loader: %zu bytes of memory cannot be had: a smaller --batch or "
                         "fewer --workers take less",
                         rounded);
    return memory;
}

static void
allocate_slots(struct rx_loader *l, struct rx_error *error)
{
    const size_t batch = (size_t)l->options.batch;
    const size_t image = (size_t)rx_data_elements(l->data) * sizeof(float);
    for (int i = 0; i < l->n_slots; i++) {
        struct slot *slot = &l->slot[i];
        slot->images = allocate(l, batch * image, error);
        slot->whole = allocate(l, image, error);
        slot->labels = allocate(l, batch * sizeof *slot->labels, error);
        slot->sample = allocate(l, batch * sizeof *slot->sample, error);
    }
    l->order = allocate(l, (size_t)count_of(l) * sizeof *l->order, error);
    if (l->order != NULL)
        rx_order_plain(l->order, count_of(l));
}

static int64_t
batches_of(const struct rx_loader *l)
{
    const int64_t whole = count_of(l) / l->options.batch;
    return whole + (!l->options.drop_last && count_of(l) % l->options.batch != 0);
}

int
rx_loader_open(struct rx_data *data, const struct rx_loader_options *options,
               struct rx_loader **loader, struct rx_error *error)
{
    assert(options->batch >= 1 && options->workers >= 0);
    const int64_t count = data->count[options->split];
    assert(count >= 1 && count <= UINT32_MAX);
    if (options->drop_last && count < options->batch)
        return rx_error_user(error,
                             "--batch %d: there are only %lld training images, less than one "
                             "batch: at most %lld",
                             options->batch, (long long)count, (long long)count);
    struct rx_loader *l = rx_memory_alloc(sizeof *l);
    l->data = data;
    l->options = *options;
    l->batches = batches_of(l);
    l->n_slots = options->workers > 0 ? options->workers + SPARE_SLOTS : 1;
    l->slot = rx_memory_alloc((size_t)l->n_slots * sizeof *l->slot);
    l->thread = rx_memory_alloc((size_t)options->workers * sizeof *l->thread);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    allocate_slots(l, error);
    if (error->status == RX_OK)
        start_threads(l, error);
    if (error->status != RX_OK) {
        rx_loader_close(l);
        return error->status;
    }
    *loader = l;
    return RX_OK;
}

void
rx_loader_close(struct rx_loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->is_closing = 1;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->thread[i], NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    for (int i = 0; i < l->n_slots; i++) {
        free(l->slot[i].images);
        free(l->slot[i].whole);
        free(l->slot[i].labels);
        free(l->slot[i].sample);
    }
    free(l->order);
    free(l->slot);
    free(l->thread);
    free(l);
}

int64_t
rx_loader_bytes(const struct rx_loader *l)
{
    return l->bytes;
}

int64_t
rx_loader_batches(const struct rx_loader *l)
{
    return l->batches;
}

void
rx_loader_seek(struct rx_loader *l, int64_t epoch, int64_t first)
{
    assert(epoch >= 1 && first >= 0);
    pthread_mutex_lock(&l->lock);
    l->is_running = 0;
    while (l->n_busy > 0)
        pthread_cond_wait(&l->changed, &l->lock);
    l->claimed = l->taken = l->released = 0;
    l->epoch = epoch + first / l->batches;
    l->next = first % l->batches;
    l->is_running = 1;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

// Waits for the next batch of the workers. The caller's former slot becomes free.
static struct slot *
take(struct rx_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->released = l->taken;
    pthread_cond_broadcast(&l->changed);
    struct slot *slot = &l->slot[l->taken % l->n_slots];
    while (l->claimed <= l->taken || !slot->is_ready)
        pthread_cond_wait(&l->changed, &l->lock);
    l->taken++;
    pthread_mutex_unlock(&l->lock);
    return slot;
}

int
rx_loader_next(struct rx_loader *l, struct rx_batch *batch, struct rx_error *error)
{
    if (!l->is_running)
        rx_loader_seek(l, 1, 0);
    struct slot *slot;
    if (l->options.workers > 0) {
        slot = take(l);
    } else {
        slot = claim(l);
        prepare(l, slot);
    }
    if (slot->error.status != RX_OK) {
        *error = slot->error;
        return error->status;
    }
    *batch = (struct rx_batch){.n = slot->n, .images = slot->images, .labels = slot->labels};
    return RX_OK;
}
