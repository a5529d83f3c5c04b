// Runs a generated program's entry in a process of its own.
#ifndef RX_TESTS_PROGRAM_H
#define RX_TESTS_PROGRAM_H

#include <sys/types.h>

#include "runtime/base/text.h"
#include "runtime/plan.h"

// A finished program: its exit status (128 + the signal that ended it), and what it wrote.
struct rx_test_result {
    int status;
    struct rx_text out, err;
};

// A running one.
struct rx_test_program {
    pid_t pid;
    int out, err;  // files
};

// Starts the plan's program. `line` is its command line, words separated by blanks; printf-like.
struct rx_test_program
rx_test_program_start(const struct rx_plan *plan, const char *line);
struct rx_test_result
rx_test_program_wait(struct rx_test_program *program);

// Both. The caller closes the result.
struct rx_test_result
rx_test_program_run(const struct rx_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void
rx_test_result_close(struct rx_test_result *result);

// Runs it and asserts its status; shows what it said where it is another.
void
rx_test_program_expect(const struct rx_plan *plan, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Runs it, asserts the status and that its message on stderr has this text, and that it wrote
// nothing to stdout.
void
rx_test_program_refuses(const struct rx_plan *plan, int status, const char *message,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
