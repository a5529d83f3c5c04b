// Runs a kernel case of a file, on the machine that it is compiled for: kernels FILE. The kernels
// are in a table that the test generates.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "kernel.h"

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

struct entry {
    const char *name;
    rx_kernel_fn *fn;
};
extern const struct entry table[];  // ends with a name of NULL

static rx_kernel_fn *
find(const char *name)
{
    for (const struct entry *e = table; e->name != NULL; e++)
        if (strcmp(e->name, name) == 0)
            return e->fn;
    fprintf(stderr, "no kernel %s\n", name);
    exit(1);
}

static int
is_guard(const unsigned char *p)
{
    for (int i = 0; i < GUARD; i++)
        if (p[i] != GUARD_BYTE)
            return 0;
    return 1;
}

// One thread's share, with scratch memory between guards; whether those are intact.
static int
run_share(const struct foreign_case *c, rx_kernel_fn *fn, int thread, void *const *t)
{
    const size_t bytes = (size_t)c->scratch_bytes, room = (bytes + 63) / 64 * 64 + 2 * GUARD;
    unsigned char *block = aligned_alloc(64, room);
    if (block == NULL)
        abort();
    memset(block, GUARD_BYTE, room);
    memset(block + GUARD, 0xff, bytes);
    const struct rx_call call = {.n = (int)c->images,
                                 .thread = thread,
                                 .n_threads = (int)c->threads,
                                 .parts = (int)c->parts,
                                 .first = c->first[thread],
                                 .last = c->last[thread],
                                 .scratch = block + GUARD};
    fn(&call, t);
    const int intact = is_guard(block) && is_guard(block + GUARD + bytes);
    free(block);
    return intact;
}

int
main(int argc, char **argv)
{
    struct stat info;
    const int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
    if (fd < 0 || fstat(fd, &info) != 0) {
        fprintf(stderr, "kernels FILE\n");
        return 2;
    }
    char *file = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return 1;
    struct foreign_case *c = (struct foreign_case *)(void *)file;
    void *t[FOREIGN_OPERANDS_MAX];
    for (int i = 0; i < c->n_operands; i++)
        t[i] = file + c->at[i];
    rx_kernel_fn *fn = find(c->kernel);
    c->intact = 1;
    for (int thread = 0; thread < c->threads; thread++)
        c->intact &= run_share(c, fn, thread, t);
    return 0;
}
