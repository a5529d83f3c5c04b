// A target: one struct of functions and tables. Passes and the plan writer see this header, never a
// target's own.
#ifndef RX_TARGET_TARGET_H
#define RX_TARGET_TARGET_H

#include <stdint.h>

#include "gen/select/problem.h"
#include "runtime/base/error.h"
#include "runtime/base/hash.h"
#include "runtime/base/text.h"
#include "runtime/plan.h"

// How a problem is computed. Which fields mean something depends on the skeleton.
struct rx_config {
    const char *skeleton;  // the template's stem: "conv_fwd", "gconv_wgrad" ...
    int lanes;             // f32 elements of a vector
    int tile_pixels;       // P: pixels (or rows) of a task
    int tile_m, tile_n;    // rows and vectors of the register tile
    int tile_w;            // conv_fwd, conv_dgrad: channels that go through the epilogue together
};

// How a target's kernels are called, which decides what their operands look like.
//   TABLE   one call a thread, operands in a table of pointers (runtime/kernel.h)
//   LAUNCH  blocks of threads, operands are parameters behind the numbers of images and of parts
enum rx_call_style { RX_CALL_TABLE, RX_CALL_LAUNCH };

// What kernels of a target are written in.
struct rx_language {
    const char *folder;         // of its templates, below templates/
    const char *suffix;         // of a template and of a kernel: ".c"
    const char *header_suffix;  // of a tile header
    const char *shared_header;  // what all tile headers need
    const char *object_suffix;  // of what a kernel is compiled to
    const char *runtime;        // the archive that is linked before librxruntime.a; NULL: none
    enum rx_call_style style;
};

// The machine that kernels are for.
struct rx_machine {
    char arch[64];        // as --arch says: "native" is resolved to what it stands for
    char isa[16];         // tile header: "avx512", "avx2", "generic"
    char tiles[16];       // that of kernels which multiply whole tiles: "amx"; empty: none do
    int lanes;            // f32 elements of a vector
    int registers;        // vector registers
    int dot2;             // 1: an instruction adds the products of two pairs of bf16 to an f32
    enum rx_dtype form;   // of weights where bf16 is multiplied (runtime/weights.h); F32: nowhere
    int multiprocessors;  // of a device
    int shared_bytes;     // of a multiprocessor
    int64_t l1_bytes, l2_bytes;
    int64_t l3_bytes;  // of one or a few cores: not all of a large machine's
    char flags[256];   // what the compiler is told: -march=... -mprefer-vector-width=...
};

enum { RX_KERNEL_NAME_CHARS = 128, RX_WHY_CHARS = 256 };
enum { RX_CANDIDATES_MAX = 256 };  // of a problem

// A chosen kernel: what the plan needs to know of it before it is rendered.
struct rx_kernel {
    const struct rx_problem *problem;
    struct rx_config config, runner_up;  // runner_up.skeleton NULL: there was none
    char name[RX_KERNEL_NAME_CHARS];     // rx_<op>_<fused>_c<C>g<G>_<HxW>_<variant>_<hash8>
    char hash[RX_HASH_CHARS];  // of problem, config, template (with tile header), toolchain
    char why[RX_WHY_CHARS];    // one line for --explain
    double estimate, runner_up_estimate;  // predicted seconds an image on one core
    int64_t task_image, task_fixed, task_divisor;
    int columns;  // parts that a unit of work can be cut into, by channels
    int64_t scratch_bytes;
    int block;         // LAUNCH: threads of a block
    int shared_bytes;  // LAUNCH: shared memory of a block, but for what the kernel declares
    int stages;  // LAUNCH: that shared memory holds, all but one on their way; 0: there are none
    int parts;   // LAUNCH: into how many parts sums are split at most, one a block; 0: no sums
    double flops_image, flops_fixed, bytes_image, bytes_fixed;
    struct rx_plan_gemm gemm;  // LAUNCH: what a library may compute in its place
    const struct rx_language *language;
};

// What the banner says beyond the problem and the config.
struct rx_banner {
    const char *model;      // "models/lib/bottleneck.lua:41"
    const char *nodes;      // "layer1.0.conv2 + bn1 + relu"
    const char *remake;     // "rxgen models/x.lua --only a07d3e51"
    const char *toolchain;  // "x86-64-v3, gcc 12.2"
};

// A device that times are predicted for; what it can do is for its target to know.
struct rx_target_device_data;
struct rx_target_device {
    const char *name, *arch;
    const struct rx_target_device_data *data;
};

// What a compiled kernel takes of a multiprocessor; registers 0: it was not compiled.
struct rx_resources {
    int registers;         // of a thread
    int64_t shared_bytes;  // of a block
};

// What a launch is predicted for.
struct rx_load {
    const struct rx_target_device *device;
    double memory_share;  // of the memory's bandwidth that kernels reach
    int images;
    int parts;  // of sums that the kernel reads or writes; 0: as many as it asks for
    struct rx_resources resources;
};

enum { RX_LIMIT_CHARS = 16 };

// One launch, predicted.
struct rx_prediction {
    double seconds;
    double bytes;  // to and from memory: operands once, what is read again, parts of sums
    double flops;  // wasted ones included
    struct rx_resources
        resources;               // where the kernel was not compiled: what its launch bounds allow
    int blocks;                  // that a multiprocessor runs at once
    double occupancy;            // share of its threads
    char limit[RX_LIMIT_CHARS];  // what takes longest: "memory", "latency", "tensor cores" ...
};

struct rx_target {
    const char *name;
    const struct rx_language *language;
    // The devices that times can be predicted for, and which of them an architecture's kernels run
    // on; 0 and NULL where there are none.
    int n_devices;
    const struct rx_target_device *device;
    int (*device_of)(const char *arch);
    void (*predict)(const struct rx_kernel *kernel, const struct rx_load *load,
                    struct rx_prediction *prediction);
    // Resolves --arch; RX_USER for one that does not exist.
    int (*machine)(const char *arch, struct rx_machine *machine, struct rx_error *error);
    // Whether the config can compute the problem: 1, or 0 and the reason is appended to `why`.
    int (*applicable)(const struct rx_machine *machine, const struct rx_problem *problem,
                      const struct rx_config *config, struct rx_text *why);
    // The applicable configs that are worth a look, best estimate first; returns how many (at least
    // 1 for every problem that `fuse` makes) and writes at most `max`.
    int (*candidates)(const struct rx_machine *machine, const struct rx_problem *problem,
                      struct rx_config *config, int max);
    // Fills every field of `kernel` for this problem and config; RX_REFUSED with the reason for one
    // that is not applicable.
    int (*describe)(const struct rx_machine *machine, const char *templates, const char *toolchain,
                    const struct rx_problem *problem, const struct rx_config *config,
                    struct rx_kernel *kernel, struct rx_error *error);
};

extern const struct rx_target rx_target_cpu, rx_target_cuda;

#endif
