// bf16: the upper half of an f32.
#ifndef RX_BASE_BF16_H
#define RX_BASE_BF16_H

#include <stdint.h>

float
rx_bf16_widen(uint16_t bits);

// To nearest, ties to even; a NaN stays one.
uint16_t
rx_bf16_round(float value);

#endif
