// Writing safetensors: the header first, then one tensor after the other.
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/safetensors.h"

enum { HEADER_ALIGN = 8, WIDEST = 8 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are written as they lie");

static size_t
entry_bytes(const struct rx_safetensors_entry *entry)
{
    int64_t bytes = rx_safetensors_dtype_bytes(entry->dtype);
    assert(bytes > 0);
    for (int i = 0; i < entry->rank; i++)
        bytes *= entry->shape[i];
    return (size_t)bytes;
}

// Entries of each width in turn, widest first: `order` gets their numbers as their data lie.
static void
place(const struct rx_safetensors_content *content, int *order)
{
    int n = 0;
    for (int64_t width = WIDEST; width >= 1; width /= 2)
        for (int i = 0; i < content->n; i++)
            if (rx_safetensors_dtype_bytes(content->entry[i].dtype) == width)
                order[n++] = i;
    assert(n == content->n);
}

static json_t *
describe(const struct rx_safetensors_entry *entry, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < entry->rank; i++)
        json_array_append_new(shape, json_integer(entry->shape[i]));
    json_t *json = json_object();
    json_object_set_new(json, "dtype", json_string(entry->dtype));
    json_object_set_new(json, "shape", shape);
    const json_int_t first = (json_int_t)begin, last = (json_int_t)(begin + entry_bytes(entry));
    json_object_set_new(json, "data_offsets", json_pack("[I, I]", first, last));
    return json;
}

static int
add_metadata(json_t *header, const struct rx_safetensors_content *content, const char *path,
             struct rx_error *error)
{
    if (content->n_metadata == 0)
        return RX_OK;
    json_t *json = json_object();
    json_object_set_new(header, "__metadata__", json);
    for (int i = 0; i < content->n_metadata; i++) {
        const struct rx_metadata *m = &content->metadata[i];
        if (json_object_set_new(json, m->key, json_string(m->value)) != 0)
            return rx_error_user(error, "%s: metadata %.200s: is not UTF-8 text", path, m->key);
    }
    return RX_OK;
}

// The header as JSON, its entries in the caller's order.
static int
build_header(const struct rx_safetensors_content *content, const int *order, const char *path,
             json_t **header, struct rx_error *error)
{
    size_t *begin = rx_memory_alloc((size_t)content->n * sizeof *begin);
    size_t next = 0;
    for (int i = 0; i < content->n; i++) {
        begin[order[i]] = next;
        next += entry_bytes(&content->entry[order[i]]);
    }
    *header = json_object();
    int status = add_metadata(*header, content, path, error);
    for (int i = 0; i < content->n && status == RX_OK; i++) {
        const struct rx_safetensors_entry *entry = &content->entry[i];
        assert(json_object_get(*header, entry->name) == NULL);
        if (json_object_set_new(*header, entry->name, describe(entry, begin[i])) != 0)
            status = rx_error_user(error, "%s: a tensor's name is not UTF-8 text", path);
    }
    free(begin);
    return status;
}

static int
write_header(struct rx_file_writer *w, const json_t *header, struct rx_error *error)
{
    char *text = json_dumps(header, JSON_COMPACT);
    if (text == NULL)
        return rx_error_refused(error, "%s: no memory for the header", w->path);
    const size_t n = strlen(text);
    const size_t padded = (n + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN;
    const uint64_t length = padded;
    int status = rx_file_add(w, &length, sizeof length, error);
    if (status == RX_OK)
        status = rx_file_add(w, text, n, error);
    if (status == RX_OK)
        status = rx_file_add(w, "       ", padded - n, error);
    free(text);
    return status;
}

static int
write_data(struct rx_file_writer *w, const struct rx_safetensors_content *content, const int *order,
           struct rx_error *error)
{
    size_t largest = 0;
    for (int i = 0; i < content->n; i++)
        if (content->entry[i].data == NULL && entry_bytes(&content->entry[i]) > largest)
            largest = entry_bytes(&content->entry[i]);
    void *buffer = rx_memory_alloc(largest);
    int status = RX_OK;
    for (int i = 0; i < content->n && status == RX_OK; i++) {
        const struct rx_safetensors_entry *entry = &content->entry[order[i]];
        if (entry->data == NULL)
            content->fill(content->context, order[i], buffer);
        const void *bytes = entry->data != NULL ? entry->data : buffer;
        status = rx_file_add(w, bytes, entry_bytes(entry), error);
    }
    free(buffer);
    return status;
}

static int
write_file(const char *path, const json_t *header, const struct rx_safetensors_content *content,
           const int *order, struct rx_error *error)
{
    struct rx_file_writer w;
    int status = rx_file_begin(&w, path, error);
    if (status != RX_OK)
        return status;
    status = write_header(&w, header, error);
    if (status == RX_OK)
        status = write_data(&w, content, order, error);
    if (status == RX_OK)
        return rx_file_commit(&w, error);
    rx_file_abandon(&w);
    return status;
}

int
rx_safetensors_write(const char *path, const struct rx_safetensors_content *content,
                     struct rx_error *error)
{
    int *order = rx_memory_alloc((size_t)content->n * sizeof *order);
    place(content, order);
    json_t *header = NULL;
    int status = build_header(content, order, path, &header, error);
    if (status == RX_OK)
        status = write_file(path, header, content, order, error);
    json_decref(header);
    free(order);
    return status;
}
