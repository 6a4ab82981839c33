#include "base/shard.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hst_shard {
    hst_shard_record is; /* so far */
    hst_sha256 *listing, *vectors;
    char *line;
};

hst_shard *hst_shard_new(int index, int count, const char *job, hst_err *err)
{
    if (index < 1 || index > count || !job || strlen(job) >= HST_SHARD_JOB || !hst_is_utf8(job)) {
        hst_fail(err, HST_EARG,
                 "shard %d of %d: shards are 1 to their number, the job is a short text", index,
                 count);
        return NULL;
    }
    hst_shard *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->is = (hst_shard_record){.index = index, .count = count};
    memcpy(s->is.job, job, strlen(job));
    s->listing = hst_sha256_new(err);
    s->vectors = s->listing ? hst_sha256_new(err) : NULL;
    if (s->vectors)
        return s;
    hst_shard_free(s);
    return NULL;
}

void hst_shard_free(hst_shard *s)
{
    if (!s)
        return;
    hst_sha256_free(s->listing);
    hst_sha256_free(s->vectors);
    free(s->line);
    free(s);
}

int hst_shard_list(hst_shard *s, const char *path, hst_err *err)
{
    s->is.photos++;
    return hst_sha256_adds(s->listing, path, err);
}

void hst_shard_has_vectors(hst_shard *s, int dim)
{
    s->is.dim = dim;
}

int hst_shard_vector(hst_shard *s, const float *x, hst_err *err)
{
    s->is.rows++;
    return hst_sha256_add(s->vectors, x, (size_t)s->is.dim * sizeof *x, err);
}

int hst_shard_range(const hst_shard *s, size_t *first, size_t *end, hst_err *err)
{
    const uint64_t n = s->is.photos, count = (uint64_t)s->is.count, i = (uint64_t)s->is.index;
    if (n < count)
        return hst_fail(err, HST_EARG, "%d shards of %" PRIu64 " photo%s: not more than one each",
                        s->is.count, n, n == 1 ? "" : "s");
    /* i n / count, and no product that could be too large */
    *first = (size_t)(n / count * (i - 1) + n % count * (i - 1) / count);
    *end = (size_t)(n / count * i + n % count * i / count);
    return 0;
}

static int end_hash(hst_sha256 *h, char hex[HST_SHA256_HEX], hst_err *err)
{
    uint8_t digest[32];
    int rc = hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    return rc;
}

static char *write_record(const hst_shard_record *r, hst_err *err)
{
    json_t *table = !r->dim ? json_null()
                            : json_pack("{s:I,s:i,s:s}", "rows", (json_int_t)r->rows, "dim", r->dim,
                                        "sha256", r->vectors);
    json_t *o = json_pack("{s:{s:i,s:i,s:I,s:s,s:s,s:i,s:o}}", "headstart_shard", "shard", r->index,
                          "shards", r->count, "photos", (json_int_t)r->photos, "listing",
                          r->listing, "job", r->job, "headers", r->headers, "vectors", table);
    char *line = hst_json_write(o, JSON_COMPACT, err);
    json_decref(o);
    return line;
}

const char *hst_shard_line(hst_shard *s, int headers, hst_err *err)
{
    s->is.headers = headers;
    if (end_hash(s->listing, s->is.listing, err) || end_hash(s->vectors, s->is.vectors, err))
        return NULL;
    s->line = write_record(&s->is, err);
    return s->line;
}

/* A count as JSON has it. */
static int whole(const json_t *o, const char *key, uint64_t *out, hst_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return hst_fail(err, HST_EDATA, "\"%s\" is no count", key);
    *out = (uint64_t)json_integer_value(v);
    return 0;
}

static int text(const json_t *o, const char *key, char *out, size_t cap, hst_err *err)
{
    const char *s = NULL;
    int rc = hst_json_text(o, key, &s, err);
    if (rc == 0 && strlen(s) >= cap)
        rc = hst_fail(err, HST_EDATA, "\"%s\" is too long", key);
    if (rc == 0)
        memcpy(out, s, strlen(s) + 1);
    return rc;
}

static int read_vectors(const json_t *o, hst_shard_record *r, hst_err *err)
{
    int rc = whole(o, "rows", &r->rows, err);
    rc = rc ? rc : hst_json_int(o, "dim", 1, INT32_MAX, &r->dim, err);
    return rc ? rc : text(o, "sha256", r->vectors, sizeof r->vectors, err);
}

static int read_record(const json_t *o, hst_shard_record *r, hst_err *err)
{
    int rc = hst_json_int(o, "shards", 1, INT32_MAX, &r->count, err);
    rc = rc ? rc : hst_json_int(o, "shard", 1, r->count, &r->index, err);
    rc = rc ? rc : whole(o, "photos", &r->photos, err);
    rc = rc ? rc : text(o, "listing", r->listing, sizeof r->listing, err);
    rc = rc ? rc : text(o, "job", r->job, sizeof r->job, err);
    rc = rc ? rc : hst_json_int(o, "headers", 0, 1, &r->headers, err);
    if (rc == 0 && hst_json_has(o, "vectors"))
        rc = read_vectors(json_object_get(o, "vectors"), r, err);
    return rc;
}

int hst_shard_read(const char *line, size_t n, hst_shard_record *out, hst_err *err)
{
    static const char what[] = "what its last line says of its shard";
    *out = (hst_shard_record){0};
    if (n < sizeof HST_SHARD_MARK || memcmp(line, HST_SHARD_MARK, sizeof HST_SHARD_MARK - 1) != 0)
        return hst_fail(err, HST_EDATA,
                        "its last line does not say which shard it is: no task with "
                        "--shard has written it, or one that did not end");
    json_t *o = hst_json_parse(line, n, what, err);
    int rc = !o ? HST_EDATA : read_record(json_object_get(o, "headstart_shard"), out, err);
    json_decref(o);
    if (rc && err)
        err->code = HST_EDATA; /* of JSON anywhere else it is a model's */
    return rc ? HST_EDATA : 0;
}
