// Parameters of a session: initial values, and files of weights (safetensors, torchvision's names
// and shapes) in and out. Forms (a) and (b) hold a file's tensor in pieces; files never show that.
#ifndef RX_PARAMS_H
#define RX_PARAMS_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/safetensors.h"
#include "runtime/session.h"

// Fills every parameter: conv ~ N(0, sqrt(2 / (k*k*out))), BN weight 1, bias 0, running mean 0 and
// variance 1, fc weight U(+-1/sqrt(in)), fc bias 0. A value is a function of the seed, the file
// tensor's name and the element's index in the file tensor alone (Philox), so all forms start
// equal.
void
rx_params_init(struct rx_session *session, uint64_t seed);

// Loads weights. RX_USER when the file is not valid or a tensor is missing, unknown or of another
// shape or dtype; num_batches_tracked may be missing and momentum/* is ignored. Nothing is changed
// unless the whole file is good. `batches` gets num_batches_tracked (0 if missing).
int
rx_params_load(struct rx_session *session, const char *path, int64_t *batches,
               struct rx_error *error);

enum rx_params_what { RX_PARAMS_MODEL, RX_PARAMS_CHECKPOINT };  // the latter adds momentum/<name>

// Writes the parameters, atomically. Tensors in the plan's order, which is the network's.
int
rx_params_save(struct rx_session *session, const char *path, enum rx_params_what what,
               int64_t batches, const struct rx_metadata *metadata, int n_metadata,
               struct rx_error *error);

// Loads a checkpoint with its momenta. The open file is left to the caller for its metadata.
int
rx_params_restore(struct rx_session *session, const struct rx_safetensors *file, int64_t *batches,
                  struct rx_error *error);

#endif
