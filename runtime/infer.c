// Inference: images of a safetensors file in, logits out.
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/params.h"

static int
find_images(const struct rx_plan *plan, const struct rx_safetensors *file,
            const struct rx_safetensor **images, struct rx_error *error)
{
    const struct rx_safetensor *t = rx_safetensors_find(file, "images");
    if (t == NULL)
        return rx_error_user(error, "%s: has no tensor `images`: F32 [N,%d,%d,%d]", file->path,
                             plan->image_c, plan->image_h, plan->image_w);
    if (strcmp(t->dtype, "F32") != 0 || t->rank != 4 || t->shape[1] != plan->image_c ||
        t->shape[2] != plan->image_h || t->shape[3] != plan->image_w || t->shape[0] < 1)
        return rx_error_user(error, "%s: images: is not F32 [N,%d,%d,%d], which the network takes",
                             file->path, plan->image_c, plan->image_h, plan->image_w);
    *images = t;
    return RX_OK;
}

// Images [first, first + n) of an NCHW tensor as NHWC.
static void
to_nhwc(const struct rx_plan *plan, const struct rx_safetensor *t, int64_t first, int n,
        float *to)  // [n][H][W][C]
{
    const int64_t pixels = (int64_t)plan->image_h * plan->image_w, c_n = plan->image_c;
    const char *data = t->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < c_n; c++)
            for (int64_t p = 0; p < pixels; p++)
                memcpy(&to[(i * pixels + p) * c_n + c],
                       data + (((first + i) * c_n + c) * pixels + p) * (int64_t)sizeof(float),
                       sizeof(float));
}

static int
write_logits(const char *path, const float *logits, int64_t n, int classes, struct rx_error *error)
{
    const struct rx_safetensors_entry entry = {
        .name = "logits", .dtype = "F32", .rank = 2, .shape = {n, classes}, .data = logits};
    const struct rx_safetensors_content content = {.n = 1, .entry = &entry};
    return rx_safetensors_write(path, &content, error);
}

int
rx_infer(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    if (s->weights == NULL || s->input == NULL || s->output == NULL)
        return rx_error_user(error, "--weights, --input and --output are needed: infer --weights "
                                    "F.safetensors --input X.safetensors --output Y.safetensors");
    struct rx_safetensors file = {0};
    const struct rx_safetensor *images = NULL;
    struct rx_session *session = NULL;
    float *logits = NULL;
    int64_t batches;
    int status = rx_safetensors_open(&file, s->input, error);
    if (status == RX_OK)
        status = find_images(plan, &file, &images, error);
    const int64_t n = status == RX_OK ? images->shape[0] : 0;
    const int batch = n < s->recipe.batch ? (int)n : s->recipe.batch;
    if (status == RX_OK)
        status = rx_session_open(plan, batch, (int)s->threads, &session, error);
    if (status == RX_OK)
        status = rx_params_load(session, s->weights, &batches, error);
    if (status == RX_OK) {
        const struct rx_plan_program *p = &plan->program[RX_PROGRAM_INFER];
        const size_t row = (size_t)plan->classes * sizeof *logits;
        logits = rx_memory_alloc((size_t)n * row);
        rx_session_run(session, RX_PROGRAM_FOLD, 1);
        for (int64_t first = 0; first < n; first += batch) {
            const int count = n - first < batch ? (int)(n - first) : batch;
            to_nhwc(plan, images, first, count, rx_session_tensor(session, p->input));
            rx_session_run(session, RX_PROGRAM_INFER, count);
            memcpy(logits + first * plan->classes, rx_session_tensor(session, p->logits),
                   (size_t)count * row);
        }
        status = write_logits(s->output, logits, n, plan->classes, error);
    }
    free(logits);
    rx_session_close(session);
    rx_safetensors_close(&file);
    return status;
}
