// The command infer: images of a safetensors file in, logits out.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/commands.h"
#include "runtime/data/tensors.h"
#include "runtime/json.h"
#include "runtime/params.h"

enum { BEST_DEFAULT = 5 };

struct infer {
    const struct rx_plan *plan;
    const struct rx_settings *s;
    struct rx_error *error;
    struct rx_safetensors file;
    const struct rx_safetensor *images;  // F32 [N,C,H,W]
    struct rx_session *session;
    struct rx_text names;  // the labels file, its lines ended by NUL
    const char **name;     // [classes], or NULL
    float *logits;         // [N][classes]
};

// Splits the labels file into one name a class.
static int
read_labels(struct infer *f)
{
    const int classes = f->plan->classes;
    if (f->s->labels == NULL)
        return RX_OK;
    if (rx_file_read(f->s->labels, &f->names, f->error) != RX_OK)
        return f->error->status;
    f->name = rx_memory_alloc((size_t)classes * sizeof *f->name);
    int n = 0;
    for (char *p = f->names.s; p != NULL && *p != '\0'; n++) {
        char *end = p + strcspn(p, "\n");
        if (n < classes)
            f->name[n] = p;
        p = *end == '\n' ? end + 1 : end;
        *end = '\0';
        if (end > f->names.s && end[-1] == '\r')
            end[-1] = '\0';
    }
    if (n != classes)
        return rx_error_user(f->error, "%.900s: has %d lines: the network has %d classes",
                             f->s->labels, n, classes);
    return RX_OK;
}

static int
open_all(struct infer *f)
{
    const struct rx_settings *s = f->s;
    const struct rx_data_shape shape = rx_plan_data_shape(f->plan);
    int64_t batches;
    if (s->weights == NULL || s->input == NULL || s->output == NULL)
        return rx_error_user(f->error, "--weights, --input and --output are needed: infer "
                                       "--weights F.safetensors --input X.safetensors --output "
                                       "Y.safetensors");
    int status = rx_safetensors_open(&f->file, s->input, f->error);
    if (status == RX_OK)
        status = rx_tensors_images(&f->file, &shape, &f->images, f->error);
    if (status == RX_OK)
        status = read_labels(f);
    if (status == RX_OK)
        status = rx_file_probe(s->output, f->error);
    if (status != RX_OK)
        return status;
    const int64_t n = f->images->shape[0];
    const int batch = n < s->recipe.batch ? (int)n : s->recipe.batch;
    status = rx_session_open_infer(f->plan, batch, (int)s->threads, &f->session, f->error);
    return status == RX_OK ? rx_params_load(f->session, s->weights, &batches, f->error) : status;
}

static void
compute(struct infer *f)
{
    const struct rx_plan_program *p = &f->plan->program[RX_PROGRAM_INFER];
    const int64_t n = f->images->shape[0], elements = rx_plan_image_elements(f->plan);
    const int batch = rx_session_batch(f->session), classes = f->plan->classes;
    f->logits = rx_memory_alloc((size_t)n * (size_t)classes * sizeof *f->logits);
    rx_session_run(f->session, RX_PROGRAM_FOLD, 1);
    for (int64_t first = 0; first < n; first += batch) {
        const int count = n - first < batch ? (int)(n - first) : batch;
        float *input = rx_session_tensor(f->session, p->input);  // [N][H][W][C]
        for (int i = 0; i < count; i++)
            rx_tensors_read(f->images, first + i, input + i * elements);
        rx_session_run(f->session, RX_PROGRAM_INFER, count);
        memcpy(f->logits + first * classes, rx_session_tensor(f->session, p->logits),
               (size_t)count * (size_t)classes * sizeof *f->logits);
    }
}

static int
write_logits(const struct infer *f)
{
    const struct rx_safetensors_entry entry = {.name = "logits",
                                               .dtype = "F32",
                                               .rank = 2,
                                               .shape = {f->images->shape[0], f->plan->classes},
                                               .data = f->logits};
    const struct rx_safetensors_content content = {.n = 1, .entry = &entry};
    return rx_safetensors_write(f->s->output, &content, f->error);
}

// The k best classes of one image, best first; `taken` is scratch, [classes].
static void
best_classes(const float *logits, int classes, int k, char *taken, int *best)
{
    memset(taken, 0, (size_t)classes);
    for (int i = 0; i < k; i++) {
        int at = -1;
        for (int c = 0; c < classes; c++)
            if (!taken[c] && (at < 0 || logits[c] > logits[at]))
                at = c;
        taken[at] = 1;
        best[i] = at;
    }
}

static json_t *
topk_json(const struct infer *f, const float *logits, const int *best, int k)
{
    json_t *list = json_array();
    for (int i = 0; i < k; i++) {
        const double p = exp(-rx_metrics_loss(logits, f->plan->classes, best[i]));
        json_t *row = json_object();
        json_object_set_new(row, "class", json_integer(best[i]));
        if (f->name != NULL)
            json_object_set_new(row, "label", json_string(f->name[best[i]]));
        json_object_set_new(row, "probability", rx_json_number(p));
        json_array_append_new(list, row);
    }
    return list;
}

static void
print_row(const struct infer *f, int64_t image, const float *logits, const int *best, int k)
{
    printf("%lld:", (long long)image);
    for (int i = 0; i < k; i++) {
        const double p = exp(-rx_metrics_loss(logits, f->plan->classes, best[i]));
        printf("  %d", best[i]);
        if (f->name != NULL)
            printf(" %s", f->name[best[i]]);
        printf(" %.4f", p);
    }
    putchar('\n');
}

// What --topk, --labels and --json ask for: each image's best classes.
static int
report(const struct infer *f)
{
    const struct rx_settings *s = f->s;
    const int classes = f->plan->classes, asked = s->n_best > 0 ? s->n_best : BEST_DEFAULT;
    const int k = asked < classes ? asked : classes;
    if (s->n_best == 0 && s->labels == NULL && !s->json)
        return RX_OK;
    char *taken = rx_memory_alloc((size_t)classes);
    int *best = rx_memory_alloc((size_t)k * sizeof *best);
    int status = RX_OK;
    for (int64_t i = 0; i < f->images->shape[0] && status == RX_OK; i++) {
        const float *logits = f->logits + i * classes;
        best_classes(logits, classes, k, taken, best);
        if (s->json) {
            json_t *line = json_pack("{s:I, s:o}", "image", (json_int_t)i, "topk",
                                     topk_json(f, logits, best, k));
            status = rx_json_print(line, f->error);
            json_decref(line);
        } else {
            print_row(f, i, logits, best, k);
        }
    }
    free(taken);
    free(best);
    return status;
}

int
rx_infer(const struct rx_plan *plan, const struct rx_settings *s, struct rx_error *error)
{
    struct infer f = {.plan = plan, .s = s, .error = error};
    int status = open_all(&f);
    if (status == RX_OK) {
        compute(&f);
        status = rx_session_fault(f.session, error);
    }
    if (status == RX_OK)
        status = write_logits(&f);
    if (status == RX_OK)
        status = report(&f);
    free(f.logits);
    free(f.name);
    rx_text_close(&f.names);
    rx_session_close(f.session);
    rx_safetensors_close(&f.file);
    return status;
}
