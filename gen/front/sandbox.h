// The Lua state that a model file runs in: limits that it cannot catch, and an environment that
// holds nothing but what is put there.
#ifndef RX_FRONT_SANDBOX_H
#define RX_FRONT_SANDBOX_H

#include "gen/front/state.h"

// Opens a state with its limits and runs `body`, a C function with the state's rx_front, in
// protected mode, then closes it. Returns RX_OK or the status of front->error.
int
rx_sandbox_run(struct rx_front *front, lua_CFunction body);

// Pushes the environment of all files of this run: reads of the table at the top of the stack,
// which is popped. An unknown name and an assignment to a global are errors.
void
rx_sandbox_push_environment(lua_State *L);

#endif
