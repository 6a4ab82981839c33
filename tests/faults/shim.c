/* shim - preloaded into the program under test: the k-th call of one kind fails.
 *
 *   FAULT_KIND     memory, open, read, write, short, fsync, rename or thread; short: a write takes
 *                  half of the bytes only
 *   FAULT_AT       k, from 1; 0: none
 *   FAULT_FOREVER  set: every later call of the kind fails as well; after a short write: all do
 *
 *   FAULT_SIGNAL   a number: the k-th call does not fail; the process gets that signal in front of
 *                  it, in the middle of a write
 *
 *   FAULT_FD       a pipe: one byte is written to it when the fault happens
 *
 *   FAULT_COUNT    set: when the process exits, it writes the number of calls to FAULT_FD
 *
 * Every process counts for itself. Counting begins when the program's libraries are initialised. */
/* open and open64 are two names here. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* What stands in for a C library function must be visible, whatever the default is. */
#define SHIM __attribute__((visibility("default")))

enum kind { NONE, MEMORY, OPEN, READ, WRITE, SHORT, FSYNC, RENAME, THREAD };

static enum kind failing;
static long at;
static int forever, signal_number, told_fd = -1;
static atomic_long calls;

__attribute__((constructor)) static void arm(void)
{
    static const char *const names[] = {
        [MEMORY] = "memory", [OPEN] = "open",   [READ] = "read",     [WRITE] = "write",
        [SHORT] = "short",   [FSYNC] = "fsync", [RENAME] = "rename", [THREAD] = "thread"};
    const char *kind = getenv("FAULT_KIND"), *k = getenv("FAULT_AT"), *fd = getenv("FAULT_FD");
    const char *number = getenv("FAULT_SIGNAL");
    signal_number = number ? (int)strtol(number, NULL, 10) : 0;
    at = k ? strtol(k, NULL, 10) : 0;
    forever = getenv("FAULT_FOREVER") != NULL;
    told_fd = fd ? (int)strtol(fd, NULL, 10) : -1;
    for (int i = MEMORY; kind && i <= THREAD; i++)
        if (strcmp(kind, names[i]) == 0)
            failing = (enum kind)i;
}

__attribute__((destructor)) static void tell_calls(void)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld", atomic_load(&calls));
    if (getenv("FAULT_COUNT"))
        syscall(SYS_write, told_fd, text, n);
}

/* The number of this call when something is to happen in it, or 0. */
static long reached(enum kind kind)
{
    if (kind != failing)
        return 0;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call != at && !(forever && at && call > at))
        return 0;
    if (call == at)
        syscall(SYS_write, told_fd, "x", 1);
    return call;
}

/* 1 when this call is to fail, with errno set. */
static int fails(enum kind kind, int e)
{
    long call = reached(kind);
    if (call == at && call && signal_number) {
        syscall(SYS_kill, getpid(), signal_number);
        return 0;
    }
    if (!call || signal_number)
        return 0;
    errno = e;
    return 1;
}

/* The function that this one stands in front of. */
#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

/* ---- memory ----
 * Resolved once, as dlsym may itself allocate: until then from a small block that is never freed.
 */

typedef void *malloc_fn(size_t);
typedef void *calloc_fn(size_t, size_t);
typedef void *realloc_fn(void *, size_t);
typedef void *aligned_fn(size_t, size_t);
typedef int posix_fn(void **, size_t, size_t);
typedef void free_fn(void *);

static struct {
    malloc_fn *malloc;
    calloc_fn *calloc;
    realloc_fn *realloc;
    aligned_fn *aligned;
    posix_fn *posix;
    free_fn *free;
    int busy;
} real;

static _Alignas(16) uint8_t early[65536];
static size_t early_used;

static void *early_alloc(size_t n)
{
    size_t begin = (early_used + 15) / 16 * 16;
    if (n > sizeof early - begin)
        return NULL;
    early_used = begin + n;
    return early + begin;
}

static int is_early(const void *p)
{
    return (const uint8_t *)p >= early && (const uint8_t *)p < early + sizeof early;
}

/* 1 once the real functions are known. */
static int resolved(void)
{
    if (real.free)
        return 1;
    if (real.busy)
        return 0;
    real.busy = 1;
    real.malloc = REAL("malloc", malloc_fn *);
    real.calloc = REAL("calloc", calloc_fn *);
    real.realloc = REAL("realloc", realloc_fn *);
    real.aligned = REAL("aligned_alloc", aligned_fn *);
    real.posix = REAL("posix_memalign", posix_fn *);
    real.free = REAL("free", free_fn *);
    real.busy = 0;
    return 1;
}

SHIM void *malloc(size_t n)
{
    if (!resolved())
        return early_alloc(n);
    return fails(MEMORY, ENOMEM) ? NULL : real.malloc(n);
}

SHIM void *calloc(size_t n, size_t size)
{
    if (!resolved())
        return early_alloc(n * size);
    return fails(MEMORY, ENOMEM) ? NULL : real.calloc(n, size);
}

SHIM void *realloc(void *old, size_t n)
{
    if (!resolved() || is_early(old))
        return NULL;
    return fails(MEMORY, ENOMEM) ? NULL : real.realloc(old, n);
}

SHIM void *aligned_alloc(size_t align, size_t n)
{
    if (!resolved())
        return NULL;
    return fails(MEMORY, ENOMEM) ? NULL : real.aligned(align, n);
}

SHIM int posix_memalign(void **out, size_t align, size_t n)
{
    if (!resolved() || fails(MEMORY, ENOMEM))
        return ENOMEM;
    return real.posix(out, align, n);
}

SHIM void free(void *p)
{
    if (p && !is_early(p) && resolved())
        real.free(p);
}

/* ---- files ---- */

typedef int open_fn(const char *, int, ...);
typedef int openat_fn(int, const char *, int, ...);
typedef ssize_t read_fn(int, void *, size_t);
typedef ssize_t pread_fn(int, void *, size_t, off_t);
typedef ssize_t write_fn(int, const void *, size_t);
typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
typedef int fsync_fn(int);
typedef int rename_fn(const char *, const char *);
typedef int thread_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* The third argument, which is there when a file may be made. */
#define MODE(mode, flags)                                                                          \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

#define OPENER(name)                                                                               \
    SHIM int name(const char *path, int flags, ...)                                                \
    {                                                                                              \
        MODE(mode, flags)                                                                          \
        return fails(OPEN, EMFILE) ? -1 : REAL(#name, open_fn *)(path, flags, mode);               \
    }
#define OPENER_AT(name)                                                                            \
    SHIM int name(int dir, const char *path, int flags, ...)                                       \
    {                                                                                              \
        MODE(mode, flags)                                                                          \
        return fails(OPEN, EMFILE) ? -1 : REAL(#name, openat_fn *)(dir, path, flags, mode);        \
    }
#define READER(name)                                                                               \
    SHIM ssize_t name(int fd, void *p, size_t n)                                                   \
    {                                                                                              \
        return fails(READ, EIO) ? -1 : REAL(#name, read_fn *)(fd, p, n);                           \
    }
#define READER_AT(name)                                                                            \
    SHIM ssize_t name(int fd, void *p, size_t n, off_t from)                                       \
    {                                                                                              \
        return fails(READ, EIO) ? -1 : REAL(#name, pread_fn *)(fd, p, n, from);                    \
    }
#define WRITER_AT(name)                                                                            \
    SHIM ssize_t name(int fd, const void *p, size_t n, off_t to)                                   \
    {                                                                                              \
        return fails(WRITE, ENOSPC) ? -1 : REAL(#name, pwrite_fn *)(fd, p, n, to);                 \
    }
#define SYNCER(name)                                                                               \
    SHIM int name(int fd)                                                                          \
    {                                                                                              \
        return fails(FSYNC, EIO) ? -1 : REAL(#name, fsync_fn *)(fd);                               \
    }

OPENER(open)
OPENER(open64)
OPENER_AT(openat)
OPENER_AT(openat64)
READER(read)
READER_AT(pread)
READER_AT(pread64)
WRITER_AT(pwrite)
WRITER_AT(pwrite64)
SYNCER(fsync)
SYNCER(fdatasync)

SHIM ssize_t write(int fd, const void *p, size_t n)
{
    write_fn *real_write = REAL("write", write_fn *);
    long call = reached(SHORT);
    if (call > at) {
        errno = ENOSPC;
        return -1;
    }
    if (call)
        return real_write(fd, p, n > 1 ? n / 2 : n);
    if (!signal_number)
        return fails(WRITE, ENOSPC) ? -1 : real_write(fd, p, n);
    ssize_t half = n > 1 && failing == WRITE ? real_write(fd, p, n / 2) : 0;
    if (half < 0)
        return half;
    (void)fails(WRITE, 0);
    ssize_t rest = real_write(fd, (const char *)p + half, n - (size_t)half);
    return rest < 0 ? rest : half + rest;
}

SHIM int rename(const char *from, const char *to)
{
    return fails(RENAME, ENOSPC) ? -1 : REAL("rename", rename_fn *)(from, to);
}

SHIM int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return fails(THREAD, EAGAIN) ? EAGAIN : REAL("pthread_create", thread_fn *)(t, attr, run, arg);
}
