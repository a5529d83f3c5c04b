// What the parts of the front share while one model file runs.
#ifndef RX_FRONT_STATE_H
#define RX_FRONT_STATE_H

#include <lua.h>
#include <stdint.h>

#include "gen/front/front.h"

// Limits of a model file. The shipped networks need less than a hundredth of each.
enum {
    RX_LIMIT_SOURCE = 1 << 16,   // bytes of one file
    RX_LIMIT_STEPS = 10000000,   // see rx_front.steps
    RX_LIMIT_SECONDS = 1,        // of processor time, whatever the steps say
    RX_LIMIT_MEMORY = 16 << 20,  // bytes that are alive
    RX_LIMIT_BLOCK = 256 << 10,  // bytes of one array: a table, the call stack, a buffer
    RX_LIMIT_STRING = 4 << 10,   // bytes of one string
    RX_LIMIT_NODES = 4096,       // of the network
};

// Why an allocation was refused last.
enum rx_refusal { RX_REFUSAL_NONE, RX_REFUSAL_STEPS, RX_REFUSAL_MEMORY, RX_REFUSAL_BLOCK };

struct rx_front {
    const struct rx_front_input *input;
    struct rx_front_output *output;
    struct rx_error *error;
    const char *model;      // the model file as messages show it
    const char *lib;        // the folder that `require` reads
    const char *lib_shown;  // the same as messages show it

    // VM instructions, bytes allocated / 16 (so that what one instruction copies is counted), and
    // what library functions charge for their loops.
    int64_t steps;
    int64_t seconds_end;  // processor time of this thread at which it is stopped, ns
    size_t memory;        // bytes alive in the Lua state
    enum rx_refusal refusal;

    double macs, weights;  // of the network so far, as doubles: these cannot overflow
    int has_fields;        // 1: the model has declared its fields
};

struct rx_front *
rx_front_of(lua_State *L);

// The line of Lua that is being executed; line 0 where there is none.
struct rx_where
rx_front_where(lua_State *L);

// The line of the model file that is being executed, whatever library it called; line 0 where the
// file's call is not on the stack any more (return f(...) leaves it).
struct rx_where
rx_front_author(lua_State *L);

enum { RX_PLACE_CHARS = 256 };

// Prints "models/a.lua:41", or the file alone.
const char *
rx_front_place(struct rx_where where, char out[RX_PLACE_CHARS]);

// Ends the run with the user's mistake "<where>: <what>: <text>". Nothing in Lua can catch it.
_Noreturn void
rx_front_fail(lua_State *L, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same with another place: a flag, or the model file as a whole.
_Noreturn void
rx_front_fail_at(lua_State *L, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Ends the run with the error that is in rx_front.error already.
_Noreturn void
rx_front_raise(lua_State *L);

// Charges for work that the VM does not count.
void
rx_front_charge(lua_State *L, double steps);

#endif
