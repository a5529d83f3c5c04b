// Signals. The flag is the one thing that a handler may touch.
#include "runtime/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
    (void)number;
    caught = 1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

void
rx_signals_catch(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int
rx_signals_caught(void)
{
    return caught != 0;
}
