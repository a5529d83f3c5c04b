// A kernel case on another machine: what the test writes into a file, and the program that was
// compiled for that machine reads, runs and overwrites. Numbers lie as they do in memory; machines
// of other byte orders cannot be run.
#ifndef RX_FOREIGN_CALL_H
#define RX_FOREIGN_CALL_H

#include <stdint.h>

enum { FOREIGN_NAME_CHARS = 128, FOREIGN_OPERANDS_MAX = 32, FOREIGN_THREADS_MAX = 16 };
enum { FOREIGN_ALIGN = 64 };  // of operands in the file: from its start, as from a page's

// The file's head; behind it are the operands' bytes, guards included.
struct foreign_case {
    char kernel[FOREIGN_NAME_CHARS];
    int64_t n_operands, threads, images, parts, scratch_bytes;
    int64_t first[FOREIGN_THREADS_MAX], last[FOREIGN_THREADS_MAX];  // tasks of each thread
    int64_t at[FOREIGN_OPERANDS_MAX];                               // of an operand, in the file
    int64_t intact;  // written: 0 where a thread wrote outside of its scratch memory
};

#endif
