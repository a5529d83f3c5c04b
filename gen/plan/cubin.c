// Cubins: making them with NVRTC, and reading what they say of themselves. A cubin is an ELF file
// with a section .nv.shared.KERNEL, and .nv.info, a list of attributes.
#include "gen/plan/cubin.h"

#include <elf.h>
#include <string.h>

#include "gen/plan/compile.h"
#include "runtime/base/file.h"

enum { MACHINE_CUDA = 190 };
enum { FORMAT_SIZED = 4, ATTRIBUTE_FRAME = 0x11, ATTRIBUTE_REGISTERS = 0x2f };  // of .nv.info

int
rx_compile_cubin(const struct rx_compile *c, const struct rx_compile_job *job,
                 struct rx_error *error)
{
    struct rx_text source = {0}, cubin = {0}, log = {0};
    const char *slash = strrchr(job->source, '/'), *name = slash != NULL ? slash + 1 : job->source;
    int status = rx_file_read(job->source, &source, error);
    if (status == RX_OK)
        status = rx_nvrtc_compile(c->nvrtc, rx_text_str(&source), name, c->arch, RX_NVRTC_QUIET,
                                  &cubin, &log, error);
    if (status == RX_OK && log.n > 1)
        status = rx_error_refused(error, "%s: NVRTC warns: %.700s", name, rx_text_str(&log));
    if (status == RX_OK)
        status = rx_file_write(job->object, rx_text_str(&cubin), cubin.n, error);
    rx_text_close(&source);
    rx_text_close(&cubin);
    rx_text_close(&log);
    return status;
}

// The largest value of an attribute that .nv.info lists: entries of a format, an attribute and a
// size, then so many bytes, of these attributes the symbol and the value.
static long long
largest(const unsigned char *info, size_t n, unsigned wanted)
{
    long long most = 0;
    for (size_t at = 0; at + 4 <= n;) {
        const unsigned format = info[at], attribute = info[at + 1];
        const size_t size = format == FORMAT_SIZED ? info[at + 2] | (size_t)info[at + 3] << 8 : 0;
        uint32_t bytes = 0;
        if (attribute == wanted && size == 8 && at + 12 <= n)
            memcpy(&bytes, info + at + 8, sizeof bytes);
        most = bytes > most ? bytes : most;
        at += 4 + size;
    }
    return most;
}

int
rx_cubin_read(const void *bytes, size_t n, struct rx_cubin *cubin)
{
    const unsigned char *base = bytes;
    Elf64_Ehdr head;
    *cubin = (struct rx_cubin){0};
    if (n < sizeof head)
        return 0;
    memcpy(&head, base, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_machine != MACHINE_CUDA ||
        head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shoff > n ||
        (n - head.e_shoff) / sizeof(Elf64_Shdr) < head.e_shnum || head.e_shstrndx >= head.e_shnum)
        return 0;
    Elf64_Shdr names, s;
    memcpy(&names, base + head.e_shoff + head.e_shstrndx * sizeof s, sizeof names);
    for (int i = 0; i < head.e_shnum; i++) {
        memcpy(&s, base + head.e_shoff + (size_t)i * sizeof s, sizeof s);
        if (names.sh_offset + s.sh_name >= n)
            return 0;
        const char *name = (const char *)base + names.sh_offset + s.sh_name;
        if (strncmp(name, ".nv.shared.", 11) == 0)
            cubin->shared_bytes += (long long)s.sh_size;
        else if (strcmp(name, ".nv.info") == 0 && s.sh_offset <= n &&
                 s.sh_size <= n - s.sh_offset) {
            cubin->frame_bytes = largest(base + s.sh_offset, s.sh_size, ATTRIBUTE_FRAME);
            cubin->registers = (int)largest(base + s.sh_offset, s.sh_size, ATTRIBUTE_REGISTERS);
        }
    }
    return 1;
}
