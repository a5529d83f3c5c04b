// Allocation. Running out of memory in the generator or while a program sets itself up is the
// machine's refusal and cannot be repaired locally, so these never return NULL: they call the one
// handler that main installs (it prints and exits 1). Big tensor memory does not come from here:
// see runtime/cpu/device.h, which reports a refusal with its size.
#ifndef RX_BASE_MEMORY_H
#define RX_BASE_MEMORY_H

#include <stddef.h>

// Called with the number of bytes that could not be had; must not return.
typedef void
rx_memory_handler(size_t bytes);

// Installs the handler of the process (the default aborts). Call once, from main or a test.
void
rx_memory_on_failure(rx_memory_handler *handler);

// Zeroed memory, released with free().
void *
rx_memory_alloc(size_t bytes);

// As realloc; the grown part is not zeroed.
void *
rx_memory_grow(void *old, size_t bytes);

// An arena: many small objects with one lifetime. Zero-initialise; everything in it is released by
// rx_arena_close. Pointers stay valid until then.
struct rx_arena_chunk;
struct rx_arena {
    struct rx_arena_chunk *chunk;
};

void *
rx_arena_alloc(struct rx_arena *arena, size_t bytes);  // zeroed, 16-byte aligned
char *
rx_arena_text(struct rx_arena *arena, const char *text);
char *
rx_arena_printf(struct rx_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void
rx_arena_close(struct rx_arena *arena);

#endif
