// The host's side of the emulator: runs a launch of a kernel on the CPU, one fiber a thread, and
// says what is wrong with it (races, bounds, misalignment, reads of what nothing wrote, divergence)
// and what it does to memory.
//
// Kernels are compiled by g++ with -fsanitize=thread and kernel.h included first; this library
// supplies the functions that the sanitizer's instrumentation calls, so that every load and store
// is seen. One launch at a time.
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { EMU_SHARED_MAX = 227 * 1024, EMU_THREADS_MAX = 1024 };

// Bytes that no kernel should compute with: a signalling NaN as f32 and as two bf16.
enum { EMU_UNWRITTEN = 0x7fa0ffa0 };

// What a launch did. Sectors are 32 bytes; "requested" counts each warp's request, "distinct" each
// sector once a launch. A wavefront is one pass of shared memory's 32 banks.
struct emu_counters {
    uint64_t blocks, barriers, mma, ldmatrix, shuffles, copies;
    uint64_t global_loads, global_stores, shared_loads, shared_stores;  // of warps
    uint64_t sectors_read_requested, sectors_written_requested;
    uint64_t sectors_read, sectors_written;  // distinct
    uint64_t wavefronts, wavefronts_ideal;
    uint64_t faults;
};

struct emu_launch {
    const char *kernel;      // name, for messages
    void (*entry)(void **);  // emu_entry_<kernel>
    void **args;
    unsigned grid[3], block[3];
    size_t dynamic_shared;
    // Shared memory of fixed size: the section rx_shared of the kernel's library, or NULL and 0.
    unsigned char *fixed_shared;
    size_t fixed_bytes;
    uint64_t seed;  // of the order of warps and lanes
};

// Runs the launch; returns the number of faults, each of which is reported once a place on stderr.
// Counters may be NULL: traffic is not followed then, which takes as long as everything else.
uint64_t
emu_run(const struct emu_launch *launch, struct emu_counters *counters);

// Device memory that kernels may touch.
void
emu_map(void *p, size_t bytes, const char *name);
void
emu_unmap(void *p);

#ifdef __cplusplus
}
#endif

#endif
