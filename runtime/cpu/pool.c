// The thread pool. A waiting thread spins for a bounded time only, then sleeps on a futex: the
// machine may be shared, and a spinning waiter would take the time of the one it waits for.
#include "runtime/cpu/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/memory.h"

enum { SPINS = 2000, CACHE_LINE = 64 };

struct worker {
    struct rx_pool *pool;
    int thread;
    pthread_t handle;
};

struct rx_pool {
    int n_threads, n_started;
    struct worker *worker;
    rx_pool_fn *fn;
    void *user;
    _Alignas(CACHE_LINE) atomic_uint job;      // counts jobs; workers wait for it to change
    _Alignas(CACHE_LINE) atomic_uint running;  // workers that have not finished the job
    _Alignas(CACHE_LINE) atomic_int stop;
};

static void
wait_while(atomic_uint *word, unsigned value)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != value)
            return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    while (atomic_load_explicit(word, memory_order_acquire) == value)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void *
work(void *user)
{
    const struct worker *w = user;
    struct rx_pool *pool = w->pool;
    for (unsigned job = 0;; job++) {
        wait_while(&pool->job, job);
        if (atomic_load(&pool->stop))
            return NULL;
        pool->fn(pool->user, w->thread, pool->n_threads);
        if (atomic_fetch_sub(&pool->running, 1) == 1)
            wake(&pool->running);
    }
}

int
rx_pool_open(int n_threads, struct rx_pool **out, struct rx_error *error)
{
    // One block for the cache-line aligned counters.
    const size_t bytes = (sizeof(struct rx_pool) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct rx_pool *pool = aligned_alloc(CACHE_LINE, bytes);
    if (pool == NULL)
        return rx_error_refused(error, "no memory for %d threads", n_threads);
    memset(pool, 0, bytes);
    pool->n_threads = n_threads;
    pool->worker = rx_memory_alloc((size_t)n_threads * sizeof *pool->worker);
    for (int t = 1; t < n_threads; t++) {
        struct worker *w = &pool->worker[t];
        *w = (struct worker){.pool = pool, .thread = t};
        const int code = pthread_create(&w->handle, NULL, work, w);
        if (code != 0) {
            rx_pool_close(pool);
            return rx_error_refused(error, "thread %d of %d cannot be started: %s", t, n_threads,
                                    strerror(code));
        }
        pool->n_started++;
    }
    *out = pool;
    return RX_OK;
}

void
rx_pool_close(struct rx_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->stop, 1);
    atomic_fetch_add(&pool->job, 1);
    wake(&pool->job);
    for (int t = 1; t <= pool->n_started; t++)
        pthread_join(pool->worker[t].handle, NULL);
    free(pool->worker);
    free(pool);
}

int
rx_pool_threads(const struct rx_pool *pool)
{
    return pool->n_threads;
}

void
rx_pool_run(struct rx_pool *pool, rx_pool_fn *fn, void *user)
{
    pool->fn = fn;
    pool->user = user;
    atomic_store(&pool->running, (unsigned)pool->n_threads - 1);
    atomic_fetch_add_explicit(&pool->job, 1, memory_order_release);
    if (pool->n_threads > 1)
        wake(&pool->job);
    fn(user, 0, pool->n_threads);
    for (unsigned left; (left = atomic_load_explicit(&pool->running, memory_order_acquire)) > 0;)
        wait_while(&pool->running, left);
}
