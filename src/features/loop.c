#include "features/loop.h"
#include "base/mem.h"
#include "base/pipeline.h"

#include <stdlib.h>

enum { SLOTS_PER_THREAD = 4 };

typedef struct run {
    const hst_photo_loop *l;
    hst_looking **looking; /* [threads]; made by the thread at its first photo */
    size_t *item;          /* [slots]: the photo in each */
    size_t next, done;
    hst_meter meter;
} run;

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    run *r = arg;
    (void)err;
    if (r->next == r->l->n)
        return 0;
    r->item[slot] = r->next++;
    return 1;
}

static int work_photo(void *arg, size_t slot, int thread, hst_err *err)
{
    run *r = arg;
    hst_looking **looking = &r->looking[thread];
    if (!*looking)
        *looking = hst_looking_new(r->l->ctx, r->l->extractor, err);
    return *looking ? r->l->work(r->l->arg, r->item[slot], *looking, err) : HST_EMEM;
}

static int deliver_photo(void *arg, size_t slot, hst_err *err)
{
    run *r = arg;
    int rc = r->l->done ? r->l->done(r->l->arg, r->item[slot], err) : 0;
    return rc == 0 && r->l->phase ? hst_meter_at(&r->meter, ++r->done, err) : rc;
}

size_t hst_photos_under_way(const hst_ctx *ctx)
{
    return (size_t)hst_executor_threads(ctx->executor) * SLOTS_PER_THREAD;
}

int hst_photos_each(const hst_photo_loop *l, hst_err *err)
{
    size_t threads = (size_t)hst_executor_threads(l->ctx->executor);
    run r = {.l = l, .meter = hst_meter_start(l->ctx, l->phase, l->n)};
    int rc = HST_EMEM;
    r.looking = hst_alloc(threads, sizeof *r.looking, err);
    r.item = r.looking ? hst_alloc(hst_photos_under_way(l->ctx), sizeof *r.item, err) : NULL;
    if (r.item)
        rc = hst_executor_pipeline(l->ctx->executor,
                                   &(hst_pipeline){.arg = &r,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = deliver_photo,
                                                   .n_slots = hst_photos_under_way(l->ctx)},
                                   err);
    for (size_t t = 0; r.looking && t < threads; t++)
        hst_looking_free(r.looking[t]);
    free(r.looking);
    free(r.item);
    return rc;
}
