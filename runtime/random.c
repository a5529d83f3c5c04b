// Random numbers by Philox.
#include "runtime/random.h"

#include <Random123/philox.h>
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/hash.h"

void
rx_random_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[RX_RANDOM_WORDS])
{
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    const philox4x32_ctr_t counter = {
        {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    const philox4x32_ctr_t block = philox4x32(counter, key);
    memcpy(out, block.v, sizeof block.v);
}

uint64_t
rx_random_stream_name(const char *name)
{
    char hex[RX_HASH_CHARS];
    rx_hash_bytes(name, strlen(name), hex);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16);
}

uint64_t
rx_random_stream_epoch(uint32_t purpose, uint64_t epoch)
{
    assert(purpose < 256 && epoch < (UINT64_C(1) << 32));
    return ((uint64_t)purpose << 32) | epoch;
}

static uint64_t
join(uint32_t high, uint32_t low)
{
    return ((uint64_t)high << 32) | low;
}

// The upper 53 bits as a fraction in [0, 1).
static double
fraction(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

double
rx_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t x[RX_RANDOM_WORDS];
    rx_random_block(seed, stream, index, x);
    return fraction(join(x[0], x[1]));
}

void
rx_random_normals(uint64_t seed, uint64_t stream, uint64_t index, double out[2])
{
    uint32_t x[RX_RANDOM_WORDS];
    rx_random_block(seed, stream, index, x);
    const double u = 1.0 - fraction(join(x[0], x[1]));
    const double radius = sqrt(-2.0 * log(u)), angle = 2.0 * M_PI * fraction(join(x[2], x[3]));
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

uint64_t
rx_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    assert(n >= 1);
    uint32_t x[RX_RANDOM_WORDS];
    rx_random_block(seed, stream, index, x);
    return (uint64_t)(((unsigned __int128)join(x[0], x[1]) * n) >> 64);
}
