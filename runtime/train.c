// Training: steps over the loader's batches, evaluation, checkpoints, resuming to the same bits.
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands.h"
#include "runtime/params.h"
#include "runtime/progress.h"
#include "runtime/run.h"
#include "runtime/schedule.h"

static const float BN_MOMENTUM = 0.1f;

// The one thing that a signal handler may do is to set a flag.
static volatile sig_atomic_t stop_signal;

static void
on_signal(int number)
{
    stop_signal = number;
}

struct train {
    const struct rx_plan *plan;
    const struct rx_settings *s;
    struct rx_error *error;
    struct rx_data *data;
    struct rx_loader *loader;
    struct rx_session *session;
    struct rx_run run;
    struct rx_progress progress;
    int64_t per_epoch, total;  // steps
    int64_t step;              // updates so far
    int64_t batches;           // num_batches_tracked
    double best;               // top-1 of best.safetensors, -1 before the first
};

static void
catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int
open_data(struct train *t)
{
    const struct rx_settings *s = t->s;
    const struct rx_data_shape shape = rx_plan_data_shape(t->plan);
    int status = rx_data_open(s->recipe.data, &shape, &s->recipe, &t->data, t->error);
    if (status != RX_OK)
        return status;
    const int64_t images = rx_data_count(t->data, RX_SPLIT_TRAIN);
    if (images < s->recipe.batch)
        return rx_error_user(t->error,
                             "--batch %d: the data has %lld training images: a smaller "
                             "batch would do",
                             s->recipe.batch, (long long)images);
    if ((int64_t)s->recipe.batch * t->plan->min_pixels == 1)
        return rx_error_user(t->error,
                             "--batch 1: a batch norm gets one value a channel, which has "
                             "no variance: a batch of 2 or more would do");
    const struct rx_loader_options options = {.split = RX_SPLIT_TRAIN,
                                              .batch = s->recipe.batch,
                                              .shuffle = s->shuffle,
                                              .augment = s->augment,
                                              .drop_last = 1,
                                              .workers = (int)s->workers,
                                              .seed = (uint64_t)s->seed};
    status = rx_loader_open(t->data, &options, &t->loader, t->error);
    if (status != RX_OK)
        return status;
    t->per_epoch = rx_loader_batches(t->loader);
    t->total = t->per_epoch * s->recipe.epochs;
    if (s->steps > 0 && s->steps < t->total)
        t->total = s->steps;
    return RX_OK;
}

static int64_t
metadata_number(const struct rx_safetensors *file, const char *key)
{
    const char *text = rx_safetensors_metadata(file, key);
    return text != NULL ? strtoll(text, NULL, 10) : -1;
}

static int
resume(struct train *t)
{
    char path[RX_RUN_PATH];
    struct rx_safetensors file = {0};
    int status =
        rx_safetensors_open(&file, rx_run_path(&t->run, "last.safetensors", path), t->error);
    if (status == RX_OK)
        status = rx_params_restore(t->session, &file, &t->batches, t->error);
    if (status == RX_OK) {
        t->step = metadata_number(&file, "step");
        const char *best = rx_safetensors_metadata(&file, "best");
        const char *hash = rx_safetensors_metadata(&file, "plan");
        t->best = best != NULL ? strtod(best, NULL) : -1;
        if (t->step < 0)
            status = rx_error_user(t->error, "%s: has no step: it is not a checkpoint", path);
        else if (metadata_number(&file, "seed") != t->s->seed)
            status =
                rx_error_user(t->error, "--seed %lld: the run was started with seed %lld",
                              (long long)t->s->seed, (long long)metadata_number(&file, "seed"));
        if (hash == NULL || strcmp(hash, t->plan->hash) != 0)
            fprintf(stderr, "resuming under another plan: the bits will differ from a run that was "
                            "never stopped\n");
        if (metadata_number(&file, "threads") != t->s->threads)
            fprintf(stderr, "resuming with another number of threads: the bits will differ from a "
                            "run that was never stopped\n");
    }
    rx_safetensors_close(&file);
    return status;
}

static int
open_session(struct train *t)
{
    const struct rx_settings *s = t->s;
    int status = rx_session_open(t->plan, s->recipe.batch, (int)s->threads, &t->session, t->error);
    if (status != RX_OK)
        return status;
    t->best = -1;
    rx_params_init(t->session, (uint64_t)s->seed);
    if (s->resume)
        return resume(t);
    if (s->weights != NULL)
        status = rx_params_load(t->session, s->weights, &t->batches, t->error);
    return status;
}

static void
say_start(const struct train *t)
{
    const struct rx_settings *s = t->s;
    if (s->progress == RX_PROGRESS_OFF)
        return;
    if (s->origin_lr == RX_ORIGIN_SCALED)
        fprintf(stderr, "lr %g: the recipe's %g belongs to batch %d, scaled to batch %d\n",
                s->recipe.lr, t->plan->recipe.lr, t->plan->recipe.batch, s->recipe.batch);
    const int64_t tensors = rx_session_bytes(t->plan, s->recipe.batch, (int)s->threads);
    const int64_t loader = rx_loader_bytes(t->loader);
    fprintf(stderr, "memory: %.1f MB (%lld bytes: tensors %lld, loader %lld)\n",
            (double)(tensors + loader) / 1e6, (long long)(tensors + loader), (long long)tensors,
            (long long)loader);
}

static void
write_hyper(struct train *t, double lr)
{
    const struct rx_recipe *r = &t->s->recipe;
    float *h = rx_session_tensor(t->session, t->plan->hyper);
    h[RX_HYPER_LR] = (float)lr;
    h[RX_HYPER_MOMENTUM] = (float)r->momentum;
    h[RX_HYPER_WD] = (float)r->wd;
    h[RX_HYPER_WD_BN] = r->no_decay_bn ? 0.0f : (float)r->wd;
    h[RX_HYPER_NESTEROV] = (float)r->nesterov;
    h[RX_HYPER_FIRST] = t->step == 0 ? 1.0f : 0.0f;
    h[RX_HYPER_SMOOTHING] = (float)r->label_smoothing;
    h[RX_HYPER_BN_MOMENTUM] = BN_MOMENTUM;
}

// One update; gives its loss and the batch's accuracy.
static int
train_step(struct train *t, double lr, double *loss, double *accuracy)
{
    const struct rx_plan *plan = t->plan;
    const struct rx_plan_program *p = &plan->program[RX_PROGRAM_TRAIN];
    struct rx_batch batch;
    const int status = rx_loader_next(t->loader, &batch, t->error);
    if (status != RX_OK)
        return status;
    const size_t n = (size_t)batch.n;
    const size_t image =
        (size_t)plan->image_h * (size_t)plan->image_w * (size_t)plan->image_c * sizeof(float);
    memcpy(rx_session_tensor(t->session, p->input), batch.images, n * image);
    memcpy(rx_session_tensor(t->session, p->labels), batch.labels, n * sizeof *batch.labels);
    write_hyper(t, lr);
    rx_session_run(t->session, RX_PROGRAM_TRAIN, batch.n);
    const float *losses = rx_session_tensor(t->session, p->loss);    // [N]
    const float *logits = rx_session_tensor(t->session, p->logits);  // [N][classes]
    double sum = 0;
    int right = 0;
    for (int i = 0; i < batch.n; i++) {
        sum += losses[i];
        right += rx_metrics_rank(logits + (int64_t)i * plan->classes, plan->classes,
                                 batch.labels[i]) == 0;
    }
    *loss = sum / batch.n;
    *accuracy = (double)right / batch.n;
    t->step++;
    t->batches++;
    return RX_OK;
}

static int
save_checkpoint(struct train *t)
{
    char path[RX_RUN_PATH], step[32], epoch[32], seed[32], position[32], threads[32], best[40];
    snprintf(step, sizeof step, "%lld", (long long)t->step);
    snprintf(epoch, sizeof epoch, "%lld", (long long)(t->step / t->per_epoch));
    snprintf(position, sizeof position, "%lld", (long long)(t->step % t->per_epoch));
    snprintf(seed, sizeof seed, "%lld", (long long)t->s->seed);
    snprintf(threads, sizeof threads, "%lld", (long long)t->s->threads);
    snprintf(best, sizeof best, "%.17g", t->best);
    const struct rx_metadata metadata[] = {
        {"epoch", epoch},          {"step", step},          {"seed", seed},
        {"position", position},    {"threads", threads},    {"best", best},
        {"model", t->plan->model}, {"plan", t->plan->hash}, {"form", t->plan->form},
    };
    return rx_params_save(t->session, rx_run_path(&t->run, "last.safetensors", path),
                          RX_PARAMS_CHECKPOINT, t->batches, metadata,
                          (int)(sizeof metadata / sizeof metadata[0]), t->error);
}

static int
evaluate(struct train *t)
{
    char path[RX_RUN_PATH];
    struct rx_metrics m = {0};
    int status = rx_evaluate(t->session, t->data, t->s, RX_SPLIT_VAL, &m, t->error);
    if (status != RX_OK)
        return status;
    const double n = (double)m.images, top1 = (double)m.top1 / n, top5 = (double)m.top5 / n;
    const int64_t epoch = (t->step + t->per_epoch - 1) / t->per_epoch;
    rx_progress_eval(&t->progress, epoch, top1, top5, m.loss / n);
    status = rx_run_log(&t->run, t->s,
                        json_pack("{s:I, s:I, s:f, s:f, s:f, s:I}", "step", (json_int_t)t->step,
                                  "epoch", (json_int_t)epoch, "top1", top1, "top5", top5, "loss",
                                  m.loss / n, "images", (json_int_t)m.images),
                        t->error);
    if (status == RX_OK)
        status = rx_run_summarise(&t->run, t->error);
    if (status == RX_OK && top1 > t->best) {
        t->best = top1;
        status = rx_params_save(t->session, rx_run_path(&t->run, "best.safetensors", path),
                                RX_PARAMS_MODEL, t->batches, NULL, 0, t->error);
    }
    return status == RX_OK ? save_checkpoint(t) : status;
}

// What follows a step: its line, then what its number makes due.
static int
after_step(struct train *t, double lr, double loss, double accuracy, double seconds)
{
    const struct rx_settings *s = t->s;
    const int64_t epoch = (t->step - 1) / t->per_epoch + 1;
    const double rate = s->recipe.batch / seconds;
    if (!isfinite(loss))
        return rx_error_refused(t->error,
                                "step %lld: the loss is not finite: a smaller --lr or a "
                                "--warmup-epochs may help",
                                (long long)t->step);
    int status =
        rx_run_log(&t->run, s,
                   json_pack("{s:I, s:I, s:f, s:f, s:f}", "step", (json_int_t)t->step, "epoch",
                             (json_int_t)epoch, "loss", loss, "lr", lr, "images_per_s", rate),
                   t->error);
    rx_progress_step(&t->progress, t->step, t->total, epoch, loss, accuracy, rate);
    const int due = t->step == t->total ||
                    (t->step % t->per_epoch == 0 && t->step / t->per_epoch % s->eval_every == 0);
    if (status == RX_OK && due)
        status = evaluate(t);
    else if (status == RX_OK && s->checkpoint_every > 0 && t->step % s->checkpoint_every == 0)
        status = save_checkpoint(t);
    return status;
}

static int
train_all(struct train *t)
{
    catch_signals();
    rx_progress_open(&t->progress, t->s->progress, t->step);
    rx_loader_seek(t->loader, t->step / t->per_epoch + 1, t->step % t->per_epoch);
    while (t->step < t->total) {
        const double before = rx_progress_now();
        const double lr = rx_schedule_lr(&t->s->recipe, t->step, t->per_epoch, t->total);
        double loss, accuracy;
        int status = train_step(t, lr, &loss, &accuracy);
        if (status == RX_OK)
            status = after_step(t, lr, loss, accuracy, rx_progress_now() - before);
        if (status != RX_OK)
            return status;
        if (stop_signal != 0 && t->step < t->total) {
            status = save_checkpoint(t);
            fprintf(stderr, "\nstopped after step %lld; go on with --resume %s\n",
                    (long long)t->step, t->run.folder);
            return status != RX_OK ? status : RX_STOPPED;
        }
    }
    return RX_OK;
}

static int
finish(const struct train *t)
{
    if (t->s->save != NULL) {
        const int status =
            rx_params_save(t->session, t->s->save, RX_PARAMS_MODEL, t->batches, NULL, 0, t->error);
        if (status != RX_OK)
            return status;
    }
    if (t->s->progress != RX_PROGRESS_OFF)
        fprintf(stderr,
                "best top1 %.4f\ncheckpoint %s/last.safetensors (best.safetensors: the "
                "best weights)\nmetrics %s/metrics.jsonl, summary.csv\n",
                t->best, t->run.folder, t->run.folder);
    return RX_OK;
}

int
rx_train(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error)
{
    struct train t = {.plan = plan, .s = settings, .error = error};
    int status = rx_run_find(&t.run, settings, error);
    if (status == RX_OK)
        status = open_data(&t);
    if (status == RX_OK)
        status = open_session(&t);
    if (status == RX_OK)
        status = rx_run_open(&t.run, plan, settings, t.step, error);
    if (status == RX_OK) {
        say_start(&t);
        status = train_all(&t);
    }
    if (status == RX_OK)
        status = finish(&t);
    rx_run_close(&t.run);
    rx_loader_close(t.loader);
    rx_session_close(t.session);
    rx_data_close(t.data);
    return status;
}
