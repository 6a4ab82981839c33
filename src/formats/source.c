#include "formats/source.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 256, MAX_DEPTH = 3, MAX_NAME = 1024, MAX_ENTRIES = 100000 };
static const uint64_t max_bytes = UINT64_C(4) << 30;

/* Where the weights of a file lie beside it: endings of their names. The first that matches counts.
 */
static const struct {
    const char *of, *beside[5];
} companions[] = {
    {".safetensors.index.json", {".safetensors", NULL}},
    {".json", {".bin", NULL}},
    {".onnx", {".data", "_data", ".bin", ".weight", NULL}},
};

static hst_source_file *append(hst_source *s, const char *name, hst_err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        hst_source_file *more = hst_resize(s->file, cap, sizeof *more, err);
        if (!more)
            return NULL;
        s->file = more;
        s->cap = cap;
    }
    char *copy = hst_strdup(name, err);
    if (!copy)
        return NULL;
    s->file[s->n] = (hst_source_file){.name = copy, .fd = -1};
    return &s->file[s->n++];
}

/* Takes fd, also on failure. */
static int add_open(hst_source *s, const char *name, int fd, const struct stat *st, hst_err *err)
{
    int rc = 0;
    if (s->n == MAX_FILES)
        rc = hst_fail(err, HST_EMODEL, "the folder has more than %d files", MAX_FILES);
    else if ((uint64_t)st->st_size > max_bytes - hst_source_bytes(s))
        rc = hst_fail(err, HST_EMODEL, "is larger than %llu bytes", (unsigned long long)max_bytes);
    hst_source_file *f = rc ? NULL : append(s, name, err);
    if (!f) {
        close(fd);
        return rc ? rc : HST_EMEM;
    }
    f->fd = fd;
    f->n_bytes = (uint64_t)st->st_size;
    return 0;
}

/* A folder being walked. */
typedef struct walk {
    hst_source *s;
    const char *const *endings; /* only files with one of these, no folders; NULL: everything */
    const char *except;         /* a name already there */
    int entries;
} walk;

static int wanted(const walk *w, const char *name)
{
    if (name[0] == '.' || (w->except && strcmp(name, w->except) == 0))
        return 0;
    for (const char *const *e = w->endings; e && *e; e++)
        if (hst_ends_with(name, *e))
            return 1;
    return !w->endings;
}

static int walk_folder(walk *w, int fd, const char *prefix, int depth, hst_err *err);

/* Opens an entry that is no link, or one into the store of a Hugging Face cache,
 * "../../blobs/HASH"; -1: it is another, or cannot be opened. */
static int open_entry(int dir, const char *name)
{
    enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
    static const char store[] = "blobs/";
    char to[MAX_NAME];
    int fd = openat(dir, name, FLAGS | O_NOFOLLOW);
    if (fd >= 0 || errno != ELOOP)
        return fd;
    ssize_t n = readlinkat(dir, name, to, sizeof to - 1);
    if (n <= 0)
        return -1;
    to[n] = 0;
    const char *at = to;
    while (strncmp(at, "../", 3) == 0)
        at += 3;
    if (at == to || strncmp(at, store, sizeof store - 1) != 0 || strchr(at + sizeof store - 1, '/'))
        return -1;
    return openat(dir, to, FLAGS | O_NOFOLLOW);
}

/* One entry: a file is added, a folder walked, all else (also what cannot be opened) left out. */
static int walk_entry(walk *w, int dir, const char *prefix, const char *name, int depth,
                      hst_err *err)
{
    char path[MAX_NAME];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof path || !wanted(w, name))
        return 0;
    int fd = open_entry(dir, name);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int few = fd < 0 && (errno == EMFILE || errno == ENFILE);
        if (fd >= 0)
            close(fd);
        return few ? hst_fail_errno(err, HST_EIO, EMFILE, "%s cannot be opened", name) : 0;
    }
    if (S_ISREG(st.st_mode))
        return add_open(w->s, path, fd, &st, err);
    if (S_ISDIR(st.st_mode) && !w->endings && depth < MAX_DEPTH)
        return walk_folder(w, fd, path, depth + 1, err);
    close(fd);
    return 0;
}

/* Takes fd. */
static int walk_folder(walk *w, int fd, const char *prefix, int depth, hst_err *err)
{
    struct dirent *e;
    int rc = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return hst_fail_errno(err, HST_EIO, errno, "the folder cannot be read");
    }
    while (rc == 0 && (e = readdir(dir)))
        rc = ++w->entries > MAX_ENTRIES
                 ? hst_fail(err, HST_EMODEL, "the folder has more than %d entries", MAX_ENTRIES)
                 : walk_entry(w, dirfd(dir), prefix, e->d_name, depth, err);
    closedir(dir);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hst_source_file *)a)->name, ((const hst_source_file *)b)->name);
}

static int open_companions(hst_source *s, const char *path, hst_err *err)
{
    const char *base = hst_path_base(path), *const *endings = NULL;
    for (size_t i = 0; i < sizeof companions / sizeof *companions && !endings; i++)
        if (hst_ends_with(base, companions[i].of))
            endings = companions[i].beside;
    if (!endings)
        return 0;
    char *dir = hst_strdup(path, err);
    if (!dir)
        return HST_EMEM;
    dir[base - path] = 0;
    int fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (fd < 0)
        return 0; /* a folder that cannot be listed: the format says what is missing */
    walk w = {.s = s, .endings = endings, .except = base};
    int rc = walk_folder(&w, fd, "", 1, err);
    qsort(s->file + 1, s->n - 1, sizeof *s->file, by_name);
    return rc;
}

static int open_all(hst_source *s, const char *path, hst_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return hst_fail_errno(err, HST_EMODEL, errno, "cannot be opened");
    if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        close(fd);
        return hst_fail(err, HST_EMODEL, "is not a regular file");
    }
    s->is_folder = S_ISDIR(st.st_mode);
    if (!s->is_folder) {
        int rc = add_open(s, hst_path_base(path), fd, &st, err);
        return rc ? rc : open_companions(s, path, err);
    }
    walk w = {.s = s};
    int rc = walk_folder(&w, fd, "", 1, err);
    if (s->n)
        qsort(s->file, s->n, sizeof *s->file, by_name);
    return rc;
}

int hst_source_open(hst_source *s, const char *path, hst_err *err)
{
    *s = (hst_source){0};
    int rc = open_all(s, path, err);
    if (rc)
        hst_source_close(s);
    return rc;
}

void hst_source_close(hst_source *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->file[i].fd >= 0)
            close(s->file[i].fd);
        free(s->file[i].name);
        free(s->file[i].data);
    }
    free(s->file);
    *s = (hst_source){0};
}

static int hash_file(const hst_source_file *f, char hex[HST_SHA256_HEX], hst_err *err)
{
    uint8_t block[64 * 1024], digest[32];
    ssize_t got;
    off_t at = 0;
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    while (rc == 0 && (got = pread(f->fd, block, sizeof block, at)) != 0) {
        if (got < 0)
            rc = errno == EINTR ? 0 : hst_fail_errno(err, HST_EIO, errno, "cannot be read");
        else
            rc = hst_sha256_add(h, block, (size_t)got, err);
        at += got > 0 ? got : 0;
    }
    rc = rc ? rc : hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    hst_sha256_free(h);
    return rc;
}

int hst_source_hash(const hst_source *s, char hex[HST_SHA256_HEX], hst_err *err)
{
    uint8_t digest[32];
    if (s->n == 1 && !s->is_folder)
        return hash_file(&s->file[0], hex, err);
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        char one[HST_SHA256_HEX];
        rc = hash_file(&s->file[i], one, err);
        rc = rc ? rc : hst_sha256_adds(h, s->file[i].name, err);
        rc = rc ? rc : hst_sha256_adds(h, one, err);
    }
    rc = rc ? rc : hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    hst_sha256_free(h);
    return rc;
}

uint64_t hst_source_bytes(const hst_source *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->file[i].n_bytes;
    return n;
}

hst_source_file *hst_source_find(const hst_source *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->file[i].name, name) == 0)
            return &s->file[i];
    return NULL;
}

int hst_source_add(hst_source *s, const char *name, uint8_t *data, uint64_t n_bytes, hst_err *err)
{
    hst_source_file *f = append(s, name, err);
    if (!f) {
        free(data);
        return HST_EMEM;
    }
    f->data = data;
    f->n_bytes = n_bytes;
    return 0;
}

int hst_source_load(hst_source_file *f, hst_err *err)
{
    size_t at = 0, n = (size_t)f->n_bytes;
    if (f->data)
        return 0;
    uint8_t *data = n < SIZE_MAX ? malloc(n + 1) : NULL; /* not zeroed: all of it is read */
    if (!data)
        return hst_fail(err, HST_EMEM, "out of memory: %s has %zu bytes", f->name, n);
    while (at < n) {
        ssize_t got = pread(f->fd, data + at, n - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int e = got < 0 ? errno : EIO;
            free(data);
            return hst_fail_errno(err, HST_EIO, e, "%s cannot be read", f->name);
        }
        at += (size_t)got;
    }
    data[n] = 0;
    f->data = data;
    return 0;
}
