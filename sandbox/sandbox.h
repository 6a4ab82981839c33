/* sandbox.h - what a helper process gives up before it looks at a foreign file.
 *
 * Files are opened before. Afterwards the process can compute, use memory within its limit, read
 * and write what is open, and end: no other file, no network, no other program. Each part is used
 * where the system has it; the rest still hold. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H
#include <stddef.h>
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
    unsigned cpu_s;        /* of the process, over all its life; then SIGXCPU */
    int may_thread;        /* it may start threads, though no processes */
} sandbox_limits;

/* Enters; there is no way back. Returns the parts that hold (sum of enum sandbox_part). */
unsigned sandbox_enter(const sandbox_limits *l);

/* The names of parts, with a space between: "limits no_new_privs". "" for none. */
void sandbox_names(unsigned parts, char *out, size_t cap);

/* Where the system can: the process is killed when the thread that made it ends. Before
 * sandbox_enter. */
void sandbox_end_with_parent(void);

/* Closes what was inherited, from descriptor first on. Before sandbox_enter. */
void sandbox_close_from(int first);

/* The part of sandbox_enter that depends on the system: sandbox_linux.c or sandbox_none.c. */
unsigned sandbox_confine(const sandbox_limits *l);
#endif
