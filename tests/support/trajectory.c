// Comparing a generated network with a trajectory that PyTorch computed.
#include "tests/support/trajectory.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/cuda_batch.h"
#include "tests/support/folder.h"
#include "tests/support/formula.h"
#include "tests/support/trajectory_files.h"

// On an emulated device, of the first run and of one that comes out the same; and quickly.
enum { CUDA_STEPS = 4, AGAIN_STEPS = 2, QUICK_STEPS = 2, QUICK_AGAIN = 1 };

// The networks run in f32. Logits: some tens of layers, each with relative errors of 2^-24 times
// the root of the products summed, end at about 1e-6 of their rms; losses of a whole run stay
// within 1e-5 (PyTorch's own f32 does on these networks). The bounds are the project's promise.
static const double logits_tolerance = 1e-4, loss_tolerance = 2e-4;
// Last weights follow losses; what each first gradient may differ by is in the golden beside it.
static const double weights_tolerance = 2e-4;
// Of losses in bf16 against double precision: the project's promise.
static const double bf16_tolerance = 2e-2;

static json_t *
load_golden(const char *golden)
{
    char path[RX_TRAJECTORY_CHARS];
    json_error_t error;
    snprintf(path, sizeof path, "tests/golden/%s.json", golden);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return json;
}

static void
open_trajectory(struct rx_trajectory *t, const char *golden, enum rx_dtype dtype)
{
    t->golden = load_golden(golden);
    if (json_unpack(t->golden, "{s:[i,i,i,i], s:i}", "images", &t->n, &t->c, &t->h, &t->w,
                    "classes", &t->classes) != 0)
        fail_msg("%s: no images or classes", golden);
    if (dtype == RX_BF16) {
        json_t *all = load_golden("bf16");
        t->bf16 = json_incref(json_object_get(all, golden));
        assert_non_null(t->bf16);
        json_decref(all);
    }
    rx_test_folder_open(&t->temporary);
    t->folder = t->temporary.path;
}

static void
close_trajectory(struct rx_trajectory *t)
{
    rx_command_remove_folder(t->folder);
    json_decref(t->golden);
    json_decref(t->bf16);
}

static void
build_network(const struct rx_trajectory *t, const char *form)
{
    struct rx_command c = {0};
    size_t i;
    json_t *setting;
    rx_command_add(&c, "%s --quiet --target %s --dtype %s --form %s --out %s/net",
                   rx_command_rxgen(), t->target, t->bf16 != NULL ? "bf16" : "f32", form,
                   t->folder);
    json_array_foreach(json_object_get(t->golden, "set"), i, setting)
        rx_command_add(&c, "--set %s", json_string_value(setting));
    rx_command_add(&c, "%s", json_string_value(json_object_get(t->golden, "model")));
    rx_command_run_well(&c);
    rx_command_close(&c);
}

static void
check_logits(const struct rx_trajectory *t)
{
    struct rx_command c = {0};
    rx_command_add(&c, "%s/net/infer --weights %s/weights.safetensors", t->folder, t->folder);
    rx_command_add(&c, "--input %s/images.safetensors --output %s/logits.safetensors", t->folder,
                   t->folder);
    rx_command_run_well(&c);
    rx_command_close(&c);
    struct rx_safetensors file;
    rx_trajectory_open(t, "logits.safetensors", &file);
    int64_t count;
    float *logits = rx_trajectory_take(&file, "logits", &count);
    const json_t *want = json_object_get(t->golden, "logits");
    assert_int_equal(count, json_array_size(want));
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += pow(json_number_value(json_array_get(want, (size_t)i)), 2);
    const double rms = sqrt(square / (double)count);
    for (int64_t i = 0; i < count; i++) {
        const double w = json_number_value(json_array_get(want, (size_t)i));
        if (!(fabs(logits[i] - w) <= logits_tolerance * rms))
            fail_msg("logit %d is %.8g, not %.8g (rms %.3g)", (int)i, logits[i], w, rms);
    }
    free(logits);
    rx_safetensors_close(&file);
}

// Logits are the same bits however images are batched and threads share the work.
static void
check_bits(const struct rx_trajectory *t)
{
    static const struct {
        int batch, threads;
    } way[] = {{1, 1}, {1, 2}, {1, 7}, {3, 5}, {16, 3}};
    char path[2][2 * RX_TRAJECTORY_CHARS];
    snprintf(path[0], sizeof path[0], "%s/logits.safetensors", t->folder);
    snprintf(path[1], sizeof path[1], "%s/again.safetensors", t->folder);
    struct rx_text first = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_file_read(path[0], &first, &error), RX_OK);
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        struct rx_command c = {0};
        struct rx_text again = {0};
        rx_command_add(&c, "%s/net/infer --weights %s/weights.safetensors --batch %d --threads %d",
                       t->folder, t->folder, way[i].batch, way[i].threads);
        rx_command_add(&c, "--input %s/images.safetensors --output %s", t->folder, path[1]);
        rx_command_run_well(&c);
        rx_command_close(&c);
        assert_int_equal(rx_file_read(path[1], &again, &error), RX_OK);
        if (again.n != first.n || memcmp(rx_text_str(&again), rx_text_str(&first), first.n) != 0)
            fail_msg("batch %d, %d threads: other logits", way[i].batch, way[i].threads);
        rx_text_close(&again);
    }
    rx_text_close(&first);
}

// Runs `steps` of a golden run; its weights go to trained.safetensors, its run folder to run/.
static void
train(const struct rx_trajectory *t, const json_t *run, int steps, struct rx_command *c)
{
    size_t i;
    json_t *flag;
    char old[2 * RX_TRAJECTORY_CHARS];
    snprintf(old, sizeof old, "%s/run", t->folder);
    rx_command_remove_folder(old);
    rx_command_add(c, "%s/net/train --data tensors:%s/data.safetensors", t->folder, t->folder);
    rx_command_add(c, "--weights %s/weights.safetensors --run %s/run", t->folder, t->folder);
    rx_command_add(c, "--save %s/trained.safetensors --batch %d --steps %d", t->folder,
                   (int)json_integer_value(json_object_get(t->golden, "batch")), steps);
    rx_command_add(c, "--epochs 1000 --no-shuffle --augment none --progress json --threads 2");
    json_array_foreach(json_object_get(run, "flags"), i, flag)
        rx_command_add(c, "%s", json_string_value(flag));
    rx_command_run_well(c);
}

// Losses of bf16 are held against PyTorch's autocast, which rounds elsewhere: as two runs whose
// roundings are independent. The golden has the deviation of such runs; their distance has sqrt(2)
// of it, and four times that is met once in ten thousand. Beside it stands the project's promise.
static void
check_loss_bf16(const struct rx_trajectory *t, const char *name, const json_t *run, size_t step,
                double loss)
{
    const double exact = json_number_value(json_array_get(json_object_get(run, "losses"), step));
    const double cast =
        json_number_value(json_array_get(json_object_get(t->bf16, "autocast"), step));
    const double bound =
        4 * sqrt(2) *
        json_number_value(json_array_get(json_object_get(t->bf16, "deviation"), step));
    if (!(bound > 0 && fabs(loss - cast) <= bound))
        fail_msg("%s: step %zu: loss %.9g, not autocast's %.9g to %.2g", name, step + 1, loss, cast,
                 bound);
    if (!(fabs(loss - exact) <= bf16_tolerance * fabs(exact)))
        fail_msg("%s: step %zu: loss %.9g, not %.9g", name, step + 1, loss, exact);
}

static void
check_loss(const struct rx_trajectory *t, const char *name, const json_t *run, size_t step,
           const json_t *line)
{
    const double loss = json_number_value(json_object_get(line, "loss"));
    const double want = json_number_value(json_array_get(json_object_get(run, "losses"), step));
    const double rate = json_number_value(json_array_get(json_object_get(run, "rates"), step));
    const double lr = json_number_value(json_object_get(line, "lr"));
    if (t->bf16 != NULL)
        check_loss_bf16(t, name, run, step, loss);
    else if (!(fabs(loss - want) <= loss_tolerance * fabs(want)))
        fail_msg("%s: step %zu: loss %.9g, not %.9g", name, step + 1, loss, want);
    if (!(fabs(lr - rate) <= 1e-6 * fabs(rate) + 1e-12))
        fail_msg("%s: step %zu: lr %.9g, not %.9g", name, step + 1, lr, rate);
}

static void
check_steps(const struct rx_trajectory *t, const char *name, const json_t *run, int steps,
            const char *output)
{
    size_t step = 0;
    for (const char *line = output, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        if (json_object_get(object, "lr") != NULL)
            check_loss(t, name, run, step++, object);
        json_decref(object);
    }
    assert_int_equal(step, steps);
}

// The losses of a run as they were printed, without the times; the caller frees them.
static char *
losses_of(const char *output)
{
    struct rx_text text = {0};
    for (const char *at = output; (at = strstr(at, "\"loss\":")) != NULL; at++) {
        const char *rate = strstr(at, "\"lr\"");  // which evaluations have not
        if (rate != NULL && rate < at + strcspn(at, "\n"))
            rx_text_printf(&text, "%.*s ", (int)strcspn(at, ","), at);
    }
    assert_true(text.n > 0);
    return text.s;
}

// Compares tensors `prefix`name of a file with the probes {norm, product, own bound} of a golden;
// `otherwise`, relative to the norm, is the bound of those that have none of their own.
static void
check_probes(const struct rx_trajectory *t, const char *file_name, const char *prefix,
             json_t *probes, double otherwise)
{
    struct rx_safetensors file;
    rx_trajectory_open(t, file_name, &file);
    const char *name;
    json_t *want;
    assert_true(json_object_size(probes) > 0);
    json_object_foreach(probes, name, want)
    {
        char full[RX_TRAJECTORY_CHARS];
        snprintf(full, sizeof full, "%s%s", prefix, name);
        int64_t count;
        float *value = rx_trajectory_take(&file, full, &count);
        const struct rx_formula_probe p = rx_formula_probe(name, value, count);
        const double norm = json_number_value(json_array_get(want, 0));
        const double dot = json_number_value(json_array_get(want, 1));
        const json_t *own = json_array_get(want, 2);
        const double bound = own != NULL ? json_number_value(own) : otherwise * norm;
        if (!(fabs(p.norm - norm) <= bound && fabs(p.dot - dot) <= bound))
            fail_msg("%s of %s: norm %.8g, product %.8g, not %.8g, %.8g to %.2g", full, file_name,
                     p.norm, p.dot, norm, dot, bound);
        free(value);
    }
    rx_safetensors_close(&file);
}

static void
check_run(const struct rx_trajectory *t, const char *name, const json_t *run)
{
    const int steps = (int)json_array_size(json_object_get(run, "losses"));
    struct rx_command c = {0};
    train(t, run, steps, &c);
    check_steps(t, name, run, steps, rx_text_str(&c.out));
    rx_command_close(&c);
    check_probes(t, "trained.safetensors", "", json_object_get(run, "weights"), weights_tolerance);
}

// The momentum after one step is the gradient with its weight decay.
static void
check_first_gradients(const struct rx_trajectory *t, const json_t *run)
{
    struct rx_command c = {0};
    train(t, run, 1, &c);
    rx_command_close(&c);
    check_probes(t, "run/last.safetensors", "momentum/", json_object_get(run, "momentum_1"), 0);
}

void
rx_trajectory_check(const char *golden, const char *form, enum rx_trajectory_runs runs)
{
    struct rx_trajectory t = {.target = "cpu"};
    open_trajectory(&t, golden, RX_F32);
    build_network(&t, form);
    rx_trajectory_write_weights(&t);
    rx_trajectory_write_data(&t);
    check_logits(&t);
    check_bits(&t);
    const char *name;
    json_t *run;
    int n = 0;
    json_object_foreach(json_object_get(t.golden, "runs"), name, run)
    {
        if (n++ == 0)
            check_first_gradients(&t, run);
        else if (runs == RX_TRAJECTORY_FIRST)
            break;
        check_run(&t, name, run);
    }
    close_trajectory(&t);
}

void
rx_trajectory_check_bf16(const char *golden, const char *form)
{
    struct rx_trajectory t = {.target = "cpu"};
    open_trajectory(&t, golden, RX_BF16);
    build_network(&t, form);
    rx_trajectory_write_weights(&t);
    rx_trajectory_write_data(&t);
    void *iter = json_object_iter(json_object_get(t.golden, "runs"));
    const json_t *run = json_object_iter_value(iter);
    const int steps = (int)json_array_size(json_object_get(run, "losses"));
    struct rx_command c = {0};
    train(&t, run, steps, &c);
    check_steps(&t, json_object_iter_key(iter), run, steps, rx_text_str(&c.out));
    rx_command_close(&c);
    close_trajectory(&t);
}

void
rx_trajectory_check_cuda(const char *golden, const char *form, enum rx_dtype dtype,
                         enum rx_trajectory_runs runs)
{
    struct rx_trajectory t = {.target = "cuda --arch sm_90"};
    rx_cuda_batch_select();
    open_trajectory(&t, golden, dtype);
    build_network(&t, form);
    rx_trajectory_write_weights(&t);
    rx_trajectory_write_data(&t);
    if (dtype == RX_F32)
        check_logits(&t);
    void *iter = json_object_iter(json_object_get(t.golden, "runs"));
    const json_t *run = json_object_iter_value(iter);
    struct rx_command c = {0}, again = {0};
    const int all = runs == RX_TRAJECTORY_ALL, steps = all ? CUDA_STEPS : QUICK_STEPS;
    train(&t, run, steps, &c);
    check_steps(&t, json_object_iter_key(iter), run, steps, rx_text_str(&c.out));
    train(&t, run, all ? AGAIN_STEPS : QUICK_AGAIN, &again);
    char *losses = losses_of(rx_text_str(&c.out)), *same = losses_of(rx_text_str(&again.out));
    assert_memory_equal(losses, same, strlen(same));
    free(losses), free(same);
    rx_command_close(&c);
    rx_command_close(&again);
    close_trajectory(&t);
}
