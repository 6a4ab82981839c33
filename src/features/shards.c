/* shards.c - a job as many tasks: which photos are a task's, and what they have written as one. */
#include "base/mem.h"
#include "base/shard.h"
#include "base/str.h"
#include "base/text_out.h"
#include "features/features.h"
#include "features/store.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a task's photos ---- */

int hst_data_shard(hst_data *d, int index, int count, hst_err *err)
{
    if (index < 1 || index > count)
        return hst_fail(err, HST_EARG, "shard %d of %d: shards are 1 to their number", index,
                        count);
    if ((size_t)count > d->n_photos)
        return hst_fail(err, HST_EARG, "%d shards of %zu photos: not more than one each", count,
                        d->n_photos);
    d->shard = index;
    d->shards = count;
    return 0;
}

/* All that its features depend on but the photos. */
static int job_text(const hst_ctx *ctx, const hst_extractor *e, char out[HST_SHARD_JOB],
                    hst_err *err)
{
    char hex[HST_SHA256_HEX] = "";
    uint8_t digest[32];
    const hst_view *v;
    int branch, rc = 0;
    hst_sha256 *h = hst_sha256_new(err);
    for (int i = 0; h && rc == 0 && (v = hst_extractor_view(e, i, NULL, &branch)); i++) {
        hst_store_kind kind;
        rc = hst_store_kind_of(ctx, e->branch[branch].backbone, &v->prep, &kind, err);
        rc = rc ? rc : hst_sha256_add(h, kind.prefix, sizeof kind.prefix, err);
    }
    rc = !h ? HST_EMEM : rc ? rc : hst_sha256_end(h, digest, err);
    hst_sha256_free(h);
    if (rc == 0)
        hst_hex(digest, hex);
    const hst_backbone_info *b = hst_backbone_describe(e->branch[0].backbone);
    snprintf(out, HST_SHARD_JOB, "features of %s, %s, %s, %.16s", b->family, b->precision,
             ctx->kernels->isa, hex);
    return rc;
}

/* The listing is what a .csv of all photos would hold. */
static int list_photos(hst_shard *s, const hst_data *d, hst_err *err)
{
    hst_buf row = HST_BUF(SIZE_MAX / 2);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        row.n = 0;
        hst_buf_csv(&row, d->photos[i].path);
        hst_buf_puts(&row, ",");
        hst_data_csv_known(d, i, &row);
        rc = hst_buf_check(&row, err);
        rc = rc ? rc : hst_shard_list(s, row.p, err);
    }
    hst_buf_free(&row);
    return rc;
}

int hst_features_shard(const hst_ctx *ctx, const hst_extractor *e, const hst_data *d, hst_data *out,
                       hst_shard **shard, hst_err *err)
{
    char job[HST_SHARD_JOB];
    size_t first = 0, end = d->n_photos;
    *out = *d;
    *shard = NULL;
    if (!d->shards)
        return 0;
    int rc = job_text(ctx, e, job, err);
    if (rc == 0 && !(*shard = hst_shard_new(d->shard, d->shards, job, err)))
        rc = HST_EMEM;
    rc = rc ? rc : list_photos(*shard, d, err);
    rc = rc ? rc : hst_shard_range(*shard, &first, &end, err);
    if (rc)
        return rc;
    hst_shard_has_vectors(*shard, e->dim);
    out->photos += first;
    out->n_photos = end - first;
    return 0;
}

/* ---- what the tasks have written ---- */

typedef struct part {
    const char *given;
    char *rows; /* the file of rows: given, or beside it */
    hst_shard_record is;
    uint64_t text; /* bytes in front of its last line */
} part;

typedef struct merge {
    part *part; /* [n], by shard once they are known to be all */
    size_t n;
    const char *out;
    char *out_rows;
    char *first_line; /* the header, where there is one */
} merge;

static char *rows_of(const char *path, hst_err *err)
{
    return hst_feature_is_table(path) ? hst_feature_csv_path(path, err) : hst_strdup(path, err);
}

static int read_failed(const char *path, hst_err *err)
{
    return hst_fail_errno(err, HST_EIO, errno, "%s", path);
}

/* The last line of p's rows. */
static int read_end(part *p, hst_err *err)
{
    char end[HST_SHARD_LINE];
    FILE *f = fopen(p->rows, "rb");
    off_t size = -1;
    if (f && fseeko(f, 0, SEEK_END) == 0)
        size = ftello(f);
    const size_t n = size < (off_t)sizeof end ? (size_t)(size < 0 ? 0 : size) : sizeof end;
    const int got =
        size >= 0 && fseeko(f, size - (off_t)n, SEEK_SET) == 0 && fread(end, 1, n, f) == n;
    int rc = got ? 0 : read_failed(p->rows, err);
    if (f)
        fclose(f);
    if (rc)
        return rc;
    size_t begin = n;
    while (begin > 1 && end[begin - 2] != '\n')
        begin--;
    begin -= begin > 0;
    p->text = (uint64_t)size - (n - begin);
    const int whole = n && end[n - 1] == '\n';
    rc = hst_shard_read(end + begin, whole ? n - begin - 1 : 0, &p->is, err);
    if (rc == 0 && !p->is.dim != !hst_feature_is_table(p->given))
        rc = hst_fail(err, HST_EDATA, "%s",
                      p->is.dim ? "these rows are of features: give the .npy or .safetensors file"
                                : "its .csv is not of features");
    if (rc)
        hst_err_at(err, p->given);
    return rc;
}

/* Two shards that cannot be of one job: a line that says why. */
static int check_alike(const part *a, const part *b, hst_err *err)
{
    const hst_shard_record *x = &a->is, *y = &b->is;
    if (strcmp(x->job, y->job) != 0)
        return hst_fail(err, HST_EDATA, "%s and %s are of other jobs: %s; %s", a->given, b->given,
                        x->job, y->job);
    if (x->count != y->count)
        return hst_fail(err, HST_EDATA, "%s is one of %d shards, %s of %d", a->given, x->count,
                        b->given, y->count);
    if (x->photos != y->photos || strcmp(x->listing, y->listing) != 0)
        return hst_fail(err, HST_EDATA,
                        "%s (%" PRIu64 " photos) and %s (%" PRIu64
                        ") are of other photos, or these changed between them",
                        a->given, x->photos, b->given, y->photos);
    if (x->dim != y->dim || x->headers != y->headers)
        return hst_fail(err, HST_EDATA, "%s and %s do not have the same columns", a->given,
                        b->given);
    return 0;
}

static int by_shard(const void *a, const void *b)
{
    const part *x = a, *y = b;
    return (x->is.index > y->is.index) - (x->is.index < y->is.index);
}

/* By shard. Every one is to be there, once. */
static int put_in_order(merge *m, hst_err *err)
{
    const size_t count = (size_t)m->part[0].is.count;
    size_t missing = 0, first = 0;
    for (size_t i = 1; i < m->n; i++) {
        int rc = check_alike(&m->part[0], &m->part[i], err);
        if (rc)
            return rc;
    }
    qsort(m->part, m->n, sizeof *m->part, by_shard);
    for (size_t i = 1; i < m->n; i++)
        if (m->part[i].is.index == m->part[i - 1].is.index)
            return hst_fail(err, HST_EDATA, "%s and %s are both shard %d of %zu",
                            m->part[i - 1].given, m->part[i].given, m->part[i].is.index, count);
    if (m->n == count)
        return 0;
    while (first < m->n && (size_t)m->part[first].is.index == first + 1)
        first++;
    missing = count - m->n;
    return hst_fail(err, HST_EDATA, "shard %zu of %zu is missing%s", first + 1, count,
                    missing > 1 ? ", and others are" : "");
}

/* The rows of p, which f has been opened for, to t; the header of the first alone. */
static int copy_lines(merge *m, const part *p, FILE *f, hst_text_out *t, hst_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    uint64_t at = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && at < p->text; i++) {
        const ssize_t n = getline(&line, &cap, f);
        const int is_header = i < p->is.headers;
        if (n <= 0) {
            rc = read_failed(p->rows, err);
            break;
        }
        at += (uint64_t)n;
        if (strncmp(line, HST_SHARD_MARK, sizeof HST_SHARD_MARK - 1) == 0)
            rc = hst_fail(err, HST_EDATA, "%s: two shards, one behind the other", p->rows);
        else if (is_header && m->first_line && strcmp(line, m->first_line) != 0)
            rc = hst_fail(err, HST_EDATA, "%s and %s do not have the same columns", m->part[0].rows,
                          p->rows);
        else if (!is_header || !m->first_line)
            hst_buf_add(&t->b, line, (size_t)n);
        if (rc == 0 && is_header && !m->first_line && !(m->first_line = hst_strdup(line, err)))
            rc = HST_EMEM;
        rc = rc ? rc : hst_text_line(t, err);
    }
    free(line);
    return rc;
}

static int copy_rows(merge *m, const part *p, hst_text_out *t, hst_err *err)
{
    FILE *f = fopen(p->rows, "rb");
    if (!f)
        return read_failed(p->rows, err);
    const int rc = copy_lines(m, p, f, t, err);
    fclose(f);
    return rc;
}

/* n bytes of vectors, whose SHA-256 is known, from f to the table. */
static int copy_numbers(const part *p, FILE *f, uint64_t n, hst_out *table, hst_err *err)
{
    enum { AT_ONCE = 1 << 16 };
    char hex[HST_SHA256_HEX], block[AT_ONCE];
    uint8_t digest[32];
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    while (rc == 0 && n) {
        const size_t some = n < AT_ONCE ? (size_t)n : AT_ONCE;
        if (fread(block, 1, some, f) != some)
            rc = read_failed(p->given, err);
        rc = rc ? rc : hst_sha256_add(h, block, some, err);
        rc = rc ? rc : hst_out_write(table, block, some, err);
        n -= some;
    }
    rc = rc ? rc : hst_sha256_end(h, digest, err);
    if (rc == 0) {
        hst_hex(digest, hex);
        if (strcmp(hex, p->is.vectors) != 0)
            rc = hst_fail(err, HST_EDATA, "%s does not hold the vectors that its .csv belongs to",
                          p->given);
    }
    hst_sha256_free(h);
    return rc;
}

/* The numbers are what a table ends with. */
static int copy_table(const part *p, hst_out *table, hst_err *err)
{
    size_t n = 0;
    const int ok = p->is.rows <= SIZE_MAX && hst_mul_ok((size_t)p->is.rows, sizeof(float), &n) &&
                   hst_mul_ok(n, (size_t)p->is.dim, &n);
    FILE *f = fopen(p->given, "rb");
    if (!f)
        return read_failed(p->given, err);
    int rc = 0;
    if (!ok || n > INT64_MAX || fseeko(f, -(off_t)n, SEEK_END) != 0)
        rc = hst_fail(err, HST_EDATA, "%s is shorter than its %" PRIu64 " vectors", p->given,
                      p->is.rows);
    rc = rc ? rc : copy_numbers(p, f, n, table, err);
    fclose(f);
    return rc;
}

static int merge_tables(const merge *m, hst_out *table, hst_err *err)
{
    const int dim = m->part[0].is.dim;
    uint64_t rows = 0;
    int rc = hst_feature_header(table, m->out, 0, dim, 0, err);
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        rows += m->part[i].is.rows;
        rc = copy_table(&m->part[i], table, err);
    }
    if (rc == 0 && rows == 0)
        rc = hst_fail(err, HST_EDATA, "none of the photos could be used");
    return rc ? rc : hst_feature_header(table, m->out, (size_t)rows, dim, 1, err);
}

static int write_all(merge *m, hst_err *err)
{
    const int tables = m->part[0].is.dim != 0;
    hst_text_out t;
    hst_out *table = NULL;
    int rc = hst_text_open(&t, m->out_rows, err);
    if (rc == 0 && tables)
        rc = hst_out_open(&table, m->out, err);
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        rc = copy_rows(m, &m->part[i], &t, err);
    if (rc == 0 && tables)
        rc = merge_tables(m, table, err);
    rc = rc ? rc : hst_text_commit(&t, err);
    if (rc == 0 && tables)
        rc = hst_out_commit(table, err);
    hst_out_close(table);
    hst_text_close(&t);
    return rc;
}

static int read_parts(merge *m, const char *const *paths, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        part *p = &m->part[i];
        p->given = paths[i];
        p->rows = rows_of(paths[i], err);
        rc = p->rows ? read_end(p, err) : HST_EMEM;
        if (rc == 0 && (strcmp(p->given, m->out) == 0 || strcmp(p->rows, m->out_rows) == 0))
            rc = hst_fail(err, HST_EARG, "%s is one of the shards", m->out);
    }
    if (rc == 0 && !m->part[0].is.dim != !hst_feature_is_table(m->out))
        rc = hst_fail(err, HST_EARG,
                      "%s: features go into a .npy or .safetensors file, rows do not", m->out);
    return rc;
}

int hst_shards_merge(const char *const *paths, size_t n, const char *out, hst_err *err)
{
    if (n == 0)
        return hst_fail(err, HST_EARG, "no shards are given");
    merge m = {.n = n, .out = out};
    m.part = hst_alloc(n, sizeof *m.part, err);
    m.out_rows = m.part ? rows_of(out, err) : NULL;
    int rc = m.out_rows ? read_parts(&m, paths, err) : HST_EMEM;
    rc = rc ? rc : put_in_order(&m, err);
    rc = rc ? rc : write_all(&m, err);
    for (size_t i = 0; m.part && i < n; i++)
        free(m.part[i].rows);
    free(m.part);
    free(m.out_rows);
    free(m.first_line);
    return rc;
}
