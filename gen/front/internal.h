// Shared by the files of the front only.
#ifndef RX_FRONT_INTERNAL_H
#define RX_FRONT_INTERNAL_H

#include <lua.h>
#include <stddef.h>
#include <time.h>

#include "gen/front/front.h"

struct rx_sandbox {
    lua_State *lua;
    size_t memory;          // bytes in use
    long instructions;      // executed so far, in units of the hook
    struct timespec start;  // CPU time
    const struct rx_front_input *input;
    struct rx_front_output *output;
    struct rx_error *error;
    char *used;  // [n_settings] 1: a field took it
    int named;   // the model has given its name
};

// Opens a state with the allow-listed environment and its limits.
int
rx_sandbox_open(struct rx_sandbox *s);
void
rx_sandbox_close(struct rx_sandbox *s);

// Loads and runs a text chunk; `shown` is how messages name it. RX_USER with Lua's message.
int
rx_sandbox_run(struct rx_sandbox *s, const char *path, const char *shown);

// The sandbox of a running state, and where its running Lua code is.
struct rx_sandbox *
rx_sandbox_of(lua_State *lua);
struct rx_where
rx_sandbox_where(lua_State *lua);

// Raises s->error (or this text) as a Lua error.
int
rx_sandbox_raise(lua_State *lua, const char *format, ...) __attribute__((format(printf, 2, 3)));

void
rx_vocabulary_open(lua_State *lua);  // input conv bn relu add maxpool gap fc
void
rx_settings_open(lua_State *lua);  // model field
void
rx_recipe_open(lua_State *lua);  // recipe

// RX_USER if a setting names no field of the model.
int
rx_settings_check(const struct rx_sandbox *s);

#endif
