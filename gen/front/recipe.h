// A recipe as a Lua table becomes a struct rx_recipe.
#ifndef RX_FRONT_RECIPE_H
#define RX_FRONT_RECIPE_H

#include "gen/front/state.h"

// Reads the table at the top of the stack; its keys are the fields of struct rx_recipe. Required
// are data, batch, epochs and lr. `mean` and `std` have an entry for each of the input's channels.
void
rx_recipe_read(lua_State *L, int channels, struct rx_recipe *recipe);

#endif
