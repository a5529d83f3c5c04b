// The kernel's side of the emulator: included before a CUDA source that g++ compiles. It stands for
// what nvcc declares by itself; loads and stores need nothing, as -fsanitize=thread shows them.
#ifndef EMU_KERNEL_H
#define EMU_KERNEL_H

#define RX_EMULATED 1
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const
// Shared memory of fixed size is one section of the library, so that the emulator finds it.
#define __shared__ static __attribute__((section("rx_shared"), aligned(16)))
// Shared memory whose size the launch gives.
#define RX_DYNAMIC_SHARED(type, name) type *const name = (type *)emu_dynamic_shared()

struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct emu_dim3 {
    unsigned x, y, z;
};
struct emu_place {  // of a thread; the first bytes of its fiber
    emu_dim3 thread, block, block_dim, grid_dim;
};
struct emu_fragment {  // registers of a warp operation's result
    unsigned v[4];
};

// `line` tells warp operations and barriers apart: g++ duplicates calls, so that a return address
// does not.
extern "C" {
const emu_place *
emu_self(void) __attribute__((const));  // constant in a fiber: may be hoisted
void *
emu_dynamic_shared(void) __attribute__((const));
void
emu_barrier(int line);
void
emu_warp_sync(int line);
unsigned
emu_shuffle_xor(unsigned value, unsigned mask, int line);
emu_fragment
emu_mma_bf16(unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1, float c0,
             float c1, float c2, float c3, int line);
emu_fragment
emu_ldmatrix(const void *row, int transposed, int line);
void
emu_copy_async(void *shared, const void *global, int bytes);
void
emu_copy_commit(void);
void
emu_copy_wait(int pending);
}

#define threadIdx (emu_self()->thread)
#define blockIdx (emu_self()->block)
#define blockDim (emu_self()->block_dim)
#define gridDim (emu_self()->grid_dim)
#define __syncthreads() emu_barrier(__LINE__)
#define __syncwarp() emu_warp_sync(__LINE__)

static inline float
__uint_as_float(unsigned u)
{
    float f;
    __builtin_memcpy(&f, &u, sizeof f);
    return f;
}

static inline unsigned
__float_as_uint(float f)
{
    unsigned u;
    __builtin_memcpy(&u, &f, sizeof u);
    return u;
}

static inline float
__shfl_xor_sync_at(float value, int mask, int line)
{
    return __uint_as_float(emu_shuffle_xor(__float_as_uint(value), (unsigned)mask, line));
}
static inline unsigned
__shfl_xor_sync_at(unsigned value, int mask, int line)
{
    return emu_shuffle_xor(value, (unsigned)mask, line);
}
#define __shfl_xor_sync(all, value, mask) __shfl_xor_sync_at(value, mask, __LINE__)

static inline float
__fmaf_rn(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
#define fmaf __fmaf_rn
#define fmaxf __builtin_fmaxf
#define sqrtf __builtin_sqrtf
#define expf __builtin_expf
#define logf __builtin_logf
#define sqrt __builtin_sqrt
#define exp __builtin_exp
#define log __builtin_log
static inline int
min(int a, int b)
{
    return a < b ? a : b;
}
static inline int
max(int a, int b)
{
    return a > b ? a : b;
}

// Where the library's shared memory of fixed size lies; NULL where it has none.
extern "C" char __start_rx_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_rx_shared[] __attribute__((weak, visibility("hidden")));
#define EMU_LIBRARY                                                                                \
    extern "C" void *emu_fixed_shared(unsigned long *bytes)                                        \
    {                                                                                              \
        *bytes = (unsigned long)(__stop_rx_shared - __start_rx_shared);                            \
        return __start_rx_shared;                                                                  \
    }

// What a launch needs of a kernel: an entry that takes pointers to the arguments, as the CUDA
// runtime does, and how many there are of which size. A template knows the types.
template <class... A> struct emu_signature {
    static constexpr unsigned count = sizeof...(A);
    static constexpr unsigned size[sizeof...(A) + 1] = {sizeof(A)..., 0};
};
template <unsigned... I> struct emu_sequence {
};
template <unsigned N, unsigned... I> struct emu_count_to : emu_count_to<N - 1, N - 1, I...> {
};
template <unsigned... I> struct emu_count_to<0, I...> {
    typedef emu_sequence<I...> type;
};
template <class... A, unsigned... I>
static __forceinline__ void
emu_apply(void (*kernel)(A...), void **args, emu_sequence<I...>)
{
    kernel(*(A *)args[I]...);
}
template <class... A>
static __forceinline__ void
emu_enter(void (*kernel)(A...), void **args)
{
    emu_apply(kernel, args, typename emu_count_to<sizeof...(A)>::type());
}
template <class... A>
constexpr emu_signature<A...>
emu_signature_of(void (*)(A...))
{
    return {};
}
#define EMU_EXPORT(kernel)                                                                         \
    extern "C" __attribute__((no_sanitize_thread)) void emu_entry_##kernel(void **args)            \
    {                                                                                              \
        emu_enter(&kernel, args);                                                                  \
    }                                                                                              \
    extern "C" const unsigned *emu_arguments_##kernel(unsigned *count)                             \
    {                                                                                              \
        *count = decltype(emu_signature_of(&kernel))::count;                                       \
        return decltype(emu_signature_of(&kernel))::size;                                          \
    }

#endif
