/* sandbox.h - what the process gives up before it looks at a foreign file.
 *
 * Files are opened before. Afterwards the process can compute, use memory within its limit, read
 * and write what is open, and end: no other file, no network, no other program. Each part is used
 * where the system has it; the rest still hold. */
#ifndef CONVERT_SANDBOX_H
#define CONVERT_SANDBOX_H
#include <stdint.h>

enum sandbox_part {
    SANDBOX_LIMITS = 1,       /* memory, processor time, file size, no new descriptors */
    SANDBOX_NO_NEW_PRIVS = 2, /* no rights gained through set-user-id programs */
    SANDBOX_LANDLOCK = 4,     /* no path of the file system, no TCP port */
    SANDBOX_SECCOMP = 8       /* system calls outside a short list fail */
};

typedef struct sandbox_limits {
    uint64_t memory_bytes; /* address space; 0: not limited */
    uint64_t file_bytes;   /* size of any file it writes */
    unsigned cpu_s;
} sandbox_limits;

/* Enters; there is no way back. Returns the parts that hold (sum of enum sandbox_part). */
unsigned sandbox_enter(const sandbox_limits *l);

/* The part of sandbox_enter that depends on the system: sandbox_linux.c or sandbox_none.c. */
unsigned sandbox_confine(void);
#endif
