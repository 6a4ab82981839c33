/* Any bytes as an archive of photos: its table, and every member's content. */
#include "fuzz.h"

#include "archives/archives.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MEMBERS = 64, MOST_BYTES = 1 << 20 };

/* The bytes as a file, as archives are read from one. */
static int put(char *path, const uint8_t *bytes, size_t n)
{
    const int fd = mkstemp(path);
    return fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0;
}

static void read_members(const hst_archive *a)
{
    size_t n_members;
    const hst_member *m = hst_archive_members(a, &n_members);
    for (size_t i = 0; i < n_members && i < MOST_MEMBERS; i++) {
        const hst_member_read how = {.max = MOST_BYTES, .part = i % 2, .code = HST_EIMAGE};
        uint8_t *content = NULL;
        size_t n = 0;
        if (hst_archive_find(a, m[i].name) != &m[i])
            __builtin_trap();
        const int rc = hst_archive_read(a, &m[i], &how, &content, &n, NULL);
        if (rc ? rc != HST_EIMAGE : content[n] != 0)
            __builtin_trap();
        free(content);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[] = "/tmp/headstart-fuzz-XXXXXX";
    hst_err err = {0};
    const hst_archive *a;
    const hst_ctx ctx = {.archives = hst_archives_new(&err)};
    if (!ctx.archives || !put(path, bytes, n))
        __builtin_trap();
    const int rc = hst_archive_open(&ctx, path, &a, &err);
    if (rc == 0)
        read_members(a);
    else if (rc != HST_EDATA)
        __builtin_trap();
    hst_archives_free(ctx.archives);
    unlink(path);
    return 0;
}
