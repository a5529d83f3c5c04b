// The command line of rxgen.
#ifndef RX_OPTIONS_H
#define RX_OPTIONS_H

#include "gen/front/front.h"
#include "gen/pass/pass.h"

enum rx_action {
    RX_ACTION_BUILD,
    RX_ACTION_DESCRIBE,
    RX_ACTION_EXPLAIN,
    RX_ACTION_HELP,
    RX_ACTION_VERSION
};

enum { RX_SETTINGS_MAX = 64 };

enum rx_target_choice { RX_TARGET_AUTO, RX_TARGET_CPU, RX_TARGET_CUDA };

struct rx_options {
    enum rx_action action;
    const char *model;
    int n_settings;
    struct rx_setting setting[RX_SETTINGS_MAX];
    enum rx_form form;
    enum rx_gradients gradients;
    enum rx_target_choice target;
    enum rx_dtype dtype;  // storage of activations and of their gradients
    const char *arch;
    const char *out;   // NULL: out/<model>
    const char *dump;  // NULL: no dump
    const char *only;  // NULL: all kernels
    int json, quiet;   // 0 or 1
    int jobs;          // compilers at once
};

extern const char RX_USAGE[];

// Parses; RX_USER for anything unknown. `options` points into argv (which --set changes: it cuts
// KEY=VALUE in two).
int
rx_options_parse(struct rx_options *options, int argc, char **argv, struct rx_error *error);

#endif
