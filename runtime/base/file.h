// Files: read whole, or written atomically (temporary name in the same folder, fsync, rename, fsync
// of the folder), so that a reader never sees half a file and a full disk leaves the old one.
#ifndef RX_BASE_FILE_H
#define RX_BASE_FILE_H

#include <stddef.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

// Reads a whole file into `out` (bytes, NUL after them). A file that cannot be opened is RX_USER.
int
rx_file_read(const char *path, struct rx_text *out, struct rx_error *error);

// Replaces `path` by these bytes; any failure is RX_REFUSED and leaves the old file.
int
rx_file_write(const char *path, const void *bytes, size_t n, struct rx_error *error);

// Creates a folder and its parents; existing ones are fine. Failure is RX_REFUSED.
int
rx_file_make_folder(const char *path, struct rx_error *error);

// A large file written in pieces: begin, add..., then commit or abandon (which removes the
// temporary file). After a failed add only abandon is allowed. A path that is no regular file (a
// device, a pipe) is written directly.
struct rx_file_writer {
    int fd;
    char path[4096], temporary[4096];  // temporary is empty where `path` is written directly
};

int
rx_file_begin(struct rx_file_writer *w, const char *path, struct rx_error *error);
int
rx_file_add(struct rx_file_writer *w, const void *bytes, size_t n, struct rx_error *error);
int
rx_file_commit(struct rx_file_writer *w, struct rx_error *error);
void
rx_file_abandon(struct rx_file_writer *w);

// Whether a file could be written there, before the work that makes it. Leaves nothing.
int
rx_file_probe(const char *path, struct rx_error *error);

#endif
