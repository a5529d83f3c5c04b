// The fields of a model: bounded integers that its file declares and --set overrides.
#ifndef RX_FRONT_SETTINGS_H
#define RX_FRONT_SETTINGS_H

#include "gen/front/state.h"

// Adds the word `fields` to the table at the top of the stack:
//
//   local net = fields(given, {
//       { name = "depth", choices = { 26, 50, 101 }, help = "layers" },
//       { name = "width", low = 1, high = 1024, default = 64, help = "channels of a group" },
//       { name = "blocks", low = 3, high = 30, step = 3 },
//   })
//
// `given` is what the model's author wrote: values of fields, name and recipe, and nothing else.
// The result has a value for every field (--set before the author's before the default), and name
// and recipe as they were given.
void
rx_settings_add(lua_State *L);

// Fails for settings of a model that declared no fields.
void
rx_settings_check(lua_State *L);

#endif
