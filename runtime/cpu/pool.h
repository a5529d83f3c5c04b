// The thread pool: one job at a time on all threads, the caller being thread 0.
#ifndef RX_CPU_POOL_H
#define RX_CPU_POOL_H

#include "runtime/base/error.h"

struct rx_pool;

typedef void
rx_pool_fn(void *user, int thread, int n_threads);

// RX_REFUSED if a thread cannot be started.
int
rx_pool_open(int n_threads, struct rx_pool **pool, struct rx_error *error);
void
rx_pool_close(struct rx_pool *pool);
int
rx_pool_threads(const struct rx_pool *pool);

// Runs fn on every thread and returns when all of them have returned.
void
rx_pool_run(struct rx_pool *pool, rx_pool_fn *fn, void *user);

#endif
