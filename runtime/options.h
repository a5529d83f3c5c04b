// The command lines of the generated programs. One table of flags (options_table.c) serves parsing,
// --help, config.json and what a checkpoint keeps of a run's settings.
#ifndef RX_RUNTIME_OPTIONS_H
#define RX_RUNTIME_OPTIONS_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
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

enum { RX_PROGRESS_AUTO, RX_PROGRESS_BAR, RX_PROGRESS_PLAIN, RX_PROGRESS_JSON, RX_PROGRESS_OFF };
enum { RX_MODE_TRAIN, RX_MODE_INFER };

enum { RX_TOPK_MAX = 8, RX_FLAGS_MAX = 64 };

// Every setting after defaults, recipe and flags are merged. Texts point into argv, the plan or the
// object given to rx_settings_restore.
struct rx_settings {
    struct rx_recipe recipe;  // with the flags' values in it
    int64_t steps;            // 0: no bound
    int64_t seed, threads, workers, eval_every;
    int64_t checkpoint_every;  // steps; 0: at evaluations only
    int shuffle, augment;      // 0 or 1
    const char *weights, *save, *run;
    int resume;                 // 1: --resume was given
    const char *resume_folder;  // its DIR, or NULL
    int progress;               // RX_PROGRESS_*
    int split;                  // an rx_split
    int mode;                   // RX_MODE_*
    int json, kernels, help;    // 0 or 1
    const char *confusion, *input, *output, *labels;
    int n_topk, topk[RX_TOPK_MAX];        // eval
    int n_best;                           // infer: its --topk; 0: not asked for
    enum rx_origin origin[RX_FLAGS_MAX];  // of each flag of the table
};

// Parses argv[1..]; RX_USER for what is unknown, malformed or out of range.
int
rx_settings_parse(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
                  struct rx_settings *settings, struct rx_error *error);

// Where a flag's value came from; `name` with its dashes.
enum rx_origin
rx_settings_origin(const struct rx_settings *settings, const char *name);

// What --help prints.
void
rx_settings_help(enum rx_command command, struct rx_text *out);

// The settings that make a run, each as {"value", "from"}: for config.json and the checkpoint. The
// caller releases the object.
json_t *
rx_settings_config(const struct rx_settings *settings);

// Takes what such an object holds, but for what was given as a flag: a resumed run goes on as it
// was started. RX_USER if a value is not what its flag takes. `config` must outlive the settings.
int
rx_settings_restore(struct rx_settings *settings, const json_t *config, const char *where,
                    struct rx_error *error);

// The steps that --epochs and --steps allow, whichever comes first. --steps without --epochs is
// not bound by the recipe's epochs.
int64_t
rx_settings_total_steps(const struct rx_settings *settings, int64_t steps_an_epoch);

#endif
