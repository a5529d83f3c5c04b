// The part of Lua's standard library that model files see.
#ifndef RX_FRONT_LIBRARY_H
#define RX_FRONT_LIBRARY_H

#include "gen/front/state.h"

// Adds it to the table at the top of the stack.
void
rx_library_add(lua_State *L);

#endif
