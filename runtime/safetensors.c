// Reading safetensors: the header is checked whole before anything points into the data.
#include "runtime/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"

enum { LENGTH_BYTES = 8, HEADER_MAX = 100 * 1000 * 1000 };

static const char metadata_key[] = "__metadata__";

int64_t
rx_safetensors_dtype_bytes(const char *dtype)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } known[] = {
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
        {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
        {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, dtype) == 0)
            return known[i].bytes;
    return 0;
}

// A file's text must not move the cursor of the terminal that a message goes to.
static int
is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return 0;
    return 1;
}

static uint64_t
little_endian(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static int
check_dtype(struct rx_safetensor *t, const char *path, const json_t *json, struct rx_error *error)
{
    const char *text = json_string_value(json);
    if (text == NULL)
        return rx_error_user(error, "%s: %.200s: dtype is missing or not a string", path, t->name);
    if (rx_safetensors_dtype_bytes(text) == 0)
        return rx_error_user(error,
                             "%s: %.200s: unknown dtype %.40s: known are BOOL U8 I8 F8_E5M2 "
                             "F8_E4M3 I16 U16 F16 BF16 I32 U32 F32 F64 I64 U64",
                             path, t->name, is_printable(text) ? text : "(unprintable)");
    snprintf(t->dtype, sizeof t->dtype, "%s", text);
    return RX_OK;
}

// Shape and number of elements.
static int
check_shape(struct rx_safetensor *t, const char *path, const json_t *json, struct rx_error *error)
{
    if (!json_is_array(json))
        return rx_error_user(error, "%s: %.200s: shape is missing or not an array", path, t->name);
    const size_t rank = json_array_size(json);
    if (rank > RX_SAFETENSORS_RANK_MAX)
        return rx_error_user(error, "%s: %.200s: shape has %zu dimensions: at most %d are read",
                             path, t->name, rank, RX_SAFETENSORS_RANK_MAX);
    t->rank = (int)rank;
    t->count = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *entry = json_array_get(json, i);
        t->shape[i] = json_integer_value(entry);
        if (!json_is_integer(entry) || t->shape[i] < 0)
            return rx_error_user(error, "%s: %.200s: shape[%zu] is not a non-negative integer",
                                 path, t->name, i);
        if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
            return rx_error_user(error, "%s: %.200s: shape overflows 64 bits at shape[%zu] = %lld",
                                 path, t->name, i, (long long)t->shape[i]);
    }
    return RX_OK;
}

// Where its data are among the n data bytes; their number must be what dtype and shape ask for.
static int
check_offsets(struct rx_safetensor *t, const char *path, const json_t *json,
              const unsigned char *data, size_t n, struct rx_error *error)
{
    const json_t *first = json_array_get(json, 0), *last = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return rx_error_user(error, "%s: %.200s: data_offsets is not an array of two integers",
                             path, t->name);
    const json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > n)
        return rx_error_user(error,
                             "%s: %.200s: data_offsets [%lld, %lld] are not inside the %zu bytes "
                             "of data",
                             path, t->name, (long long)begin, (long long)end, n);
    int64_t bytes;
    if (__builtin_mul_overflow(t->count, rx_safetensors_dtype_bytes(t->dtype), &bytes))
        return rx_error_user(error, "%s: %.200s: its size overflows 64 bits", path, t->name);
    if (bytes != end - begin)
        return rx_error_user(error,
                             "%s: %.200s: data_offsets [%lld, %lld] hold %lld bytes: dtype and "
                             "shape ask for %lld",
                             path, t->name, (long long)begin, (long long)end,
                             (long long)(end - begin), (long long)bytes);
    t->data = data + begin;
    t->bytes = (size_t)bytes;
    return RX_OK;
}

static int
check_tensor(struct rx_safetensor *t, const char *path, const json_t *json,
             const unsigned char *data, size_t n, struct rx_error *error)
{
    if (!json_is_object(json))
        return rx_error_user(error, "%s: %.200s: its entry is not an object", path, t->name);
    if (json_object_size(json) > 3)
        return rx_error_user(error,
                             "%s: %.200s: its entry has fields besides dtype, shape and "
                             "data_offsets",
                             path, t->name);
    int status = check_dtype(t, path, json_object_get(json, "dtype"), error);
    if (status == RX_OK)
        status = check_shape(t, path, json_object_get(json, "shape"), error);
    if (status == RX_OK)
        status = check_offsets(t, path, json_object_get(json, "data_offsets"), data, n, error);
    return status;
}

static int
check_metadata(const char *path, const json_t *json, struct rx_error *error)
{
    if (!json_is_object(json))
        return rx_error_user(error, "%s: %s is not an object", path, metadata_key);
    const char *key;
    json_t *value;
    json_object_foreach(
        (json_t *)json, key,
        value) if (!json_is_string(value)) return rx_error_user(error,
                                                                "%s: %s: %.200s is not a string",
                                                                path, metadata_key,
                                                                is_printable(key)
                                                                    ? key
                                                                    : "(an unprintable key)");
    return RX_OK;
}

// By begin; an empty tensor before the one that starts at the same byte.
static int
compare_place(const void *a, const void *b)
{
    const struct rx_safetensor *x = a, *y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

// The tensors must tile the n data bytes: no overlap, no gap, nothing after the last.
static int
check_tiling(struct rx_safetensors *file, const unsigned char *data, size_t n,
             struct rx_error *error)
{
    if (file->n > 1)
        qsort(file->tensor, (size_t)file->n, sizeof *file->tensor, compare_place);
    const unsigned char *end = data;
    for (int i = 0; i < file->n; i++) {
        const struct rx_safetensor *t = &file->tensor[i];
        const unsigned char *begin = t->data;
        if (begin != end)
            return rx_error_user(error, "%s: %.200s: its data at byte %td %s byte %td", file->path,
                                 t->name, begin - data,
                                 begin < end ? "overlap those that end at" : "leave a gap after",
                                 end - data);
        end = begin + t->bytes;
    }
    if ((size_t)(end - data) != n)
        return rx_error_user(error, "%s: %zu bytes follow the last tensor's data", file->path,
                             n - (size_t)(end - data));
    return RX_OK;
}

static int
check_header(struct rx_safetensors *file, const unsigned char *data, size_t n,
             struct rx_error *error)
{
    const size_t capacity = json_object_size(file->header);
    file->tensor = rx_memory_alloc(capacity * sizeof *file->tensor);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)file->header, key, value)
    {
        int status;
        struct rx_safetensor *t = &file->tensor[file->n];
        if (strcmp(key, metadata_key) == 0) {
            status = check_metadata(file->path, value, error);
        } else if (!is_printable(key)) {
            return rx_error_user(error, "%s: the name of tensor %d has control characters",
                                 file->path, file->n);
        } else {
            file->n++;
            t->name = key;
            status = check_tensor(t, file->path, value, data, n, error);
        }
        if (status != RX_OK)
            return status;
    }
    return check_tiling(file, data, n, error);
}

// Parses the JSON text between the length and the data.
static int
parse_header(struct rx_safetensors *file, const char *text, size_t n, struct rx_error *error)
{
    if (n == 0 || text[0] != '{')
        return rx_error_user(
            error, "%s: the header does not start with '{': not a safetensors file", file->path);
    json_error_t why;
    file->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (file->header == NULL)
        return rx_error_user(error, "%s: the header is not valid JSON: byte %d: %s", file->path,
                             why.position,
                             is_printable(why.text) ? why.text : "a control character");
    return RX_OK;
}

static int
parse(struct rx_safetensors *file, const unsigned char *bytes, size_t n, struct rx_error *error)
{
    if (n < LENGTH_BYTES)
        return rx_error_user(error, "%s: is %zu bytes long: not a safetensors file", file->path, n);
    const uint64_t length = little_endian(bytes);
    if (length > HEADER_MAX || length > n - LENGTH_BYTES)
        return rx_error_user(error,
                             "%s: the header's length is %llu: at most %zu fit in the file, and "
                             "%d is the limit",
                             file->path, (unsigned long long)length, n - LENGTH_BYTES, HEADER_MAX);
    const unsigned char *text = bytes + LENGTH_BYTES;
    const int status = parse_header(file, (const char *)text, (size_t)length, error);
    if (status != RX_OK)
        return status;
    return check_header(file, text + length, n - LENGTH_BYTES - (size_t)length, error);
}

int
rx_safetensors_parse(struct rx_safetensors *file, const char *path, const void *bytes, size_t n,
                     struct rx_error *error)
{
    file->path = path;
    const int status = parse(file, bytes, n, error);
    if (status != RX_OK)
        rx_safetensors_close(file);
    return status;
}

// Maps a whole file; an empty one has no mapping.
static int
map_file(struct rx_safetensors *file, const char *path, struct rx_error *error)
{
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rx_error_user(error, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat st;
    int status = RX_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status = rx_error_user(error, "%s: is not a regular file", path);
    } else if (st.st_size > 0) {
        file->map_bytes = (size_t)st.st_size;
        file->map = mmap(NULL, file->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file->map == MAP_FAILED) {
            file->map = NULL;
            status = rx_error_refused(error, "%s: cannot be mapped: %s", path, strerror(errno));
        }
    }
    close(fd);
    return status;
}

int
rx_safetensors_open(struct rx_safetensors *file, const char *path, struct rx_error *error)
{
    const int status = map_file(file, path, error);
    if (status != RX_OK)
        return status;
    return rx_safetensors_parse(file, path, file->map, file->map_bytes, error);
}

void
rx_safetensors_close(struct rx_safetensors *file)
{
    json_decref(file->header);
    free(file->tensor);
    if (file->map != NULL)
        munmap(file->map, file->map_bytes);
    memset(file, 0, sizeof *file);
}

const struct rx_safetensor *
rx_safetensors_find(const struct rx_safetensors *file, const char *name)
{
    for (int i = 0; i < file->n; i++)
        if (strcmp(file->tensor[i].name, name) == 0)
            return &file->tensor[i];
    return NULL;
}

const char *
rx_safetensors_metadata(const struct rx_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, metadata_key), key));
}
