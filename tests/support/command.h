// Running programs from tests.
#ifndef RX_TESTS_COMMAND_H
#define RX_TESTS_COMMAND_H

#include "runtime/base/text.h"

enum { RX_COMMAND_WORDS = 64 };

// A command line and, once run, what came of it.
struct rx_command {
    int n;
    char *word[RX_COMMAND_WORDS + 1];
    int status;               // exit status; 128 + signal where it died of one
    struct rx_text out, err;  // what it wrote
};

// Adds words, split at spaces, after formatting.
void
rx_command_add(struct rx_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Runs it and keeps what it wrote; fails the test where it cannot be started.
void
rx_command_run(struct rx_command *command);

// As run; the test fails, with the command's last words, unless it exits 0.
void
rx_command_run_well(struct rx_command *command);

void
rx_command_close(struct rx_command *command);

// The generator of the build under test.
const char *
rx_command_rxgen(void);

// Removes a folder and all in it.
void
rx_command_remove_folder(const char *path);

#endif
