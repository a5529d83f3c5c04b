// Errors: three kinds that are never mixed. The user's mistake and the machine's refusal travel in
// an rx_error up to main, which prints it once; our own bug is an assert.
#ifndef RX_BASE_ERROR_H
#define RX_BASE_ERROR_H

// The exit statuses of every program (0 done, 1 refused, 2 the user's mistake, 75 stopped).
enum rx_status { RX_OK = 0, RX_REFUSED = 1, RX_USER = 2, RX_STOPPED = 75 };

// Zero-initialise. The first error sticks: later calls keep the text and return its status.
struct rx_error {
    int status;       // an rx_status
    char text[1024];  // "where: what is wrong: what would be right", no newline
};

// The user's mistake (command line, model file, weights, data): returns RX_USER.
int
rx_error_user(struct rx_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The machine's refusal (no memory, no disk, no compiler): returns RX_REFUSED.
int
rx_error_refused(struct rx_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
