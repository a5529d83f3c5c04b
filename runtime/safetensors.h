// safetensors files: an 8-byte little-endian header length, a JSON header, then the data. Read
// through a validated parser: nothing in a file is trusted before it was checked (header length,
// JSON without duplicate keys, dtypes, shapes without overflow, offsets inside the file that
// neither overlap nor leave gaps, strings-only metadata).
#ifndef RX_SAFETENSORS_H
#define RX_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

enum { RX_SAFETENSORS_RANK_MAX = 8 };

struct rx_safetensor {
    const char *name;
    char dtype[8];  // "F32", "I64", ... as the file says
    int rank;
    int64_t shape[RX_SAFETENSORS_RANK_MAX];
    int64_t count;     // elements
    const void *data;  // little-endian, not necessarily aligned; inside the mapping
    size_t bytes;
};

struct rx_safetensors {
    const char *path;
    int n;
    struct rx_safetensor *tensor;  // in the order of their data
    void *map;                     // the file, read-only; NULL for parsed bytes
    size_t map_bytes;
    void *header;  // the parsed JSON
};

// Opens and checks a file; RX_USER with a message if anything is wrong. Zero-initialise.
int
rx_safetensors_open(struct rx_safetensors *file, const char *path, struct rx_error *error);
void
rx_safetensors_close(struct rx_safetensors *file);

// As open, from bytes that the caller keeps until close; `path` is what messages call them.
int
rx_safetensors_parse(struct rx_safetensors *file, const char *path, const void *bytes, size_t n,
                     struct rx_error *error);

const struct rx_safetensor *
rx_safetensors_find(const struct rx_safetensors *file,
                    const char *name);  // NULL: not there
const char *
rx_safetensors_metadata(const struct rx_safetensors *file, const char *key);  // or NULL

// Bytes of an element of a dtype, 0 where the format has no such dtype.
int64_t
rx_safetensors_dtype_bytes(const char *dtype);

// A text that goes into the header's metadata.
struct rx_metadata {
    const char *key, *value;
};

// A tensor to be written.
struct rx_safetensors_entry {
    const char *name;
    const char *dtype;  // "F32", "I64", ...
    int rank;
    int64_t shape[RX_SAFETENSORS_RANK_MAX];
    const void *data;  // its elements, little-endian; NULL: asked for
};

// Writes the elements of entry number `entry` to `out`.
typedef void
rx_safetensors_fill_fn(void *context, int entry, void *out);

struct rx_safetensors_content {
    int n;
    const struct rx_safetensors_entry *entry;
    rx_safetensors_fill_fn *fill;  // for entries without data; may be NULL where all have some
    void *context;
    int n_metadata;
    const struct rx_metadata *metadata;
};

// Writes a file atomically, one tensor in memory at a time. The header lists the entries in their
// order, its length is a multiple of 8; the data of wider dtypes come first, so that every element
// is aligned. Equal contents give equal bytes. Names must be unique; RX_USER for a text that is not
// UTF-8, RX_REFUSED where the file cannot be written.
int
rx_safetensors_write(const char *path, const struct rx_safetensors_content *content,
                     struct rx_error *error);

#endif
