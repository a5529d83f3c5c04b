// Evaluation: every image of a split once, through the folded network.
#include <string.h>

#include "runtime/commands.h"
#include "runtime/signals.h"

struct rx_data_shape
rx_plan_data_shape(const struct rx_plan *plan)
{
    return (struct rx_data_shape){
        .h = plan->image_h, .w = plan->image_w, .c = plan->image_c, .classes = plan->classes};
}

int64_t
rx_plan_image_elements(const struct rx_plan *plan)
{
    return (int64_t)plan->image_h * plan->image_w * plan->image_c;
}

int
rx_plan_check_batch(const struct rx_plan *plan, int batch, struct rx_error *error)
{
    if (batch > 1 || plan->min_pixels != 1)
        return RX_OK;
    return rx_error_user(error, "--batch 1: a batch norm gets one value a channel, which has no "
                                "variance: 2 or more would do");
}

int
rx_evaluate_loader(struct rx_data *data, const struct rx_settings *s, enum rx_split split,
                   int batch, struct rx_loader **loader, struct rx_error *error)
{
    const struct rx_loader_options options = {
        .split = split, .batch = batch, .workers = (int)s->workers, .seed = (uint64_t)s->seed};
    return rx_loader_open(data, &options, loader, error);
}

int
rx_evaluate(struct rx_session *session, struct rx_loader *loader, struct rx_metrics *metrics,
            struct rx_error *error)
{
    const struct rx_plan *plan = rx_session_plan(session);
    const struct rx_plan_program *infer = &plan->program[RX_PROGRAM_INFER];
    const size_t image = (size_t)rx_plan_image_elements(plan) * sizeof(float);
    const int64_t batches = rx_loader_batches(loader);
    rx_session_run(session, RX_PROGRAM_FOLD, 1);
    rx_loader_seek(loader, 1, 0);
    for (int64_t b = 0; b < batches; b++) {
        struct rx_batch batch;
        if (rx_signals_caught())
            return RX_STOPPED;
        const int status = rx_loader_next(loader, &batch, error);
        if (status != RX_OK)
            return status;
        memcpy(rx_session_tensor(session, infer->input), batch.images, (size_t)batch.n * image);
        rx_session_run(session, RX_PROGRAM_INFER, batch.n);
        rx_metrics_add(metrics, rx_session_tensor(session, infer->logits), batch.labels, batch.n,
                       plan->classes);
        if (rx_session_fault(session, error) != RX_OK)
            return error->status;
    }
    return RX_OK;
}
