// Reading IDX files.
#include "runtime/data/idx.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/base/memory.h"

enum { MAGIC_BYTES = 4, DIMENSION_BYTES = 4, TYPE_U8 = 0x08, FIRST_CAPACITY = 1 << 20 };

// More than any published set; keeps a small file from unpacking into all memory.
static const int64_t count_max = INT64_C(1) << 31;

struct reader {
    gzFile file;
    const char *path;
    struct rx_error *error;
};

// Reads exactly n bytes; `what` names them in messages.
static int
read_exactly(const struct reader *r, void *out, int64_t n, const char *what)
{
    const int got = gzread(r->file, out, (unsigned)n);
    int code;
    const char *why = gzerror(r->file, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
        return rx_error_user(r->error, "%s: cannot be read or unpacked: %s", r->path,
                             code == Z_ERRNO ? strerror(errno) : why);
    if (got != n)
        return rx_error_user(r->error, "%s: ends within %s: the file is cut short", r->path, what);
    return RX_OK;
}

static int64_t
big_endian(const unsigned char *bytes)
{
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static int
read_header(struct rx_idx *idx, const struct reader *r, int rank)
{
    unsigned char magic[MAGIC_BYTES], dimension[RX_IDX_RANK_MAX * DIMENSION_BYTES];
    int status = read_exactly(r, magic, sizeof magic, "its magic number");
    if (status != RX_OK)
        return status;
    if (magic[0] != 0 || magic[1] != 0 || magic[2] != TYPE_U8 || magic[3] != rank)
        return rx_error_user(
            r->error, "%s: its magic number is %02x%02x%02x%02x: %08x (IDX, bytes, %d dimensions)",
            r->path, magic[0], magic[1], magic[2], magic[3], TYPE_U8 << 8 | rank, rank);
    status = read_exactly(r, dimension, (int64_t)rank * DIMENSION_BYTES, "its dimensions");
    if (status != RX_OK)
        return status;
    idx->rank = rank;
    idx->count = 1;
    for (int i = 0; i < rank; i++) {
        idx->shape[i] = big_endian(&dimension[i * DIMENSION_BYTES]);
        if (__builtin_mul_overflow(idx->count, idx->shape[i], &idx->count) ||
            idx->count > count_max)
            return rx_error_user(r->error, "%s: its header claims more than %lld bytes", r->path,
                                 (long long)count_max);
    }
    return RX_OK;
}

static int
read_elements(struct rx_idx *idx, const struct reader *r)
{
    int64_t capacity = idx->count < FIRST_CAPACITY ? idx->count : FIRST_CAPACITY;
    int64_t have = 0;
    while (have < idx->count) {
        idx->bytes = rx_memory_grow(idx->bytes, (size_t)capacity);
        const int status = read_exactly(r, idx->bytes + have, capacity - have, "its elements");
        if (status != RX_OK)
            return status;
        have = capacity;
        capacity = capacity < idx->count / 2 ? 2 * capacity : idx->count;
    }
    return RX_OK;
}

// Nothing may follow; reading on also verifies the checksum of a gzipped file.
static int
check_end(const struct rx_idx *idx, const struct reader *r)
{
    unsigned char more;
    const int got = gzread(r->file, &more, 1);
    int code;
    const char *why = gzerror(r->file, &code);
    if (got > 0)
        return rx_error_user(r->error, "%s: bytes follow the %lld elements that its header claims",
                             r->path, (long long)idx->count);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
        return rx_error_user(r->error, "%s: cannot be unpacked: %s", r->path, why);
    return RX_OK;
}

int
rx_idx_read(struct rx_idx *idx, const char *path, int rank, struct rx_error *error)
{
    assert(rank >= 1 && rank <= RX_IDX_RANK_MAX);
    memset(idx, 0, sizeof *idx);
    const struct reader r = {.file = gzopen(path, "rb"), .path = path, .error = error};
    if (r.file == NULL)
        return rx_error_user(error, "%s: cannot be opened: %s", path, strerror(errno));
    int status = read_header(idx, &r, rank);
    if (status == RX_OK)
        status = read_elements(idx, &r);
    if (status == RX_OK)
        status = check_end(idx, &r);
    gzclose_r(r.file);
    if (status != RX_OK)
        rx_idx_close(idx);
    return status;
}

void
rx_idx_close(struct rx_idx *idx)
{
    free(idx->bytes);
    memset(idx, 0, sizeof *idx);
}
