// The files of a model: reading them with a bound, how messages name them, and `require`.
#ifndef RX_FRONT_SOURCE_H
#define RX_FRONT_SOURCE_H

#include "gen/front/state.h"

// Sets front->model, lib and lib_shown from front->input; they live in the graph's arena. Paths are
// shown as they were given; of an absolute one only the last folders are, so that nothing of this
// machine enters what is generated.
void
rx_source_name(struct rx_front *front);

// Pushes the model file as a function whose globals are the table at stack index `environment`.
void
rx_source_push_model(lua_State *L, int environment);

// Adds the word `require` to the table at the top of the stack: require "lib.x" runs x.lua of the
// library folder once, with the globals at stack index `environment`, and returns its result.
void
rx_source_add_require(lua_State *L, int environment);

#endif
