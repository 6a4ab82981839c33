/* tar.c - members of a plain tar, through libarchive: one walk for the table, and then a member by
 * the place of its header, which is read as if it were a tar of one member. */
#include "archives/index.h"
#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Where the system knows no files without names, a folder is no file to open. */
#ifndef O_TMPFILE
#define O_TMPFILE 0
#endif

/* Photos hardly shrink; drawings and masks do, by far less than what is made to fill a disk. */
enum { MAX_RATIO = 25, BLOCK_BYTES = 256 * 1024, WALK_BYTES = 16 * 1024 };
static const uint64_t slack_bytes = 16 << 20, spare_bytes = 64 << 20;
/* Most bytes of headers in front of a member: long names, its extended attributes. */
static const uint64_t most_header_bytes = 1 << 20;

static int damaged(const hst_archive_file *f, struct archive *a, hst_err *err)
{
    const char *why = archive_error_string(a);
    if (archive_errno(a) == ENOMEM)
        return hst_fail(err, HST_EMEM, "out of memory: %s cannot be read", f->what);
    return hst_fail(err, HST_EDATA, "%s is damaged: %.200s", f->what, why ? why : "no reason");
}

static int no_reader(const hst_archive_file *f, hst_err *err)
{
    return hst_fail(err, HST_EMEM, "out of memory: %s cannot be read", f->what);
}

/* As it stands there; else, where it is known only as text, in UTF-8. */
static const char *name_of(struct archive_entry *e)
{
    const char *name = archive_entry_pathname(e);
    return name ? name : archive_entry_pathname_utf8(e);
}

static const char *why_not(struct archive_entry *e)
{
    if (archive_entry_hardlink(e) || archive_entry_symlink(e))
        return "is a link";
    if (archive_entry_filetype(e) != AE_IFREG)
        return "is no file";
    return archive_entry_size_is_set(e) && archive_entry_size(e) >= 0 ? NULL
                                                                      : "does not say its size";
}

static int add(hst_index *x, struct archive_entry *e, uint64_t at, hst_err *err)
{
    const char *name = name_of(e);
    hst_member m = {.at = at, .is_folder = archive_entry_filetype(e) == AE_IFDIR};
    if (!name)
        return 0;
    m.why = m.is_folder ? NULL : why_not(e);
    m.size = m.is_folder || m.why ? 0 : (uint64_t)archive_entry_size(e);
    return hst_index_add(x, name, &m, err);
}

/* A warning is that of a name in another character set, which is taken as it stands. Versions of
 * libarchive differ in whether content that is cut off is an error or the end: passing over it then
 * leads behind the end of the file. */
static int walk(const hst_ctx *ctx, const hst_archive_file *f, struct archive *a, hst_index *x,
                hst_err *err)
{
    struct archive_entry *e;
    hst_meter meter = hst_meter_start(ctx, "looking through the archive", f->size);
    meter.in_bytes = 1;
    int got, rc = 0;
    for (size_t last = 0; rc == 0;) {
        got = archive_read_next_header(a, &e);
        const la_int64_t at = archive_read_header_position(a);
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN && got != ARCHIVE_EOF)
            return damaged(f, a, err);
        if (at < 0 || (uint64_t)at > f->size)
            return hst_fail(err, HST_EDATA, "%s is damaged: it ends too early", f->what);
        for (; last < x->n; last++)
            x->member[last].stored = (uint64_t)at - x->member[last].at;
        if (got == ARCHIVE_EOF)
            break;
        rc = add(x, e, (uint64_t)at, err);
        rc = rc ? rc : hst_meter_at(&meter, (uint64_t)at, err);
    }
    return rc;
}

int hst_tar_index(const hst_ctx *ctx, const hst_archive_file *f, hst_index *x, hst_err *err)
{
    struct archive *a = archive_read_new();
    int rc = a && archive_read_support_format_tar(a) == ARCHIVE_OK ? 0 : no_reader(f, err);
    if (rc == 0 && lseek(f->fd, 0, SEEK_SET) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", f->what);
    if (rc == 0 && archive_read_open_fd(a, f->fd, WALK_BYTES) != ARCHIVE_OK)
        rc = damaged(f, a, err);
    rc = rc ? rc : walk(ctx, f, a, x, err);
    archive_read_free(a);
    return rc;
}

/* n bytes of the member that a stands at; a hole of a sparse one is zeros. */
static int take_content(const hst_archive_file *f, struct archive *a, uint8_t *out, size_t n,
                        hst_err *err)
{
    for (size_t at = 0; at < n;) {
        const la_ssize_t got = archive_read_data(a, out + at, n - at);
        if (got < 0)
            return damaged(f, a, err);
        if (got == 0)
            return hst_fail(err, HST_EDATA, "is shorter than it says");
        at += (size_t)got;
    }
    return 0;
}

/* Bytes from its header on that hold the first n of the content. A sparse file takes less room than
 * its content: there the headers are as long as can be. */
static uint64_t bytes_for(const hst_member *m, size_t n)
{
    const uint64_t content = hst_round_up(m->size, HST_ARCHIVE_HEAD);
    const uint64_t headers = m->stored > content ? m->stored - content : most_header_bytes;
    const uint64_t enough = n + (headers < most_header_bytes ? headers : most_header_bytes);
    return m->stored < enough ? m->stored : enough;
}

int hst_tar_read(const hst_archive_file *f, const hst_member *m, uint8_t *out, size_t n,
                 hst_err *err)
{
    struct archive_entry *e;
    const size_t n_in = (size_t)bytes_for(m, n);
    uint8_t *in = hst_alloc_raw(n_in ? n_in : 1, 1, err);
    if (!in)
        return HST_EMEM;
    struct archive *a = archive_read_new();
    int rc = hst_archive_pread(f, m->at, in, n_in, err);
    if (rc == 0 && (!a || archive_read_support_format_tar(a) != ARCHIVE_OK))
        rc = no_reader(f, err);
    if (rc == 0 && archive_read_open_memory(a, in, n_in) != ARCHIVE_OK)
        rc = damaged(f, a, err);
    if (rc == 0) {
        const int got = archive_read_next_header(a, &e);
        rc = got != ARCHIVE_OK && got != ARCHIVE_WARN ? damaged(f, a, err)
                                                      : take_content(f, a, out, n, err);
    }
    archive_read_free(a);
    free(in);
    return rc;
}

/* ---- compressed ---- */

/* A file for reading and writing in folder dir, without a name there; -1: errno says why. */
static int nameless(const char *dir)
{
    char path[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    const int n = snprintf(path, sizeof path, "%s/headstart-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return -1;
    fd = mkstemp(path); /* a file system that knows only files with names */
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int make_file(const hst_ctx *ctx, hst_err *err)
{
    int fd = -1;
    if (ctx->cache_dir && hst_mkdirs(ctx->cache_dir, NULL) == 0)
        fd = nameless(ctx->cache_dir);
    if (fd < 0)
        fd = nameless(P_tmpdir);
    return fd >= 0 ? fd : hst_fail_errno(err, HST_EIO, errno, "no temporary file can be made");
}

static int has_space(int fd, uint64_t n)
{
    struct statvfs v;
    return fstatvfs(fd, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize >= n + spare_bytes;
}

static int copy_out(const hst_ctx *ctx, const hst_archive_file *f, struct archive *a, int fd,
                    hst_err *err)
{
    const void *p;
    size_t n;
    la_int64_t at;
    uint64_t left = f->size > UINT64_MAX / 64 ? UINT64_MAX : f->size * MAX_RATIO + slack_bytes;
    hst_meter meter = hst_meter_start(ctx, "unpacking", f->size);
    meter.in_bytes = 1;
    int got, rc = 0, first = 1;
    while (rc == 0 && (got = archive_read_data_block(a, &p, &n, &at)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK)
            return damaged(f, a, err);
        if (n == 0)
            continue;
        if (first && hst_archive_kind_of(p, n) != HST_ARCHIVE_TAR)
            return hst_fail(err, HST_EDATA, "%s is a compressed file, but no tar", f->what);
        first = 0;
        if (n > left)
            return hst_fail(err, HST_EDATA, "%s unpacks to far more than its size: not read",
                            f->what);
        left -= n;
        if (!has_space(fd, n))
            return hst_fail_errno(err, HST_EIO, ENOSPC, "%s cannot be unpacked", f->what);
        if (!hst_write_all(fd, p, n))
            return hst_fail_errno(err, HST_EIO, errno, "%s cannot be unpacked", f->what);
        const la_int64_t read = archive_filter_bytes(a, -1);
        rc = hst_meter_at(&meter, read > 0 ? (uint64_t)read : 0, err);
    }
    if (rc == 0 && first)
        rc = hst_fail(err, HST_EDATA, "%s is a compressed file of nothing", f->what);
    return rc;
}

/* Only that filter, and only where the library has it itself: else it would run a program. */
static int add_filter(struct archive *a, enum hst_archive_kind kind)
{
    switch (kind) {
    case HST_ARCHIVE_GZIP:
        return archive_read_support_filter_gzip(a);
    case HST_ARCHIVE_BZIP2:
        return archive_read_support_filter_bzip2(a);
    case HST_ARCHIVE_XZ:
        return archive_read_support_filter_xz(a);
    default:
        return archive_read_support_filter_zstd(a);
    }
}

static int open_compressed(const hst_archive_file *f, enum hst_archive_kind kind, struct archive *a,
                           hst_err *err)
{
    struct archive_entry *e;
    if (!a || archive_read_support_format_raw(a) != ARCHIVE_OK)
        return no_reader(f, err);
    if (add_filter(a, kind) != ARCHIVE_OK)
        return hst_fail(err, HST_EDATA,
                        "%s: this libarchive cannot read its compression: unpack it", f->what);
    if (lseek(f->fd, 0, SEEK_SET) != 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", f->what);
    if (archive_read_open_fd(a, f->fd, BLOCK_BYTES) != ARCHIVE_OK ||
        archive_read_next_header(a, &e) != ARCHIVE_OK)
        return damaged(f, a, err);
    return 0;
}

int hst_tar_unpack(const hst_ctx *ctx, const hst_archive_file *f, enum hst_archive_kind kind,
                   int *fd, hst_err *err)
{
    struct archive *a = archive_read_new();
    int rc = open_compressed(f, kind, a, err);
    *fd = -1;
    if (rc == 0) {
        *fd = make_file(ctx, err);
        rc = *fd < 0 ? *fd : copy_out(ctx, f, a, *fd, err);
    }
    archive_read_free(a);
    if (rc && *fd >= 0)
        close(*fd);
    return rc;
}
