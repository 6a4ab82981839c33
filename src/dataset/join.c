#include "dataset/join.h"
#include "base/executor.h"
#include "base/sha256.h"
#include "dataset/photo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct content {
    const hst_row *row;
    uint64_t bytes; /* 0: not a file on disk, as a member of an archive */
    hst_digest digest;
} content;

typedef struct joining {
    const hst_ctx *ctx;
    content *c;
    size_t n;
} joining;

static int by_length(const void *pa, const void *pb)
{
    const content *a = pa, *b = pb;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? -1 : 1)
                                : strcmp(a->row->path, b->row->path);
}

static int by_content(const void *pa, const void *pb)
{
    const content *a = pa, *b = pb;
    const int order = memcmp(&a->digest, &b->digest, sizeof a->digest);
    return order                          ? order
           : a->row->part != b->row->part ? (a->row->part < b->row->part ? -1 : 1)
                                          : strcmp(a->row->path, b->row->path);
}

/* Hashes what may have a copy. */
static int hash(void *arg, size_t i, int thread, hst_err *err)
{
    joining *j = arg;
    content *c = &j->c[i];
    uint8_t *bytes;
    size_t n;
    (void)thread;
    const int alone = c->bytes && (i == 0 || c[-1].bytes != c->bytes) &&
                      (i + 1 == j->n || c[1].bytes != c->bytes);
    if (alone || hst_photo_read(j->ctx, c->row->path, HST_EIMAGE, &bytes, &n, NULL) != 0)
        return 0;
    const int rc = hst_sha256_bytes(bytes, n, c->digest.byte, err);
    free(bytes);
    return rc;
}

static size_t labels_of(const hst_row *row)
{
    return row->n_labels ? row->n_labels : row->class_name != NULL;
}

/* All labels of c[n] in the first one's row; doubles do no harm. */
static int join(hst_rows *r, const content *c, size_t n, hst_err *err)
{
    size_t n_labels = 0;
    for (size_t i = 0; i < n; i++)
        n_labels += labels_of(c[i].row);
    const char **label = hst_arena_alloc(r->arena, n_labels, sizeof *label, err);
    if (!label)
        return HST_EMEM;
    n_labels = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < labels_of(c[i].row); k++)
            label[n_labels++] = c[i].row->n_labels ? c[i].row->label[k] : c[i].row->class_name;
    hst_row *first = &r->row[c[0].row - r->row];
    first->label = label;
    first->n_labels = n_labels;
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < n; i++) {
        rc = hst_rows_leave_out(r, c[i].row->path, HST_LEFT_JOINED, NULL, err);
        r->row[c[i].row - r->row].path = NULL;
    }
    return rc;
}

static int join_all(hst_rows *r, const content *c, size_t n, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0, end; rc == 0 && i < n; i = end) {
        for (end = i + 1; end < n && c[end].row->part == c[i].row->part &&
                          memcmp(&c[end].digest, &c[i].digest, sizeof c->digest) == 0;)
            end++;
        if (end > i + 1 && hst_digest_is_set(&c[i].digest))
            rc = join(r, c + i, end - i, err);
    }
    size_t kept = 0;
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        if (r->row[i].path)
            r->row[kept++] = r->row[i];
    r->n = rc ? r->n : kept;
    return rc;
}

int hst_rows_join(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    joining j = {.ctx = ctx, .n = r->n, .c = hst_alloc(r->n, sizeof *j.c, err)};
    struct stat st;
    if (!j.c)
        return HST_EMEM;
    for (size_t i = 0; i < r->n; i++)
        j.c[i] = (content){.row = &r->row[i],
                           .bytes = stat(r->row[i].path, &st) == 0 ? (uint64_t)st.st_size : 0};
    if (j.n)
        qsort(j.c, j.n, sizeof *j.c, by_length);
    int rc = hst_executor_try(ctx->executor, j.n, hash, &j, err);
    if (rc == 0 && j.n)
        qsort(j.c, j.n, sizeof *j.c, by_content);
    rc = rc ? rc : join_all(r, j.c, j.n, err);
    free(j.c);
    return rc;
}
