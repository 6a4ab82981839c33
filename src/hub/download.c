#include "hub/download.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "hub/endpoints.h"
#include "hub/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const uint64_t spare_bytes = 16 << 20; /* left on the disk, besides the file */

typedef struct download {
    const hst_wanted *w;
    const char *path;
    char *part, *tag; /* path.part, path.part.etag */
    int fd;           /* of part */
    uint64_t have;    /* bytes in it */
    uint64_t total;   /* once known; 0: not */
    int resumed;      /* bytes of an earlier answer are in it */
    char validator[256];
    hst_hashes known; /* w->known, and what the server says */
    hst_meter meter;
} download;

/* ---- the unfinished file ---- */

static int io_error(const download *d, int e, hst_err *err)
{
    return hst_fail_errno(err, HST_EIO, e, "%s cannot be written", d->part);
}

static void forget(download *d)
{
    d->validator[0] = 0;
    unlink(d->tag);
}

/* Begins with the first byte again. */
static int empty(download *d, hst_err *err)
{
    forget(d);
    d->have = 0;
    d->resumed = 0;
    if (ftruncate(d->fd, 0) != 0 || lseek(d->fd, 0, SEEK_SET) != 0)
        return io_error(d, errno, err);
    return 0;
}

static void read_validator(download *d)
{
    uint8_t *text = NULL;
    size_t n = 0;
    hst_err why;
    if (hst_file_read(d->tag, sizeof d->validator - 1, HST_EIO, &text, &n, &why) == 0)
        snprintf(d->validator, sizeof d->validator, "%s", (const char *)text);
    free(text);
}

/* What an earlier download left, when the server can be asked whether it is still the same, or the
 * hash will tell in the end. */
static int open_part(download *d, hst_err *err)
{
    struct stat st;
    d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (d->fd < 0)
        return io_error(d, errno, err);
    if (fstat(d->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return hst_fail(err, HST_EIO, "%s is not a regular file", d->part);
    read_validator(d);
    d->have = (uint64_t)st.st_size;
    d->resumed = d->have > 0;
    int usable = d->validator[0] || hst_hashes_known(&d->known);
    if (!usable || d->have > d->w->max_bytes || (d->w->bytes && d->have > d->w->bytes))
        return empty(d, err);
    return lseek(d->fd, (off_t)d->have, SEEK_SET) >= 0 ? 0 : io_error(d, errno, err);
}

/* ---- the answer ---- */

static void prepare(void *arg, hst_request *rq)
{
    const download *d = arg;
    rq->from = d->have;
    rq->if_range = d->validator[0] ? d->validator : NULL;
}

static uint64_t progress(void *arg)
{
    return ((const download *)arg)->have;
}

/* If-Range takes a strong tag or a date (RFC 9110, 13.1.5). */
static const char *validator_of(const hst_response *r)
{
    return r->etag[0] == '"' ? r->etag : r->last_modified;
}

/* Remembers what the content is called; help for a later resume, so that its failure is none. */
static void keep_validator(download *d, const hst_response *r)
{
    hst_err why;
    snprintf(d->validator, sizeof d->validator, "%s", validator_of(r));
    if (!d->validator[0] || hst_file_write(d->tag, d->validator, strlen(d->validator), &why))
        unlink(d->tag);
}

static int check_space(const download *d, hst_err *err)
{
    struct statvfs v;
    if (!d->total || fstatvfs(d->fd, &v) != 0)
        return 0;
    uint64_t spare = (uint64_t)v.f_bavail * v.f_frsize, need = d->total - d->have + spare_bytes;
    if (spare >= need)
        return 0;
    return hst_fail(err, HST_EIO, "%s: %.1f MiB are needed, %.1f MiB are free where %s will lie",
                    d->w->what, (double)need / (1 << 20), (double)spare / (1 << 20), d->path);
}

static int check_size(const download *d, hst_err *err)
{
    if (d->w->bytes && d->total && d->total != d->w->bytes)
        return hst_fail(err, HST_EHASH, "%s has %llu bytes, expected %llu: nothing of it was kept",
                        d->w->what, (unsigned long long)d->total, (unsigned long long)d->w->bytes);
    if (d->total > d->w->max_bytes)
        return hst_fail(err, HST_ENET, "%s has %llu bytes, more than the %llu that are taken",
                        d->w->what, (unsigned long long)d->total,
                        (unsigned long long)d->w->max_bytes);
    return check_space(d, err);
}

static int begin_whole(download *d, const hst_response *r, hst_err *err)
{
    int rc = empty(d, err);
    if (rc)
        return rc;
    d->total = r->has_length ? r->length : d->w->bytes;
    keep_validator(d, r);
    return check_size(d, err);
}

/* The rest of what is here, or of something else? */
static int begin_rest(download *d, const hst_response *r, hst_err *err)
{
    const char *now = validator_of(r);
    int same = r->has_range && r->from == d->have && d->have > 0 &&
               (!d->validator[0] || !now[0] || strcmp(now, d->validator) == 0) &&
               (!d->total || !r->total || r->total == d->total);
    if (!same) {
        int rc = empty(d, err);
        return rc ? rc : HST_AGAIN;
    }
    d->total = r->total ? r->total : r->has_length ? d->have + r->length : d->w->bytes;
    d->resumed = 1;
    return check_size(d, err);
}

static int begin(void *arg, const hst_response *r, hst_err *err)
{
    download *d = arg;
    if (r->status == 416) { /* there is no such rest */
        int rc = empty(d, err);
        return rc ? rc : HST_AGAIN;
    }
    int rc = r->status == 206 ? begin_rest(d, r, err) : begin_whole(d, r, err);
    if (rc == HST_TAKE && !d->known.md5[0])
        hst_goog_md5(r->goog_hash, d->known.md5);
    d->meter.total = d->total;
    return rc;
}

/* 1 when the content begins as a page for people does. */
static int is_page(const char *p, size_t n)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head", "<body"};
    while (n && (strchr(" \t\r\n", *p) || (unsigned char)*p >= 0x80)) /* a byte order mark too */
        p++, n--;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (n >= strlen(starts[i]) && strncasecmp(p, starts[i], strlen(starts[i])) == 0)
            return 1;
    return 0;
}

static int take(void *arg, const void *p, size_t n, hst_err *err)
{
    download *d = arg;
    const char *s = p;
    uint64_t most = d->total ? d->total : d->w->max_bytes;
    if (d->have == 0 && is_page(p, n))
        return hst_fail(err, HST_ENET,
                        "a web page came instead of the file: a proxy or a login is in between, or "
                        "the address is that of a page");
    if (n > most - d->have)
        return hst_fail(err, HST_ENET, "more than the %llu bytes that were expected came",
                        (unsigned long long)most);
    while (n) {
        ssize_t put = write(d->fd, s, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return io_error(d, errno, err);
        s += put;
        n -= (size_t)put;
        d->have += (uint64_t)put;
    }
    return hst_meter_at(&d->meter, d->have, err);
}

/* ---- the whole ---- */

static int fetch(const hst_ctx *ctx, download *d, int *status, hst_err *err)
{
    hst_response r = {0};
    if (d->w->bytes && d->have == d->w->bytes) /* all but the last steps were done */
        return 0;
    d->meter = hst_meter_start(ctx, d->w->what, d->w->bytes);
    d->meter.in_bytes = 1;
    hst_ask ask = {.url = d->w->url,
                   .what = d->w->what,
                   .authorization = d->w->authorization,
                   .origin = d->w->url,
                   .prepare = prepare,
                   .begin = begin,
                   .body = take,
                   .progress = progress,
                   .arg = d,
                   .meter = &d->meter};
    int rc = hst_http_ask(ctx, &ask, &r, err);
    if (status)
        *status = r.status;
    if (rc == 0 && d->total && d->have != d->total)
        rc = hst_fail(err, HST_ENET, "%s: %llu of %llu bytes came", d->w->what,
                      (unsigned long long)d->have, (unsigned long long)d->total);
    return rc;
}

static int finish(download *d, hst_err *err)
{
    if (fsync(d->fd) != 0 && errno != EINVAL)
        return io_error(d, errno, err);
    int fd = d->fd;
    d->fd = -1;
    if (close(fd) != 0)
        return io_error(d, errno, err);
    if (rename(d->part, d->path) != 0)
        return hst_fail_errno(err, HST_EIO, errno, "%s cannot be written", d->path);
    unlink(d->tag);
    return hst_sync_folder(d->path, err);
}

/* Fetches and compares; what was put together from several answers and is wrong gets a second
 * chance from the first byte on. */
static int obtain(const hst_ctx *ctx, download *d, char sha256[65], int *status, hst_err *err)
{
    for (;;) {
        hst_err why = {0};
        int rc = fetch(ctx, d, status, err);
        rc = rc ? rc : hst_hashes_check(d->part, d->w->what, &d->known, sha256, &why);
        if (rc != HST_EHASH || !d->resumed)
            return rc && why.code ? hst_fail(err, rc, "%s", why.msg) : rc;
        hst_log(ctx, HST_LOG_WARN, "%s changed while it was fetched: fetching it anew", d->w->what);
        rc = empty(d, err);
        if (rc)
            return rc;
        d->known = d->w->known;
    }
}

static char *with_ending(const char *path, const char *ending, hst_err *err)
{
    size_t n = strlen(path) + strlen(ending) + 1;
    char *p = hst_resize(NULL, n, 1, err);
    if (p)
        snprintf(p, n, "%s%s", path, ending);
    return p;
}

int hst_download(const hst_ctx *ctx, const hst_wanted *w, const char *path, char sha256[65],
                 int *status, hst_err *err)
{
    download d = {.w = w, .path = path, .fd = -1, .known = w->known};
    int rc = hst_download_allowed(ctx, w->what, err);
    if (rc)
        return rc;
    rc = HST_EMEM;
    d.part = with_ending(path, ".part", err);
    d.tag = d.part ? with_ending(path, ".part.etag", err) : NULL;
    if (!d.tag)
        goto out;
    rc = open_part(&d, err);
    rc = rc ? rc : obtain(ctx, &d, sha256, status, err);
    rc = rc ? rc : finish(&d, err);
    int keep = rc == HST_ENET || rc == HST_ESTOPPED; /* the rest can still come */
    if (rc && d.part && (!keep || d.have == 0)) {
        unlink(d.part);
        unlink(d.tag);
    }
    if (d.fd >= 0)
        close(d.fd);
out:
    free(d.tag);
    free(d.part);
    return rc;
}

/* ---- small answers ---- */

typedef struct text {
    hst_buf buf;
    const hst_wanted *w;
} text;

static int text_begin(void *arg, const hst_response *r, hst_err *err)
{
    text *t = arg;
    if (r->has_length && r->length > t->w->max_bytes)
        return hst_fail(err, HST_ENET, "an answer of %llu bytes, more than the %llu that are taken",
                        (unsigned long long)r->length, (unsigned long long)t->w->max_bytes);
    t->buf.n = 0;
    return r->status == 200 ? HST_TAKE : hst_fail(err, HST_ENET, "HTTP %d", r->status);
}

static int text_take(void *arg, const void *p, size_t n, hst_err *err)
{
    text *t = arg;
    hst_buf_add(&t->buf, p, n);
    if (!t->buf.failed)
        return 0;
    return hst_fail(err, HST_ENET, "more than the %llu bytes that were expected came",
                    (unsigned long long)t->w->max_bytes);
}

int hst_download_text(const hst_ctx *ctx, const hst_wanted *w, char **out, int *status,
                      hst_err *err)
{
    hst_response r = {0};
    text t = {.buf = HST_BUF(w->max_bytes), .w = w};
    hst_meter meter = hst_meter_start(ctx, w->what, 0);
    hst_ask ask = {.url = w->url,
                   .what = w->what,
                   .authorization = w->authorization,
                   .origin = w->url,
                   .begin = text_begin,
                   .body = text_take,
                   .arg = &t,
                   .meter = &meter};
    int rc = hst_download_allowed(ctx, w->what, err);
    rc = rc ? rc : hst_http_ask(ctx, &ask, &r, err);
    if (status)
        *status = r.status;
    if (rc == 0)
        hst_buf_puts(&t.buf, ""); /* so that there is a NUL */
    rc = rc ? rc : hst_buf_check(&t.buf, err);
    if (rc == 0)
        *out = t.buf.p;
    else
        hst_buf_free(&t.buf);
    return rc;
}

static int head_begin(void *arg, const hst_response *r, hst_err *err)
{
    (void)arg, (void)r, (void)err;
    return HST_ENOUGH;
}

int hst_download_head(const hst_ctx *ctx, const hst_wanted *w, hst_response *r, hst_err *err)
{
    hst_meter meter = hst_meter_start(ctx, w->what, 0);
    hst_ask ask = {.url = w->url,
                   .what = w->what,
                   .authorization = w->authorization,
                   .origin = w->url,
                   .head = 1,
                   .begin = head_begin,
                   .meter = &meter};
    *r = (hst_response){0};
    int rc = hst_download_allowed(ctx, w->what, err);
    return rc ? rc : hst_http_ask(ctx, &ask, r, err);
}

int hst_download_allowed(const hst_ctx *ctx, const char *name, hst_err *err)
{
    if (ctx->offline)
        return hst_fail(err, HST_ENET,
                        "%s is not in the cache and downloads are switched off: pull it once with "
                        "a network, or give a file",
                        name);
    if (!ctx->hub)
        return hst_fail(err, HST_ENET, "%s is not in the cache and there is no way to fetch it",
                        name);
    return 0;
}
