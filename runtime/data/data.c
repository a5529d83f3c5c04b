// The table of data sources, and what they share.
#include "runtime/data/data.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/data/source.h"

static const struct source {
    const char *name;
    const char *usage;  // as a SPEC
    rx_source_open_fn *open;
} sources[] = {
    {"fashion-mnist", "fashion-mnist[:DIR]", rx_fashion_open},
    {"synthetic", "synthetic[:N]", rx_synthetic_open},
    {"tensors", "tensors:FILE.safetensors", rx_tensors_open},
};

enum { N_SOURCES = sizeof sources / sizeof sources[0] };

// Their formats are not read yet.
static const char *const later[] = {"cifar10", "cifar100", "imagenet", "folder", "shards"};

enum { N_LATER = sizeof later / sizeof later[0] };

static int
is_name(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && memcmp(name, text, n) == 0;
}

static int
refuse(const char *spec, size_t n, struct rx_error *error)
{
    struct rx_text known = {0};
    for (size_t i = 0; i < N_SOURCES; i++)
        rx_text_printf(&known, "%s%s", i > 0 ? ", " : "", sources[i].usage);
    const char *what = "unknown data source";
    for (size_t i = 0; i < N_LATER; i++)
        if (is_name(later[i], spec, n))
            what = "this data source comes with a later version";
    const int status = rx_error_user(error, "--data %.200s: %s: known are %s", spec, what, known.s);
    rx_text_close(&known);
    return status;
}

static const struct source *
find(const char *spec, size_t n)
{
    for (size_t i = 0; i < N_SOURCES; i++)
        if (is_name(sources[i].name, spec, n))
            return &sources[i];
    return NULL;
}

int
rx_data_open(const char *spec, const struct rx_data_shape *shape, const struct rx_recipe *recipe,
             struct rx_data **data, struct rx_error *error)
{
    const size_t n = strcspn(spec, ":");
    const struct source *source = find(spec, n);
    if (source == NULL)
        return refuse(spec, n, error);
    struct rx_data *d = rx_memory_alloc(sizeof *d);
    d->shape = *shape;
    d->recipe = *recipe;
    const int status = source->open(d, spec[n] == ':' ? spec + n + 1 : NULL, error);
    if (status != RX_OK) {
        rx_data_close(d);
        return status;
    }
    *data = d;
    return RX_OK;
}

void
rx_data_close(struct rx_data *data)
{
    if (data == NULL)
        return;
    if (data->close != NULL)
        data->close(data->state);
    for (int i = 0; i < RX_SPLITS; i++)
        free(data->labels[i]);
    free(data);
}

int64_t
rx_data_count(const struct rx_data *data, enum rx_split split)
{
    return data->count[split];
}

int64_t
rx_data_bytes(const struct rx_data *data)
{
    int64_t bytes = data->state_bytes;
    for (int i = 0; i < RX_SPLITS; i++)
        bytes += data->count[i] * (int64_t)sizeof *data->labels[i];
    return bytes;
}

int
rx_data_check_size(const struct rx_data_shape *s, const char *where, int64_t h, int64_t w,
                   int64_t c, struct rx_error *error)
{
    if (h == s->h && w == s->w && c == s->c)
        return RX_OK;
    return rx_error_user(error,
                         "%s: images are %lldx%lldx%lld (height, width, channels): the network "
                         "takes %dx%dx%d",
                         where, (long long)h, (long long)w, (long long)c, s->h, s->w, s->c);
}

int
rx_data_check_label(const struct rx_data_shape *s, const char *where, int64_t index, int64_t label,
                    struct rx_error *error)
{
    if (label >= 0 && label < s->classes)
        return RX_OK;
    return rx_error_user(error,
                         "%s: label %lld of image %lld is outside the network's classes: "
                         "0 to %d are inside",
                         where, (long long)label, (long long)index, s->classes - 1);
}
