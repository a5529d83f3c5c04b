// Content keys.
#define XXH_INLINE_ALL
#include "runtime/base/hash.h"

#include <stdio.h>
#include <xxhash.h>

void
rx_hash_bytes(const void *bytes, size_t n, char hex[RX_HASH_CHARS])
{
    const XXH128_hash_t h = XXH3_128bits(bytes, n);
    snprintf(hex, RX_HASH_CHARS, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}
