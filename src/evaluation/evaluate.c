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
    float *prob = hst_alloc((size_t)m->n_classes, sizeof *prob, err);
    int rc = prob ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        const float *x = hst_features_row(f, i);
        if (!x) {
            e->n_skipped++;
            continue;
        }
        hst_model_head(m, x, prob);
        rc = hst_eval_add(e,
                          &(hst_judged){.path = d->photos[i].path,
                                        .truth = label[d->photos[i].label],
                                        .prob = prob,
                                        .pixels = f->picture[i].pixels,
                                        .seen = hst_model_has_seen(m, f->picture[i].pixels)},
                          err);
    }
    free(prob);
    e->n_stored = f->n_stored;
    return rc ? rc : hst_eval_finish(e, err);
}

hst_eval *hst_evaluate(hst_ctx *ctx, const hst_model *m, const hst_data *d, hst_err *err)
{
    hst_eval *e = NULL;
    hst_features *f = NULL;
    int rc = HST_EDATA;
    if (d->n_classes < 1) {
        hst_fail(err, HST_EDATA, "the photos have no labels to compare with");
        return NULL;
    }
    int *label = hst_alloc((size_t)d->n_classes, sizeof *label, err);
    if (!label || match_labels(m, d, label, err))
        goto out;
    f = hst_features_through(ctx, m->extractor, d, 0, err);
    e = f ? hst_eval_new((const char *const *)m->labels, m->n_classes, d->n_photos, err) : NULL;
    if (e)
        rc = score(m, d, f, label, e, err);
    if (rc == 0)
        rc = hst_copies_warn(ctx, d, f, err);
out:
    free(label);
    hst_features_free(f);
    if (rc == 0)
        return e;
    hst_eval_free(e);
    return NULL;
}
