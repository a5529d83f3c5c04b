// Allocation that never returns NULL, and arenas.
#include "runtime/base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16, ALIGN = 16 };

struct rx_arena_chunk {
    struct rx_arena_chunk *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char bytes[];
};

static rx_memory_handler *on_failure;

void
rx_memory_on_failure(rx_memory_handler *handler)
{
    on_failure = handler;
}

static void
fail(size_t bytes)
{
    if (on_failure != NULL)
        on_failure(bytes);
    abort();
}

void *
rx_memory_alloc(size_t bytes)
{
    void *p = calloc(1, bytes > 0 ? bytes : 1);
    if (p == NULL)
        fail(bytes);
    return p;
}

void *
rx_memory_grow(void *old, size_t bytes)
{
    void *p = realloc(old, bytes > 0 ? bytes : 1);
    if (p == NULL)
        fail(bytes);
    return p;
}

void *
rx_arena_alloc(struct rx_arena *arena, size_t bytes)
{
    const size_t need = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct rx_arena_chunk *chunk = arena->chunk;
    if (chunk == NULL || chunk->size - chunk->used < need) {
        const size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        chunk = rx_memory_alloc(sizeof *chunk + size);
        chunk->size = size;
        chunk->next = arena->chunk;
        arena->chunk = chunk;
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += need;
    return p;
}

char *
rx_arena_text(struct rx_arena *arena, const char *text)
{
    const size_t n = strlen(text) + 1;
    return memcpy(rx_arena_alloc(arena, n), text, n);
}

char *
rx_arena_printf(struct rx_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = rx_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void
rx_arena_close(struct rx_arena *arena)
{
    while (arena->chunk != NULL) {
        struct rx_arena_chunk *next = arena->chunk->next;
        free(arena->chunk);
        arena->chunk = next;
    }
}
