/* evaluate.c - a model over labelled photos. */
#include "base/mem.h"
#include "dataset/dataset.h"
#include "evaluation/evaluation.h"
#include "prediction/prediction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    hst_ctx *ctx;
    const hst_data *d;
    int *label; /* [classes of d]: the model's number of that class */
    hst_eval *e;
    size_t next;
    hst_err err; /* what stopped it, where it was not the caller */
} job;

/* The model's label of each class of the folder: by name, since the folder may hold fewer classes
 * or in another order. */
static int match_labels(job *j, const hst_model *m, hst_err *err)
{
    const hst_data *d = j->d;
    if (d->n_classes < 1)
        return hst_fail(err, HST_EDATA, "the photos have no labels to compare with");
    j->label = hst_alloc((size_t)d->n_classes, sizeof *j->label, err);
    if (!j->label)
        return HST_EMEM;
    for (int c = 0; c < d->n_classes; c++) {
        int k = 0;
        while (k < m->n_classes && strcmp(m->labels[k], d->classes[c]) != 0)
            k++;
        if (k == m->n_classes)
            return hst_fail(err, HST_EDATA,
                            "class %s is none of the model's %d (%s, ...); rename its folder as "
                            "when the model was trained, or take it away",
                            d->classes[c], m->n_classes, m->labels[0]);
        j->label[c] = k;
    }
    return 0;
}

static int next_photo(void *arg, char *path, size_t cap)
{
    job *j = arg;
    if (j->next == j->d->n_photos)
        return 0;
    const char *from = j->d->photos[j->next++].path;
    /* No system opens a path this long: an empty one fails in the same way. */
    snprintf(path, cap, "%s", strlen(from) < cap ? from : "");
    return 1;
}

static int take_result(void *arg, const hst_prediction *p)
{
    job *j = arg;
    const hst_photo *photo = &j->d->photos[p->index];
    if (p->code == HST_EMEM)
        return hst_fail(&j->err, HST_EMEM, "%s: %s", photo->path, p->why);
    if (p->code == 0 && photo->label >= 0)
        return hst_eval_add(j->e, photo->path, j->label[photo->label], p->prob, &j->err);
    hst_log(j->ctx, HST_LOG_WARN, "skipped %s: %s", photo->path, p->code ? p->why : "no label");
    j->e->n_skipped++;
    return 0;
}

static int run(job *j, const hst_model *m, hst_err *err)
{
    int rc = match_labels(j, m, err);
    if (rc)
        return rc;
    j->e = hst_eval_new((const char *const *)m->labels, m->n_classes, j->d->n_photos, err);
    if (!j->e)
        return HST_EMEM;
    rc = hst_stream_run(j->ctx, m,
                        &(hst_stream){.next = next_photo,
                                      .deliver = take_result,
                                      .arg = j,
                                      .what = "evaluation",
                                      .total = j->d->n_photos},
                        err);
    if (rc == HST_ESTOPPED && j->err.code && err)
        *err = j->err;
    if (rc == 0 && j->e->n == 0)
        rc = hst_fail(err, HST_EDATA, "none of the %zu photos can be used", j->d->n_photos);
    if (rc == 0)
        hst_eval_finish(j->e);
    return rc;
}

hst_eval *hst_evaluate(hst_ctx *ctx, const hst_model *m, const hst_data *d, hst_err *err)
{
    job j = {.ctx = ctx, .d = d};
    if (run(&j, m, err)) {
        hst_eval_free(j.e);
        j.e = NULL;
    }
    free(j.label);
    return j.e;
}
