// The memory of the device, here the machine's own: large, page-aligned, zeroed.
#ifndef RX_CPU_DEVICE_H
#define RX_CPU_DEVICE_H

#include <stdint.h>

#include "runtime/base/error.h"

// Bytes that can be had without swapping or being killed for it: what the kernel calls available,
// or this group's limit where that is less.
int64_t
rx_device_available(void);

// RX_REFUSED, with both sizes in MB, when there is less than asked for.
int
rx_device_alloc(int64_t bytes, void **block, struct rx_error *error);
void
rx_device_free(void *block, int64_t bytes);

#endif
