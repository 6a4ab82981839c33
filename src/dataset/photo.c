#include "dataset/photo.h"

#include "archives/archives.h"
#include "base/file.h"
#include "images/image.h"

#include <errno.h>

/* Something in the path is a file where a folder should be. */
static int leads_through_file(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 && errno == ENOTDIR;
}

/* 1: read; 0: no part of the path is an archive. */
static int read_member(const hst_ctx *ctx, const char *path, int code, uint8_t **bytes, size_t *n,
                       hst_err *err)
{
    const hst_archive *a;
    const hst_member *m;
    const hst_member_read how = {.max = HST_IMAGE_MAX_BYTES, .code = code};
    int rc = hst_archive_resolve(ctx, path, &a, &m, err);
    if (rc == 1)
        rc = hst_archive_read(a, m, &how, bytes, n, err);
    else if (rc == 0)
        return 0;
    return rc == HST_EDATA ? hst_fail(err, code, "%s", err ? err->msg : "") : rc ? rc : 1;
}

int hst_photo_read(const hst_ctx *ctx, const char *path, int code, uint8_t **bytes, size_t *n,
                   hst_err *err)
{
    if (leads_through_file(path)) {
        const int rc = read_member(ctx, path, code, bytes, n, err);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    return hst_file_read(path, HST_IMAGE_MAX_BYTES, code, bytes, n, err);
}

int hst_photo_stat(const hst_ctx *ctx, const char *path, struct stat *st)
{
    const hst_archive *a;
    const hst_member *m;
    if (stat(path, st) == 0)
        return 0;
    if (errno != ENOTDIR || hst_archive_resolve(ctx, path, &a, &m, NULL) != 1)
        return -1;
    hst_archive_stat(a, m, st);
    return 0;
}
