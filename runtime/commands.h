// The commands of the generated programs.
#ifndef RX_COMMANDS_H
#define RX_COMMANDS_H

#include "runtime/data/data.h"
#include "runtime/metrics.h"
#include "runtime/options.h"
#include "runtime/session.h"

int
rx_train(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_eval(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_infer(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);
int
rx_bench(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error);

struct rx_data_shape
rx_plan_data_shape(const struct rx_plan *plan);

// Evaluates one split: every image once. `metrics` is zero but for its confusion table.
int
rx_evaluate(struct rx_session *session, struct rx_data *data, const struct rx_settings *settings,
            enum rx_split split, struct rx_metrics *metrics, struct rx_error *error);

#endif
