// The front: a model file in Lua becomes a forward graph and a recipe. Model files are data: they
// run in a sandbox with limits on memory and instructions and reach nothing but the vocabulary.
#ifndef RX_FRONT_FRONT_H
#define RX_FRONT_FRONT_H

#include "gen/ir/graph.h"
#include "runtime/base/error.h"

// One --set KEY=VALUE, split and not yet checked.
struct rx_setting {
    const char *key, *value;
};

struct rx_front_input {
    const char *path;  // the model file
    const char *lib;   // the folder of models/lib; NULL: `lib` beside the model file
    int n_settings;
    const struct rx_setting *setting;
};

enum { RX_FIELDS_MAX = 32, RX_CHOICES_MAX = 16 };

// A field of the model that --set may override, as --describe lists them: one of the choices where
// there are any, else low, low + step, ... high.
struct rx_field {
    const char *name;
    int64_t value, low, high, step;
    int n_choices;
    int64_t choice[RX_CHOICES_MAX];
    const char *help;
};

struct rx_front_output {
    struct rx_graph *graph;  // opened by the caller; texts below live in its arena
    struct rx_recipe recipe;
    int n_fields;
    struct rx_field field[RX_FIELDS_MAX];
};

// Runs the model file. RX_USER for anything that is wrong with it or with a setting.
int
rx_front_load(const struct rx_front_input *input, struct rx_front_output *output,
              struct rx_error *error);

#endif
