// Evaluation: every image of a split once, through the folded network.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/json.h"
#include "runtime/params.h"

struct rx_data_shape
rx_plan_data_shape(const struct rx_plan *plan)
{
    return (struct rx_data_shape){
        .h = plan->image_h, .w = plan->image_w, .c = plan->image_c, .classes = plan->classes};
}

int
rx_evaluate(struct rx_session *session, struct rx_data *data, const struct rx_settings *settings,
            enum rx_split split, struct rx_metrics *metrics, struct rx_error *error)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const struct rx_plan_program *infer = &plan->program[RX_PROGRAM_INFER];
    const struct rx_loader_options options = {.split = split,
                                              .batch = rx_session_batch(session),
                                              .workers = (int)settings->workers,
                                              .seed = (uint64_t)settings->seed};
    struct rx_loader *loader = NULL;
    int status = rx_loader_open(data, &options, &loader, error);
    if (status != RX_OK)
        return status;
    rx_session_run(session, RX_PROGRAM_FOLD, 1);
    rx_loader_seek(loader, 1, 0);
    const size_t image =
        (size_t)plan->image_h * (size_t)plan->image_w * (size_t)plan->image_c * sizeof(float);
    const int64_t batches = rx_loader_batches(loader);
    for (int64_t b = 0; b < batches && status == RX_OK; b++) {
        struct rx_batch batch;
        status = rx_loader_next(loader, &batch, error);
        if (status != RX_OK)
            break;
        memcpy(rx_session_tensor(session, infer->input), batch.images, (size_t)batch.n * image);
        rx_session_run(session, RX_PROGRAM_INFER, batch.n);
        rx_metrics_add(metrics, rx_session_tensor(session, infer->logits), batch.labels, batch.n,
                       plan->classes);
    }
    rx_loader_close(loader);
    return status;
}

static int
write_confusion(const struct rx_metrics *m, int classes, const char *path, struct rx_error *error)
{
    struct rx_text text = {0};
    for (int i = 0; i < classes; i++)
        for (int j = 0; j < classes; j++)
            rx_text_printf(&text, "%lld%s", (long long)m->confusion[(int64_t)i * classes + j],
                           j + 1 < classes ? "," : "\n");
    const int status = rx_file_write(path, rx_text_str(&text), text.n, error);
    rx_text_close(&text);
    return status;
}

static int
report(const struct rx_metrics *m, const struct rx_settings *s, struct rx_error *error)
{
    const double n = (double)m->images;
    if (!s->json) {
        printf("top1 %.4f  top5 %.4f  loss %.5f  images %lld\n", (double)m->top1 / n,
               (double)m->top5 / n, m->loss / n, (long long)m->images);
        return RX_OK;
    }
    if (rx_json_line(stdout, json_pack("{s:f, s:f, s:f, s:I}", "top1", (double)m->top1 / n, "top5",
                                       (double)m->top5 / n, "loss", m->loss / n, "images",
                                       (json_int_t)m->images)) != 0)
        return rx_error_refused(error, "standard output: cannot be written: %s", strerror(errno));
    return RX_OK;
}

int
rx_eval(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    if (s->weights == NULL)
        return rx_error_user(error, "--weights is missing: --weights F.safetensors");
    const struct rx_data_shape shape = rx_plan_data_shape(plan);
    struct rx_data *data = NULL;
    struct rx_session *session = NULL;
    struct rx_metrics m = {0};
    int64_t batches;
    int status = rx_data_open(s->recipe.data, &shape, &s->recipe, &data, error);
    if (status == RX_OK)
        status = rx_session_open(plan, s->recipe.batch, (int)s->threads, &session, error);
    if (status == RX_OK)
        status = rx_params_load(session, s->weights, &batches, error);
    if (s->confusion != NULL)
        m.confusion =
            rx_memory_alloc((size_t)plan->classes * (size_t)plan->classes * sizeof *m.confusion);
    if (status == RX_OK)
        status =
            rx_evaluate(session, data, s,
                        strcmp(s->split, "train") == 0 ? RX_SPLIT_TRAIN : RX_SPLIT_VAL, &m, error);
    if (status == RX_OK && s->confusion != NULL)
        status = write_confusion(&m, plan->classes, s->confusion, error);
    if (status == RX_OK)
        status = report(&m, s, error);
    free(m.confusion);
    rx_session_close(session);
    rx_data_close(data);
    return status;
}
