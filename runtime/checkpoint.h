// Checkpoints: last.safetensors holds parameters and momenta, and in its metadata where the run is
// and how it was started.
#ifndef RX_CHECKPOINT_H
#define RX_CHECKPOINT_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/options.h"
#include "runtime/safetensors.h"
#include "runtime/session.h"

// Where a run is.
struct rx_place {
    int64_t step;       // updates so far
    int64_t per_epoch;  // steps an epoch; with `step` the sampler's position
    int64_t batches;    // num_batches_tracked
    double best;        // top-1 of best.safetensors, -1 before the first
    double seconds;     // that the run has taken, all its parts together
    int evaluate;       // 1: an evaluation was due and could not be finished
};

int
rx_checkpoint_save(struct rx_session *session, const char *path, const struct rx_settings *settings,
                   const struct rx_place *place, struct rx_error *error);

// An open checkpoint. Zero-initialise.
struct rx_checkpoint {
    struct rx_safetensors file;
    json_t *recipe;  // the settings it was made with; texts in restored settings point into it
    struct rx_place place;
    int is_other_plan, is_other_threads;  // its run cannot go on to the same bits
};

// Opens it and takes its settings, but for what was given as flags. RX_USER if it is no checkpoint,
// or if a flag asks for another seed or batch than the run has.
int
rx_checkpoint_open(struct rx_checkpoint *checkpoint, const char *path, const struct rx_plan *plan,
                   struct rx_settings *settings, struct rx_error *error);

// Loads parameters and momenta, then closes the file. The settings stay valid until close.
int
rx_checkpoint_restore(struct rx_checkpoint *checkpoint, struct rx_session *session,
                      struct rx_error *error);
void
rx_checkpoint_close(struct rx_checkpoint *checkpoint);

#endif
