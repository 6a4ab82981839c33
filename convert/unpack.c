#include "unpack.h"
#include "base/str.h"
#include "zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Weights hardly shrink; texts beside them may, a lot. */
enum { MAX_RATIO = 3, SLACK_BYTES = 24 << 20, MAX_FILES = 256, MAX_NAME = 1024, BLOCK = 64 * 1024 };

static void end(void *thing)
{
    hst_source_close(thing);
    free(thing);
}

hst_source *unpack_begin(weights *w, hst_err *err)
{
    hst_source *s = hst_alloc(1, sizeof *s, err);
    if (!s || weights_keep(w, s, end, err))
        return NULL;
    s->is_folder = 1;
    return s;
}

/* No part of a name is "..", and none leads away. */
static int is_inside(const char *name)
{
    if (!*name || *name == '/' || strchr(name, '\\') || strlen(name) > MAX_NAME)
        return 0;
    for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
            return 0;
    return 1;
}

/* Takes data, also on failure. */
static int add(hst_source *s, const char *name, uint8_t *data, uint64_t n_bytes, hst_err *err)
{
    int rc = 0;
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    if (!is_inside(name))
        rc = hst_fail(err, HST_EMODEL, "archive member '%.200s' leads out of the archive", name);
    else if (s->n == MAX_FILES)
        rc = hst_fail(err, HST_EMODEL, "the archive has more than %d files", MAX_FILES);
    else if (hst_source_find(s, name))
        rc = hst_fail(err, HST_EMODEL, "the archive has two members '%.200s'", name);
    if (rc == 0)
        return hst_source_add(s, name, data, n_bytes, err);
    free(data);
    return rc;
}

int unpack_zip(const hst_source_file *file, hst_source *out, hst_err *err)
{
    zip z;
    int rc = zip_open(&z, file, MAX_RATIO, err);
    rc = rc ? rc : zip_load(&z, err);
    for (size_t i = 0; i < z.n && rc == 0; i++) {
        zip_member *m = &z.member[i];
        uint8_t *data = m->data;
        m->data = NULL;
        rc = add(out, m->name, data, m->size, err);
    }
    zip_free(&z);
    return rc;
}

static int damaged(struct archive *a, hst_err *err)
{
    const char *why = archive_error_string(a);
    if (archive_errno(a) == ENOMEM)
        return hst_fail(err, HST_EMEM, "out of memory: the archive cannot be read");
    return hst_fail(err, HST_EMODEL, "the archive is damaged: %.200s", why ? why : "no reason");
}

static int check_entry(struct archive_entry *e, uint64_t left, hst_err *err)
{
    const char *name = archive_entry_pathname(e);
    if (!name || !is_inside(name))
        return hst_fail(err, HST_EMODEL, "archive member '%.200s' leads out of the archive",
                        name ? name : "");
    if (archive_entry_hardlink(e) || archive_entry_symlink(e) ||
        (archive_entry_filetype(e) != AE_IFREG && archive_entry_filetype(e) != AE_IFDIR))
        return hst_fail(err, HST_EMODEL, "archive member '%.200s' is no regular file", name);
    if (archive_entry_filetype(e) == AE_IFDIR)
        return 0;
    if (!archive_entry_size_is_set(e) || archive_entry_size(e) < 0)
        return hst_fail(err, HST_EMODEL, "archive member '%.200s' does not say its size", name);
    if ((uint64_t)archive_entry_size(e) > left)
        return hst_fail(err, HST_EMODEL,
                        "archive member '%.200s' says it holds %lld bytes, far more than the "
                        "archive",
                        name, (long long)archive_entry_size(e));
    return 0;
}

static int unpack_entry(struct archive *a, struct archive_entry *e, hst_source *out, hst_err *err)
{
    size_t n = (size_t)archive_entry_size(e), at = 0;
    la_ssize_t got = 1;
    uint8_t *data = hst_alloc(n + 1, 1, err);
    if (!data)
        return HST_EMEM;
    while (at < n && (got = archive_read_data(a, data + at, n - at)) > 0)
        at += (size_t)got;
    if (got < 0 || at < n) {
        free(data);
        return got < 0 ? damaged(a, err)
                       : hst_fail(err, HST_EMODEL, "the archive is cut off in '%.200s'",
                                  archive_entry_pathname(e));
    }
    return add(out, archive_entry_pathname(e), data, n, err);
}

static int unpack_all(struct archive *a, const hst_source_file *file, hst_source *out, hst_err *err)
{
    struct archive_entry *e;
    uint64_t left = file->n_bytes * MAX_RATIO + SLACK_BYTES;
    int got, rc = 0;
    while (rc == 0 && (got = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
        rc = got == ARCHIVE_OK ? check_entry(e, left, err) : damaged(a, err);
        if (rc || archive_entry_filetype(e) == AE_IFDIR)
            continue;
        left -= (uint64_t)archive_entry_size(e);
        rc = unpack_entry(a, e, out, err);
    }
    return rc;
}

int unpack_tar(const hst_source_file *file, hst_source *out, hst_err *err)
{
    struct archive *a = archive_read_new();
    if (!a)
        return hst_fail(err, HST_EMEM, "out of memory: the archive cannot be read");
    int rc = 0;
    if (!file->data && lseek(file->fd, 0, SEEK_SET) != 0)
        rc = hst_fail_errno(err, HST_EIO, errno, "the archive cannot be read");
    else if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
             archive_read_support_format_tar(a) != ARCHIVE_OK ||
             (file->data ? archive_read_open_memory(a, file->data, (size_t)file->n_bytes)
                         : archive_read_open_fd(a, file->fd, BLOCK)) != ARCHIVE_OK)
        rc = damaged(a, err);
    rc = rc ? rc : unpack_all(a, file, out, err);
    archive_read_free(a);
    return rc;
}

/* Length of the folder in front of the file's name, slash included; -1: another file. */
static long prefix_of(const char *name, const char *file)
{
    size_t n = strlen(name), m = strlen(file);
    if (!hst_ends_with(name, file) || (n > m && name[n - m - 1] != '/'))
        return -1;
    return (long)(n - m);
}

int unpack_enter(hst_source *s, const char *file)
{
    char prefix[MAX_NAME + 1] = "";
    long n = -1;
    for (size_t i = 0; i < s->n; i++) {
        long here = prefix_of(s->file[i].name, file);
        if (here >= 0 && n >= 0)
            return 0;
        if (here < 0)
            continue;
        n = here;
        memcpy(prefix, s->file[i].name, (size_t)n);
    }
    for (size_t i = 0; n > 0 && i < s->n; i++) {
        char *name = s->file[i].name;
        if (strncmp(name, prefix, (size_t)n) == 0)
            memmove(name, name + n, strlen(name + n) + 1);
        else
            name[0] = 0; /* found under no name */
    }
    return n >= 0;
}
