// The command lines of the generated programs.
#ifndef RX_RUNTIME_OPTIONS_H
#define RX_RUNTIME_OPTIONS_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/plan.h"

enum rx_command {
    RX_COMMAND_TRAIN,
    RX_COMMAND_EVAL,
    RX_COMMAND_INFER,
    RX_COMMAND_BENCH,
    RX_COMMANDS
};

// Where a setting came from, for config.json.
enum rx_origin { RX_ORIGIN_DEFAULT, RX_ORIGIN_RECIPE, RX_ORIGIN_FLAG, RX_ORIGIN_SCALED };

enum rx_progress_mode {
    RX_PROGRESS_AUTO,
    RX_PROGRESS_BAR,
    RX_PROGRESS_PLAIN,
    RX_PROGRESS_JSON,
    RX_PROGRESS_OFF
};

enum { RX_TOPK_MAX = 8 };

// Every setting after flags, recipe and defaults are merged. Texts point into argv or the plan.
struct rx_settings {
    struct rx_recipe recipe;  // with the flags' values in it
    enum rx_origin origin_epochs, origin_batch, origin_lr, origin_momentum, origin_wd,
        origin_nesterov, origin_schedule, origin_milestones, origin_gamma, origin_warmup_epochs,
        origin_label_smoothing, origin_no_decay_bn, origin_data;
    int64_t steps;  // 0: no bound
    const char *weights, *save, *run, *resume_folder;
    int resume, help, json, kernels, shuffle, augment;  // 0 or 1
    int64_t seed, threads, workers, eval_every, checkpoint_every;
    enum rx_progress_mode progress;
    const char *split, *confusion, *input, *output, *labels, *mode;
    int n_topk, topk[RX_TOPK_MAX];
};

extern const char *const RX_PROGRAM_USAGE[RX_COMMANDS];

// Parses argv[1..]; RX_USER for what is unknown, malformed or out of range.
int
rx_settings_parse(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
                  struct rx_settings *settings, struct rx_error *error);

const char *
rx_origin_text(enum rx_origin origin);

#endif
