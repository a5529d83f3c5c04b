// Files: whole reads, atomic writes.
#include "runtime/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16, FOLDER_MODE = 0777, FILE_MODE = 0666 };

int
rx_file_read(const char *path, struct rx_text *out, struct rx_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rx_error_user(error, "%s: cannot be opened: %s", path, strerror(errno));
    rx_text_clear(out);
    char buffer[READ_BYTES];
    for (;;) {
        const ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            const int code = errno;
            close(fd);
            return rx_error_user(error, "%s: cannot be read: %s", path, strerror(code));
        }
        if (n == 0)
            break;
        rx_text_add_bytes(out, buffer, (size_t)n);
    }
    close(fd);
    return RX_OK;
}

int
rx_file_make_folder(const char *path, struct rx_error *error)
{
    char part[4096];
    const int n = snprintf(part, sizeof part, "%s", path);
    if (n < 0 || (size_t)n >= sizeof part)
        return rx_error_refused(error, "%.200s...: the path is too long", path);
    for (char *p = part + 1;; p++) {
        const char at = *p;
        if (at != '/' && at != '\0')
            continue;
        *p = '\0';
        if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST)
            return rx_error_refused(error, "%s: the folder cannot be made: %s", part,
                                    strerror(errno));
        if (at == '\0')
            break;
        *p = at;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return rx_error_refused(error, "%s: is not a folder", path);
    return RX_OK;
}

// Opens the temporary file, or `path` itself where a rename would replace a device or a pipe.
static int
open_for_writing(struct rx_file_writer *w)
{
    struct stat st;
    const int exists = stat(w->path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    if (exists && !S_ISREG(st.st_mode)) {
        w->temporary[0] = '\0';
        return open(w->path, O_WRONLY | O_CLOEXEC);
    }
    return open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
}

int
rx_file_begin(struct rx_file_writer *w, const char *path, struct rx_error *error)
{
    const int n = snprintf(w->path, sizeof w->path, "%s", path);
    const int m = snprintf(w->temporary, sizeof w->temporary, "%s.%ld.tmp", path, (long)getpid());
    w->fd = -1;
    if (n < 0 || m < 0 || (size_t)m >= sizeof w->temporary)
        return rx_error_refused(error, "%.200s...: the path is too long", path);
    w->fd = open_for_writing(w);
    if (w->fd < 0)
        return rx_error_refused(error, "%s: cannot be written: %s", path, strerror(errno));
    return RX_OK;
}

int
rx_file_add(struct rx_file_writer *w, const void *bytes, size_t n, struct rx_error *error)
{
    const char *p = bytes;
    while (n > 0) {
        const ssize_t k = write(w->fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return rx_error_refused(error, "%s: cannot be written: %s", w->path, strerror(errno));
        p += k;
        n -= (size_t)k;
    }
    return RX_OK;
}

// Makes the rename itself durable; a file system that cannot do it is not an error.
static void
sync_folder(const char *path)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash[1] = '\0';
    else if (slash != NULL)
        *slash = '\0';
    const int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int
rx_file_commit(struct rx_file_writer *w, struct rx_error *error)
{
    const int synced = fsync(w->fd);
    const int code = errno;
    const int closed = close(w->fd);
    w->fd = -1;
    const int is_direct = w->temporary[0] == '\0';
    if ((synced != 0 && code != EINVAL) || closed != 0 ||
        (!is_direct && rename(w->temporary, w->path) != 0)) {
        const int why = synced != 0 && code != EINVAL ? code : errno;
        if (!is_direct)
            unlink(w->temporary);
        return rx_error_refused(error, "%s: cannot be written: %s", w->path, strerror(why));
    }
    sync_folder(w->path);
    return RX_OK;
}

void
rx_file_abandon(struct rx_file_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    if (w->temporary[0] != '\0')
        unlink(w->temporary);
}

int
rx_file_probe(const char *path, struct rx_error *error)
{
    struct rx_file_writer w;
    const int status = rx_file_begin(&w, path, error);
    if (status == RX_OK)
        rx_file_abandon(&w);
    return status;
}

int
rx_file_write(const char *path, const void *bytes, size_t n, struct rx_error *error)
{
    struct rx_file_writer w;
    int status = rx_file_begin(&w, path, error);
    if (status != RX_OK)
        return status;
    status = rx_file_add(&w, bytes, n, error);
    if (status == RX_OK)
        return rx_file_commit(&w, error);
    rx_file_abandon(&w);
    return status;
}
