// The cache of compiled kernels, by content key; any fault is a miss. It lies in RXGEN_CACHE_DIR,
// else XDG_CACHE_HOME/rxgen, else ~/.cache/rxgen.
#ifndef RX_BASE_CACHE_H
#define RX_BASE_CACHE_H

#include <stddef.h>

#include "runtime/base/text.h"

// Appends an entry to `out`; 1 if there is one.
int
rx_cache_read(const char *key, struct rx_text *out);
void
rx_cache_write(const char *key, const char *bytes, size_t n);

// The same between the cache and a file.
int
rx_cache_get(const char *key, const char *path);
void
rx_cache_put(const char *key, const char *path);

#endif
