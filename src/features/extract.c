/* extract.c - from photos to features: what the store knows, and the rest through the network. */
#include "base/mem.h"
#include "dataset/deep.h"
#include "features/lookup.h"
#include "features/loop.h"
#include "features/share.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    hst_ctx *ctx;
    const hst_extractor *e;
    const hst_data *d;
    hst_features *f;
    hst_lookup lookup;
    /* 1: rows go into a file (of rank 0) as they come; then f has room for `room` photos, those
     * under way, one after the other. */
    int streams;
    hst_feature_file *file;
    size_t room;
    char *stored; /* [room]: its features came from the store */
    /* Features of the same photos that are there already, or NULL; of each view of e where they are
     * among their views, or -1. */
    const hst_features *have;
    int have_at[HST_LOOKUP_VIEWS];
    /* What another process than that of rank 0 has found out and rank 0 not yet heard: of the
     * photos under way, one after the other; else NULL. */
    hst_lookup_photo *found; /* [window] */
    float *found_views;      /* [window][view_floats] */
    size_t window;
} job;

/* Where photo i is in what f and stored hold of photos. */
static size_t place_of(const job *j, size_t i)
{
    return i % j->room;
}

/* Takes what is there already of photo i. */
static void take_over(const job *j, size_t i, hst_lookup_photo *p)
{
    int at, branch;
    const float *have = j->have->views + i * (size_t)j->have->view_floats;
    for (int v = 0; hst_extractor_view(j->e, v, &at, &branch); v++) {
        if (j->have_at[v] < 0)
            continue;
        memcpy(p->views + at, have + j->have_at[v],
               (size_t)j->e->branch[branch].dim * sizeof *p->views);
        p->found[v] = 1;
        p->n_found++;
    }
    *p->picture = j->have->picture[i];
    hst_spill_passed(j->have->view_rows, (size_t)j->have->view_floats * sizeof *have);
    hst_spill_passed(j->have->pictures, sizeof *p->picture);
}

/* own: where the features of its views go that are not kept. */
static int begin_row(const job *j, size_t i, hst_looking *l, hst_lookup_photo *p, float *own,
                     hst_err *err)
{
    const size_t at = place_of(j, i);
    if (j->found)
        own = j->found_views + i % j->window * (size_t)j->e->view_floats;
    *p = (hst_lookup_photo){
        .path = j->d->photos[i].path,
        .content = &j->f->content[at],
        .picture = &j->f->picture[at],
        .views = j->f->views && !j->found ? j->f->views + at * (size_t)j->e->view_floats : own};
    if (j->have)
        take_over(j, i, p);
    return hst_lookup_begin(&j->lookup, l, p, err);
}

/* row: scratch memory for its features. */
static int end_row(const job *j, size_t i, const hst_lookup_photo *p, float *row, hst_err *err)
{
    const size_t bytes = (size_t)j->f->dim * sizeof *row, at = place_of(j, i);
    const int used = !j->f->why[i];
    int rc = 0;
    if (used && j->found) {
        hst_lookup_end(&j->lookup, p);
        j->found[i % j->window] = *p;
    } else if (used) {
        hst_lookup_end(&j->lookup, p);
        hst_extractor_combine(j->e, p->views, row);
        rc = hst_spill_put(j->f->rows, at * bytes, row, bytes, err);
    }
    j->stored[at] = used && p->n_found == j->lookup.n_views;
    hst_spill_passed(j->f->view_rows, (size_t)j->e->view_floats * sizeof *row);
    hst_spill_passed(j->f->pictures, sizeof *p->picture);
    hst_spill_passed(j->f->contents, sizeof *p->content);
    return rc;
}

static int begin_photo(const job *j, size_t i, hst_looking *l, hst_lookup_photo *p, float *own,
                       hst_err *err)
{
    const char *path = j->d->photos[i].path;
    hst_err why = {0};
    const int skipped = j->have && j->have->why[i];
    int rc = skipped ? hst_fail(&why, HST_EIMAGE, "%s", j->have->why[i])
                     : begin_row(j, i, l, p, own, &why);
    if (rc == HST_EMEM)
        return hst_fail(err, HST_EMEM, "%s: %s", path, why.msg);
    if (rc == 0)
        return 0;
    j->f->why[i] = hst_strdup(why.msg, err); /* this photo only: the job goes on */
    return j->f->why[i] ? 0 : HST_EMEM;
}

static int work_photos(void *arg, size_t first, size_t n, hst_looking *l, hst_err *err)
{
    const job *j = arg;
    const size_t floats = j->f->views ? 0 : (size_t)j->e->view_floats, dim = (size_t)j->f->dim;
    hst_lookup_photo photo[HST_PHOTO_RUN] = {0};
    float *own = hst_alloc(n * floats + dim, sizeof *own, err);
    int rc = own ? 0 : HST_EMEM;
    for (size_t k = 0; rc == 0 && k < n; k++)
        rc = begin_photo(j, first + k, l, &photo[k], own + k * floats, err);
    const int flushed = hst_looking_flush(l, rc ? NULL : err);
    rc = rc ? rc : flushed;
    for (size_t k = 0; rc == 0 && k < n; k++)
        rc = end_row(j, first + k, &photo[k], own + n * floats, err);
    free(own);
    return rc;
}

/* A byte that says whether it can be used, then what it is, or why not. */
static void pack_photo(void *arg, size_t i, hst_buf *b)
{
    const job *j = arg;
    const char *why = j->f->why[i];
    hst_buf_add(b, why ? "-" : "+", 1);
    if (why)
        hst_buf_add(b, why, strlen(why));
    else
        hst_lookup_pack(&j->lookup, &j->found[i % j->window], b);
}

static int unpack_row(const job *j, size_t i, const uint8_t *bytes, size_t n, hst_err *err)
{
    const size_t floats = (size_t)j->e->view_floats, at = place_of(j, i);
    float *own = hst_alloc(floats + (size_t)j->f->dim, sizeof *own, err);
    hst_lookup_photo p = {.path = j->d->photos[i].path,
                          .content = &j->f->content[at],
                          .picture = &j->f->picture[at],
                          .views = j->f->views ? j->f->views + at * floats : own};
    int rc = own ? hst_lookup_unpack(&j->lookup, &p, bytes, n, err) : HST_EMEM;
    if (rc == 0) {
        hst_lookup_keep_picture(&j->lookup, &p);
        rc = end_row(j, i, &p, own + floats, err);
    }
    free(own);
    return rc;
}

static int unpack_photo(void *arg, size_t i, const uint8_t *bytes, size_t n, hst_err *err)
{
    const job *j = arg;
    if (n > 0 && bytes[0] == '+')
        return unpack_row(j, i, bytes + 1, n - 1, err);
    char *why = hst_alloc(n + 1, 1, err);
    if (!why)
        return HST_EMEM;
    if (n > 1)
        memcpy(why, bytes + 1, n - 1);
    j->f->why[i] = why;
    return 0;
}

/* Photo i into the file; its place is the next one's. */
static int put_out(const job *j, size_t i, hst_err *err)
{
    const size_t at = place_of(j, i);
    int rc = 0;
    if (!j->f->why[i])
        rc = hst_feature_file_add(j->file, i, j->f->x + at * (size_t)j->f->dim, err);
    j->f->content[at] = (hst_digest){0};
    j->f->picture[at] = (hst_picture){0};
    return rc;
}

static int count_photo(void *arg, size_t i, hst_err *err)
{
    job *j = arg;
    j->f->n_used += !j->f->why[i];
    if (j->f->why[i] && !j->have) /* it was told when it was skipped first */
        hst_log(j->ctx, HST_LOG_WARN, "skipped %s: %s", j->d->photos[i].path, j->f->why[i]);
    j->f->n_stored += j->stored[place_of(j, i)] != 0;
    j->f->pixels[place_of(j, i)] = j->f->picture[place_of(j, i)].pixels;
    return j->file ? put_out(j, i, err) : 0;
}

/* All that is kept of photos but why they were skipped. */
static void clear_rows(hst_features *f)
{
    hst_spill_free(f->rows);
    hst_spill_free(f->view_rows);
    hst_spill_free(f->pictures);
    hst_spill_free(f->contents);
    free(f->pixels);
    f->rows = f->view_rows = f->pictures = f->contents = NULL;
    f->x = f->views = NULL;
    f->picture = NULL;
    f->content = NULL;
    f->pixels = NULL;
}

/* Of n photos, with room for those that j has room for. */
static hst_features *features_new(const job *j, size_t n, int keep_views, hst_err *err)
{
    const hst_extractor *e = j->e;
    const size_t views = keep_views ? (size_t)e->view_floats : 0, room = j->room;
    hst_features *f = hst_alloc(1, sizeof *f, err);
    if (!f)
        return NULL;
    f->n = n;
    f->dim = e->dim;
    f->view_floats = e->view_floats;
    f->prep = e->branch[0].view[0].prep;
    f->rows = hst_spill_new(j->ctx, room, (size_t)f->dim * sizeof *f->x, err);
    f->why = f->rows ? hst_alloc(n, sizeof *f->why, err) : NULL;
    f->contents = f->why ? hst_spill_new(j->ctx, room, sizeof *f->content, err) : NULL;
    f->pixels = f->contents ? hst_alloc(room, sizeof *f->pixels, err) : NULL;
    f->pictures = f->pixels ? hst_spill_new(j->ctx, room, sizeof *f->picture, err) : NULL;
    if (f->pictures && views)
        f->view_rows = hst_spill_new(j->ctx, room, views * sizeof *f->views, err);
    f->content = f->contents ? hst_spill_at(f->contents) : NULL;
    f->picture = f->pictures ? hst_spill_at(f->pictures) : NULL;
    f->x = f->picture ? hst_spill_at(f->rows) : NULL;
    f->views = f->view_rows ? hst_spill_at(f->view_rows) : NULL;
    if (f->x && (f->views || !views))
        return f;
    hst_features_free(f);
    return NULL;
}

static int make_found(job *j, hst_err *err)
{
    if (hst_ranks_rank(j->ctx->ranks) == 0)
        return 0;
    j->window = hst_photos_under_way(j->ctx, j->e);
    j->found = hst_alloc(j->window, sizeof *j->found, err);
    j->found_views =
        j->found ? hst_alloc(j->window, (size_t)j->e->view_floats * sizeof(float), err) : NULL;
    return j->found_views ? 0 : HST_EMEM;
}

/* What is known is not worth to be sent; else the processes of a job do it together. */
static int look_at_all(job *j, int known, hst_err *err)
{
    hst_photo_loop l = {.ctx = j->ctx,
                        .extractor = j->e,
                        .phase = known ? NULL : "features",
                        .n = j->f->n,
                        .arg = j,
                        .work_run = work_photos,
                        .done = count_photo};
    if (known)
        return hst_photos_each(&l, err);
    l.pack = pack_photo;
    l.unpack = unpack_photo;
    int rc = make_found(j, err);
    rc = rc ? rc : hst_photos_each(&l, err);
    rc = rc ? rc : hst_features_share(j->ctx->ranks, j->f, j->streams, err);
    free(j->found);
    free(j->found_views);
    return rc;
}

static int extract(job *j, hst_err *err)
{
    int rc = 0, known = j->have != NULL;
    const int n_views = hst_extractor_n_views(j->e);
    for (int i = 0; i < n_views; i++)
        known &= j->have_at[i] >= 0;
    j->lookup = (hst_lookup){.ctx = j->ctx, .e = j->e, .n_views = n_views};
    if (!known)
        rc = hst_features_alike(j->ctx, j->e, j->d, err);
    if (!known && rc == 0)
        rc = hst_lookup_open(&j->lookup, j->ctx, j->e, j->have ? j->have_at : NULL, err);
    j->stored = rc ? NULL : hst_alloc(j->room, 1, err);
    if (rc == 0)
        rc = HST_EMEM;
    if (j->stored)
        rc = look_at_all(j, known, err);
    hst_lookup_close(&j->lookup);
    free(j->stored);
    if (rc == 0 && j->f->n_used == 0 && !j->d->shards) /* the other shards may have some */
        rc = hst_fail(err, HST_EDATA, "none of the %zu photos could be used; the first: %s: %s",
                      j->f->n, j->d->photos[0].path, j->f->why[0] ? j->f->why[0] : "elsewhere");
    return rc;
}

static hst_features *through(job *j, int keep_views, hst_err *err)
{
    const size_t n = j->d->n_photos;
    const size_t few = j->streams ? hst_photos_under_way(j->ctx, j->e) : n;
    if (n == 0) {
        hst_fail(err, HST_EDATA, "there are no photos");
        return NULL;
    }
    j->room = few < n ? few : n;
    j->f = features_new(j, n, keep_views, err);
    if (j->f && extract(j, err) == 0)
        return j->f;
    hst_features_free(j->f);
    return NULL;
}

hst_features *hst_features_through(hst_ctx *ctx, const hst_extractor *e, const hst_data *d,
                                   int keep_views, hst_err *err)
{
    return through(&(job){.ctx = ctx, .e = e, .d = d}, keep_views, err);
}

/* Where the features of e's i-th view are among those of another extractor, or -1. */
static int find_view(const hst_extractor *e, int i, const hst_extractor *among)
{
    int branch, other, at;
    const hst_view *v = hst_extractor_view(e, i, NULL, &branch), *o;
    for (int k = 0; (o = hst_extractor_view(among, k, &at, &other)); k++)
        if (e->branch[branch].backbone == among->branch[other].backbone &&
            memcmp(&o->prep, &v->prep, sizeof v->prep) == 0)
            return at;
    return -1;
}

hst_features *hst_features_further(hst_ctx *ctx, const hst_extractor *to, const hst_data *d,
                                   const hst_extractor *e, const hst_features *have, hst_err *err)
{
    job j = {.ctx = ctx, .e = to, .d = d, .room = d->n_photos, .have = have};
    hst_features *f = j.f = features_new(&j, d->n_photos, 1, err);
    for (int i = 0; i < hst_extractor_n_views(to); i++)
        j.have_at[i] = find_view(to, i, e);
    if (f) {
        memcpy(f->content, have->content, f->n * sizeof *f->content);
        hst_spill_passed(f->contents, f->n * sizeof *f->content);
        hst_spill_passed(have->contents, f->n * sizeof *f->content);
        if (extract(&j, err) == 0)
            return f;
    }
    hst_features_free(f);
    return NULL;
}

hst_features *hst_features_compute(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                   const char *prepare, hst_err *err)
{
    hst_extractor *e = hst_extractor_of(ctx, b, hst_deep_resolve(ctx, d, prepare), err);
    hst_features *f = e ? hst_features_through(ctx, e, d, 0, err) : NULL;
    hst_extractor_free(e);
    return f;
}

hst_features *hst_features_stream(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                  const char *prepare, const char *path, hst_err *err)
{
    hst_extractor *e = hst_extractor_of(ctx, b, hst_deep_resolve(ctx, d, prepare), err);
    hst_data part;
    hst_shard *shard = NULL;
    job j = {.ctx = ctx, .e = e, .d = &part, .streams = 1};
    hst_features *f = NULL;
    const int writes = hst_ranks_rank(ctx->ranks) == 0;
    if (e && hst_features_shard(ctx, e, d, &part, &shard, err) == 0 &&
        (!writes || hst_feature_file_open(&j.file, &part, path, e->dim, shard, err) == 0))
        f = through(&j, 0, err);
    if (f) {
        clear_rows(f);
        if (writes && hst_feature_file_commit(j.file, err)) {
            hst_features_free(f);
            f = NULL;
        }
    }
    hst_feature_file_close(j.file);
    hst_shard_free(shard);
    hst_extractor_free(e);
    return f;
}

void hst_features_free(hst_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->why && i < f->n; i++)
        free(f->why[i]);
    free(f->why);
    free(f->hex);
    clear_rows(f);
    free(f);
}

size_t hst_features_count(const hst_features *f)
{
    return f->n;
}

size_t hst_features_used(const hst_features *f)
{
    return f->n_used;
}

size_t hst_features_stored(const hst_features *f)
{
    return f->n_stored;
}

int hst_features_dim(const hst_features *f)
{
    return f->dim;
}

const float *hst_features_row(const hst_features *f, size_t i)
{
    return i < f->n && f->x && !f->why[i] ? f->x + i * (size_t)f->dim : NULL;
}

const char *hst_features_skipped(const hst_features *f, size_t i)
{
    return i < f->n ? f->why[i] : NULL;
}

/* All of them as text, as callers want them; memory that only those take who ask. NULL: it is
 * short. */
static char *digests_as_text(const hst_features *f)
{
    char *text = hst_alloc(f->n, HST_SHA256_HEX, NULL);
    for (size_t i = 0; text && i < f->n; i++)
        (void)hst_digest_text(&f->content[i], text + i * HST_SHA256_HEX);
    return text;
}

const char *hst_features_sha256(const hst_features *f, size_t i)
{
    hst_features *own = (hst_features *)(uintptr_t)f; /* what is remembered changes no answer */
    if (i >= f->n || !f->content)
        return "";
    char *text = atomic_load(&own->hex), *before = NULL;
    if (!text && (text = digests_as_text(f)) &&
        !atomic_compare_exchange_strong(&own->hex, &before, text)) {
        free(text);
        text = before;
    }
    return text ? text + i * HST_SHA256_HEX : "";
}
