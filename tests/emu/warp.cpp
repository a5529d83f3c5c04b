// Operations of a whole warp: lanes arrive one by one, the last does the work for all 32.
#include <string.h>

#include "machine.h"

static float
low(unsigned pair)
{
    return __uint_as_float(pair << 16);
}

static float
high(unsigned pair)
{
    return __uint_as_float(pair & 0xffff0000u);
}

// mma.m16n8k16, row.col, bf16 with f32 sums: which element a lane's registers hold is in the PTX
// ISA, "Matrix Fragments for mma.m16n8k16". Sums are taken in the order of k.
static void
multiply(thread *t)
{
    enum { M = 16, N = 8, K = 16 };
    float a[M][K], b[K][N], c[M][N];
    for (unsigned lane = 0; lane < WARP; lane++) {
        const unsigned row = lane / 4, pair = lane % 4 * 2;
        for (unsigned i = 0; i < 4; i++) {
            float *to = &a[row + i % 2 * 8][pair + i / 2 * 8];
            to[0] = low(t[lane].in[i]);
            to[1] = high(t[lane].in[i]);
            c[row + i / 2 * 8][pair + i % 2] = t[lane].sum[i];
        }
        for (unsigned i = 0; i < 2; i++) {
            b[pair + i * 8][row] = low(t[lane].in[4 + i]);
            b[pair + i * 8 + 1][row] = high(t[lane].in[4 + i]);
        }
    }
    for (unsigned i = 0; i < M; i++)
        for (unsigned k = 0; k < K; k++)
            for (unsigned j = 0; j < N; j++)
                c[i][j] = __builtin_fmaf(a[i][k], b[k][j], c[i][j]);
    for (unsigned lane = 0; lane < WARP; lane++)
        for (unsigned i = 0; i < 4; i++)
            t[lane].out[i] = __float_as_uint(c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
    m.counters.mma++;
}

// ldmatrix.x4 .b16: lanes 8i to 8i+7 name the rows of matrix i.
static void
load_matrices(thread *t)
{
    uint16_t row[WARP][8];
    uintptr_t address[WARP];
    thread *self = m.current;
    for (unsigned lane = 0; lane < WARP; lane++) {
        address[lane] = (uintptr_t)t[lane].row;
        m.current = &t[lane];
        memset(row[lane], 0xff, sizeof row[lane]);
        if (address[lane] % 16 != 0)
            report("a row of ldmatrix is misaligned", address[lane], t[lane].site, -1);
        touch_shared(address[lane], 16, LOAD, PLAIN, t[lane].site);
        if (shared_offset(address[lane], 16) >= 0)
            memcpy(row[lane], t[lane].row, sizeof row[lane]);
    }
    m.current = self;
    count_rows(address);
    m.counters.ldmatrix++;
    for (unsigned lane = 0; lane < WARP; lane++)
        for (unsigned i = 0; i < 4; i++) {
            const unsigned r = lane / 4, c = lane % 4 * 2;
            const bool transposed = t[0].in[0] != 0;
            const unsigned first = transposed ? row[i * 8 + c][r] : row[i * 8 + r][c];
            const unsigned second = transposed ? row[i * 8 + c + 1][r] : row[i * 8 + r][c + 1];
            t[lane].out[i] = first | second << 16;
        }
}

static void
shuffle(thread *t)
{
    for (unsigned lane = 0; lane < WARP; lane++)
        t[lane].out[0] = t[(lane ^ t[lane].in[1]) % WARP].in[0];
    m.counters.shuffles++;
}

// The first lane that waits at the operation; reports where the others are elsewhere.
static const thread *
leader(const warp *w)
{
    const thread *first = nullptr;
    bool together = true;
    for (unsigned lane = 0; lane < w->lanes; lane++) {
        const thread *t = &m.threads[w->first + lane];
        const bool waits = t->state == AT_WARP_OPERATION;
        if (waits && first == nullptr)
            first = t;
        together = together && waits && t->operation == first->operation && t->line == first->line;
    }
    if (!together)
        report("a warp operation is not reached by all lanes", 0, first->site, -1);
    if (w->lanes != WARP)
        report("a warp operation in a warp of fewer lanes", 0, first->site, -1);
    return first;
}

static void
complete(warp *w)
{
    thread *t = m.threads + w->first;
    switch (leader(w)->operation) {
    case MMA:
        multiply(t);
        break;
    case LDMATRIX:
        load_matrices(t);
        break;
    case SHUFFLE:
        shuffle(t);
        break;
    case SYNC:
        w->epoch++;
        break;
    }
    for (unsigned lane = 0; lane < w->lanes; lane++)
        if (t[lane].state == AT_WARP_OPERATION)
            t[lane].state = READY;
    w->waiting = 0;
}

void
release_if_complete(warp *w)
{
    if (w->waiting > 0 && w->waiting + w->at_barrier + w->done == w->lanes)
        complete(w);
}

void
arrive(operation operation, int line, const void *site)
{
    thread *t = m.current;
    t->operation = operation;
    t->line = line;
    t->site = site;
    t->state = AT_WARP_OPERATION;
    t->warp->waiting++;
    release_if_complete(t->warp);
    if (t->state != READY)
        leave();
}

extern "C" {
void
emu_warp_sync(int line)
{
    arrive(SYNC, line, __builtin_return_address(0));
}

unsigned
emu_shuffle_xor(unsigned value, unsigned mask, int line)
{
    thread *t = m.current;
    t->in[0] = value;
    t->in[1] = mask;
    arrive(SHUFFLE, line, __builtin_return_address(0));
    return t->out[0];
}

emu_fragment
emu_mma_bf16(unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1, float c0,
             float c1, float c2, float c3, int line)
{
    thread *t = m.current;
    const unsigned in[6] = {a0, a1, a2, a3, b0, b1};
    const float sum[4] = {c0, c1, c2, c3};
    memcpy(t->in, in, sizeof in);
    memcpy(t->sum, sum, sizeof sum);
    arrive(MMA, line, __builtin_return_address(0));
    return {{t->out[0], t->out[1], t->out[2], t->out[3]}};
}

emu_fragment
emu_ldmatrix(const void *row, int transposed, int line)
{
    thread *t = m.current;
    t->row = row;
    t->in[0] = (unsigned)transposed;
    arrive(LDMATRIX, line, __builtin_return_address(0));
    return {{t->out[0], t->out[1], t->out[2], t->out[3]}};
}
}
