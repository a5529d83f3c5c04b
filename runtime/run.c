// The run folder.
#include "runtime/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/json.h"

enum { FOLDER_MODE = 0777, NAME_ROOM = 64 };

const char *
rx_run_path(const struct rx_run *run, const char *name, char buffer[RX_RUN_PATH])
{
    snprintf(buffer, RX_RUN_PATH, "%.*s/%.*s", RX_RUN_PATH - NAME_ROOM, run->folder, NAME_ROOM - 2,
             name);
    return buffer;
}

static int
has_checkpoint(const struct rx_run *run)
{
    char path[RX_RUN_PATH];
    return access(rx_run_path(run, "last.safetensors", path), F_OK) == 0;
}

// The folder `runs` beside the program itself, not beside a link to it.
static int
find_runs(struct rx_run *run, struct rx_error *error)
{
    char self[RX_RUN_PATH - NAME_ROOM];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return rx_error_refused(error, "/proc/self/exe: cannot be read: --run DIR says where");
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(run->folder, sizeof run->folder, "%s/runs", self);
    run->is_numbered = 1;
    return RX_OK;
}

int
rx_run_find(struct rx_run *run, const struct rx_settings *s, struct rx_error *error)
{
    const char *given = s->resume && s->resume_folder != NULL ? s->resume_folder : s->run;
    *run = (struct rx_run){.prints = s->progress == RX_PROGRESS_JSON};
    if (given == NULL && s->resume)
        return rx_error_user(error, "--resume: which run: --resume DIR or --run DIR");
    if (given == NULL)
        return find_runs(run, error);
    if (strlen(given) > RX_RUN_PATH - NAME_ROOM || *given == '\0')
        return rx_error_user(error, "--run: its path is empty or too long");
    snprintf(run->folder, sizeof run->folder, "%s", given);
    struct stat st;
    if (stat(given, &st) == 0 && !S_ISDIR(st.st_mode))
        return rx_error_user(error, "%.900s: is no folder: --run takes one, or a new name", given);
    if (s->resume && !has_checkpoint(run))
        return rx_error_user(error, "%.900s: has no last.safetensors: nothing to resume", given);
    if (!s->resume && has_checkpoint(run))
        return rx_error_user(error,
                             "%.900s: holds a run already: --resume goes on with it, another "
                             "--run starts anew",
                             given);
    return RX_OK;
}

// The highest number among the folder's names.
static int
highest(const char *folder)
{
    int most = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char *end;
        const long v = strtol(e->d_name, &end, 10);
        if (*end == '\0' && v > most && v < 1000000)
            most = (int)v;
    }
    if (dir != NULL)
        closedir(dir);
    return most;
}

// Makes the folder; of two runs that start at once each gets its own number.
static int
make_folder(struct rx_run *run, struct rx_error *error)
{
    const int status = rx_file_make_folder(run->folder, error);
    if (status != RX_OK || !run->is_numbered)
        return status;
    char path[RX_RUN_PATH], name[NAME_ROOM];
    for (int i = highest(run->folder) + 1;; i++) {
        snprintf(name, sizeof name, "%03d", i);
        if (mkdir(rx_run_path(run, name, path), FOLDER_MODE) == 0)
            break;
        if (errno != EEXIST)
            return rx_error_refused(error, "%.900s: the folder cannot be made: %s", path,
                                    strerror(errno));
    }
    memcpy(run->folder, path, sizeof path);
    run->is_numbered = 0;
    return RX_OK;
}

static int
write_config(const struct rx_run *run, const struct rx_plan *plan, const struct rx_settings *s,
             struct rx_error *error)
{
    char path[RX_RUN_PATH];
    json_t *config =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "model", plan->model, "form", plan->form, "dtype",
                  plan->dtype, "arch", plan->arch, "plan", plan->hash);
    json_t *settings = rx_settings_config(s);
    json_object_update(config, settings);
    json_decref(settings);
    char *text = json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(RX_JSON_DIGITS));
    json_decref(config);
    const int status =
        rx_file_write(rx_run_path(run, "config.json", path), text, strlen(text), error);
    free(text);
    return status;
}

// Keeps the lines of metrics.jsonl up to a step; a torn last line goes.
static int
cut_metrics(const struct rx_run *run, int64_t step, struct rx_error *error)
{
    char path[RX_RUN_PATH], *line = NULL;
    size_t size = 0, length = 0;
    struct rx_file_writer w;
    FILE *old = step > 0 ? fopen(rx_run_path(run, "metrics.jsonl", path), "re") : NULL;
    int status = rx_file_begin(&w, rx_run_path(run, "metrics.jsonl", path), error);
    for (json_t *o;
         old != NULL && status == RX_OK && (o = rx_json_next(old, &line, &size, &length)) != NULL;
         json_decref(o))
        if (json_integer_value(json_object_get(o, "step")) <= step)
            status = rx_file_add(&w, line, length, error);
    if (status == RX_OK)
        status = rx_file_commit(&w, error);
    else
        rx_file_abandon(&w);
    free(line);
    if (old != NULL)
        fclose(old);
    return status;
}

static void
remove_old(const struct rx_run *run)
{
    static const char *const name[] = {"best.safetensors", "summary.csv"};
    char path[RX_RUN_PATH];
    for (int i = 0; i < 2; i++)
        unlink(rx_run_path(run, name[i], path));
}

int
rx_run_open(struct rx_run *run, const struct rx_plan *plan, const struct rx_settings *s,
            int64_t step, struct rx_error *error)
{
    char path[RX_RUN_PATH];
    int status = make_folder(run, error);
    if (status == RX_OK)
        status = write_config(run, plan, s, error);
    if (status == RX_OK)
        status = cut_metrics(run, step, error);
    if (status != RX_OK)
        return status;
    if (step == 0)
        remove_old(run);
    run->metrics = fopen(rx_run_path(run, "metrics.jsonl", path), "ae");
    if (run->metrics == NULL)
        return rx_error_refused(error, "%.900s: cannot be written: %s", path, strerror(errno));
    return step > 0 ? rx_run_summarise(run, error) : RX_OK;
}

void
rx_run_close(struct rx_run *run)
{
    if (run->metrics != NULL)
        fclose(run->metrics);
    run->metrics = NULL;
}

static int
refuse_metrics(const struct rx_run *run, struct rx_error *error)
{
    const int code = errno;
    return rx_error_refused(error, "%.900s/metrics.jsonl: cannot be written: %s", run->folder,
                            strerror(code));
}

int
rx_run_log(struct rx_run *run, json_t *line, struct rx_error *error)
{
    int status = run->prints ? rx_json_print(line, error) : RX_OK;
    if (status == RX_OK && rx_json_line(run->metrics, line) != 0)
        status = refuse_metrics(run, error);
    json_decref(line);
    return status;
}

int
rx_run_sync(struct rx_run *run, struct rx_error *error)
{
    return fdatasync(fileno(run->metrics)) == 0 ? RX_OK : refuse_metrics(run, error);
}

// What summary.csv says of the training since the last evaluation.
struct sums {
    double loss, lr;
    int64_t steps;
};

static double
real(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

static void
add_row(struct rx_text *csv, const json_t *line, const struct sums *sums)
{
    rx_text_printf(csv, "%lld,%lld,%.9g,%.9g,%.9g,%.9g,%.9g\n",
                   (long long)json_integer_value(json_object_get(line, "epoch")),
                   (long long)json_integer_value(json_object_get(line, "step")),
                   sums->steps > 0 ? sums->loss / (double)sums->steps : 0, sums->lr,
                   real(line, "top1"), real(line, "top5"), real(line, "loss"));
}

int
rx_run_summarise(const struct rx_run *run, struct rx_error *error)
{
    char path[RX_RUN_PATH], *text = NULL;
    size_t size = 0, length = 0;
    struct sums sums = {0};
    FILE *file = fopen(rx_run_path(run, "metrics.jsonl", path), "re");
    if (file == NULL)
        return rx_error_refused(error, "%.900s: cannot be read: %s", path, strerror(errno));
    struct rx_text csv = {0};
    rx_text_add(&csv, "epoch,step,train_loss,lr,top1,top5,val_loss\n");
    for (json_t *line; (line = rx_json_next(file, &text, &size, &length)) != NULL;
         json_decref(line)) {
        if (json_object_get(line, "lr") != NULL) {
            sums.loss += real(line, "loss");
            sums.lr = real(line, "lr");
            sums.steps++;
        } else {
            add_row(&csv, line, &sums);
            sums = (struct sums){0};
        }
    }
    const int status = rx_file_write(rx_run_path(run, "summary.csv", path), csv.s, csv.n, error);
    rx_text_close(&csv);
    free(text);
    fclose(file);
    return status;
}
