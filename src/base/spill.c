#include "base/spill.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STAYS = 16 << 20 /* bytes of a file that may stay in memory */ };

struct hst_spill {
    void *at;
    size_t bytes;
    int is_file;
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

static void *map_file(const hst_ctx *ctx, size_t bytes)
{
    void *at = MAP_FAILED;
    const int fd = open_nameless(ctx);
    if (fd >= 0 && hst_file_reserve(fd, bytes))
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd); /* the mapping keeps the file */
    return at == MAP_FAILED ? NULL : at;
}

hst_spill *hst_spill_new(const hst_ctx *ctx, size_t n, size_t size, hst_err *err)
{
    hst_spill *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    if (hst_mul_ok(n, size, &s->bytes) && ctx && ctx->cache_dir && ctx->spill_from &&
        s->bytes >= ctx->spill_from)
        s->at = map_file(ctx, s->bytes);
    s->is_file = s->at != NULL;
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

void hst_spill_free(hst_spill *s)
{
    if (!s)
        return;
    if (s->is_file)
        munmap(s->at, s->bytes);
    else
        free(s->at);
    free(s);
}
