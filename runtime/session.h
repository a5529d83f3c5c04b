// A session: a plan opened for one batch size and one number of threads, with its memory. All
// memory is allocated at open; running allocates nothing.
#ifndef RX_SESSION_H
#define RX_SESSION_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/plan.h"

struct rx_session;

// Bytes that a session will allocate for this batch and these threads (tensors and scratch), known
// before anything is allocated; exact. INT64_MAX where they cannot be counted.
int64_t
rx_session_bytes(const struct rx_plan *plan, int batch, int threads);

// Opens it: allocates, starts the threads. RX_REFUSED when memory cannot be had. Parameters and
// everything else start as zero.
int
rx_session_open(const struct rx_plan *plan, int batch, int threads, struct rx_session **session,
                struct rx_error *error);
void
rx_session_close(struct rx_session *session);

// The same for FOLD and INFER alone: parameters without gradients and momenta, and none of the
// tensors that only TRAIN uses. Asking for one of those is a bug.
int64_t
rx_session_bytes_infer(const struct rx_plan *plan, int batch, int threads);
int
rx_session_open_infer(const struct rx_plan *plan, int batch, int threads,
                      struct rx_session **session, struct rx_error *error);

const struct rx_plan *
rx_session_plan(const struct rx_session *session);
int
rx_session_batch(const struct rx_session *session);
int
rx_session_threads(const struct rx_session *session);

// The memory of a plan tensor. That of RX_LIFE_STEPS tensors is shared: an input may be written
// before its program runs, a result read until the next run.
void *
rx_session_tensor(struct rx_session *session, int tensor);

// Runs a program on n images, 1 <= n <= batch.
void
rx_session_run(struct rx_session *session, int program, int n);

// As run, and adds each step's seconds (of the slowest thread) to seconds[n_steps of the program].
void
rx_session_run_timed(struct rx_session *session, int program, int n, double *seconds);

// What went wrong while programs ran, if anything: RX_REFUSED, and results are of no use (a device
// was lost). Never on the CPU.
int
rx_session_fault(const struct rx_session *session, struct rx_error *error);

#endif
