// Intel's tiles of bf16 (AMX): whether this process may use them.
#ifndef RX_BASE_AMX_H
#define RX_BASE_AMX_H

// Asks the kernel for their registers, which it saves for those alone that asked: for this thread
// and all that it starts from now on. 1: they may be used; 0: the machine has none, or its kernel
// does not give them.
int
rx_amx_request(void);

#endif
