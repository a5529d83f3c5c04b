// Peaks of the CPU. The runtime is compiled for any machine of its kind, so the loops of multiply-
// adds carry the instruction set that they are meant for.
#include "runtime/peak.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/base/memory.h"
#include "runtime/cpu/device.h"
#include "runtime/cpu/pool.h"
#include "runtime/progress.h"

enum { CHAINS = 12 };  // independent sums: more than latency times throughput of any core
enum { REPEATS = 8 };
static const double LEAST_SECONDS = 0.01;  // of one repeat

// Runs `rounds` times CHAINS multiply-adds; returns something that depends on all of them.
typedef float
fma_loop(int64_t rounds, float x);

// `attribute` says which instructions; with multiply-add among them, that is what the compiler
// makes of the loop's line.
#define FMA_LOOP(name, attribute, lanes)                                                           \
    attribute static float name(int64_t rounds, float x)                                           \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(4 * (lanes))));                            \
        const vector factor = (vector){0} + x;                                                     \
        vector sum[CHAINS];                                                                        \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] = factor + (float)i;      \
        for (int64_t r = 0; r < rounds; r++) {                                                     \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sum[i] =                     \
                sum[i] * factor + factor;                                                          \
        }                                                                                          \
        _Pragma("GCC unroll 12") for (int i = 1; i < CHAINS; i++) sum[0] += sum[i];                \
        return sum[0][0];                                                                          \
    }

#if defined(__x86_64__)
// The same with products of pairs of bf16.
__attribute__((target("avx512f,avx512bf16"))) static float
loop_pairs(int64_t rounds, float x)
{
    const __m512bh factor = (__m512bh)_mm512_set1_ps(x);
    __m512 sum[CHAINS];
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], factor, factor);
    }
#pragma GCC unroll 12
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}

// Products of tiles, of zeros: how fast they are does not depend on what is multiplied.
__attribute__((target("amx-tile,amx-bf16"))) static float
loop_tiles(int64_t rounds, float x)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } all = {.palette = 1,
             .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
             .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&all);
    for (int64_t r = 0; r < rounds; r++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return x;
}

FMA_LOOP(loop_avx512, __attribute__((target("avx512f"))), 16)
FMA_LOOP(loop_avx2, __attribute__((target("avx2,fma"))), 8)
#endif
FMA_LOOP(loop_plain, , 4)

// A loop and its floating point operations a round.
struct loop {
    fma_loop *run;
    double flops;
};

// The loop for the level of x86-64 that the plan's kernels were made for, and for what most of them
// multiply.
static struct loop
choose_loop(const struct rx_plan *plan)
{
#if defined(__x86_64__)
    const int bf16 = strcmp(plan->dtype, "bf16") == 0;
    if (strcmp(plan->arch, "x86-64-v4+amx") == 0 && bf16)
        return (struct loop){loop_tiles, 4 * 2.0 * 16 * 16 * 32};
    if (strcmp(plan->arch, "x86-64-v4+bf16") == 0 && bf16 && __builtin_cpu_supports("avx512bf16"))
        return (struct loop){loop_pairs, 4.0 * 16 * CHAINS};
    if (strncmp(plan->arch, "x86-64-v4", 9) == 0 && __builtin_cpu_supports("avx512f"))
        return (struct loop){loop_avx512, 2.0 * 16 * CHAINS};
    if (strcmp(plan->arch, "x86-64-v3") == 0 && __builtin_cpu_supports("fma"))
        return (struct loop){loop_avx2, 2.0 * 8 * CHAINS};
#else
    (void)plan;
#endif
    return (struct loop){loop_plain, 2.0 * 4 * CHAINS};
}

typedef float vector4 __attribute__((vector_size(16)));

struct work {
    fma_loop *loop;
    int64_t rounds;
    unsigned char *from, *to;  // [bytes] each
    int64_t bytes;
    volatile float sink;  // keeps results alive
};

static void
multiply(void *user, int thread, int n_threads)
{
    (void)n_threads;
    struct work *w = user;
    const float result = w->loop(w->rounds, 0.5f + 1e-6f * (float)thread);
    if (result < 0)  // never, but the compiler does not know
        w->sink = result;
}

// This thread's part of the buffers; whole cache lines.
static int64_t
part(const struct work *w, int thread, int n_threads)
{
    enum { LINE = 64 };
    return w->bytes / LINE * thread / n_threads * LINE;
}

static void
touch(void *user, int thread, int n_threads)
{
    struct work *w = user;
    const int64_t first = part(w, thread, n_threads), last = part(w, thread + 1, n_threads);
    memset(w->from + first, 1, (size_t)(last - first));
    memset(w->to + first, 2, (size_t)(last - first));
}

static void
copy(void *user, int thread, int n_threads)
{
    struct work *w = user;
    const int64_t first = part(w, thread, n_threads), last = part(w, thread + 1, n_threads);
    memcpy(w->to + first, w->from + first, (size_t)(last - first));
}

static void
read_all(void *user, int thread, int n_threads)
{
    enum { STREAMS = 4 };
    struct work *w = user;
    const int64_t first = part(w, thread, n_threads), last = part(w, thread + 1, n_threads);
    const vector4 *v = (const vector4 *)(const void *)(w->from + first);
    const int64_t n = (last - first) / (int64_t)sizeof *v;
    vector4 sum[STREAMS] = {{0}};
    for (int64_t i = 0; i + STREAMS <= n; i += STREAMS) {
#pragma GCC unroll 4
        for (int s = 0; s < STREAMS; s++)
            sum[s] += v[i + s];
    }
    const vector4 all = sum[0] + sum[1] + sum[2] + sum[3];
    if (all[0] < 0)
        w->sink = all[0];
}

// The least seconds of some repeats.
static double
least_seconds(struct rx_pool *pool, rx_pool_fn *fn, struct work *w)
{
    double least = 1e30;
    for (int i = 0; i < REPEATS; i++) {
        const double before = rx_progress_now();
        rx_pool_run(pool, fn, w);
        const double seconds = rx_progress_now() - before;
        least = seconds < least ? seconds : least;
    }
    return least;
}

static double
measure_multiplies(const struct rx_plan *plan, struct rx_pool *pool)
{
    const struct loop loop = choose_loop(plan);
    struct work w = {.loop = loop.run, .rounds = 1 << 16};
    double seconds;
    while ((seconds = least_seconds(pool, multiply, &w)) < LEAST_SECONDS)
        w.rounds *= 4;
    return loop.flops * (double)w.rounds * rx_pool_threads(pool) / seconds;
}

// Far more than the last cache holds.
static int64_t
stream_bytes(void)
{
    const int64_t least = 64 << 20, most = 1 << 30;
    const int64_t bytes = 4 * (int64_t)sysconf(_SC_LEVEL3_CACHE_SIZE);
    return bytes < least ? least : bytes > most ? most : bytes;
}

static double
measure_memory(struct rx_pool *pool, unsigned char *block, int64_t bytes)
{
    struct work w = {.from = block, .to = block + bytes, .bytes = bytes};
    rx_pool_run(pool, touch, &w);
    const double copied = 2 * (double)bytes / least_seconds(pool, copy, &w);
    const double scanned = (double)bytes / least_seconds(pool, read_all, &w);
    return copied > scanned ? copied : scanned;
}

int
rx_peak_measure(const struct rx_plan *plan, int threads, struct rx_peak *peak,
                struct rx_error *error)
{
    if (rx_device_check(plan->arch, error) != RX_OK)
        return error->status;
    struct rx_pool *pool = NULL;
    void *block = NULL;
    const int64_t bytes = stream_bytes();
    if (rx_device_alloc(2 * bytes, &block, error) == RX_OK &&
        rx_pool_open(threads, &pool, error) == RX_OK) {
        peak->gflops = measure_multiplies(plan, pool) * 1e-9;
        peak->gbytes_per_s = measure_memory(pool, block, bytes) * 1e-9;
    }
    rx_pool_close(pool);
    rx_device_free(block, 2 * bytes);
    return error->status;
}
