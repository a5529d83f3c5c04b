// The run folder.
#include "runtime/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/json.h"

enum { RUNS_MAX = 1000 };

const char *
rx_run_path(const struct rx_run *run, const char *name, char buffer[RX_RUN_PATH])
{
    snprintf(buffer, RX_RUN_PATH, "%.4000s/%s", run->folder, name);
    return buffer;
}

static int
has_checkpoint(const struct rx_run *run)
{
    char path[RX_RUN_PATH];
    return access(rx_run_path(run, "last.safetensors", path), F_OK) == 0;
}

// The next unused number under `runs` beside the program.
static int
next_folder(struct rx_run *run, struct rx_error *error)
{
    char self[RX_RUN_PATH];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return rx_error_refused(error, "/proc/self/exe: cannot be read: give --run DIR");
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (int i = 1; i < RUNS_MAX; i++) {
        snprintf(run->folder, sizeof run->folder, "%.4000s/runs/%03d", self, i);
        if (access(run->folder, F_OK) != 0)
            return RX_OK;
    }
    return rx_error_refused(error, "%.900s/runs: holds %d runs: give --run DIR", self, RUNS_MAX);
}

int
rx_run_find(struct rx_run *run, const struct rx_settings *s, struct rx_error *error)
{
    const char *given = s->resume && s->resume_folder != NULL ? s->resume_folder : s->run;
    *run = (struct rx_run){0};
    if (given == NULL && s->resume)
        return rx_error_user(error, "--resume: which run: --resume DIR or --run DIR");
    if (given == NULL)
        return next_folder(run, error);
    if (strlen(given) > RX_RUN_PATH - 100 || *given == '\0')
        return rx_error_user(error, "--run: the path is empty or too long");
    snprintf(run->folder, sizeof run->folder, "%s", given);
    if (s->resume && !has_checkpoint(run))
        return rx_error_user(error, "%s: has no last.safetensors: nothing to resume", run->folder);
    if (!s->resume && has_checkpoint(run))
        return rx_error_user(error,
                             "%s: holds a run already: --resume goes on with it, another "
                             "--run starts anew",
                             run->folder);
    return RX_OK;
}

static void
put(json_t *config, const char *key, json_t *value, enum rx_origin origin)
{
    json_object_set_new(config, key,
                        json_pack("{s:o, s:s}", "value", value, "from", rx_origin_text(origin)));
}

static json_t *
milestones(const struct rx_recipe *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->n_milestones; i++)
        json_array_append_new(list, json_integer(r->milestone[i]));
    return list;
}

static json_t *
config_of(const struct rx_plan *plan, const struct rx_settings *s)
{
    const struct rx_recipe *r = &s->recipe;
    json_t *c = json_pack("{s:s, s:s, s:s, s:s}", "model", plan->model, "form", plan->form, "dtype",
                          plan->dtype, "plan", plan->hash);
    put(c, "data", json_string(r->data), s->origin_data);
    put(c, "epochs", json_integer(r->epochs), s->origin_epochs);
    put(c, "batch", json_integer(r->batch), s->origin_batch);
    put(c, "lr", json_real(r->lr), s->origin_lr);
    put(c, "momentum", json_real(r->momentum), s->origin_momentum);
    put(c, "wd", json_real(r->wd), s->origin_wd);
    put(c, "nesterov", json_boolean(r->nesterov), s->origin_nesterov);
    put(c, "schedule", json_string(r->schedule == RX_SCHEDULE_COSINE ? "cosine" : "step"),
        s->origin_schedule);
    put(c, "milestones", milestones(r), s->origin_milestones);
    put(c, "gamma", json_real(r->gamma), s->origin_gamma);
    put(c, "warmup_epochs", json_real(r->warmup_epochs), s->origin_warmup_epochs);
    put(c, "label_smoothing", json_real(r->label_smoothing), s->origin_label_smoothing);
    put(c, "no_decay_bn", json_boolean(r->no_decay_bn), s->origin_no_decay_bn);
    json_object_set_new(c, "steps", json_integer(s->steps));
    json_object_set_new(c, "seed", json_integer(s->seed));
    json_object_set_new(c, "threads", json_integer(s->threads));
    json_object_set_new(c, "workers", json_integer(s->workers));
    json_object_set_new(c, "augment", json_string(s->augment ? "recipe" : "none"));
    json_object_set_new(c, "shuffle", json_boolean(s->shuffle));
    json_object_set_new(c, "eval_every", json_integer(s->eval_every));
    json_object_set_new(c, "checkpoint_every", json_integer(s->checkpoint_every));
    return c;
}

// Keeps the lines of metrics.jsonl up to a step; a torn last line goes.
static int
cut_metrics(const char *path, int64_t step, struct rx_error *error)
{
    struct rx_text text = {0}, kept = {0};
    int status = step > 0 ? rx_file_read(path, &text, error) : RX_OK;
    for (const char *p = rx_text_str(&text), *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        json_t *line = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, NULL);
        if (line != NULL && json_integer_value(json_object_get(line, "step")) <= step)
            rx_text_add_bytes(&kept, p, (size_t)(end - p) + 1);
        json_decref(line);
    }
    if (status == RX_OK)
        status = rx_file_write(path, rx_text_str(&kept), kept.n, error);
    rx_text_close(&text);
    rx_text_close(&kept);
    return status;
}

int
rx_run_open(struct rx_run *run, const struct rx_plan *plan, const struct rx_settings *s,
            int64_t step, struct rx_error *error)
{
    char path[RX_RUN_PATH];
    int status = rx_file_make_folder(run->folder, error);
    if (status != RX_OK)
        return status;
    json_t *config = config_of(plan, s);
    char *text = json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(config);
    status = rx_file_write(rx_run_path(run, "config.json", path), text, strlen(text), error);
    free(text);
    if (status == RX_OK)
        status = cut_metrics(rx_run_path(run, "metrics.jsonl", path), step, error);
    if (status != RX_OK)
        return status;
    run->metrics = fopen(path, "ae");
    return run->metrics != NULL
               ? RX_OK
               : rx_error_refused(error, "%s: cannot be written: %s", path, strerror(errno));
}

void
rx_run_close(struct rx_run *run)
{
    if (run->metrics != NULL)
        fclose(run->metrics);
    run->metrics = NULL;
}

int
rx_run_log(struct rx_run *run, const struct rx_settings *s, json_t *line, struct rx_error *error)
{
    if (s->progress == RX_PROGRESS_JSON && rx_json_line(stdout, json_incref(line)) != 0) {
        json_decref(line);
        return rx_error_refused(error, "standard output: cannot be written: %s", strerror(errno));
    }
    if (rx_json_line(run->metrics, line) != 0)
        return rx_error_refused(error, "%.900s/metrics.jsonl: cannot be written: %s", run->folder,
                                strerror(errno));
    return RX_OK;
}

int
rx_run_summarise(const struct rx_run *run, struct rx_error *error)
{
    char path[RX_RUN_PATH];
    struct rx_text text = {0}, csv = {0};
    int status = rx_file_read(rx_run_path(run, "metrics.jsonl", path), &text, error);
    rx_text_add(&csv, "epoch,step,train_loss,lr,top1,top5,val_loss\n");
    double loss = 0, lr = 0;
    int64_t steps = 0;
    for (const char *p = rx_text_str(&text), *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        json_t *line = json_loadb(p, (size_t)(end - p), 0, NULL);
        if (json_object_get(line, "lr") != NULL) {
            loss += json_number_value(json_object_get(line, "loss"));
            lr = json_number_value(json_object_get(line, "lr"));
            steps++;
        } else if (line != NULL) {
            rx_text_printf(&csv, "%lld,%lld,%.9g,%.9g,%.9g,%.9g,%.9g\n",
                           (long long)json_integer_value(json_object_get(line, "epoch")),
                           (long long)json_integer_value(json_object_get(line, "step")),
                           steps > 0 ? loss / (double)steps : 0, lr,
                           json_number_value(json_object_get(line, "top1")),
                           json_number_value(json_object_get(line, "top5")),
                           json_number_value(json_object_get(line, "loss")));
            loss = 0;
            steps = 0;
        }
        json_decref(line);
    }
    if (status == RX_OK)
        status = rx_file_write(rx_run_path(run, "summary.csv", path), csv.s, csv.n, error);
    rx_text_close(&text);
    rx_text_close(&csv);
    return status;
}
