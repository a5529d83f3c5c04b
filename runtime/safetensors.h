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
    struct rx_safetensor *tensor;
    void *map;  // the file, read-only
    size_t map_bytes;
    void *header;  // the parsed JSON
};

// Opens and checks a file; RX_USER with a message if anything is wrong. Zero-initialise.
int
rx_safetensors_open(struct rx_safetensors *file, const char *path, struct rx_error *error);
void
rx_safetensors_close(struct rx_safetensors *file);

const struct rx_safetensor *
rx_safetensors_find(const struct rx_safetensors *file,
                    const char *name);  // NULL: not there
const char *
rx_safetensors_metadata(const struct rx_safetensors *file, const char *key);  // or NULL

#endif
