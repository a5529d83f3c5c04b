// Code: the emulated "cubin" is a shared library of the CPU, which the emulated NVRTC made.
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../emu.h"
#include "shim.h"

enum { SHARED_DEFAULT = 48 * 1024 };

struct CUlib_st {
    void *handle;
    unsigned char *fixed_shared;
    size_t fixed_bytes;
    std::vector<CUkern_st *> kernels;
};
struct CUkern_st {
    std::string name;
    CUlib_st *library;
    void (*entry)(void **);
    unsigned n_arguments;
    const unsigned *argument_bytes;
    int dynamic_shared_max;
};

static void *
open_image(const void *image, size_t bytes)
{
    const int fd = memfd_create("kernel", 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    void *handle = nullptr;
    if (write(fd, image, bytes) == (ssize_t)bytes)
        handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        fprintf(stderr, "emulator: %s\n", dlerror());
    return handle;  // the descriptor stays open: its path is what addr2line reads
}

API cudaError_t
cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *, void **,
                    unsigned, enum cudaLibraryOption *, void **, unsigned)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)code;
    if (shim_allocation_fails())
        return shim_result(cudaErrorMemoryAllocation);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return shim_result(cudaErrorInvalidKernelImage);
    if (header->e_machine != EM_X86_64)  // a cubin of the real NVRTC
        return shim_result(cudaErrorNoKernelImageForDevice);
    void *handle =
        open_image(code, header->e_shoff + (size_t)header->e_shnum * header->e_shentsize);
    if (handle == nullptr)
        return shim_result(cudaErrorInvalidKernelImage);
    auto fixed_shared = (void *(*)(unsigned long *))dlsym(handle, "emu_fixed_shared");
    if (fixed_shared == nullptr)
        return shim_result(cudaErrorInvalidKernelImage);
    unsigned long bytes;
    auto at = (unsigned char *)fixed_shared(&bytes);
    *library = (cudaLibrary_t) new CUlib_st{handle, at, bytes, {}};
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t which, const char *name)
{
    CUlib_st *library = (CUlib_st *)which;
    auto entry =
        (void (*)(void **))dlsym(library->handle, (std::string("emu_entry_") + name).c_str());
    auto arguments = (const unsigned *(*)(unsigned *))dlsym(
        library->handle, (std::string("emu_arguments_") + name).c_str());
    if (entry == nullptr || arguments == nullptr)
        return shim_result(cudaErrorSymbolNotFound);
    unsigned n;
    const unsigned *bytes = arguments(&n);
    library->kernels.push_back(new CUkern_st{name, library, entry, n, bytes, SHARED_DEFAULT});
    *kernel = (cudaKernel_t)library->kernels.back();
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaLibraryUnload(cudaLibrary_t which)
{
    shim_drain();
    CUlib_st *library = (CUlib_st *)which;
    for (CUkern_st *kernel : library->kernels)
        delete kernel;
    dlclose(library->handle);
    delete library;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    CUkern_st *kernel = (CUkern_st *)function;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return shim_result(cudaSuccess);
    if (value < 0 || value + (int)kernel->library->fixed_bytes > EMU_SHARED_MAX)
        return shim_result(cudaErrorInvalidValue);
    kernel->dynamic_shared_max = value;
    return shim_result(cudaSuccess);
}

API cudaError_t
cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function)
{
    const CUkern_st *kernel = (const CUkern_st *)function;
    memset(attributes, 0, sizeof *attributes);
    attributes->sharedSizeBytes = kernel->library->fixed_bytes;
    attributes->maxThreadsPerBlock = EMU_THREADS_MAX;
    return shim_result(cudaSuccess);
}

static void
trace(const std::string &path, const char *kernel, const unsigned *grid, const unsigned *block,
      const emu_counters *c)
{
    FILE *file = fopen(path.c_str(), "a");
    if (file == nullptr)
        return;
    fprintf(
        file,
        "{\"kernel\": \"%s\", \"blocks\": %llu, \"grid\": [%u, %u, %u], \"threads\": %u, "
        "\"mma\": %llu, \"ldmatrix\": %llu, \"barriers\": %llu, \"global_loads\": %llu, "
        "\"global_stores\": %llu, \"sectors_read\": %llu, \"sectors_written\": %llu, "
        "\"sectors_read_requested\": %llu, \"sectors_written_requested\": %llu, "
        "\"wavefronts\": %llu, \"wavefronts_ideal\": %llu, \"shuffles\": %llu, "
        "\"shared_loads\": %llu, \"shared_stores\": %llu, \"copies\": %llu, \"faults\": %llu}\n",
        kernel, (unsigned long long)c->blocks, grid[0], grid[1], grid[2],
        block[0] * block[1] * block[2], (unsigned long long)c->mma, (unsigned long long)c->ldmatrix,
        (unsigned long long)c->barriers, (unsigned long long)c->global_loads,
        (unsigned long long)c->global_stores, (unsigned long long)c->sectors_read,
        (unsigned long long)c->sectors_written, (unsigned long long)c->sectors_read_requested,
        (unsigned long long)c->sectors_written_requested, (unsigned long long)c->wavefronts,
        (unsigned long long)c->wavefronts_ideal, (unsigned long long)c->shuffles,
        (unsigned long long)c->shared_loads, (unsigned long long)c->shared_stores,
        (unsigned long long)c->copies, (unsigned long long)c->faults);
    fclose(file);
}

// With the option "once" a kernel runs only at its first launch of a size: what it does to memory
// is the same at each.
static bool
ran_before(const CUkern_st *kernel, dim3 grid)
{
    static std::set<std::string> seen;
    return !shim_option("once").empty() &&
           !seen.insert(kernel->name + " " + std::to_string(grid.x) + " " + std::to_string(grid.y))
                .second;
}

typedef std::vector<std::vector<char>> arguments;

static void
run(const CUkern_st *kernel, dim3 grid, dim3 block, size_t shared, const arguments &values)
{
    if (shim_fault_due("lost")) {
        shim_lose_device(cudaErrorLaunchFailure);
        return;
    }
    if (ran_before(kernel, grid))
        return;
    std::vector<void *> pointers;
    for (const std::vector<char> &value : values)
        pointers.push_back((void *)value.data());
    emu_launch launch = {};
    launch.kernel = kernel->name.c_str();
    launch.entry = kernel->entry;
    launch.args = pointers.data();
    launch.grid[0] = grid.x, launch.grid[1] = grid.y, launch.grid[2] = grid.z;
    launch.block[0] = block.x, launch.block[1] = block.y, launch.block[2] = block.z;
    launch.dynamic_shared = shared;
    launch.fixed_shared = kernel->library->fixed_shared;
    launch.fixed_bytes = kernel->library->fixed_bytes;
    launch.seed = (uint64_t)shim_option_number("seed", 1);
    const std::string path = shim_option("trace");
    emu_counters counters;
    if (emu_run(&launch, path.empty() ? nullptr : &counters) > 0)
        shim_lose_device(cudaErrorIllegalAddress);
    if (!path.empty())
        trace(path, kernel->name.c_str(), launch.grid, launch.block, &counters);
}

API cudaError_t
cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function, void **args)
{
    const CUkern_st *kernel = (const CUkern_st *)function;
    const dim3 grid = config->gridDim, block = config->blockDim;
    const size_t shared = config->dynamicSmemBytes;
    if (shim_fault_due("launch"))
        return shim_result(cudaErrorLaunchOutOfResources);
    if (shared > (size_t)kernel->dynamic_shared_max || grid.x * grid.y * grid.z == 0 ||
        grid.y > 65535 || grid.z > 65535 || block.x * block.y * block.z == 0 ||
        block.x * block.y * block.z > EMU_THREADS_MAX)
        return shim_result(cudaErrorInvalidValue);
    arguments values;  // copied at the call, as the real runtime does
    for (unsigned i = 0; i < kernel->n_arguments; i++)
        values.emplace_back((char *)args[i], (char *)args[i] + kernel->argument_bytes[i]);
    if (!shim_captures())
        shim_launched();
    shim_enqueue(config->stream, [=] { run(kernel, grid, block, shared, values); });
    return shim_result(cudaSuccess);
}
