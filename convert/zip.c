#include "zip.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MEMBERS = 20000, MAX_NAME = 1024, BLOCK = 64 * 1024, SLACK_BYTES = 1 << 20 };

static int damaged(struct archive *a, hst_err *err)
{
    int e = archive_errno(a);
    const char *why = archive_error_string(a);
    if (e == ENOMEM)
        return hst_fail(err, HST_EMEM, "out of memory: the archive cannot be read");
    return hst_fail(err, HST_EMODEL, "the zip archive is damaged: %.200s", why ? why : "no reason");
}

/* A reader at the archive's first member. */
static struct archive *start(const hst_source_file *f, hst_err *err)
{
    struct archive *a = archive_read_new();
    if (!a) {
        hst_fail(err, HST_EMEM, "out of memory: the archive cannot be read");
        return NULL;
    }
    if (!f->data && lseek(f->fd, 0, SEEK_SET) != 0)
        hst_fail_errno(err, HST_EIO, errno, "the archive cannot be read");
    else if (archive_read_support_format_zip_seekable(a) != ARCHIVE_OK ||
             (f->data ? archive_read_open_memory(a, f->data, (size_t)f->n_bytes)
                      : archive_read_open_fd(a, f->fd, BLOCK)) != ARCHIVE_OK)
        damaged(a, err);
    else
        return a;
    archive_read_free(a);
    return NULL;
}

/* The next regular file: 1, 0 at the end, or an error. Folders are passed over. */
static int next(struct archive *a, const char **name, uint64_t *size, hst_err *err)
{
    struct archive_entry *e;
    for (;;) {
        int rc = archive_read_next_header(a, &e);
        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK)
            return damaged(a, err);
        *name = archive_entry_pathname(e);
        if (!*name || !**name || strlen(*name) > MAX_NAME)
            return hst_fail(err, HST_EMODEL, "the archive has a member without a usable name");
        if (archive_entry_filetype(e) == AE_IFDIR)
            continue;
        if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
            return hst_fail(err, HST_EMODEL, "member '%.200s' is no regular file", *name);
        if (!archive_entry_size_is_set(e) || archive_entry_size(e) < 0)
            return hst_fail(err, HST_EMODEL, "member '%.200s' does not say its size", *name);
        *size = (uint64_t)archive_entry_size(e);
        return 1;
    }
}

static int add(zip *z, const char *name, uint64_t size, hst_err *err)
{
    if (z->n == MAX_MEMBERS)
        return hst_fail(err, HST_EMODEL, "the archive has more than %d members", MAX_MEMBERS);
    if (z->n == z->cap) {
        size_t cap = z->cap ? z->cap * 2 : 64;
        zip_member *more = hst_resize(z->member, cap, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        z->member = more;
        z->cap = cap;
    }
    char *copy = hst_strdup(name, err);
    if (!copy)
        return HST_EMEM;
    z->member[z->n++] = (zip_member){copy, size, NULL};
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const zip_member *)a)->name, ((const zip_member *)b)->name);
}

/* Lists the members; their sizes, in all, must not pass limit. */
static int list(zip *z, struct archive *a, uint64_t limit, hst_err *err)
{
    const char *name;
    uint64_t size, total = 0;
    int rc;
    while ((rc = next(a, &name, &size, err)) == 1) {
        if (size > limit - total)
            return hst_fail(err, HST_EMODEL,
                            "member '%.200s' says it holds %llu bytes, far more than the archive",
                            name, (unsigned long long)size);
        total += size;
        rc = add(z, name, size, err);
        if (rc)
            return rc;
    }
    return rc;
}

int zip_open(zip *z, const hst_source_file *file, unsigned max_ratio, hst_err *err)
{
    *z = (zip){.file = file};
    if (file->n_bytes > INT64_MAX / 1000)
        return hst_fail(err, HST_EIO, "the archive cannot be read");
    struct archive *a = start(file, err);
    if (!a)
        return err ? err->code : HST_EMODEL;
    int rc = list(z, a, file->n_bytes * max_ratio + SLACK_BYTES, err);
    archive_read_free(a);
    if (rc)
        return rc;
    if (z->n)
        qsort(z->member, z->n, sizeof *z->member, by_name);
    for (size_t i = 1; i < z->n; i++)
        if (strcmp(z->member[i - 1].name, z->member[i].name) == 0)
            return hst_fail(err, HST_EMODEL, "the archive has two members '%.200s'",
                            z->member[i].name);
    return 0;
}

void zip_free(zip *z)
{
    for (size_t i = 0; i < z->n; i++) {
        free(z->member[i].name);
        free(z->member[i].data);
    }
    free(z->member);
    *z = (zip){0};
}

static zip_member *find(const zip *z, const char *name)
{
    zip_member key = {.name = (char *)name};
    return z->n ? bsearch(&key, z->member, z->n, sizeof key, by_name) : NULL;
}

const zip_member *zip_find(const zip *z, const char *name)
{
    return find(z, name);
}

/* Reads n bytes of the member that a stands at; at the end of the member, none. */
static int read_exactly(struct archive *a, const zip_member *m, void *p, size_t n, hst_err *err)
{
    size_t at = 0;
    while (at < n) {
        la_ssize_t got = archive_read_data(a, (char *)p + at, n - at);
        if (got < 0)
            return damaged(a, err);
        if (got == 0)
            return hst_fail(err, HST_EMODEL, "member '%.200s' is shorter than it says", m->name);
        at += (size_t)got;
    }
    return 0;
}

/* Behind the last byte: also where the reader compares the check sum. */
static int read_end(struct archive *a, const zip_member *m, hst_err *err)
{
    char more;
    la_ssize_t got = archive_read_data(a, &more, 1);
    if (got < 0)
        return damaged(a, err);
    return got ? hst_fail(err, HST_EMODEL, "member '%.200s' is longer than it says", m->name) : 0;
}

static int load_one(struct archive *a, zip_member *m, hst_err *err)
{
    if (m->size > SIZE_MAX / 2)
        return hst_fail(err, HST_EMODEL, "member '%.200s' is too large", m->name);
    m->data = hst_alloc((size_t)m->size, 1, err);
    if (!m->data)
        return HST_EMEM;
    int rc = read_exactly(a, m, m->data, (size_t)m->size, err);
    return rc ? rc : read_end(a, m, err);
}

int zip_load(zip *z, hst_err *err)
{
    const char *name;
    uint64_t size;
    int rc;
    struct archive *a = start(z->file, err);
    if (!a)
        return err ? err->code : HST_EMODEL;
    while ((rc = next(a, &name, &size, err)) == 1) {
        zip_member *m = find(z, name);
        if (!m || m->size != size || m->data)
            rc = hst_fail(err, HST_EMODEL, "the archive changed while it was read");
        else
            rc = load_one(a, m, err);
        if (rc)
            break;
    }
    archive_read_free(a);
    return rc;
}

static int copy_one(struct archive *a, const zip_member *m, hst_out *out, hst_err *err)
{
    char block[BLOCK];
    int rc = 0;
    for (uint64_t left = m->size; left && rc == 0;) {
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        rc = read_exactly(a, m, block, n, err);
        rc = rc ? rc : hst_out_write(out, block, n, err);
        left -= n;
    }
    return rc ? rc : read_end(a, m, err);
}

int zip_copy(const zip *z, const zip_member *m, hst_out *out, hst_err *err)
{
    const char *name;
    uint64_t size;
    int rc;
    struct archive *a = start(z->file, err);
    if (!a)
        return err ? err->code : HST_EMODEL;
    while ((rc = next(a, &name, &size, err)) == 1)
        if (strcmp(name, m->name) == 0 && size == m->size) {
            rc = copy_one(a, m, out, err);
            archive_read_free(a);
            return rc;
        }
    archive_read_free(a);
    return rc ? rc : hst_fail(err, HST_EMODEL, "the archive changed while it was read");
}
