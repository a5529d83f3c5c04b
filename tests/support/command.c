// Running programs from tests.
#include "tests/support/command.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/memory.h"

extern char **environ;

enum { WORDS_CHARS = 4096, LAST_WORDS = 1500 };

void
rx_command_add(struct rx_command *command, const char *format, ...)
{
    char words[WORDS_CHARS];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(words, sizeof words, format, args);
    va_end(args);
    assert_true(n >= 0 && n < WORDS_CHARS);
    for (char *save, *word = strtok_r(words, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        assert_true(command->n < RX_COMMAND_WORDS);
        command->word[command->n] = rx_memory_alloc(strlen(word) + 1);
        strcpy(command->word[command->n++], word);
    }
}

static FILE *
open_log(void)
{
    FILE *log = tmpfile();
    assert_non_null(log);
    return log;
}

static void
take_log(FILE *log, struct rx_text *text)
{
    char piece[4096];
    rx_text_clear(text);
    rewind(log);
    for (size_t n; (n = fread(piece, 1, sizeof piece, log)) > 0;)
        rx_text_add_bytes(text, piece, n);
    assert_int_equal(fclose(log), 0);
}

void
rx_command_run(struct rx_command *command)
{
    FILE *out = open_log(), *err = open_log();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
    pid_t pid;
    const int code = posix_spawnp(&pid, command->word[0], &actions, NULL, command->word, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        fail_msg("%s: %s", command->word[0], strerror(code));
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take_log(out, &command->out), take_log(err, &command->err);
}

void
rx_command_run_well(struct rx_command *command)
{
    rx_command_run(command);
    const size_t n = command->err.n;
    if (command->status != 0)
        fail_msg("%s: exit %d: %s", command->word[0], command->status,
                 rx_text_str(&command->err) + (n > LAST_WORDS ? n - LAST_WORDS : 0));
}

void
rx_command_close(struct rx_command *command)
{
    for (int i = 0; i < command->n; i++)
        free(command->word[i]);
    rx_text_close(&command->out);
    rx_text_close(&command->err);
    *command = (struct rx_command){0};
}

const char *
rx_command_rxgen(void)
{
    const char *path = getenv("RXGEN");
    return path != NULL ? path : "./rxgen";
}

void
rx_command_remove_folder(const char *path)
{
    struct rx_command rm = {0};
    rx_command_add(&rm, "rm -rf %s", path);
    rx_command_run_well(&rm);
    rx_command_close(&rm);
}
