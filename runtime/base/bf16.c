// bf16 to and from f32, one number at a time.
#include "runtime/base/bf16.h"

#include <math.h>
#include <string.h>

float
rx_bf16_widen(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

uint16_t
rx_bf16_round(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t upper = bits >> 16;
    const uint32_t rest = bits & 0xffff, half = 0x8000;
    if (isnan(value))
        return (uint16_t)(upper | 0x40);
    if (rest > half || (rest == half && upper % 2 == 1))
        upper++;
    return (uint16_t)upper;
}
