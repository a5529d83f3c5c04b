// The command train: steps over the loader's batches, evaluation, checkpoints, resuming to the same
// bits.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/checkpoint.h"
#include "runtime/comm.h"
#include "runtime/commands.h"
#include "runtime/json.h"
#include "runtime/params.h"
#include "runtime/progress.h"
#include "runtime/run.h"
#include "runtime/schedule.h"
#include "runtime/signals.h"

struct train {
    const struct rx_plan *plan;
    struct rx_settings s;
    struct rx_error *error;
    struct rx_comm comm;
    struct rx_data *data;
    struct rx_loader *loader, *val_loader;
    struct rx_session *session;
    struct rx_checkpoint checkpoint;  // that the run is resumed from
    struct rx_run run;
    struct rx_progress progress;
    struct rx_place place;
    int64_t total;   // steps
    double started;  // when the run would have started, had it never been stopped
    char path[RX_RUN_PATH];
};

// What one step did.
struct outcome {
    double lr, loss, accuracy;
    double seconds;  // wall clock, waiting for data included
};

static int
open_data(struct train *t)
{
    const struct rx_settings *s = &t->s;
    const struct rx_data_shape shape = rx_plan_data_shape(t->plan);
    int status = rx_plan_check_batch(t->plan, s->recipe.batch, t->error);
    if (status == RX_OK)
        status = rx_data_open(s->recipe.data, &shape, &s->recipe, &t->data, t->error);
    const struct rx_loader_options options = {.split = RX_SPLIT_TRAIN,
                                              .batch = s->recipe.batch,
                                              .shuffle = s->shuffle,
                                              .augment = s->augment,
                                              .drop_last = 1,
                                              .workers = (int)s->workers,
                                              .seed = (uint64_t)s->seed};
    if (status == RX_OK)
        status = rx_loader_open(t->data, &options, &t->loader, t->error);
    if (status == RX_OK)
        status =
            rx_evaluate_loader(t->data, s, RX_SPLIT_VAL, s->recipe.batch, &t->val_loader, t->error);
    if (status != RX_OK)
        return status;
    t->place.per_epoch = rx_loader_batches(t->loader);
    t->total = rx_settings_total_steps(s, t->place.per_epoch);
    return RX_OK;
}

static int
resume(struct train *t)
{
    const int64_t per_epoch = t->place.per_epoch;
    const int status = rx_checkpoint_restore(&t->checkpoint, t->session, t->error);
    if (status != RX_OK)
        return status;
    t->place = t->checkpoint.place;
    t->started -= t->place.seconds;
    if (t->place.per_epoch != per_epoch)
        return rx_error_user(t->error,
                             "--data %.200s: gives %lld steps an epoch: the run was started with "
                             "data that gave %lld",
                             t->s.recipe.data, (long long)per_epoch, (long long)t->place.per_epoch);
    if (t->checkpoint.is_other_plan)
        fprintf(stderr, "train: resuming under another plan: the bits will differ from a run that "
                        "was never stopped\n");
    if (t->checkpoint.is_other_threads)
        fprintf(stderr, "train: resuming with another number of threads: the bits will differ from "
                        "a run that was never stopped\n");
    return RX_OK;
}

static int
open_session(struct train *t)
{
    const struct rx_settings *s = &t->s;
    const int status =
        rx_session_open(t->plan, s->recipe.batch, (int)s->threads, &t->session, t->error);
    if (status != RX_OK)
        return status;
    if (s->resume)
        return resume(t);
    t->place.best = -1;
    rx_params_init(t->session, (uint64_t)s->seed);
    if (s->weights == NULL)
        return RX_OK;
    return rx_params_load(t->session, s->weights, &t->place.batches, t->error);
}

// Everything that can be wrong is found before anything is written.
static int
open_all(struct train *t)
{
    int status = rx_run_find(&t->run, &t->s, t->error);
    if (status == RX_OK && t->s.resume)
        status =
            rx_checkpoint_open(&t->checkpoint, rx_run_path(&t->run, "last.safetensors", t->path),
                               t->plan, &t->s, t->error);
    if (status == RX_OK && t->s.save != NULL)
        status = rx_file_probe(t->s.save, t->error);
    if (status == RX_OK)
        status = open_data(t);
    if (status == RX_OK)
        status = open_session(t);
    if (status == RX_OK)
        status = rx_run_open(&t->run, t->plan, &t->s, t->place.step, t->error);
    return status;
}

static void
say_start(const struct train *t)
{
    const struct rx_settings *s = &t->s;
    if (rx_settings_origin(s, "--lr") == RX_ORIGIN_SCALED)
        fprintf(stderr, "lr %g: the recipe's %g belongs to batch %d, scaled to batch %d\n",
                s->recipe.lr, t->plan->recipe.lr, t->plan->recipe.batch, s->recipe.batch);
    const int64_t tensors = rx_session_bytes(t->plan, s->recipe.batch, (int)s->threads);
    const int64_t loader = rx_loader_bytes(t->loader) + rx_loader_bytes(t->val_loader);
    const int64_t data = rx_data_bytes(t->data), all = tensors + loader + data;
    fprintf(stderr, "memory: %.1f MB (%lld bytes: tensors %lld, loader %lld, data %lld)\n",
            (double)all / 1e6, (long long)all, (long long)tensors, (long long)loader,
            (long long)data);
}

static void
write_hyper(struct train *t, double lr)
{
    const struct rx_recipe *r = &t->s.recipe;
    float *h = rx_session_tensor(t->session, t->plan->hyper);
    h[RX_HYPER_LR] = (float)lr;
    h[RX_HYPER_MOMENTUM] = (float)r->momentum;
    h[RX_HYPER_WD] = (float)r->wd;
    h[RX_HYPER_WD_BN] = r->no_decay_bn ? 0.0f : (float)r->wd;
    h[RX_HYPER_NESTEROV] = (float)r->nesterov;
    h[RX_HYPER_FIRST] = t->place.step == 0 ? 1.0f : 0.0f;
    h[RX_HYPER_SMOOTHING] = (float)r->label_smoothing;
    h[RX_HYPER_BN_MOMENTUM] = RX_BN_MOMENTUM;
}

// The batch's mean loss and accuracy, over all ranks.
static void
read_outcome(const struct train *t, const struct rx_batch *batch, struct outcome *out)
{
    const struct rx_plan_program *p = &t->plan->program[RX_PROGRAM_TRAIN];
    const int classes = t->plan->classes;
    const float *loss = rx_session_tensor(t->session, p->loss);      // [N]
    const float *logits = rx_session_tensor(t->session, p->logits);  // [N][classes]
    double sum[] = {0, 0, batch->n};                                 // losses, right ones, images
    for (int i = 0; i < batch->n; i++) {
        sum[0] += loss[i];
        sum[1] += rx_metrics_best(logits + (int64_t)i * classes, classes) == batch->labels[i];
    }
    rx_comm_sum(&t->comm, sum, 3);
    out->loss = sum[0] / sum[2];
    out->accuracy = sum[1] / sum[2];
}

// One update.
static int
train_step(struct train *t, struct outcome *out)
{
    const struct rx_plan_program *p = &t->plan->program[RX_PROGRAM_TRAIN];
    const double before = rx_progress_now();
    struct rx_batch batch;
    const int status = rx_loader_next(t->loader, &batch, t->error);
    if (status != RX_OK)
        return status;
    const size_t n = (size_t)batch.n;
    memcpy(rx_session_tensor(t->session, p->input), batch.images,
           n * (size_t)rx_plan_image_elements(t->plan) * sizeof(float));
    memcpy(rx_session_tensor(t->session, p->labels), batch.labels, n * sizeof *batch.labels);
    out->lr = rx_schedule_lr(&t->s.recipe, t->place.step, t->place.per_epoch, t->total);
    write_hyper(t, out->lr);
    rx_session_run(t->session, RX_PROGRAM_TRAIN, batch.n);
    read_outcome(t, &batch, out);
    t->place.step++;
    t->place.batches++;
    out->seconds = rx_progress_now() - before;
    if (rx_session_fault(t->session, t->error) != RX_OK)
        return t->error->status;
    if (isfinite(out->loss))
        return RX_OK;
    return rx_error_refused(t->error,
                            "step %lld: the loss is not finite: a smaller --lr or --warmup-epochs "
                            "may help",
                            (long long)t->place.step);
}

static int
save_checkpoint(struct train *t)
{
    const int status = rx_run_sync(&t->run, t->error);
    if (status != RX_OK)
        return status;
    t->place.seconds = rx_progress_now() - t->started;
    return rx_checkpoint_save(t->session, rx_run_path(&t->run, "last.safetensors", t->path), &t->s,
                              &t->place, t->error);
}

// Saves, and says how to go on.
static int
stop(struct train *t)
{
    const int status = save_checkpoint(t);
    if (status != RX_OK)
        return status;
    rx_progress_break(&t->progress);
    fprintf(stderr, "train: stopped after step %lld: --resume %s goes on\n",
            (long long)t->place.step, t->run.folder);
    return RX_STOPPED;
}

// The epoch that the last step belongs to, from 1.
static int64_t
epoch_of(const struct rx_place *place)
{
    return (place->step - 1) / place->per_epoch + 1;
}

static int
log_evaluation(struct train *t, const struct rx_metrics *m)
{
    const double n = (double)m->images, top1 = (double)m->top1 / n, top5 = (double)m->top5 / n;
    const int64_t epoch = epoch_of(&t->place);
    rx_progress_eval(&t->progress, epoch, top1, top5, m->loss / n);
    if (!isfinite(m->loss))
        return rx_error_refused(t->error,
                                "step %lld: the evaluation's loss is not finite: a smaller --lr "
                                "may help",
                                (long long)t->place.step);
    return rx_run_log(&t->run,
                      json_pack("{s:I, s:I, s:f, s:f, s:f, s:I, s:f}", "step",
                                (json_int_t)t->place.step, "epoch", (json_int_t)epoch, "top1", top1,
                                "top5", top5, "loss", m->loss / n, "images", (json_int_t)m->images,
                                "seconds", rx_progress_now() - t->started),
                      t->error);
}

static int
evaluate(struct train *t)
{
    struct rx_metrics m = {0};
    int status = rx_evaluate(t->session, t->val_loader, &m, t->error);
    t->place.evaluate = status == RX_STOPPED;
    if (status == RX_STOPPED)
        return stop(t);
    if (status == RX_OK)
        status = log_evaluation(t, &m);
    if (status == RX_OK)
        status = rx_run_summarise(&t->run, t->error);
    const double top1 = (double)m.top1 / (double)m.images;
    if (status == RX_OK && top1 > t->place.best) {
        t->place.best = top1;
        status = rx_params_save(t->session, rx_run_path(&t->run, "best.safetensors", t->path),
                                RX_PARAMS_MODEL, t->place.batches, NULL, 0, t->error);
    }
    return status == RX_OK ? save_checkpoint(t) : status;
}

static int
log_step(struct train *t, const struct outcome *out)
{
    const int64_t step = t->place.step, epoch = epoch_of(&t->place);
    const double rate = t->s.recipe.batch / (out->seconds > 0 ? out->seconds : 1e-9);
    const struct rx_progress_step shown = {.step = step,
                                           .epoch = epoch,
                                           .ends_epoch = step % t->place.per_epoch == 0,
                                           .loss = out->loss,
                                           .accuracy = out->accuracy,
                                           .images_per_s = rate};
    rx_progress_step(&t->progress, &shown);
    return rx_run_log(&t->run,
                      json_pack("{s:I, s:I, s:f, s:f, s:f}", "step", (json_int_t)step, "epoch",
                                (json_int_t)epoch, "loss", out->loss, "lr", out->lr, "images_per_s",
                                rate),
                      t->error);
}

// What the step's number makes due.
static int
after_step(struct train *t)
{
    const struct rx_place *p = &t->place;
    const int64_t epochs = p->step / p->per_epoch;
    const int ends_epoch = p->step % p->per_epoch == 0;
    if (p->step == t->total || (ends_epoch && epochs % t->s.eval_every == 0))
        return evaluate(t);
    if (rx_signals_caught())
        return stop(t);
    if (t->s.checkpoint_every > 0 && p->step % t->s.checkpoint_every == 0)
        return save_checkpoint(t);
    return RX_OK;
}

static int
train_all(struct train *t)
{
    const struct rx_place *p = &t->place;
    rx_progress_open(&t->progress, t->s.progress, p->step, t->total);
    if (p->evaluate) {
        const int status = evaluate(t);
        if (status != RX_OK)
            return status;
    }
    rx_loader_seek(t->loader, p->step / p->per_epoch + 1, p->step % p->per_epoch);
    while (p->step < t->total) {
        struct outcome out;
        int status = train_step(t, &out);
        if (status == RX_OK)
            status = log_step(t, &out);
        if (status == RX_OK)
            status = after_step(t);
        if (status != RX_OK) {
            rx_progress_break(&t->progress);
            return status;
        }
    }
    return RX_OK;
}

static int
finish(const struct train *t)
{
    if (t->s.save != NULL) {
        const int status = rx_params_save(t->session, t->s.save, RX_PARAMS_MODEL, t->place.batches,
                                          NULL, 0, t->error);
        if (status != RX_OK)
            return status;
    }
    if (t->s.progress != RX_PROGRESS_OFF)
        fprintf(stderr,
                "best top1 %.4f\ncheckpoint %s/last.safetensors (best.safetensors: the best "
                "weights)\nmetrics %s/metrics.jsonl, summary.csv\n",
                t->place.best, t->run.folder, t->run.folder);
    return RX_OK;
}

int
rx_train(const struct rx_plan *plan, const struct rx_settings *settings, struct rx_error *error)
{
    struct train t = {.plan = plan, .s = *settings, .error = error, .comm = rx_comm_single()};
    t.started = rx_progress_now();
    rx_signals_catch();
    int status = open_all(&t);
    if (status == RX_OK) {
        say_start(&t);
        status = train_all(&t);
    }
    if (status == RX_OK)
        status = finish(&t);
    rx_run_close(&t.run);
    rx_session_close(t.session);
    rx_loader_close(t.val_loader);
    rx_loader_close(t.loader);
    rx_data_close(t.data);
    rx_checkpoint_close(&t.checkpoint);
    return status;
}
