// The entry of the generated programs: which command, then how it ended.
#include "runtime/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/commands.h"

static const char *const NAMES[RX_COMMANDS] = {"train", "eval", "infer", "bench"};

static void
out_of_memory(size_t bytes)
{
    fprintf(stderr, "no memory for %zu bytes\n", bytes);
    exit(RX_REFUSED);
}

static int
find(const char *name)
{
    const char *slash = strrchr(name, '/');
    for (int i = 0; i < RX_COMMANDS; i++)
        if (strcmp(slash != NULL ? slash + 1 : name, NAMES[i]) == 0)
            return i;
    return -1;
}

static int
run(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
    struct rx_error *error)
{
    typedef int command_fn(const struct rx_plan *plan, const struct rx_settings *settings,
                           struct rx_error *error);
    static command_fn *const fn[RX_COMMANDS] = {rx_train, rx_eval, rx_infer, rx_bench};
    struct rx_settings settings;
    const int status = rx_settings_parse(command, plan, argc, argv, &settings, error);
    if (status != RX_OK)
        return status;
    if (settings.help) {
        fputs(RX_PROGRAM_USAGE[command], stdout);
        return RX_OK;
    }
    return fn[command](plan, &settings, error);
}

int
rx_program_main(const struct rx_plan *plan, int argc, char **argv)
{
    rx_memory_on_failure(out_of_memory);
    struct rx_error error = {0};
    int command = find(argv[0]);
    if (command < 0 && argc > 1 && (command = find(argv[1])) >= 0) {
        argc--;
        argv++;
    }
    const char *name = command >= 0 ? NAMES[command] : "rxgen program";
    int status = command < 0 ? rx_error_user(&error, "call it as train, eval, infer or bench, or "
                                                     "give one of these first")
                             : run((enum rx_command)command, plan, argc, argv, &error);
    if (fflush(stdout) != 0 && error.status == RX_OK)
        status =
            rx_error_refused(&error, "standard output: cannot be written: %s", strerror(errno));
    if (error.status != RX_OK)
        fprintf(stderr, "%s: %s\n", name, error.text);
    return status;
}
