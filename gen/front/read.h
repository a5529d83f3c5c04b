// Reading what a model file passes in a table: typed, bounded, and with a message that says what
// would be right. Every function ends the run on a fault (rx_front_fail).
#ifndef RX_FRONT_READ_H
#define RX_FRONT_READ_H

#include "gen/front/state.h"

struct rx_reader {
    lua_State *L;
    int table;         // absolute stack index; 0: no table, so every key is absent
    const char *what;  // for messages: "conv", "recipe"
};

// Reads the table at `index`, which may also be absent (nil or none). Its keys must be among
// `known`, NULL after the last.
struct rx_reader
rx_reader_open(lua_State *L, int index, const char *what, const char *const *known);

// An integer in [low, high].
int64_t
rx_read_integer(const struct rx_reader *r, const char *key, int64_t low, int64_t high);
int64_t
rx_read_integer_or(const struct rx_reader *r, const char *key, int64_t low, int64_t high,
                   int64_t otherwise);

// A finite number in [low, high].
double
rx_read_number(const struct rx_reader *r, const char *key, double low, double high);
double
rx_read_number_or(const struct rx_reader *r, const char *key, double low, double high,
                  double otherwise);

// true or false, as 1 or 0.
int
rx_read_flag_or(const struct rx_reader *r, const char *key, int otherwise);

// A text; stays valid as long as the table holds it.
const char *
rx_read_text(const struct rx_reader *r, const char *key);

// A list of up to `max` integers or numbers; returns how many, 0 where the key is absent.
int
rx_read_integers(const struct rx_reader *r, const char *key, int64_t low, int64_t high, int max,
                 int64_t *out);
int
rx_read_numbers(const struct rx_reader *r, const char *key, double low, double high, int max,
                double *out);

int
rx_read_has(const struct rx_reader *r, const char *key);

// Whether a text is a name that may enter generated code: [A-Za-z0-9_.]{1,64}.
int
rx_name_is_valid(const char *name, size_t n);

#endif
