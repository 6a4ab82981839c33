/* evaluate.c - a model over labelled photos: their features (from the store where it has them),
 * then the head. */
#include "base/mem.h"
#include "evaluation/evaluation.h"
#include "features/features.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* The model's label of each class of the folder: by name, since the folder may hold fewer classes
 * or in another order. Indices are put in label[classes of d]. */
static int match_labels(const hst_model *m, const hst_data *d, int *label, hst_err *err)
{
    for (int c = 0; c < d->n_classes; c++) {
        int k = 0;
        while (k < m->n_classes && strcmp(m->labels[k], d->classes[c]) != 0)
            k++;
        if (k == m->n_classes)
            return hst_fail(err, HST_EDATA,
                            "class %s is none of the model's %d (%s, ...); rename its folder as "
                            "when the model was trained, or take it away",
                            d->classes[c], m->n_classes, m->labels[0]);
        label[c] = k;
    }
    return 0;
}

static int score(const hst_model *m, const hst_data *d, const hst_features *f, const int *label,
                 hst_eval *e, hst_err *err)
{
    hst_unknown_work *work = hst_unknown_work_new(m->dim, m->n_classes, err);
    float *prob = work ? hst_alloc((size_t)m->n_classes, sizeof *prob, err) : NULL;
    int rc = prob ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        const float *x = hst_features_row(f, i);
        if (!x) {
            e->n_skipped++;
            continue;
        }
        hst_model_head(m, x, prob);
        const double unknown = hst_model_unknown(m, x, prob, work);
        rc = hst_eval_add(e,
                          &(hst_judged){.path = d->photos[i].path,
                                        .truth = label ? label[d->photos[i].label] : 0,
                                        .prob = prob,
                                        .pixels = f->picture[i].pixels,
                                        .seen = hst_model_has_seen(m, f->picture[i].pixels),
                                        .unknown_score = &unknown},
                          err);
    }
    free(prob);
    hst_unknown_work_free(work);
    e->n_stored = f->n_stored;
    return rc ? rc : hst_eval_finish(e, err);
}

hst_eval *hst_eval_through(hst_ctx *ctx, const hst_model *m, const hst_data *d, const int *label,
                           hst_err *err)
{
    hst_features *f = hst_features_through(ctx, m->extractor, d, 0, err);
    hst_eval *e =
        f ? hst_eval_new((const char *const *)m->labels, m->n_classes, d->n_photos, err) : NULL;
    if (e)
        e->ctx = hst_ctx_quiet(ctx);
    int rc = e ? score(m, d, f, label, e, err) : HST_EMEM;
    if (rc == 0 && label)
        rc = hst_copies_warn(ctx, d, f, err);
    hst_features_free(f);
    if (rc == 0)
        return e;
    hst_eval_free(e);
    return NULL;
}

hst_eval *hst_evaluate(hst_ctx *ctx, const hst_model *m, const hst_data *d, hst_err *err)
{
    hst_eval *e = NULL;
    if (d->n_classes < 1) {
        hst_fail(err, HST_EDATA, "the photos have no labels to compare with");
        return NULL;
    }
    int *label = hst_alloc((size_t)d->n_classes, sizeof *label, err);
    if (m->n_seen == 0)
        hst_log(ctx, HST_LOG_WARN,
                "the model does not say which photos it has learned from: they would count as if "
                "they were new to it");
    if (label && match_labels(m, d, label, err) == 0)
        e = hst_eval_through(ctx, m, d, label, err);
    free(label);
    return e;
}
