// The table of flags.
#ifndef RX_OPTIONS_TABLE_H
#define RX_OPTIONS_TABLE_H

#include <stddef.h>

#include "runtime/options.h"

enum rx_flag_kind {
    RX_FLAG_SWITCH,   // int = low
    RX_FLAG_INT,      // int
    RX_FLAG_INTEGER,  // int64_t
    RX_FLAG_REAL,     // double
    RX_FLAG_TEXT,     // const char *
    RX_FLAG_WORD,     // int: index in words
    RX_FLAG_LIST,     // int n; int value[high]: ascending numbers
    RX_FLAG_RESUME,   // an optional text
    RX_FLAG_LATER     // exists, comes with a later version
};

struct rx_flag {
    const char *name;      // with its dashes
    const char *argument;  // what --help calls its value; NULL: it has none
    const char *help;
    int commands;  // bit of each command that has it
    enum rx_flag_kind kind;
    double low, high;          // range of numbers; SWITCH: what it sets is low
    const char *const *words;  // ended by NULL
    size_t offset;             // of its value in rx_settings
    const char *key;           // in config.json; NULL: not kept
};

extern const struct rx_flag rx_flags[];
extern const int rx_flags_n;

// The value of a flag in settings.
void *
rx_flag_value(const struct rx_flag *flag, struct rx_settings *settings);

// The flag whose origin stands for this one's value: --no-x keeps it where --x does.
int
rx_flag_home(const struct rx_flag *flag);

// Sets a value from its text; RX_USER if it is not what the flag takes.
int
rx_flag_set(const struct rx_flag *flag, const char *text, struct rx_settings *settings,
            struct rx_error *error);

#endif
