// The commands of the generated programs, and what they share.
#ifndef RX_COMMANDS_H
#define RX_COMMANDS_H

#include "runtime/data/data.h"
#include "runtime/metrics.h"
#include "runtime/options.h"
#include "runtime/session.h"

// running = (1 - it) * running + it * batch, of every batch norm.
#define RX_BN_MOMENTUM 0.1f

int
rx_train(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_eval(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_infer(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_bench(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);

// What the plan's network takes.
struct rx_data_shape
rx_plan_data_shape(const struct rx_plan *plan);

// f32 elements of one image.
int64_t
rx_plan_image_elements(const struct rx_plan *plan);

// RX_USER if a batch norm would get one value a channel in training, which has no variance.
int
rx_plan_check_batch(const struct rx_plan *plan, int batch, struct rx_error *error);

// A loader that gives every image of a split once, in order.
int
rx_evaluate_loader(struct rx_data *data, const struct rx_settings *settings, enum rx_split split,
                   int batch, struct rx_loader **loader, struct rx_error *error);

// Evaluates the loader's images. `metrics` is zero but for its confusion table. RX_STOPPED if a
// signal was caught on the way (runtime/signals.h).
int
rx_evaluate(struct rx_session *session, struct rx_loader *loader, struct rx_metrics *metrics,
            struct rx_error *error);

#endif
