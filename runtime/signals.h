// Stopping on SIGINT and SIGTERM: the first only sets a flag, a second ends the program at once.
#ifndef RX_SIGNALS_H
#define RX_SIGNALS_H

void
rx_signals_catch(void);

// Whether one has come since.
int
rx_signals_caught(void);

#endif
