#include "features/loop.h"
#include "base/mem.h"
#include "base/pipeline.h"

#include <stdlib.h>

enum { SLOTS_PER_THREAD = 4 };

typedef struct run {
    const hst_photo_loop *l;
    hst_photo_worker *worker; /* [threads] */
    size_t *item;             /* [slots]: the photo in each */
    size_t next, done;
    hst_meter meter;
} run;

static int prepare_worker(hst_photo_worker *w, hst_err *err)
{
    size_t px = (size_t)w->prep->px;
    if (w->work)
        return 0;
    w->input = hst_alloc(px * px, 3 * sizeof(float), err);
    w->work = w->input ? hst_work_new(w->plan, err) : NULL;
    return w->work ? 0 : HST_EMEM;
}

int hst_photo_worker_run(hst_photo_worker *w, const void *bytes, size_t n, float *out, hst_err *err)
{
    int rc = prepare_worker(w, err);
    rc = rc ? rc : hst_prepare_bytes(w->prep, bytes, n, w->input, err);
    if (rc == 0)
        hst_plan_run(w->plan, w->work, w->input, 1, out);
    return rc;
}

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
    return r->l->work(r->l->arg, r->item[slot], &r->worker[thread], err);
}

static int deliver_photo(void *arg, size_t slot, hst_err *err)
{
    run *r = arg;
    if (r->l->done)
        r->l->done(r->l->arg, r->item[slot]);
    return hst_meter_at(&r->meter, ++r->done, err);
}

int hst_photos_each(const hst_photo_loop *l, hst_err *err)
{
    size_t threads = (size_t)hst_executor_threads(l->ctx->executor);
    size_t slots = threads * SLOTS_PER_THREAD;
    run r = {.l = l, .meter = hst_meter_start(l->ctx, l->phase, l->n)};
    int rc = HST_EMEM;
    r.worker = hst_alloc(threads, sizeof *r.worker, err);
    r.item = r.worker ? hst_alloc(slots, sizeof *r.item, err) : NULL;
    for (size_t t = 0; r.item && t < threads; t++)
        r.worker[t] = (hst_photo_worker){.plan = l->plan, .prep = l->prep};
    if (r.item)
        rc = hst_executor_pipeline(l->ctx->executor,
                                   &(hst_pipeline){.arg = &r,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = deliver_photo,
                                                   .n_slots = slots},
                                   err);
    for (size_t t = 0; r.worker && t < threads; t++) {
        hst_work_free(r.worker[t].work);
        free(r.worker[t].input);
    }
    free(r.worker);
    free(r.item);
    return rc;
}
