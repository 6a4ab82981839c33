#include "hub/archive.h"
#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Photos hardly shrink; drawings and masks do, by far less than what is made to fill a disk. */
enum { MAX_RATIO = 25, MAX_DEPTH = 12, MAX_PATH = 4096, MAX_MEMBERS = 4000000 };
static const uint64_t slack_bytes = 16 << 20, spare_bytes = 64 << 20;
static const size_t block_bytes = 256 * 1024;

typedef struct unpacking {
    struct archive *a;
    const char *what, *dir;
    uint64_t bytes, left; /* of the archive; that may still come out of it */
    int fd;               /* of the archive */
    hst_meter meter;
} unpacking;

static int refuse(const unpacking *u, const char *name, const char *why, hst_err *err)
{
    return hst_fail(err, HST_EDATA, "%s is not unpacked: member '%.200s' %s", u->what, name, why);
}

static int damaged(const unpacking *u, hst_err *err)
{
    const char *why = archive_error_string(u->a);
    if (archive_errno(u->a) == ENOMEM)
        return hst_fail(err, HST_EMEM, "out of memory: %s cannot be unpacked", u->what);
    return hst_fail(err, HST_EDATA, "%s is damaged, or no .zip, .tar or compressed .tar: %.200s",
                    u->what, why ? why : "no reason");
}

/* ---- names ---- */

/* Every part is a name of its own: none is empty, "." or "..", none holds what a terminal or
 * another system would read differently. */
static int is_inside(const char *name)
{
    int depth = 0;
    if (!*name || strlen(name) > MAX_PATH / 2)
        return 0;
    for (const unsigned char *s = (const unsigned char *)name; *s; s++)
        if (*s < ' ' || *s == 0x7f || *s == '\\')
            return 0;
    for (const char *part = name; part && *part;) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n <= 2 && strncmp(part, "..", n) == 0) || n > 255 || ++depth > MAX_DEPTH)
            return 0;
        part = part[n] ? part + n + 1 : NULL; /* a folder may end with a slash */
    }
    return 1;
}

/* What macOS puts beside every file. */
static int is_shadow(const char *name)
{
    return strncmp(name, "__MACOSX/", 9) == 0 || strncmp(hst_path_base(name), "._", 2) == 0;
}

/* As it stands there; else, where it is known only as text, in UTF-8. */
static const char *name_of(struct archive_entry *e)
{
    const char *name = archive_entry_pathname(e);
    name = name ? name : archive_entry_pathname_utf8(e);
    while (name && strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

/* 1 when a part of path below u->dir is a file already. */
static int is_below_file(const unpacking *u, const char *path)
{
    char part[MAX_PATH];
    struct stat st;
    for (const char *s = path + strlen(u->dir) + 1; (s = strchr(s, '/')); s++) {
        snprintf(part, sizeof part, "%.*s", (int)(s - path), path);
        if (lstat(part, &st) == 0 && !S_ISDIR(st.st_mode))
            return 1;
    }
    return lstat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* ---- one member ---- */

static int make_folder(const char *path, hst_err *err)
{
    char dir[MAX_PATH];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    return hst_mkdirs(dir, err);
}

/* 1 when there is room for n bytes more than are to be left free. */
static int has_space(int fd, uint64_t n)
{
    struct statvfs v;
    return fstatvfs(fd, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize >= n + spare_bytes;
}

/* The blocks of a member in their order; a hole (a sparse file) counts as what it stands for. */
static int copy(unpacking *u, int fd, const char *name, hst_err *err)
{
    const void *p;
    size_t n;
    la_int64_t at, end = 0;
    int got, rc = 0;
    while (rc == 0 && (got = archive_read_data_block(u->a, &p, &n, &at)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK)
            return damaged(u, err);
        if (at != end)
            return refuse(u, name, "is no plain file", err);
        if (n > u->left)
            return refuse(u, name, "unpacks to far more than the archive holds", err);
        u->left -= n;
        end += (la_int64_t)n;
        if (!has_space(fd, n))
            return hst_fail_errno(err, HST_EIO, ENOSPC, "%s cannot be unpacked", u->what);
        if (!hst_write_all(fd, p, n))
            return hst_fail_errno(err, HST_EIO, errno, "%s cannot be unpacked", u->what);
        off_t read = lseek(u->fd, 0, SEEK_CUR);
        rc = hst_meter_at(&u->meter, read > 0 && (uint64_t)read < u->bytes ? (uint64_t)read : 0,
                          err);
    }
    return rc;
}

static int check_type(const unpacking *u, struct archive_entry *e, const char *name, hst_err *err)
{
    int type = archive_entry_filetype(e);
    if (archive_entry_hardlink(e) || archive_entry_symlink(e) || type == AE_IFLNK)
        return refuse(u, name, "is a link", err);
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(u, name, "is neither a file nor a folder", err);
    if (archive_entry_is_encrypted(e))
        return refuse(u, name, "is encrypted", err);
    if (type == AE_IFREG && archive_entry_size_is_set(e) &&
        (archive_entry_size(e) < 0 || (uint64_t)archive_entry_size(e) > u->left))
        return refuse(u, name, "unpacks to far more than the archive holds", err);
    return 0;
}

static int unpack_one(unpacking *u, struct archive_entry *e, hst_err *err)
{
    char path[MAX_PATH];
    const char *name = name_of(e);
    if (!name)
        return refuse(u, "", "has no name that can be read", err);
    if (!*name && archive_entry_filetype(e) == AE_IFDIR)
        return 0; /* the root itself, "./" */
    if (!is_inside(name))
        return refuse(u, name, "has a name that leads elsewhere", err);
    int rc = check_type(u, e, name, err);
    if (rc || is_shadow(name))
        return rc;
    int n = snprintf(path, sizeof path, "%s/%s", u->dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return refuse(u, name, "has a name that is too long", err);
    if (is_below_file(u, path))
        return refuse(u, name, "is there twice, or lies in a file", err);
    if (archive_entry_filetype(e) == AE_IFDIR)
        return hst_mkdirs(path, err);
    rc = make_folder(path, err);
    if (rc)
        return rc;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && (errno == EEXIST || errno == EISDIR))
        return refuse(u, name, "is a folder too", err);
    if (fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be made", path);
    rc = copy(u, fd, name, err);
    if (close(fd) != 0 && rc == 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", path);
    return rc;
}

/* ---- the archive ---- */

/* A warning is that of a name in another character set, which is taken as it stands. */
static int unpack_all(unpacking *u, hst_err *err)
{
    struct archive_entry *e;
    int got, rc = 0;
    size_t n = 0;
    while (rc == 0 && (got = archive_read_next_header(u->a, &e)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            rc = damaged(u, err);
        else if (++n > MAX_MEMBERS)
            rc = hst_fail(err, HST_EDATA, "%s has more than %d members", u->what, MAX_MEMBERS);
        else
            rc = unpack_one(u, e, err);
    }
    if (rc == 0 && n == 0)
        rc = hst_fail(err, HST_EDATA, "%s is an archive of nothing", u->what);
    return rc;
}

/* Only what the library can do itself: for what it cannot it would run a program. */
static void add_filter(struct archive *a, int (*support)(struct archive *))
{
    struct archive *trial = archive_read_new();
    if (trial && support(trial) == ARCHIVE_OK)
        (void)support(a);
    archive_read_free(trial);
}

/* The formats by name, not whatever the library happens to know. */
static int set_up(unpacking *u, hst_err *err)
{
    u->a = archive_read_new();
    if (u->a) {
        add_filter(u->a, archive_read_support_filter_bzip2);
        add_filter(u->a, archive_read_support_filter_xz);
        add_filter(u->a, archive_read_support_filter_zstd);
    }
    if (!u->a || archive_read_support_filter_gzip(u->a) != ARCHIVE_OK ||
        archive_read_support_format_tar(u->a) != ARCHIVE_OK ||
        archive_read_support_format_zip(u->a) != ARCHIVE_OK)
        return hst_fail(err, HST_EMEM, "out of memory: %s cannot be unpacked", u->what);
    return archive_read_open_fd(u->a, u->fd, block_bytes) == ARCHIVE_OK ? 0 : damaged(u, err);
}

int hst_archive_unpack(const hst_ctx *ctx, const char *file, const char *what, const char *dir,
                       hst_err *err)
{
    struct stat st;
    unpacking u = {.what = what, .dir = dir};
    u.fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (u.fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", file);
    int rc = fstat(u.fd, &st) != 0  ? hst_fail_errno(err, HST_EIO, errno, "%s", file)
             : !S_ISREG(st.st_mode) ? hst_fail(err, HST_EDATA, "%s is not a regular file", file)
                                    : 0;
    if (rc == 0) {
        u.bytes = (uint64_t)st.st_size;
        u.left = u.bytes * MAX_RATIO + slack_bytes;
        u.meter = hst_meter_start(ctx, "unpacking", u.bytes);
        u.meter.in_bytes = 1;
        rc = set_up(&u, err);
        rc = rc ? rc : unpack_all(&u, err);
        rc = rc ? rc : hst_meter_at(&u.meter, u.bytes, err);
    }
    archive_read_free(u.a);
    close(u.fd);
    return rc;
}
