// Running the system compiler: several at once, objects from the cache where they are known.
#include "gen/plan/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cache.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

extern char **environ;

// -O3 with the few freedoms of arithmetic that keep results equal from run to run; not -ffast-math.
// Predictive commoning would keep loaded vectors for the next iteration in registers that the sums
// need.
static const char OPTIMISE[] =
    "-std=gnu11 -O3 -fno-predictive-commoning -ffp-contract=fast -fno-math-errno -fPIC";

// Words of a command line, split at spaces.
struct words {
    struct rx_arena arena;
    int n, capacity;
    char **word;
};

static void
add_word(struct words *w, const char *word)
{
    if (w->n + 1 >= w->capacity) {
        w->capacity = w->capacity > 0 ? 2 * w->capacity : 64;
        w->word = rx_memory_grow(w->word, (size_t)w->capacity * sizeof *w->word);
    }
    w->word[w->n++] = rx_arena_text(&w->arena, word);
    w->word[w->n] = NULL;
}

static void
add_split(struct words *w, const char *text)
{
    char *copy = rx_arena_text(&w->arena, text != NULL ? text : "");
    for (char *save, *word = strtok_r(copy, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        add_word(w, word);
}

static void
close_words(struct words *w)
{
    free(w->word);
    rx_arena_close(&w->arena);
}

// Starts a command with both outputs in a file; returns its process or -1.
static pid_t
start(const struct words *w, const char *log)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t pid;
    const int code = posix_spawnp(&pid, w->word[0], &actions, NULL, w->word, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code == 0 ? pid : -1;
}

static int
failed(const char *what, const char *log, struct rx_error *error)
{
    struct rx_text text = {0};
    struct rx_error ignored = {0};
    rx_file_read(log, &text, &ignored);
    const int status =
        rx_error_refused(error, "%s: the compiler refused it: %.700s", what, rx_text_str(&text));
    rx_text_close(&text);
    return status;
}

static int
run(const struct words *w, const char *what, const char *log, struct rx_error *error)
{
    const pid_t pid = start(w, log);
    if (pid < 0)
        return rx_error_refused(error, "%s: the compiler cannot be started: install gcc, or set CC",
                                w->word[0]);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    const int result = status != 0 ? failed(what, log, error) : RX_OK;
    unlink(log);
    return result;
}

int
rx_compile_toolchain(const char *compiler, struct rx_text *text, struct rx_error *error)
{
    char log[] = "/tmp/rxgen-cc-XXXXXX";
    const int fd = mkstemp(log);
    if (fd < 0)
        return rx_error_refused(error, "/tmp: no file can be made: %s", strerror(errno));
    close(fd);
    struct words w = {0};
    add_split(&w, compiler);
    add_word(&w, "-dumpfullversion");
    const pid_t pid = start(&w, log);
    int status = -1;
    if (pid >= 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    struct rx_text version = {0};
    struct rx_error ignored = {0};
    rx_file_read(log, &version, &ignored);
    unlink(log);
    const int bad = status != 0;
    if (!bad)
        rx_text_printf(text, "%s %.*s", compiler, (int)strcspn(rx_text_str(&version), "\n"),
                       rx_text_str(&version));
    rx_text_close(&version);
    close_words(&w);
    return bad ? rx_error_refused(error,
                                  "%s: the compiler cannot be started: install gcc, or set "
                                  "CC",
                                  compiler)
               : RX_OK;
}

// `language`: what the source is, in the compiler's own words.
static void
compile_command(const struct rx_compile *c, const char *language, const char *source,
                const char *object, struct words *w)
{
    add_split(w, c->compiler);
    add_split(w, OPTIMISE);
    add_split(w, c->flags);
    add_split(w, getenv("RXGEN_CFLAGS"));
    add_word(w, "-I");
    add_word(w, c->include);
    add_word(w, "-c");
    add_word(w, "-x");
    add_word(w, language);
    add_word(w, source);
    add_word(w, "-o");
    add_word(w, object);
}

// One place of the pool of running compilers.
struct slot {
    pid_t pid;
    int job;
    char log[4200];
};

// Runs the job's own compiler in a child, whose message goes to the log; returns the child or -1.
static pid_t
fork_job(const struct rx_compile *c, const struct rx_compile_job *job, const char *log)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct rx_error error = {0}, ignored = {0};
    job->compile(c, job, &error);
    rx_file_write(log, error.text, strlen(error.text), &ignored);
    _exit(error.status);
}

static int
start_job(const struct rx_compile *c, const struct rx_compile_job *job, int i, struct slot *slot,
          struct rx_error *error)
{
    snprintf(slot->log, sizeof slot->log, "%.4090s.log", job[i].object);
    slot->job = i;
    if (job[i].compile != NULL) {
        slot->pid = fork_job(c, &job[i], slot->log);
    } else {
        struct words w = {0};
        compile_command(c, "c", job[i].source, job[i].object, &w);
        slot->pid = start(&w, slot->log);
        close_words(&w);
    }
    return slot->pid >= 0 ? RX_OK
                          : rx_error_refused(error,
                                             "%s: the compiler cannot be started: install gcc, or "
                                             "set CC",
                                             c->compiler);
}

static int
finish_one(const struct rx_compile_job *job, struct slot *slot, int n_slots, struct rx_error *error)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, 0)) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < n_slots; i++) {
        if (slot[i].pid != pid)
            continue;
        const struct rx_compile_job *done = &job[slot[i].job];
        slot[i].pid = 0;
        if (status != 0)
            failed(done->source, slot[i].log, error);
        else if (done->key != NULL)
            rx_cache_put(done->key, done->object);
        unlink(slot[i].log);
        return 1;
    }
    return 0;
}

static void
progress(const struct rx_compile *c, int done, int n)
{
    if (c->quiet)
        return;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rcompiling kernels %d/%d%s", done, n, done == n ? "\n" : "");
    else if (done == n)
        fprintf(stderr, "compiled %d kernels\n", n);
}

// Jobs that begin with a header, at least, for which compiling it first pays.
enum { HEADER_SHARED = 8 };
static const char PRECOMPILED[] = ".gch";

// Runs `act` on the precompiled form of each header that enough of the jobs in todo[n] begin with.
static void
each_shared_header(const struct rx_compile *c, const struct rx_compile_job *job, const int *todo,
                   int n,
                   void (*act)(const struct rx_compile *c, const char *header, const char *made))
{
    for (int i = 0; i < n; i++) {
        const char *header = job[todo[i]].header;
        int before = 0, same = 0;
        for (int j = 0; header != NULL && j < n; j++)
            if (job[todo[j]].header != NULL && strcmp(job[todo[j]].header, header) == 0) {
                same++;
                before += j < i;
            }
        if (before > 0 || same < HEADER_SHARED)
            continue;
        char made[4200];
        snprintf(made, sizeof made, "%.4090s%s", header, PRECOMPILED);
        act(c, header, made);
    }
}

// The intrinsics of a tile header are most of what a compiler reads of a kernel. GCC takes what
// lies beside a header in this form in its place; where that fails, sources read the header.
static void
precompile(const struct rx_compile *c, const char *header, const char *made)
{
    char log[4200];
    snprintf(log, sizeof log, "%.4090s.log", made);
    struct words w = {0};
    struct rx_error ignored = {0};
    compile_command(c, "c-header", header, made, &w);
    run(&w, header, log, &ignored);
    close_words(&w);
}

static void
remove_precompiled(const struct rx_compile *c, const char *header, const char *made)
{
    (void)c, (void)header;
    unlink(made);
}

// Compiles the jobs in todo[n]; `done` of all are ready.
static int
compile_some(const struct rx_compile *c, const struct rx_compile_job *job, const int *todo, int n,
             int done, struct rx_error *error)
{
    const int n_slots = c->jobs, all = done + n;
    struct slot *slot = rx_memory_alloc((size_t)n_slots * sizeof *slot);
    int next = 0, running = 0;
    while ((next < n && error->status == RX_OK) || running > 0) {
        if (next < n && running < n_slots && error->status == RX_OK) {
            int free_slot = 0;
            while (slot[free_slot].pid != 0)
                free_slot++;
            if (start_job(c, job, todo[next++], &slot[free_slot], error) == RX_OK)
                running++;
            else
                slot[free_slot].pid = 0;
        } else if (finish_one(job, slot, n_slots, error)) {
            running--;
            progress(c, ++done, all);
        }
    }
    free(slot);
    return error->status;
}

int
rx_compile_all(const struct rx_compile *c, const struct rx_compile_job *job, int n,
               struct rx_error *error)
{
    int *todo = rx_memory_alloc((size_t)n * sizeof *todo);
    int n_todo = 0;
    for (int i = 0; i < n; i++)
        if (job[i].key == NULL || !rx_cache_get(job[i].key, job[i].object))
            todo[n_todo++] = i;
    if (n_todo == 0)
        progress(c, n, n);
    each_shared_header(c, job, todo, n_todo, precompile);
    compile_some(c, job, todo, n_todo, n - n_todo, error);
    each_shared_header(c, job, todo, n_todo, remove_precompiled);
    free(todo);
    return error->status;
}

int
rx_compile_link(const struct rx_compile *c, const struct rx_compile_job *job, int n,
                const char *own, const char *common, const char *program, struct rx_error *error)
{
    struct words w = {0};
    add_split(&w, c->compiler);
    add_split(&w, getenv("RXGEN_CFLAGS"));
    add_word(&w, "-o");
    add_word(&w, program);
    for (int i = 0; i < n; i++)
        if (job[i].compile == NULL)
            add_word(&w, job[i].object);
    if (own != NULL) {
        add_word(&w, "-Wl,--whole-archive");
        add_word(&w, own);
        add_word(&w, "-Wl,--no-whole-archive");
    }
    add_word(&w, common);
    add_split(&w, "-l:libjansson.a -l:libz.a -lpthread -lm");
    char log[4200];
    snprintf(log, sizeof log, "%.4090s.log", program);
    const int status = run(&w, program, log, error);
    close_words(&w);
    return status;
}
