// The passes, in the order in which gen/pipeline.c runs them. Each file begins with what its pass
// needs, gives and breaks.
#ifndef RX_PASS_PASS_H
#define RX_PASS_PASS_H

#include "gen/ir/graph.h"
#include "runtime/base/error.h"

enum rx_form { RX_FORM_A, RX_FORM_B, RX_FORM_C };

// What becomes of a weight gradient once the threads' parts are summed: it updates its weights at
// once, or it is stored, and all weights are updated after the last.
enum rx_gradients { RX_GRADIENTS_UPDATE, RX_GRADIENTS_STORE };

// Rewrites every block with a grouped 3x3 into one of the paper's forms (Fig. 3).
void
rx_pass_form(struct rx_graph *g, enum rx_form form);

// Appends the loss and the backward graph.
void
rx_pass_grad(struct rx_graph *g);

// Splits batch norm into statistics, coefficients and a per-channel affine map; for evaluation the
// coefficients come from the running statistics.
enum rx_mode { RX_MODE_TRAIN, RX_MODE_INFER };
void
rx_pass_lower(struct rx_graph *g, enum rx_mode mode);

#endif
