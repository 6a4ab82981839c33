#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_some(int fd, void *p, size_t n)
{
    ssize_t got;
    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Reads fd to its end; expect: bytes the file says it has (0 for a pipe). */
static int read_all(int fd, size_t expect, size_t max, int code, uint8_t **data, size_t *n,
                    hst_err *err)
{
    size_t cap = expect + 2, at = 0; /* one byte to see the end, one for the NUL */
    uint8_t *p = hst_alloc_raw(cap, 1, err);
    if (!p)
        return HST_EMEM;
    for (;;) {
        ssize_t got = read_some(fd, p + at, cap - 1 - at);
        if (got < 0) {
            free(p);
            return hst_fail_errno(err, HST_EIO, errno, "cannot be read");
        }
        if (got == 0)
            break;
        at += (size_t)got;
        if (at > max) {
            free(p);
            return hst_fail(err, code, "is larger than %zu bytes", max);
        }
        if (at + 1 == cap) {
            uint8_t *more = hst_resize(p, cap * 2, 1, err);
            if (!more) {
                free(p);
                return HST_EMEM;
            }
            p = more;
            cap *= 2;
        }
    }
    p[at] = 0;
    *data = p;
    *n = at;
    return 0;
}

int hst_file_read(const char *path, size_t max, int code, uint8_t **data, size_t *n, hst_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return hst_fail_errno(err, errno == ENOMEM ? HST_EMEM : code, errno, "cannot be opened");
    int rc = 0;
    if (fstat(fd, &st) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "cannot be read");
    else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        rc = hst_fail(err, code, S_ISDIR(st.st_mode) ? "is a folder" : "is not a regular file");
    else if ((uint64_t)st.st_size > max)
        rc = hst_fail(err, code, "is larger than %zu bytes", max);
    else if (S_ISFIFO(st.st_mode) && fcntl(fd, F_SETFL, 0) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "cannot be read");
    else
        rc = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 64 * 1024, max, code, data, n,
                      err);
    close(fd);
    return rc;
}

/* Behind a name while its file is being written; random letters and digits for the Xs. */
static const char temporary_ending[] = ".XXXXXX.tmp";

struct hst_out {
    char *path, *temporary;
    int fd;         /* -1 once closed */
    int unfinished; /* 1: the temporary file is there */
};

/* Puts letters and digits for the Xs at the end of the path. */
static int draw_ending(char *path)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv"; /* 32: a byte's low bits */
    uint8_t random[sizeof temporary_ending];
    char *ending = path + strlen(path) - (sizeof temporary_ending - 1);
    if (getentropy(random, sizeof random) != 0)
        return -1;
    for (size_t i = 0; temporary_ending[i]; i++)
        ending[i] = temporary_ending[i] == 'X' ? digits[random[i] & 31] : temporary_ending[i];
    return 0;
}

/* A new file beside the result, with the rights that the process' umask leaves to any file; the
 * umask itself cannot be asked for without being changed for every thread. -1: errno says why. */
static int create_temporary(char *path)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES && draw_ending(path) == 0; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int hst_out_open(hst_out **out, const char *path, hst_err *err)
{
    size_t n = strlen(path);
    hst_out *o = *out = hst_alloc(1, sizeof *o, err);
    if (!o)
        return HST_EMEM;
    o->fd = -1;
    o->path = hst_strdup(path, err);
    o->temporary = hst_resize(NULL, n + sizeof temporary_ending, 1, err);
    if (!o->path || !o->temporary)
        return HST_EMEM;
    memcpy(o->temporary, path, n);
    memcpy(o->temporary + n, temporary_ending, sizeof temporary_ending);
    o->fd = create_temporary(o->temporary);
    o->unfinished = o->fd >= 0;
    return o->unfinished ? 0 : hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", path);
}

int hst_write_all(int fd, const void *p, size_t n)
{
    const char *s = p;
    while (n) {
        const ssize_t put = write(fd, s, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return 0;
        s += put;
        n -= (size_t)put;
    }
    return 1;
}

int hst_out_write(hst_out *o, const void *p, size_t n, hst_err *err)
{
    if (hst_write_all(o->fd, p, n))
        return 0;
    return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", o->path);
}

int hst_out_rewrite(hst_out *o, size_t at, const void *p, size_t n, hst_err *err)
{
    const off_t end = lseek(o->fd, 0, SEEK_CUR);
    if (end < 0 || lseek(o->fd, (off_t)at, SEEK_SET) < 0 || !hst_write_all(o->fd, p, n) ||
        lseek(o->fd, end, SEEK_SET) < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", o->path);
    return 0;
}

/* Some file systems cannot fsync a folder; that is no failure of ours. */
int hst_sync_folder(const char *path, hst_err *err)
{
    char *dir = hst_strdup(path, err);
    if (!dir)
        return HST_EMEM;
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    if (fd >= 0) {
        if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
            rc = hst_fail_errno(err, HST_EIO, errno, "the folder of %s cannot be synced", path);
        close(fd);
    }
    free(dir);
    return rc;
}

int hst_out_commit(hst_out *o, hst_err *err)
{
    if (fsync(o->fd) != 0 && errno != EINVAL)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", o->path);
    int fd = o->fd;
    o->fd = -1;
    if (close(fd) != 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", o->path);
    if (rename(o->temporary, o->path) != 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", o->path);
    o->unfinished = 0;
    return hst_sync_folder(o->path, err);
}

void hst_out_close(hst_out *o)
{
    if (!o)
        return;
    if (o->fd >= 0)
        close(o->fd);
    if (o->unfinished)
        unlink(o->temporary);
    free(o->temporary);
    free(o->path);
    free(o);
}

/* "model.safetensors.a1B2c3.tmp" is a temporary name of "model.safetensors". */
static int is_temporary(const char *have, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(have, name, n) != 0 || strlen(have) != n + sizeof temporary_ending - 1)
        return 0;
    for (const char *want = temporary_ending, *s = have + n; *want; want++, s++)
        if (*want == 'X' ? !isalnum((unsigned char)*s) : *s != *want)
            return 0;
    return 1;
}

void hst_out_sweep(const char *dir, const char *const *names, size_t n)
{
    struct dirent *e;
    DIR *d = opendir(dir);
    while (d && (e = readdir(d)))
        for (size_t i = 0; i < n; i++)
            if (is_temporary(e->d_name, names[i]))
                (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

int hst_file_write(const char *path, const void *p, size_t n, hst_err *err)
{
    hst_out *o;
    int rc = hst_out_open(&o, path, err);
    rc = rc ? rc : hst_out_write(o, p, n, err);
    rc = rc ? rc : hst_out_commit(o, err);
    hst_out_close(o);
    return rc;
}

int hst_mkdirs(const char *path, hst_err *err)
{
    char *p = hst_strdup(path, err);
    if (!p)
        return HST_EMEM;
    int rc = 0;
    for (char *s = p + 1; rc == 0; s++) {
        if (*s != '/' && *s != 0)
            continue;
        char was = *s;
        *s = 0;
        const int e = mkdir(p, 0777) ? errno : 0; /* before stat() has its own */
        if (e && !hst_is_dir(p))
            rc = hst_fail_errno(err, HST_EIO, e, "folder %s cannot be made", p);
        *s = was;
        if (!was)
            break;
    }
    free(p);
    return rc;
}

char *hst_path_join(const char *dir, const char *name, hst_err *err)
{
    size_t nd = strlen(dir), nn = strlen(name);
    int slash = nd > 0 && dir[nd - 1] != '/';
    char *p = hst_resize(NULL, nd + nn + 2, 1, err);
    if (!p)
        return NULL;
    memcpy(p, dir, nd);
    if (slash)
        p[nd] = '/';
    memcpy(p + nd + slash, name, nn + 1);
    return p;
}

const char *hst_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int hst_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int hst_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
