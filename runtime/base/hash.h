// Content keys: XXH3-128 as 32 lower-case hex digits.
#ifndef RX_BASE_HASH_H
#define RX_BASE_HASH_H

#include <stddef.h>

enum { RX_HASH_CHARS = 33 };  // 32 digits and the NUL

void
rx_hash_bytes(const void *bytes, size_t n, char hex[RX_HASH_CHARS]);

#endif
