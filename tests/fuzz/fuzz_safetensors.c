// Fuzzes the safetensors parser; whatever it accepts must be readable to the last byte.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/safetensors.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    if (rx_safetensors_parse(&file, "input", bytes, n, &error) != RX_OK)
        return 0;
    for (int i = 0; i < file.n; i++) {
        const struct rx_safetensor *t = &file.tensor[i];
        if (rx_safetensors_find(&file, t->name) != t)
            abort();
        volatile uint8_t sink = 0;
        for (size_t k = 0; k < t->bytes; k++)
            sink = (uint8_t)(sink + ((const uint8_t *)t->data)[k]);
    }
    (void)rx_safetensors_metadata(&file, "format");
    rx_safetensors_close(&file);
    return 0;
}
