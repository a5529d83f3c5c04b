// The memory of the device, here the machine's own: large, page-aligned, zeroed.
#ifndef RX_CPU_DEVICE_H
#define RX_CPU_DEVICE_H

#include <stdint.h>

#include "runtime/base/error.h"

// Whether this machine can run what was made for an architecture, and may: RX_REFUSED with what it
// lacks, unless RXGEN_ANY_MACHINE is set (kernels may have been compiled to do without). Before
// threads are started, as Linux gives AMX to those that come after the question.
int
rx_device_check(const char *arch, struct rx_error *error);

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
