// The cache of compiled objects: ${RXGEN_CACHE_DIR:-${XDG_CACHE_HOME:-~/.cache}/rxgen}, one file an
// entry, named by content key. Any fault is a miss.
#ifndef RX_PLAN_CACHE_H
#define RX_PLAN_CACHE_H

// Copies the entry to `path`; 1 if it was there and whole.
int
rx_cache_get(const char *key, const char *path);

// Keeps the file at `path` under this key; failing to is not an error.
void
rx_cache_put(const char *key, const char *path);

#endif
