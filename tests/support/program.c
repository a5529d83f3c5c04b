// Programs in child processes.
#include "tests/support/program.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/program.h"

enum { WORDS_MAX = 64, LINE_CHARS = 8192, SECONDS_MAX = 240, SIGNALED = 128 };

// A file without a name.
static int
open_nameless(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    const int fd = dup(fileno(file));
    fclose(file);
    assert_true(fd >= 0);
    return fd;
}

// The child: `> FILE` at the line's end sends stdout there.
static void
run_child(const struct rx_plan *plan, char *line)
{
    static const int caught[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS};
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        signal(caught[i], SIG_DFL);  // the test framework's handlers are the parent's
    alarm(SECONDS_MAX);
    char *to = strstr(line, " > ");
    if (to != NULL) {
        *to = '\0';
        if (freopen(to + 3, "w", stdout) == NULL)
            _exit(99);
    }
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;
    for (char *word = strtok(line, " "); word != NULL && argc < WORDS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    exit(rx_program_main(plan, argc, argv));
}

struct rx_test_program
rx_test_program_start(const struct rx_plan *plan, const char *line)
{
    char copy[LINE_CHARS];
    assert_true((size_t)snprintf(copy, sizeof copy, "%s", line) < sizeof copy);
    struct rx_test_program p = {.out = open_nameless(), .err = open_nameless()};
    fflush(NULL);
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        dup2(p.out, STDOUT_FILENO);
        dup2(p.err, STDERR_FILENO);
        run_child(plan, copy);
    }
    return p;
}

static struct rx_text
read_all(int fd)
{
    struct rx_text text = {0};
    char buffer[4096];
    off_t at = 0;
    for (ssize_t n; (n = pread(fd, buffer, sizeof buffer, at)) > 0; at += n)
        rx_text_add_bytes(&text, buffer, (size_t)n);
    close(fd);
    return text;
}

struct rx_test_result
rx_test_program_wait(struct rx_test_program *p)
{
    int status;
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    struct rx_test_result r = {.out = read_all(p->out), .err = read_all(p->err)};
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALED + WTERMSIG(status);
    return r;
}

void
rx_test_result_close(struct rx_test_result *r)
{
    rx_text_close(&r->out);
    rx_text_close(&r->err);
}

static struct rx_test_result
run_list(const struct rx_plan *plan, const char *format, va_list args)
{
    char line[LINE_CHARS];
    assert_true((size_t)vsnprintf(line, sizeof line, format, args) < sizeof line);
    struct rx_test_program p = rx_test_program_start(plan, line);
    return rx_test_program_wait(&p);
}

struct rx_test_result
rx_test_program_run(const struct rx_plan *plan, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const struct rx_test_result r = run_list(plan, format, args);
    va_end(args);
    return r;
}

void
rx_test_program_expect(const struct rx_plan *plan, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct rx_test_result r = run_list(plan, format, args);
    va_end(args);
    if (r.status != status)
        print_error("%s\nexit %d: %s\n", format, r.status, rx_text_str(&r.err));
    assert_int_equal(r.status, status);
    rx_test_result_close(&r);
}

void
rx_test_program_refuses(const struct rx_plan *plan, int status, const char *message,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct rx_test_result r = run_list(plan, format, args);
    va_end(args);
    const int says = strstr(rx_text_str(&r.err), message) != NULL;
    if (r.status != status || !says)
        print_error("%s\nexit %d: %s\n", format, r.status, rx_text_str(&r.err));
    assert_int_equal(r.status, status);
    assert_true(says);
    assert_string_equal(rx_text_str(&r.out), "");
    rx_test_result_close(&r);
}
