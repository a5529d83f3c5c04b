// Random numbers without state: each is a function of a seed, a stream and an index, by
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
// The seed is the key, the stream the upper and the index the lower half of the counter.
#ifndef RX_RANDOM_H
#define RX_RANDOM_H

#include <stdint.h>

enum { RX_RANDOM_WORDS = 4 };

void
rx_random_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[RX_RANDOM_WORDS]);

// A stream for a name (of a parameter) and one for a purpose in an epoch. Purposes stay below 256
// and epochs below 2^32, so streams of the second kind never meet each other.
uint64_t
rx_random_stream_name(const char *name);
uint64_t
rx_random_stream_epoch(uint32_t purpose, uint64_t epoch);

// Uniform in [0, 1), 53 bits.
double
rx_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

// Two standard normals, by Box-Muller in double precision: sqrt(-2 ln u) times cos(2 pi v) and
// sin(2 pi v), with u in (0, 1] and v in [0, 1) of 53 bits each from one block.
void
rx_random_normals(uint64_t seed, uint64_t stream, uint64_t index, double out[2]);

// Uniform in 0 .. n - 1, n >= 1: the upper half of a 64-bit number times n, whose bias is below
// n / 2^64.
uint64_t
rx_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

#endif
