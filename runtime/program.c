// The entry of the generated programs: which command, then how it ended.
#include "runtime/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/commands.h"

static const char *const NAMES[RX_COMMANDS] = {"train", "eval", "infer", "bench"};
static const char *const LATER[] = {"tune", "export"};

static void
out_of_memory(size_t bytes)
{
    fprintf(stderr, "no memory for %zu bytes\n", bytes);
    exit(RX_REFUSED);
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int
find(const char *name)
{
    for (int i = 0; i < RX_COMMANDS; i++)
        if (strcmp(base_name(name), NAMES[i]) == 0)
            return i;
    return -1;
}

static int
refuse(int argc, char **argv, struct rx_error *error)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(base_name(argv[0]), LATER[i]) == 0 ||
            (argc > 1 && strcmp(argv[1], LATER[i]) == 0))
            return rx_error_user(error, "%s: comes with a later version", LATER[i]);
    return rx_error_user(error,
                         "%.200s: is no command: call it as train, eval, infer or bench, "
                         "or give one of these first",
                         argc > 1 ? argv[1] : argv[0]);
}

static int
run(enum rx_command command, const struct rx_plan *plan, int argc, char **argv,
    struct rx_error *error)
{
    typedef int command_fn(const struct rx_plan *plan, const struct rx_settings *settings,
                           struct rx_error *error);
    static command_fn *const fn[RX_COMMANDS] = {rx_train, rx_eval, rx_infer, rx_bench};
    struct rx_settings settings;
    struct rx_text help = {0};
    const int status = rx_settings_parse(command, plan, argc, argv, &settings, error);
    if (status != RX_OK)
        return status;
    if (settings.help) {
        rx_settings_help(command, &help);
        fputs(rx_text_str(&help), stdout);
        rx_text_close(&help);
        return RX_OK;
    }
    return fn[command](plan, &settings, error);
}

int
rx_program_main(const struct rx_plan *plan, int argc, char **argv)
{
    rx_memory_on_failure(out_of_memory);
    signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error to report
    struct rx_error error = {0};
    int command = find(argv[0]);
    if (command < 0 && argc > 1 && (command = find(argv[1])) >= 0) {
        argc--;
        argv++;
    }
    const char *name = command >= 0 ? NAMES[command] : "rxgen program";
    int status = command >= 0 ? run((enum rx_command)command, plan, argc, argv, &error)
                              : refuse(argc, argv, &error);
    if (fflush(stdout) != 0 && error.status == RX_OK)
        status =
            rx_error_refused(&error, "standard output: cannot be written: %s", strerror(errno));
    if (error.status != RX_OK)
        fprintf(stderr, "%s: %s\n", name, error.text);
    return status;
}
