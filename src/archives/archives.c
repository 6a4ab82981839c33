#include "archives/archives.h"
#include "archives/index.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hst_archive {
    char *path;
    struct stat file; /* when it was opened */
    enum hst_archive_kind kind;
    int fd;        /* of what a compressed one was unpacked into; -1: it is read at its path */
    uint64_t size; /* of the file that members lie in */
    hst_index index;
};

struct hst_archives {
    pthread_mutex_t lock; /* held while an archive is opened, so that it is opened once */
    hst_archive **at;
    size_t n, cap;
};

struct hst_archives *hst_archives_new(hst_err *err)
{
    struct hst_archives *all = hst_alloc(1, sizeof *all, err);
    if (all)
        pthread_mutex_init(&all->lock, NULL);
    return all;
}

static void archive_free(hst_archive *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    hst_index_clear(&a->index);
    free(a->path);
    free(a);
}

void hst_archives_free(struct hst_archives *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++)
        archive_free(all->at[i]);
    free(all->at);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static enum hst_archive_kind kind_of_file(int fd)
{
    uint8_t head[HST_ARCHIVE_HEAD];
    const ssize_t n = pread(fd, head, sizeof head, 0);
    return n > 0 ? hst_archive_kind_of(head, (size_t)n) : HST_ARCHIVE_NONE;
}

/* A pipe is not waited for. */
static int open_file(const char *path, struct stat *st)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, st) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int hst_archive_is(const char *path)
{
    struct stat st;
    const int fd = open_file(path, &st);
    const int is = fd >= 0 && S_ISREG(st.st_mode) && kind_of_file(fd) != HST_ARCHIVE_NONE;
    if (fd >= 0)
        close(fd);
    return is;
}

static int is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Its table of members; a compressed one is unpacked first. */
static int fill(const hst_ctx *ctx, hst_archive *a, int fd, hst_err *err)
{
    hst_archive_file f = {fd, (uint64_t)a->file.st_size, a->path};
    struct stat st;
    int rc = hst_index_begin(&a->index, err);
    if (rc == 0 && a->kind == HST_ARCHIVE_NONE)
        rc = hst_fail(err, HST_EDATA, "%s is no .zip, .tar, .tar.gz, .tar.zst, .tar.xz or .tar.bz2",
                      a->path);
    if (rc == 0 && a->kind >= HST_ARCHIVE_GZIP) {
        rc = hst_tar_unpack(ctx, &f, a->kind, &a->fd, err);
        if (rc == 0 && fstat(a->fd, &st) != 0)
            rc = hst_fail_errno(err, HST_EIO, errno, "%s cannot be read", a->path);
        if (rc == 0)
            f = (hst_archive_file){a->fd, (uint64_t)st.st_size, a->path};
    }
    a->size = f.size;
    if (rc == 0)
        rc = a->kind == HST_ARCHIVE_ZIP ? hst_zip_index(&f, &a->index, err)
                                        : hst_tar_index(ctx, &f, &a->index, err);
    if (rc == 0 && a->index.n == 0)
        rc = hst_fail(err, HST_EDATA, "%s is an archive of nothing", a->path);
    hst_index_end(&a->index);
    return rc;
}

static int archive_new(const hst_ctx *ctx, const char *path, hst_archive **out, hst_err *err)
{
    hst_archive *a = hst_alloc(1, sizeof *a, err);
    if (!a)
        return HST_EMEM;
    a->fd = -1;
    a->path = hst_strdup(path, err);
    int rc = a->path ? 0 : HST_EMEM;
    const int fd = rc ? -1 : open_file(path, &a->file);
    if (rc == 0 && fd < 0)
        rc = hst_fail_errno(err, HST_EDATA, errno, "%s cannot be opened", path);
    if (rc == 0) {
        a->kind = kind_of_file(fd);
        rc = fill(ctx, a, fd, err);
    }
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        *out = a;
    else
        archive_free(a);
    return rc;
}

/* Lock held. */
static int find_or_open(const hst_ctx *ctx, const char *path, const struct stat *st,
                        const hst_archive **out, hst_err *err)
{
    struct hst_archives *all = ctx->archives;
    hst_archive *a = NULL;
    for (size_t i = all->n; i-- > 0;)
        if (is_same_file(&all->at[i]->file, st)) {
            *out = all->at[i];
            return 0;
        }
    if (all->n == all->cap) {
        const size_t cap = all->cap ? all->cap * 2 : 8;
        hst_archive **more = hst_resize(all->at, cap, sizeof(hst_archive *), err);
        if (!more)
            return HST_EMEM;
        all->at = more;
        all->cap = cap;
    }
    const int rc = archive_new(ctx, path, &a, err);
    if (rc == 0)
        *out = all->at[all->n++] = a;
    return rc;
}

int hst_archive_open(const hst_ctx *ctx, const char *path, const hst_archive **out, hst_err *err)
{
    struct stat st;
    if (!ctx->archives)
        return hst_fail(err, HST_EDATA, "%s: archives cannot be read here", path);
    if (stat(path, &st) != 0)
        return hst_fail_errno(err, HST_EDATA, errno, "%s cannot be opened", path);
    if (!S_ISREG(st.st_mode))
        return hst_fail(err, HST_EDATA, "%s is no file", path);
    pthread_mutex_lock(&ctx->archives->lock);
    const int rc = find_or_open(ctx, path, &st, out, err);
    pthread_mutex_unlock(&ctx->archives->lock);
    return rc;
}

const hst_member *hst_archive_members(const hst_archive *a, size_t *n)
{
    *n = a->index.n;
    return a->index.member;
}

static int is_named(const void *name, const void *member)
{
    return strcmp(name, ((const hst_member *)member)->name);
}

const hst_member *hst_archive_find(const hst_archive *a, const char *name)
{
    return bsearch(name, a->index.member, a->index.n, sizeof *a->index.member, is_named);
}

/* The part of path up to its first file in out[cap]; 0: there is none. */
static size_t file_in(const char *path, char *out, size_t cap)
{
    struct stat st;
    for (size_t n = 0; path[n];) {
        n += 1 + strcspn(path + n + 1, "/");
        if (n >= cap)
            return 0;
        memcpy(out, path, n);
        out[n] = 0;
        if (stat(out, &st) != 0)
            return 0;
        if (!S_ISDIR(st.st_mode))
            return S_ISREG(st.st_mode) ? n : 0;
    }
    return 0;
}

int hst_archive_within(const hst_ctx *ctx, const char *path, const hst_archive **a,
                       const char **name, hst_err *err)
{
    char file[4096];
    const size_t n = ctx->archives && *path ? file_in(path, file, sizeof file) : 0;
    if (n == 0)
        return 0;
    *name = path + n + strspn(path + n, "/");
    const int rc = hst_archive_open(ctx, file, a, err);
    return rc ? rc : 1;
}

int hst_archive_resolve(const hst_ctx *ctx, const char *path, const hst_archive **a,
                        const hst_member **m, hst_err *err)
{
    const char *name;
    struct stat st;
    if (stat(path, &st) == 0) /* what is there itself leads through nothing */
        return 0;
    const int rc = hst_archive_within(ctx, path, a, &name, err);
    if (rc != 1)
        return rc;
    *m = hst_archive_find(*a, name);
    return *m ? 1 : hst_fail(err, HST_EDATA, "there is no '%s' in %s", name, (*a)->path);
}

/* The file that members lie in, as it was when the archive was opened. */
static int open_members(const hst_archive *a, hst_err *err)
{
    struct stat st;
    if (a->fd >= 0)
        return a->fd;
    const int fd = open_file(a->path, &st);
    if (fd < 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be opened", a->path);
    if (is_same_file(&st, &a->file))
        return fd;
    close(fd);
    return hst_fail(err, HST_EDATA, "%s has changed since it was opened", a->path);
}

static int read_content(const hst_archive *a, const hst_member *m, uint8_t *out, size_t n,
                        hst_err *err)
{
    const int fd = open_members(a, err);
    if (fd < 0)
        return fd;
    const hst_archive_file f = {fd, a->size, a->path};
    const int rc = a->kind == HST_ARCHIVE_ZIP ? hst_zip_read(&f, m, out, n, err)
                                              : hst_tar_read(&f, m, out, n, err);
    if (a->fd < 0)
        close(fd);
    return rc;
}

int hst_archive_read(const hst_archive *a, const hst_member *m, const hst_member_read *how,
                     uint8_t **bytes, size_t *n, hst_err *err)
{
    hst_err why = {0};
    if (m->is_folder)
        return hst_fail(err, how->code, "is a folder");
    if (m->why)
        return hst_fail(err, how->code, "%s", m->why);
    if (m->size > how->max && !how->part)
        return hst_fail(err, how->code, "is larger than %zu bytes", how->max);
    const size_t size = m->size > how->max ? how->max : (size_t)m->size;
    uint8_t *p = hst_alloc_raw(size + 1, 1, err);
    if (!p)
        return HST_EMEM;
    const int rc = read_content(a, m, p, size, &why);
    if (rc) {
        free(p);
        return hst_fail(err, rc == HST_EMEM ? rc : how->code, "%s", why.msg);
    }
    p[size] = 0;
    *bytes = p;
    *n = size;
    return 0;
}

void hst_archive_stat(const hst_archive *a, const hst_member *m, struct stat *st)
{
    uint8_t digest[32];
    char text[160];
    const int n = snprintf(text, sizeof text, "member %llu %llu %llu %llu",
                           (unsigned long long)a->file.st_ino, (unsigned long long)m->at,
                           (unsigned long long)a->file.st_size, (unsigned long long)m->size);
    *st = (struct stat){.st_dev = a->file.st_dev,
                        .st_mode = S_IFREG,
                        .st_size = (off_t)m->size,
                        .st_mtim = a->file.st_mtim};
    /* A file's number of this kind is small; one of 64 bits of a hash is nobody else's. */
    if (hst_sha256_bytes(text, (size_t)n, digest, NULL) == 0)
        memcpy(&st->st_ino, digest, sizeof st->st_ino);
}
