// Kernels of a machine that is not this one: a compiler for it makes a program, an emulator of its
// instructions runs it. So far aarch64, where Debian's gcc-aarch64-linux-gnu and qemu-user are
// installed.
#ifndef RX_TESTS_FOREIGN_H
#define RX_TESTS_FOREIGN_H

#include "gen/target/target.h"
#include "tests/support/kernel_data.h"

// Whether a machine's kernels cannot be loaded into this process.
int
rx_foreign_is(const char *arch);

// The compiler for foreign machines, and what runs its programs.
const char *
rx_foreign_compiler(void);
const char *
rx_foreign_emulator(void);

// Whether both are installed; where not, says so on stderr.
int
rx_foreign_available(void);

// Appends the commands that make `folder`/kernels of `folder`/l0.o, l1.o, ... (n_objects) and the
// kernels' names, each once, where name[i] is NULL for one that was named before.
void
rx_foreign_link(const char *folder, int n_objects, const char *const *name, int n,
                struct rx_text *command);

// Runs a case, all threads' shares one after the other, in `folder`/kernels; the operands are
// replaced by what comes back. Returns 0, or 1 and says what was wrong.
int
rx_foreign_run(const char *folder, const char *label, const struct rx_kernel *kernel,
               const struct rx_case_data *data);

#endif
