// Device memory: an arena of address space that the host may not touch, each allocation followed by
// a page that nobody may.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <map>

#include "../emu.h"
#include "shim.h"

enum { PAGE_BYTES = 4096 };
static const size_t ARENA = (size_t)16 << 30;

static char *arena;
static size_t top, used;
static int depth;
static std::map<char *, size_t> allocations;

static size_t
pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

open_memory::open_memory()
{
    if (depth++ == 0)
        mprotect(arena, top, PROT_READ | PROT_WRITE);
}

open_memory::~open_memory()
{
    if (--depth == 0)
        mprotect(arena, top, PROT_NONE);
}

bool
shim_on_device(const void *p, size_t bytes)
{
    auto next = allocations.upper_bound((char *)p);
    if (next == allocations.begin())
        return false;
    const auto &a = *std::prev(next);
    return (char *)p + bytes <= a.first + a.second;
}

static void
fill(char *p, size_t bytes)
{
    const unsigned word = EMU_UNWRITTEN;
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word)
        memcpy(p + i, &word, sizeof word);
}

API cudaError_t
cudaMalloc(void **p, size_t bytes)
{
    const cudaError_t forbidden = shim_forbid_in_capture();
    if (forbidden != cudaSuccess)
        return shim_result(forbidden);
    if (shim_allocation_fails())
        return shim_result(cudaErrorMemoryAllocation);
    if (arena == nullptr)
        arena = (char *)mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                             -1, 0);
    if (arena == MAP_FAILED || bytes > ARENA || top + pages(bytes) + PAGE_BYTES > ARENA)
        return shim_result(cudaErrorMemoryAllocation);
    char *at = arena + top;
    top += pages(bytes) + PAGE_BYTES;
    used += bytes;
    open_memory open;
    mprotect(at, pages(bytes), PROT_READ | PROT_WRITE);
    fill(at, bytes);
    emu_map(at, bytes, "device memory");
    allocations[at] = bytes;
    *p = at;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaFree(void *p)
{
    shim_drain();
    if (p == nullptr)
        return shim_result(cudaSuccess);
    auto a = allocations.find((char *)p);
    if (a == allocations.end())
        return shim_result(cudaErrorInvalidValue);
    emu_unmap(p);
    used -= a->second;
    allocations.erase(a);
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaMemGetInfo(size_t *free, size_t *total)
{
    const size_t megabytes = ARENA >> 20;
    *total = (size_t)shim_option_number("memory", (long)megabytes) << 20;
    *free = *total > used ? *total - used : 0;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaMallocHost(void **p, size_t bytes)
{
    if (shim_allocation_fails())
        return shim_result(cudaErrorMemoryAllocation);
    *p = aligned_alloc(PAGE_BYTES, pages(bytes > 0 ? bytes : 1));
    return shim_result(*p != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}

API cudaError_t
cudaFreeHost(void *p)
{
    shim_drain();
    free(p);
    return shim_result(cudaSuccess);
}

static bool
is_legal(const void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    const bool to_device = shim_on_device(to, bytes), from_device = shim_on_device(from, bytes);
    switch (kind) {
    case cudaMemcpyHostToDevice:
        return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device;
    default:
        return false;
    }
}

// RXGEN_EMU="copies=FILE": a letter for each copy that ran, d to the device, h to the host.
static void
log_copy(enum cudaMemcpyKind kind)
{
    const std::string path = shim_option("copies");
    FILE *file = path.empty() ? nullptr : fopen(path.c_str(), "a");
    if (file == nullptr)
        return;
    fputc(kind == cudaMemcpyDeviceToHost ? 'h' : 'd', file);
    fclose(file);
}

API cudaError_t
cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                cudaStream_t stream)
{
    if (!is_legal(to, from, bytes, kind))
        return shim_result(cudaErrorInvalidValue);
    shim_enqueue(stream, [=] {
        if (shim_fault_due("copy"))
            return shim_lose_device(cudaErrorLaunchFailure);
        memcpy(to, from, bytes);
        log_copy(kind);
    });
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
    shim_drain();
    return shim_result(error);
}

API cudaError_t
cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    if (!shim_on_device(to, bytes))
        return shim_result(cudaErrorInvalidValue);
    shim_enqueue(stream, [=] { memset(to, value, bytes); });
    return shim_result(cudaSuccess);
}
