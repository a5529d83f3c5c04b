// The command eval: accuracy and loss of weights on a split.
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/json.h"
#include "runtime/params.h"

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

// The share of images whose label is among the best k.
static double
top(const struct rx_metrics *m, int classes, int k)
{
    int64_t right = 0;
    for (int i = 0; i < k && i < classes; i++)
        right += m->at_rank[i];
    return (double)right / (double)m->images;
}

static int
report(const struct rx_metrics *m, int classes, const struct rx_settings *s, struct rx_error *error)
{
    const double loss = m->loss / (double)m->images;
    if (!s->json) {
        for (int i = 0; i < s->n_topk; i++)
            printf("top%d %.4f  ", s->topk[i], top(m, classes, s->topk[i]));
        printf("loss %.5f  images %lld\n", loss, (long long)m->images);
        return RX_OK;
    }
    json_t *line = json_pack("{s:f, s:f}", "top1", top(m, classes, 1), "top5", top(m, classes, 5));
    for (int i = 0; i < s->n_topk; i++) {
        char key[16];
        snprintf(key, sizeof key, "top%d", s->topk[i]);
        json_object_set_new(line, key, json_real(top(m, classes, s->topk[i])));
    }
    json_object_set_new(line, "loss", rx_json_number(loss));
    json_object_set_new(line, "images", json_integer(m->images));
    const int status = rx_json_print(line, error);
    json_decref(line);
    return status;
}

struct eval {
    const struct rx_plan *plan;
    const struct rx_settings *s;
    struct rx_error *error;
    struct rx_data *data;
    struct rx_loader *loader;
    struct rx_session *session;
    struct rx_metrics metrics;
};

static int
open_all(struct eval *e)
{
    const struct rx_settings *s = e->s;
    const struct rx_data_shape shape = rx_plan_data_shape(e->plan);
    const size_t classes = (size_t)e->plan->classes;
    int64_t batches;
    if (s->weights == NULL)
        return rx_error_user(e->error, "--weights: is missing: --weights F.safetensors");
    if (s->confusion != NULL && rx_file_probe(s->confusion, e->error) != RX_OK)
        return e->error->status;
    int status = rx_data_open(s->recipe.data, &shape, &s->recipe, &e->data, e->error);
    if (status == RX_OK)
        status = rx_evaluate_loader(e->data, s, (enum rx_split)s->split, s->recipe.batch,
                                    &e->loader, e->error);
    if (status == RX_OK)
        status =
            rx_session_open_infer(e->plan, s->recipe.batch, (int)s->threads, &e->session, e->error);
    if (status == RX_OK)
        status = rx_params_load(e->session, s->weights, &batches, e->error);
    e->metrics.at_rank = rx_memory_alloc(classes * sizeof *e->metrics.at_rank);
    if (s->confusion != NULL)
        e->metrics.confusion = rx_memory_alloc(classes * classes * sizeof *e->metrics.confusion);
    return status;
}

int
rx_eval(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    struct eval e = {.plan = plan, .s = s, .error = error};
    int status = open_all(&e);
    if (status == RX_OK)
        status = rx_evaluate(e.session, e.loader, &e.metrics, error);
    if (status == RX_OK && s->confusion != NULL)
        status = write_confusion(&e.metrics, plan->classes, s->confusion, error);
    if (status == RX_OK)
        status = report(&e.metrics, plan->classes, s, error);
    free(e.metrics.confusion);
    free(e.metrics.at_rank);
    rx_session_close(e.session);
    rx_loader_close(e.loader);
    rx_data_close(e.data);
    return status;
}
