// The PTX instructions that kernels use, and accesses of 16 bytes, one small function each, with two
// bodies: PTX, and C++ for the emulator (tests/emu). Never change one body alone. A kernel, which
// includes nothing, holds the parts that it uses.
#ifndef RX_PTX_H
#define RX_PTX_H

//@ part rx_fragment
struct rx_fragment {  // four 32-bit registers: two bf16 each
    unsigned v[4];
};

//@ part RX_DYNAMIC_SHARED
#ifndef RX_EMULATED
#define RX_DYNAMIC_SHARED(type, name) extern __shared__ __align__(128) type name[]
#endif

//@ part rx_shared_address
#ifndef RX_EMULATED
static __device__ __forceinline__ unsigned
rx_shared_address(const void *p)
{
    return (unsigned)__cvta_generic_to_shared(p);
}
#endif

//@ part rx_cp_async16
#ifdef RX_EMULATED
static __forceinline__ void
rx_cp_async16(void *shared, const void *global, int bytes)
{
    emu_copy_async(shared, global, bytes);
}
#else
static __device__ __forceinline__ void
rx_cp_async16(void *shared, const void *global, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(rx_shared_address(shared)),
                 "l"(global), "r"(bytes)
                 : "memory");
}
#endif

//@ part rx_cp_commit
#ifdef RX_EMULATED
static __forceinline__ void
rx_cp_commit(void)
{
    emu_copy_commit();
}
#else
static __device__ __forceinline__ void
rx_cp_commit(void)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
#endif

//@ part rx_cp_wait
#ifdef RX_EMULATED
template <int PENDING>
static __forceinline__ void
rx_cp_wait(void)
{
    emu_copy_wait(PENDING);
}
#else
template <int PENDING>
static __device__ __forceinline__ void
rx_cp_wait(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
#endif

//@ part rx_ldmatrix_x4
// Four 8x8 matrices of bf16 whose rows the lanes point at.
#ifdef RX_EMULATED
#define rx_ldmatrix_x4(row) rx_ldmatrix_at(row, 0, __LINE__)
static __forceinline__ rx_fragment
rx_ldmatrix_at(const void *row, int transposed, int line)
{
    const emu_fragment f = emu_ldmatrix(row, transposed, line);
    return {{f.v[0], f.v[1], f.v[2], f.v[3]}};
}
#else
static __device__ __forceinline__ rx_fragment
rx_ldmatrix_x4(const void *row)
{
    rx_fragment f;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(f.v[0]), "=r"(f.v[1]), "=r"(f.v[2]), "=r"(f.v[3])
                 : "r"(rx_shared_address(row))
                 : "memory");
    return f;
}
#endif

//@ part rx_ldmatrix_x4_trans
// The same, each matrix transposed.
#ifdef RX_EMULATED
#define rx_ldmatrix_x4_trans(row) rx_ldmatrix_trans_at(row, __LINE__)
static __forceinline__ rx_fragment
rx_ldmatrix_trans_at(const void *row, int line)
{
    const emu_fragment f = emu_ldmatrix(row, 1, line);
    return {{f.v[0], f.v[1], f.v[2], f.v[3]}};
}
#else
static __device__ __forceinline__ rx_fragment
rx_ldmatrix_x4_trans(const void *row)
{
    rx_fragment f;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(f.v[0]), "=r"(f.v[1]), "=r"(f.v[2]), "=r"(f.v[3])
                 : "r"(rx_shared_address(row))
                 : "memory");
    return f;
}
#endif

//@ part rx_mma_bf16
// c += a * b: 16x16 times 16x8, bf16 with sums in f32.
#ifdef RX_EMULATED
#define rx_mma_bf16(c, a, b0, b1) rx_mma_bf16_at(c, a, b0, b1, __LINE__)
static __forceinline__ void
rx_mma_bf16_at(float (&c)[4], const rx_fragment &a, unsigned b0, unsigned b1, int line)
{
    const emu_fragment d =
        emu_mma_bf16(a.v[0], a.v[1], a.v[2], a.v[3], b0, b1, c[0], c[1], c[2], c[3], line);
    for (int i = 0; i < 4; i++)
        c[i] = __uint_as_float(d.v[i]);
}
#else
static __device__ __forceinline__ void
rx_mma_bf16(float (&c)[4], const rx_fragment &a, unsigned b0, unsigned b1)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b0), "r"(b1));
}
#endif

//@ part rx_pack_bf16
// Two f32 as bf16, rounded to nearest even; `low` in the lower half.
#ifdef RX_EMULATED
static __forceinline__ unsigned
rx_bf16(float x)
{
    const unsigned bits = __float_as_uint(x);
    return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static __forceinline__ unsigned
rx_pack_bf16(float low, float high)
{
    return rx_bf16(low) | rx_bf16(high) << 16;
}
#else
static __device__ __forceinline__ unsigned
rx_pack_bf16(float low, float high)
{
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#endif

//@ part rx_vector
// 16 bytes at once; g++ would split the copy of a struct. The emulator's type promises no
// alignment, so that it sees a misaligned address before the CPU does.
#ifdef RX_EMULATED
typedef unsigned rx_vector __attribute__((vector_size(16), aligned(4), may_alias));
#endif

//@ part rx_load16
#ifdef RX_EMULATED
static __forceinline__ uint4
rx_load16(const void *p)
{
    const rx_vector v = *(const rx_vector *)p;
    return {v[0], v[1], v[2], v[3]};
}
#else
static __device__ __forceinline__ uint4
rx_load16(const void *p)
{
    return *(const uint4 *)p;
}
#endif

//@ part rx_store16
#ifdef RX_EMULATED
static __forceinline__ void
rx_store16(void *p, uint4 v)
{
    *(rx_vector *)p = rx_vector{v.x, v.y, v.z, v.w};
}
#else
static __device__ __forceinline__ void
rx_store16(void *p, uint4 v)
{
    *(uint4 *)p = v;
}
#endif

//@ part rx_store_global16
// 16 bytes to device memory at once, where the compiler may split a plain store into words. It does
// not know that memory changes, so that loads may pass it: for what the kernel does not read again.
#ifdef RX_EMULATED
static __forceinline__ void
rx_store_global16(void *p, uint4 v)
{
    *(rx_vector *)p = rx_vector{v.x, v.y, v.z, v.w};
}
#else
static __device__ __forceinline__ void
rx_store_global16(void *p, uint4 v)
{
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
                 :
                 : "l"(__cvta_generic_to_global(p)), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w));
}
#endif

//@ part rx_half_vector
// 8 bytes at once; g++ would split the copy of a struct. The emulator's type promises no
// alignment, so that it sees a misaligned address before the CPU does.
#ifdef RX_EMULATED
typedef unsigned rx_half_vector __attribute__((vector_size(8), aligned(4), may_alias));
#endif

//@ part rx_load8
#ifdef RX_EMULATED
static __forceinline__ uint2
rx_load8(const void *p)
{
    const rx_half_vector v = *(const rx_half_vector *)p;
    return {v[0], v[1]};
}
#else
static __device__ __forceinline__ uint2
rx_load8(const void *p)
{
    return *(const uint2 *)p;
}
#endif

//@ part rx_store8
#ifdef RX_EMULATED
static __forceinline__ void
rx_store8(void *p, uint2 v)
{
    *(rx_half_vector *)p = rx_half_vector{v.x, v.y};
}
#else
static __device__ __forceinline__ void
rx_store8(void *p, uint2 v)
{
    *(uint2 *)p = v;
}
#endif

//@ part rx_load_halves
// A bf16 at each place, `low` in the lower half; g++ would read neighbours as a word, which need not
// be aligned.
#ifdef RX_EMULATED
static __forceinline__ unsigned
rx_load_halves(const unsigned short *low, const unsigned short *high)
{
    return *(const volatile unsigned short *)low |
           (unsigned)*(const volatile unsigned short *)high << 16;
}
#else
static __device__ __forceinline__ unsigned
rx_load_halves(const unsigned short *low, const unsigned short *high)
{
    return *low | (unsigned)*high << 16;
}
#endif

//@ part rx_opaque
// x, of which the compiler knows nothing: what follows from it is computed where it is used and not
// kept in registers from one loop to the next.
#ifdef RX_EMULATED
static __forceinline__ int
rx_opaque(int x)
{
    return x;
}
#else
static __device__ __forceinline__ int
rx_opaque(int x)
{
    asm volatile("" : "+r"(x));
    return x;
}
#endif

//@ part rx_word
// Four bytes at once, of whatever type they are.
#ifdef RX_EMULATED
typedef unsigned rx_word __attribute__((may_alias));
#endif

//@ part rx_load4
#ifdef RX_EMULATED
static __forceinline__ unsigned
rx_load4(const void *p)
{
    return *(const rx_word *)p;
}
#else
static __device__ __forceinline__ unsigned
rx_load4(const void *p)
{
    return *(const unsigned *)p;
}
#endif

//@ part rx_store4
#ifdef RX_EMULATED
static __forceinline__ void
rx_store4(void *p, unsigned v)
{
    *(rx_word *)p = v;
}
#else
static __device__ __forceinline__ void
rx_store4(void *p, unsigned v)
{
    *(unsigned *)p = v;
}
#endif

//@ part end_of_ptx
#endif
