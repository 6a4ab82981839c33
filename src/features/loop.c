#include "features/loop.h"
#include "base/mem.h"
#include "base/shared_pipeline.h"

#include <stdlib.h>
#include <string.h>

typedef struct run {
    const hst_photo_loop *l;
    hst_looking **looking; /* [threads]; made by the thread at its first photo */
    struct few {
        size_t first, n;
    } * item;       /* [slots]: the photos in each */
    size_t threads; /* that look for photos: of all processes that share them */
    size_t next, done;
    size_t most; /* photos in a slot */
    hst_meter meter;
} run;

/* Twice as many as the networks do at a time, as what the store knows does not go through them. */
static size_t most_of(const hst_extractor *e)
{
    const size_t images = (size_t)hst_extractor_images(e);
    return images == 1 ? 1 : 2 * images < HST_PHOTO_RUN ? 2 * images : HST_PHOTO_RUN;
}

/* Fewer towards the end, so that no thread has several to do when the others have none. */
static int next_photos(void *arg, size_t slot, hst_err *err)
{
    run *r = arg;
    const size_t left = r->l->n - r->next, share = left / (2 * r->threads) + 1;
    (void)err;
    if (left == 0)
        return 0;
    r->item[slot] = (struct few){r->next, share < r->most ? share : r->most};
    r->next += r->item[slot].n;
    return 1;
}

static int work_photos(void *arg, size_t slot, int thread, hst_err *err)
{
    run *r = arg;
    hst_looking **looking = &r->looking[thread];
    if (!*looking)
        *looking = hst_looking_new(r->l->ctx, r->l->extractor, err);
    if (!*looking)
        return HST_EMEM;
    const struct few f = r->item[slot];
    return r->l->work_run ? r->l->work_run(r->l->arg, f.first, f.n, *looking, err)
                          : r->l->work(r->l->arg, f.first, *looking, err);
}

static int deliver_photos(void *arg, size_t slot, hst_err *err)
{
    run *r = arg;
    int rc = 0;
    for (size_t k = 0; rc == 0 && r->l->done && k < r->item[slot].n; k++)
        rc = r->l->done(r->l->arg, r->item[slot].first + k, err);
    r->done += r->item[slot].n;
    return rc == 0 && r->l->phase ? hst_meter_at(&r->meter, r->done, err) : rc;
}

/* The caller may stop while another process has what comes next. */
static int tell_again(void *arg, hst_err *err)
{
    run *r = arg;
    return r->l->phase ? hst_meter_at(&r->meter, r->done, err) : 0;
}

/* ---- from one process to another ---- */

static void pack_photos(void *arg, size_t slot, hst_buf *b)
{
    const run *r = arg;
    hst_buf_add(b, &r->item[slot], sizeof r->item[slot]);
}

static int unpack_photos(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err)
{
    run *r = arg;
    struct few f = {0};
    if (n == sizeof f)
        memcpy(&f, p, n);
    if (f.n < 1 || f.n > r->most || f.first >= r->l->n || f.n > r->l->n - f.first)
        return hst_fail(err, HST_EPROC, "a message about no photos");
    r->item[slot] = f;
    return 0;
}

/* Each photo's after its length. */
static void pack_work(void *arg, size_t slot, hst_buf *b)
{
    const run *r = arg;
    for (size_t k = 0; k < r->item[slot].n; k++) {
        const size_t at = b->n;
        size_t n = 0;
        hst_buf_add(b, &n, sizeof n);
        r->l->pack(r->l->arg, r->item[slot].first + k, b);
        n = b->n - at - sizeof n;
        if (!b->failed)
            memcpy(b->p + at, &n, sizeof n);
    }
}

static int unpack_work(void *arg, size_t slot, const uint8_t *p, size_t left, hst_err *err)
{
    const run *r = arg;
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < r->item[slot].n; k++) {
        size_t n = 0;
        if (left >= sizeof n)
            memcpy(&n, p, sizeof n);
        if (left < sizeof n || n > left - sizeof n)
            return hst_fail(err, HST_EPROC, "a message that ends in the middle");
        rc = r->l->unpack(r->l->arg, r->item[slot].first + k, p + sizeof n, n, err);
        p += sizeof n + n;
        left -= sizeof n + n;
    }
    return rc;
}

size_t hst_photos_under_way(const hst_ctx *ctx, const hst_extractor *e)
{
    return hst_shared_slots(ctx->ranks, ctx->executor) * most_of(e);
}

int hst_photos_each(const hst_photo_loop *l, hst_err *err)
{
    size_t threads = (size_t)hst_executor_threads(l->ctx->executor);
    hst_ranks *ranks = l->pack ? l->ctx->ranks : NULL;
    const size_t slots = hst_shared_slots(ranks, l->ctx->executor);
    run r = {.l = l, .meter = hst_meter_start(l->ctx, l->phase, l->n)};
    r.threads = threads * (size_t)hst_ranks_size(ranks);
    r.most = l->work_run ? most_of(l->extractor) : 1;
    int rc = HST_EMEM;
    r.looking = hst_alloc(threads, sizeof *r.looking, err);
    r.item = r.looking ? hst_alloc(slots, sizeof *r.item, err) : NULL;
    if (r.item)
        rc = hst_shared_pipeline(l->ctx->executor,
                                 &(hst_shared){.p = {.arg = &r,
                                                     .next = next_photos,
                                                     .work = work_photos,
                                                     .deliver = deliver_photos,
                                                     .idle = tell_again,
                                                     .n_slots = slots},
                                               .ranks = ranks,
                                               .pack_item = pack_photos,
                                               .unpack_item = unpack_photos,
                                               .pack_result = pack_work,
                                               .unpack_result = unpack_work},
                                 err);
    for (size_t t = 0; r.looking && t < threads; t++)
        hst_looking_free(r.looking[t]);
    free(r.looking);
    free(r.item);
    return rc;
}
