#include "base/spill.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STAYS = 16 << 20 /* bytes of a file that may stay in memory */ };

struct hst_spill {
    void *at;
    size_t bytes;
    int is_file, fd;      /* fd: -1 on the heap */
    atomic_size_t passed; /* bytes, since its pages were given back last */
};

/* A file that no folder has any more, or -1. */
static int open_nameless(const hst_ctx *ctx)
{
    char *path = hst_path_join(ctx->cache_dir, "spill.XXXXXX", NULL);
    int fd = path && hst_mkdirs(ctx->cache_dir, NULL) == 0 ? mkstemp(path) : -1;
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

/* Leaves s as it was where there can be no such file. */
static void map_file(hst_spill *s, const hst_ctx *ctx)
{
    void *at = MAP_FAILED;
    const int fd = open_nameless(ctx);
    if (fd >= 0 && hst_file_reserve(fd, s->bytes))
        at = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) {
        s->at = at;
        s->fd = fd;
        s->is_file = 1;
    } else if (fd >= 0) {
        close(fd);
    }
}

hst_spill *hst_spill_new(const hst_ctx *ctx, size_t n, size_t size, hst_err *err)
{
    return hst_spill_new_from(ctx, ctx ? ctx->spill_from : 0, n, size, err);
}

hst_spill *hst_spill_new_from(const hst_ctx *ctx, size_t from, size_t n, size_t size, hst_err *err)
{
    hst_spill *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->fd = -1;
    if (hst_mul_ok(n, size, &s->bytes) && ctx && ctx->cache_dir && from && s->bytes >= from)
        map_file(s, ctx);
    if (!s->at)
        s->at = hst_alloc(n, size, err);
    if (s->at)
        return s;
    free(s);
    return NULL;
}

void *hst_spill_at(const hst_spill *s)
{
    return s->at;
}

int hst_spill_is_file(const hst_spill *s)
{
    return s->is_file;
}

int hst_spill_put(hst_spill *s, size_t at, const void *from, size_t n, hst_err *err)
{
    const char *p = from;
    if (!s->is_file)
        memcpy((char *)s->at + at, p, n);
    while (s->is_file && n) {
        const ssize_t put = pwrite(s->fd, p, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return hst_fail_errno(err, HST_EIO, errno, "a file in the cache folder");
        p += put;
        at += (size_t)put;
        n -= (size_t)put;
    }
    return 0;
}

/* The pages stay in the system's cache of the file, changed ones as well, for as long as there is
 * room for them. */
void hst_spill_passed(hst_spill *s, size_t bytes)
{
    if (!s || !s->is_file || atomic_fetch_add(&s->passed, bytes) + bytes < STAYS)
        return;
    atomic_store(&s->passed, 0);
    (void)madvise(s->at, s->bytes, MADV_DONTNEED);
}

/* The system brings more than one page at a time: measured on Linux 6.18, so many bytes or less. */
void hst_spill_visited(hst_spill *s)
{
    enum { AROUND = 1 << 18 };
    hst_spill_passed(s, AROUND);
}

void hst_spill_rest(hst_spill *s)
{
    hst_spill_passed(s, STAYS);
}

void hst_spill_free(hst_spill *s)
{
    if (!s)
        return;
    if (s->is_file) {
        munmap(s->at, s->bytes);
        close(s->fd);
    } else {
        free(s->at);
    }
    free(s);
}
