#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CAP = 4096, NAMES_MOST = 1000000, CHUNK = 1 << 16 };

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int cli_place_name(const char *folder, const char *from, int i, char *to, size_t cap)
{
    const char *name = base_of(from), *dot = strrchr(name, '.');
    const int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    int n = i == 1 ? snprintf(to, cap, "%s/%s", folder, name)
                   : snprintf(to, cap, "%s/%.*s-%d%s", folder, stem, name, i, name + stem);
    return n > 0 && (size_t)n < cap;
}

int cli_place_folder(const char *path)
{
    char part[PATH_CAP];
    struct stat st;
    size_t n = strlen(path);
    if (n >= sizeof part)
        return ENAMETOOLONG;
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && i < n)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return errno;
    }
    if (stat(path, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

/* ---- copying ---- */

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int copy_bytes(int in, int out)
{
    char *chunk = malloc(CHUNK);
    int rc = chunk ? 0 : ENOMEM;
    while (rc == 0) {
        ssize_t got = read(in, chunk, CHUNK);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            rc = errno;
        else if (got > 0)
            rc = write_all(out, chunk, (size_t)got);
    }
    free(chunk);
    return rc;
}

/* Permissions and times are taken along where the file system has them. */
static void copy_about(const struct stat *st, int out)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchmod(out, st->st_mode & 0777) == 0)
        (void)futimens(out, times);
}

/* A copy of `from` under a name of ours in folder. 0 or errno; then nothing is left of it. */
static int copy_aside(const char *from, const char *folder, int durable, char aside[PATH_CAP])
{
    struct stat st;
    int n = snprintf(aside, PATH_CAP, "%s/.headstart-XXXXXX", folder);
    if (n >= PATH_CAP)
        return ENAMETOOLONG;
    int in = open(from, O_RDONLY | O_CLOEXEC), rc = in < 0 ? errno : 0;
    int out = rc ? -1 : mkstemp(aside);
    if (rc == 0 && out < 0)
        rc = errno;
    if (rc == 0)
        rc = fstat(in, &st) ? errno : copy_bytes(in, out);
    if (rc == 0) {
        copy_about(&st, out);
        rc = durable && fsync(out) ? errno : 0;
    }
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) && rc == 0)
        rc = errno;
    if (rc && out >= 0)
        unlink(aside);
    return rc;
}

/* Gives what is at `old` the name `to` as well, where nothing has it: 0, EEXIST, or errno. */
static int claim(const char *old, const char *to)
{
    if (link(old, to) == 0)
        return 0;
    if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP && errno != EMLINK &&
        errno != ENOSYS)
        return errno;
    /* A file system without hard links: the name is ours once the file is made, and only then is
     * it replaced. */
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    close(fd);
    if (rename(old, to) == 0)
        return 0;
    int rc = errno;
    unlink(to);
    return rc;
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0)
        return errno;
    if (fsync(fd) && errno != EINVAL) /* some have nothing to do for a folder */
        rc = errno;
    close(fd);
    return rc;
}

/* ---- placing ---- */

/* 0, EEXIST: that name is taken; or errno. */
static int place_as(enum cli_placing how, const char *from, const char *real, const char *to)
{
    if (how == CLI_PLACE_LINK)
        return symlink(real, to) ? errno : 0;
    return claim(from, to);
}

/* The first name that is free. aside: the file that gets it. */
static int place_first(enum cli_placing how, const char *aside, const char *from,
                       const char *folder, char *to, size_t cap)
{
    char real[PATH_MAX];
    int rc = EEXIST;
    if (how == CLI_PLACE_LINK && !realpath(from, real))
        return errno;
    for (int i = 1; rc == EEXIST && i < NAMES_MOST; i++)
        rc = cli_place_name(folder, from, i, to, cap) ? place_as(how, aside, real, to)
                                                      : ENAMETOOLONG;
    return rc;
}

static int place_copy(const char *from, const char *folder, int durable, char *to, size_t cap)
{
    char aside[PATH_CAP];
    int rc = copy_aside(from, folder, durable, aside);
    if (rc)
        return rc;
    rc = place_first(CLI_PLACE_COPY, aside, from, folder, to, cap);
    unlink(aside); /* gone already where it was renamed */
    return rc || !durable ? rc : sync_folder(folder);
}

static int place_move(const char *from, const char *folder, char *to, size_t cap)
{
    struct stat st;
    int rc = lstat(from, &st) ? errno : 0;
    if (rc)
        return rc;
    /* A link may only mean something where it is: what it shows is moved, and the link goes. */
    rc = S_ISLNK(st.st_mode) ? EXDEV : place_first(CLI_PLACE_MOVE, from, from, folder, to, cap);
    if (rc == EXDEV)
        rc = place_copy(from, folder, 1, to, cap);
    if (rc)
        return rc;
    /* already gone where it was renamed */
    if (unlink(from) == 0 || errno == ENOENT)
        return 0;
    rc = errno; /* it stays where it was, so it is nowhere else */
    unlink(to);
    return rc;
}

int cli_place(enum cli_placing how, const char *from, const char *folder, char *to, size_t cap)
{
    struct stat a, b;
    if (!cli_place_name(folder, from, 1, to, cap))
        return ENAMETOOLONG;
    if (stat(from, &a) != 0)
        return errno;
    if (stat(to, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return 0;
    if (how == CLI_PLACE_MOVE)
        return place_move(from, folder, to, cap);
    return how == CLI_PLACE_COPY ? place_copy(from, folder, 0, to, cap)
                                 : place_first(how, from, from, folder, to, cap);
}
