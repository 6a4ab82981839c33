#include "formats/workdir.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ending[] = ".XXXXXX"; /* letters and digits for the Xs */

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* 1: nobody took it for an abandoned one before it was locked. */
static int is_mine(const hst_workdir *w)
{
    struct stat a, b;
    if (flock(w->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return 0;
    return fstat(w->lock, &a) == 0 && stat(w->path, &b) == 0 && a.st_ino == b.st_ino;
}

int hst_workdir_begin(hst_workdir *w, const char *beside, hst_err *err)
{
    enum { TRIES = 10 };
    const size_t n = strlen(beside);
    *w = (hst_workdir){hst_alloc(n + sizeof ending, 1, err), -1};
    if (!w->path)
        return HST_EMEM;
    int why = 0;
    for (int i = 0; i < TRIES; i++) {
        memcpy(w->path, beside, n);
        memcpy(w->path + n, ending, sizeof ending);
        if (!mkdtemp(w->path)) {
            why = errno;
            break;
        }
        w->lock = open_folder(w->path);
        if (w->lock >= 0 && is_mine(w))
            return 0;
        why = errno;
        rmdir(w->path);
        if (w->lock < 0)
            break;
        close(w->lock);
        w->lock = -1;
    }
    const int rc = hst_fail_errno(err, HST_EIO, why, "a folder beside %s cannot be made", beside);
    free(w->path);
    *w = (hst_workdir){0};
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0; /* the rest is removed all the same */
}

static void remove_all(const char *path)
{
    enum { OPEN_FOLDERS = 8 };
    if (rmdir(path) != 0) /* an empty one goes without memory, which the walk needs */
        nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

void hst_workdir_end(hst_workdir *w)
{
    if (!w->path)
        return;
    remove_all(w->path);
    close(w->lock);
    free(w->path);
    *w = (hst_workdir){0};
}

static int is_workdir(const char *name)
{
    const size_t n = strlen(name), e = sizeof ending - 1;
    if (n <= e || name[n - e] != '.')
        return 0;
    for (size_t i = n - e + 1; i < n; i++)
        if (!isalnum((unsigned char)name[i]))
            return 0;
    return 1;
}

/* Bytes of the files in a folder, however deep. */
static uint64_t bytes_in(const char *path)
{
    struct stat st;
    struct dirent *e;
    uint64_t n = 0;
    DIR *d = opendir(path);
    while (d && (e = readdir(d))) {
        char *inside = e->d_name[0] == '.' ? NULL : hst_path_join(path, e->d_name, NULL);
        if (inside && lstat(inside, &st) == 0)
            n += S_ISDIR(st.st_mode) ? bytes_in(inside) : (uint64_t)st.st_size;
        free(inside);
    }
    if (d)
        closedir(d);
    return n;
}

uint64_t hst_workdir_sweep(const char *folder)
{
    struct dirent *e;
    uint64_t freed = 0;
    DIR *d = opendir(folder);
    while (d && (e = readdir(d))) {
        char *path = is_workdir(e->d_name) ? hst_path_join(folder, e->d_name, NULL) : NULL;
        const int fd = path ? open_folder(path) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            freed += bytes_in(path);
            remove_all(path);
        }
        if (fd >= 0)
            close(fd);
        free(path);
    }
    if (d)
        closedir(d);
    return freed;
}
