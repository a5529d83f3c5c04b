// Faults: one message a place and kind, with the source line that the debug information names.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

machine m;

// "file.cu:123" of a code address, or library+offset.
static void
print_site(const void *site)
{
    Dl_info info;
    if (site == nullptr || dladdr(site, &info) == 0 || info.dli_fname == nullptr)
        return;
    const unsigned long offset = (unsigned long)((char *)site - (char *)info.dli_fbase - 1);
    char command[512], line[512] = "";
    snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%lx 2>/dev/null", info.dli_fname,
             offset);
    FILE *pipe = popen(command, "r");
    if (pipe != nullptr) {
        // From the innermost of inlined functions outwards: the first that is the kernel's own.
        while (fgets(line, sizeof line, pipe) != nullptr && strstr(line, "kernel.h:") != nullptr)
            continue;
        line[strcspn(line, " \n")] = 0;
        pclose(pipe);
    }
    const char *name = strrchr(line, '/') != nullptr ? strrchr(line, '/') + 1 : line;
    if (name[0] != 0 && name[0] != '?')
        fprintf(stderr, " at %s", name);
    else
        fprintf(stderr, " at %s+0x%lx", info.dli_fname, offset);
}

static void
print_address(uintptr_t address)
{
    const long offset = shared_offset(address, 1);
    if (offset >= 0)
        fprintf(stderr, "shared memory, byte %ld", offset);
    else if (m.recent != nullptr && address - m.recent->at < m.recent->bytes + PAGE)
        fprintf(stderr, "%s, byte %ld of %zu", m.recent->name, (long)(address - m.recent->at),
                m.recent->bytes);
    else
        fprintf(stderr, "address %#lx", (unsigned long)address);
}

void
report(const char *what, uintptr_t address, const void *site, int other)
{
    m.counters.faults++;
    const uint64_t key = (uint64_t)(uintptr_t)site * 31 ^ (uint64_t)(uintptr_t)what;
    if (m.told[key]++ > 0)
        return;
    fprintf(stderr, "emulator: %s: %s: ", m.launch->kernel, what);
    if (address != 0)
        print_address(address);
    if (m.current != nullptr)
        fprintf(stderr, ", block %u thread %u", m.block, m.current->index);
    if (other >= 0)
        fprintf(stderr, " against thread %d", other);
    print_site(site);
    fputc('\n', stderr);
}
