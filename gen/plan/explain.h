// What --explain prints: which kernel was chosen for each problem and why, and, where the target
// predicts times, how long it takes.
#ifndef RX_PLAN_EXPLAIN_H
#define RX_PLAN_EXPLAIN_H

#include "gen/plan/forecast.h"

// Of a network on the device of its architecture, and its programs on all devices.
struct rx_explanation {
    struct rx_forecast own;  // device NULL: the target predicts no times
    int n_devices;
    struct rx_forecast device[RX_FORECAST_DEVICES_MAX * RX_FORECAST_SHARES];
    struct rx_resources *resources;  // of each kernel
};

// `built` is the folder of a build, whose kernels are compiled if they are the same ones.
int
rx_explain_open(const struct rx_network *net, const char *templates, const char *built,
                struct rx_explanation *explanation, struct rx_error *error);
void
rx_explain_close(struct rx_explanation *explanation);

void
rx_explain_print(const struct rx_network *net, const struct rx_explanation *explanation,
                 struct rx_text *text);
void
rx_explain_print_json(const struct rx_network *net, const struct rx_explanation *explanation,
                      struct rx_text *text);

#endif
