// A little network's plan without steps: one bottleneck with odd channel counts, held whole (form
// c) or in pieces (forms a and b).
//   conv1 1x1 IN -> INNER,  bn1,  conv2 3x3 INNER -> INNER in 2 groups,  conv3 1x1 INNER -> OUT, fc
#ifndef RX_TESTS_LITTLE_PLAN_H
#define RX_TESTS_LITTLE_PLAN_H

#include <stdint.h>

#include "runtime/params.h"
#include "runtime/plan.h"
#include "runtime/session.h"

enum { IN = 20, D = 3, CARDINALITY = 2, INNER = CARDINALITY * D, OUT = 37, CLASSES = 5 };

enum { LITTLE_PARAMS_MAX = 32 };

struct little_plan {
    struct rx_plan plan;
    struct rx_plan_tensor tensor[3];  // values, gradients, momenta
    struct rx_plan_param param[LITTLE_PARAMS_MAX];
};

extern const struct rx_geometry little_conv2;

// Opens a session of the plan of form 'a', 'b' or 'c'.
struct rx_session *
little_open(struct little_plan *f, char form);

// Gives everything different values, lanes that the file does not have excepted.
void
little_randomise(struct rx_session *session, uint64_t seed);

// Saves with 77 batches and metadata epoch = 2.
void
little_save(struct rx_session *session, const char *path, enum rx_params_what what);

#endif
