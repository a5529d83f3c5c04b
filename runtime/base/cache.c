// The cache of compiled objects. An entry is the payload's hash, a newline and the payload.
#include "runtime/base/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"

enum { PATH_CHARS = 4096, HEAD = RX_HASH_CHARS };  // 32 digits and the newline

// The folder, made if need be: private to its owner, else it is not used.
static int
folder(char *path)
{
    const char *own = getenv("RXGEN_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (own != NULL && *own != '\0')
        n = snprintf(path, PATH_CHARS, "%s", own);
    else if (xdg != NULL && *xdg != '\0')
        n = snprintf(path, PATH_CHARS, "%s/rxgen", xdg);
    else if (home != NULL && *home != '\0')
        n = snprintf(path, PATH_CHARS, "%s/.cache/rxgen", home);
    if (n < 0 || n >= PATH_CHARS)
        return 0;
    struct stat st;
    struct rx_error ignored = {0};
    if (stat(path, &st) != 0) {
        if (rx_file_make_folder(path, &ignored) != RX_OK || chmod(path, 0700) != 0)
            return 0;
        return 1;
    }
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0022) == 0;
}

static int
entry(const char *key, char *path)
{
    char base[PATH_CHARS];
    if (!folder(base))
        return 0;
    const int n = snprintf(path, PATH_CHARS, "%s/%s.o", base, key);
    return n > 0 && n < PATH_CHARS;
}

int
rx_cache_read(const char *key, struct rx_text *out)
{
    char from[PATH_CHARS];
    struct stat st;
    if (!entry(key, from) || lstat(from, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != geteuid())
        return 0;
    struct rx_text text = {0};
    struct rx_error ignored = {0};
    int found = rx_file_read(from, &text, &ignored) == RX_OK && text.n > HEAD;
    if (found) {
        char hash[RX_HASH_CHARS];
        rx_hash_bytes(text.s + HEAD, text.n - HEAD, hash);
        found = memcmp(hash, text.s, HEAD - 1) == 0;
        if (found)
            rx_text_add_bytes(out, text.s + HEAD, text.n - HEAD);
    }
    rx_text_close(&text);
    return found;
}

int
rx_cache_get(const char *key, const char *path)
{
    struct rx_text text = {0};
    struct rx_error ignored = {0};
    const int found =
        rx_cache_read(key, &text) && rx_file_write(path, text.s, text.n, &ignored) == RX_OK;
    rx_text_close(&text);
    return found;
}

void
rx_cache_write(const char *key, const char *bytes, size_t n)
{
    char to[PATH_CHARS], hash[RX_HASH_CHARS];
    struct rx_error ignored = {0};
    if (!entry(key, to))
        return;
    struct rx_text text = {0};
    rx_hash_bytes(bytes, n, hash);
    rx_text_printf(&text, "%s\n", hash);
    rx_text_add_bytes(&text, bytes, n);
    rx_file_write(to, text.s, text.n, &ignored);
    rx_text_close(&text);
}

void
rx_cache_put(const char *key, const char *path)
{
    struct rx_text object = {0};
    struct rx_error ignored = {0};
    if (rx_file_read(path, &object, &ignored) == RX_OK)
        rx_cache_write(key, rx_text_str(&object), object.n);
    rx_text_close(&object);
}
