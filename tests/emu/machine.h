// The emulated machine: one block at a time, a fiber a thread. All state of a launch is here, as
// the functions that instrumented code calls have no argument for it.
#ifndef EMU_MACHINE_H
#define EMU_MACHINE_H

#include <stdint.h>

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernel.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#undef fmaf
#undef fmaxf
#undef sqrtf
#undef expf
#undef logf
#undef sqrt
#undef exp
#undef log
#include "emu.h"

enum { WARP = 32, WORD = 4, PAGE = 4096, SECTOR = 32, WARPS_MAX = EMU_THREADS_MAX / WARP };

enum state { READY, AT_WARP_OPERATION, AT_BARRIER, DONE };
enum operation { SYNC, SHUFFLE, MMA, LDMATRIX };
enum access { LOAD, STORE };
enum space { GLOBAL, SHARED };

// A load or store of one lane, kept until its warp stops: then those of 32 lanes are one request.
struct request {
    uintptr_t site, address;
    unsigned bytes;
    enum space space;
    enum access access;
};

struct copy {  // an asynchronous one, under way
    uintptr_t to;
    const void *from;
    int bytes;
    const void *site;
};

struct warp {
    unsigned first, lanes;  // its first thread; how many it has
    unsigned waiting, at_barrier, done;
    unsigned position;  // in `order`, of the lane that runs
    unsigned char order[WARP];
    uint32_t epoch;  // counts warp synchronisations
};

struct thread {
    emu_place place;  // first: the kernel reads it
    void *stack;
    struct warp *warp;
    unsigned index, lane;
    enum state state;
    enum operation operation;
    int line;
    const void *site;
    unsigned in[6], out[4];  // of a warp operation
    float sum[4];
    const void *row;
    std::vector<copy> open;                    // copies issued and not yet committed
    std::vector<std::vector<copy>> committed;  // groups in order
    std::vector<request> log;
};

// Who last wrote and read a word, or a byte of one that was once touched in part. An epoch is the
// time between two barriers of a block; epochs are never used twice, so what is older than a
// launch, or than a block where memory is shared, tells itself apart and nothing has to be cleared.
struct cell {
    uint32_t write_epoch, read_epoch, write_warp_epoch, read_warp_epoch, write_block, read_block;
    uint16_t writer, reader;
    uint8_t write_flags, read_flags;
    bool split;  // of a word: its bytes have cells of their own, since write_epoch
};
enum { WRITTEN = 1, IN_FLIGHT = 2 };
enum { READ = 1, READ_BY_LANES = 2, READ_BY_WARPS = 4, READ_BY_BLOCKS = 8 };

// Of a stretch of memory.
struct cells {
    std::vector<cell> word, byte;  // bytes: none until a word is split
};

// What is known of PAGE bytes of device memory; the sectors in this launch.
struct page {
    uint32_t launch;
    struct cells cells;
    bool read[PAGE / SECTOR], written[PAGE / SECTOR];
};

struct allocation {
    uintptr_t at;
    size_t bytes;
    const char *name;
    std::vector<std::unique_ptr<page>> pages;
};

struct machine {
    thread threads[EMU_THREADS_MAX];
    warp warps[WARPS_MAX];
    thread *current;  // NULL outside kernels
    void *scheduler;  // its stack pointer
    unsigned n_threads, n_warps, block;
    const emu_launch *launch;
    emu_counters counters;
    bool counting;  // traffic too, which takes its time

    char *stacks;
    unsigned char *dynamic_shared;
    struct cells shared_cells;  // of the dynamic part, then of the fixed part
    std::map<uintptr_t, allocation> allocations;
    allocation *recent;
    uint32_t launch_number, epoch, launch_epoch, block_epoch;

    uint64_t random;
    std::unordered_map<uint64_t, int> told;  // faults, by site and kind
};
extern machine m;

// fault.cpp: counts a fault and reports it once a site; `other` is the other thread or -1.
void
report(const char *what, uintptr_t address, const void *site, int other);

// memory.cpp
allocation *
find_allocation(uintptr_t address);
page *
page_of(allocation *a, uintptr_t address);
// Offset into the shared cells' bytes, or -1 where the bytes are not all shared memory.
long
shared_offset(uintptr_t address, unsigned bytes);

// race.cpp: what may go wrong with bytes of shared or device memory that the current thread
// touches.
enum how { PLAIN, ASYNCHRONOUS };
void
touch_shared(uintptr_t address, unsigned bytes, access access, how how, const void *site);
void
touch_global(allocation *a, uintptr_t address, unsigned bytes, access access, const void *site);
void
land_copy(uintptr_t address);  // 16 bytes that were in flight are there

// count.cpp
void
count_request(uintptr_t site, space space, access access, uintptr_t address, unsigned bytes);
void
count_warp(warp *w);  // the requests that its lanes have logged
void
count_rows(const uintptr_t *address);  // of an ldmatrix, 16 bytes a lane

// fiber.cpp
void
prepare_fiber(thread *t, void (*function)(void));
void
resume(thread *t);  // from the scheduler, until the fiber's warp has stopped
void
leave(void);  // from a fiber: the next lane of its warp runs, or the scheduler
uint64_t
random_below(uint64_t n);

// warp.cpp: the current lane arrives; the last of its warp does the operation for all.
void
arrive(operation operation, int line, const void *site);
void
release_if_complete(warp *w);

#endif
