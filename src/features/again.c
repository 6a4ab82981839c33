/* again.c - some photos once more, through a network that has changed. */
#include "base/file.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "features/features.h"

#include <stdlib.h>

/* What one thread works with; made by the thread itself at its first photo. */
typedef struct desk {
    hst_work *work;
    float *input; /* [px][px][3] */
} desk;

typedef struct job {
    const hst_again *a;
    desk *desks;  /* [threads] */
    size_t *item; /* [n_slots] */
    size_t next, done;
    hst_meter meter;
} job;

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    (void)err;
    if (j->next == j->a->n)
        return 0;
    j->item[slot] = j->a->photo[j->next++];
    return 1;
}

static int sit_down(const hst_again *a, desk *k, hst_err *err)
{
    size_t px = (size_t)a->f->prep.px;
    if (k->work)
        return 0;
    k->input = hst_alloc(px * px, 3 * sizeof(float), err);
    k->work = k->input ? hst_work_new(a->plan, err) : NULL;
    return k->work ? 0 : HST_EMEM;
}

static int pass(const hst_again *a, desk *k, size_t i, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    int rc = sit_down(a, k, err);
    if (rc == 0)
        rc = hst_file_read(a->d->photos[i].path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_prepare_bytes(&a->f->prep, bytes, n, k->input, err);
    if (rc == 0)
        hst_plan_run(a->plan, k->work, k->input, 1, a->f->x + i * (size_t)a->f->dim);
    free(bytes);
    return rc;
}

static int work_photo(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    size_t i = j->item[slot];
    hst_err why = {0};
    int rc = pass(j->a, &j->desks[thread], i, &why);
    if (rc == 0)
        return 0;
    return hst_fail(err, rc == HST_EMEM ? HST_EMEM : HST_EDATA,
                    "%s was readable and is not any more: %s", j->a->d->photos[i].path, why.msg);
}

static int count_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    (void)slot;
    return hst_meter_at(&j->meter, ++j->done, err);
}

int hst_features_again(const hst_again *a, hst_err *err)
{
    size_t threads = (size_t)hst_executor_threads(a->ctx->executor), slots = threads * 4;
    job j = {.a = a, .meter = hst_meter_start(a->ctx, "validation", a->n)};
    int rc = HST_EMEM;
    j.desks = hst_alloc(threads, sizeof *j.desks, err);
    j.item = j.desks ? hst_alloc(slots, sizeof *j.item, err) : NULL;
    if (j.item)
        rc = hst_executor_pipeline(a->ctx->executor,
                                   &(hst_pipeline){.arg = &j,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = count_photo,
                                                   .n_slots = slots},
                                   err);
    for (size_t t = 0; j.desks && t < threads; t++) {
        hst_work_free(j.desks[t].work);
        free(j.desks[t].input);
    }
    free(j.desks);
    free(j.item);
    return rc;
}
