/* evaluate.c - a model over labelled photos: their features (from the store where it has them),
 * then the head. */
#include "base/mem.h"
#include "base/ranks.h"
#include "dataset/class_check.h"
#include "evaluation/evaluation.h"
#include "features/features.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* A label that looks like that name, or NULL. */
static const char *label_like(const hst_model *m, const char *name)
{
    char key[HST_CLASS_KEY], other[HST_CLASS_KEY];
    hst_class_key(name, key);
    for (int k = 0; k < m->n_classes; k++) {
        hst_class_key(m->labels[k], other);
        if (strcmp(key, other) == 0)
            return m->labels[k];
    }
    return NULL;
}

static int no_such_label(const hst_model *m, const char *name, hst_err *err)
{
    if (m->target == HST_TARGET_NUMBER)
        return hst_fail(err, HST_EDATA,
                        "the photos' number is %s, that of the model %s; call it as when the model "
                        "was trained",
                        name, m->labels[0]);
    if (m->target == HST_TARGET_LABELS)
        return hst_fail(err, HST_EDATA,
                        "label %s is none of the model's %d (%s, ...); call it as when the model "
                        "was trained, or take it away",
                        name, m->n_classes, m->labels[0]);
    const char *twin = label_like(m, name);
    if (twin)
        return hst_fail(err, HST_EDATA,
                        "class %s is written otherwise than the model's %s: they differ in case, "
                        "spaces, accents or Unicode form only; rename its folder",
                        name, twin);
    return hst_fail(err, HST_EDATA,
                    "class %s is none of the model's %d (%s, ...); rename its folder as "
                    "when the model was trained, or take it away",
                    name, m->n_classes, m->labels[0]);
}

/* The model's label of each class of the folder: by name, since the folder may hold fewer classes
 * or in another order. Indices are put in label[classes of d]. */
static int match_labels(const hst_model *m, const hst_data *d, int *label, hst_err *err)
{
    for (int c = 0; c < d->n_classes; c++) {
        int k = 0;
        while (k < m->n_classes && strcmp(m->labels[k], d->classes[c]) != 0)
            k++;
        if (k == m->n_classes)
            return no_such_label(m, d->classes[c], err);
        label[c] = k;
    }
    return 0;
}

static int truth_of(const hst_data *d, size_t i, const int *label)
{
    return label && d->target == HST_TARGET_CLASS ? label[d->photos[i].label] : 0;
}

/* The photo's marks in the order of the model's labels. */
static void find_marks(const hst_model *m, const hst_data *d, size_t i, const int *label,
                       uint8_t *marks)
{
    memset(marks, 0, (size_t)m->n_classes);
    for (int c = 0; label && d->photos[i].marks && c < d->n_classes; c++)
        marks[label[c]] = d->photos[i].marks[c];
}

static int score(const hst_model *m, const hst_data *d, const hst_features *f, const int *label,
                 hst_eval *e, hst_err *err)
{
    hst_unknown_work *work = hst_unknown_work_new(m->dim, m->n_classes, err);
    float *prob = work ? hst_alloc((size_t)m->n_classes, sizeof *prob, err) : NULL;
    uint8_t *marks = prob ? hst_alloc((size_t)m->n_classes, 1, err) : NULL;
    int rc = marks ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        const float *x = hst_features_row(f, i);
        if (!x) {
            e->n_skipped++;
            continue;
        }
        hst_model_head(m, x, prob);
        find_marks(m, d, i, label, marks);
        const double unknown = hst_model_unknown(m, x, prob, work);
        rc = hst_eval_add(e,
                          &(hst_judged){.path = d->photos[i].path,
                                        .truth = truth_of(d, i, label),
                                        .marks = marks,
                                        .number = d->photos[i].number,
                                        .prob = prob,
                                        .pixels = f->pixels[i],
                                        .seen = hst_model_has_seen(m, f->pixels[i]),
                                        .unknown_score = &unknown},
                          err);
    }
    free(marks);
    free(prob);
    hst_unknown_work_free(work);
    e->n_stored = f->n_stored;
    return rc ? rc : hst_eval_finish(e, err);
}

hst_eval *hst_eval_of_model(const hst_ctx *ctx, const hst_model *m, size_t n, hst_err *err)
{
    return hst_eval_of(&(hst_eval_kind){.labels = (const char *const *)m->labels,
                                        .n_classes = m->n_classes,
                                        .target = m->target,
                                        .threshold = m->threshold,
                                        .ends = m->number.ends,
                                        .ctx = ctx},
                       n, err);
}

hst_eval *hst_eval_through(hst_ctx *ctx, const hst_model *m, const hst_data *d, const int *label,
                           hst_err *err)
{
    if (hst_ranks_same(ctx->ranks, "model", m->content_sha256, sizeof m->content_sha256, err))
        return NULL;
    hst_features *f = hst_features_through(ctx, m->extractor, d, 0, err);
    hst_eval *e = f ? hst_eval_of_model(ctx, m, d->n_photos, err) : NULL;
    int rc = e ? score(m, d, f, label, e, err) : HST_EMEM;
    if (rc == 0)
        hst_features_warn_clipped(ctx, d, f);
    if (rc == 0 && label)
        rc = hst_copies_warn(ctx, d, f, err);
    hst_features_free(f);
    if (rc == 0)
        return e;
    hst_eval_free(e);
    return NULL;
}

/* Both must be of the same. */
static int check_target(const hst_model *m, const hst_data *d, hst_err *err)
{
    static const char *const says[] = {"one class", "any of several labels", "a number"};
    static const char *const has[] = {"one class each", "labels, any number each", "a number each"};
    if (m->target == d->target)
        return 0;
    return hst_fail(err, HST_EDATA,
                    "the model says %s of a photo, but these photos have %s: give them as when the "
                    "model was trained",
                    says[m->target], has[d->target]);
}

int hst_eval_match(const hst_model *m, const hst_data *d, int *label, hst_err *err)
{
    int rc = check_target(m, d, err);
    return rc ? rc : match_labels(m, d, label, err);
}

hst_eval *hst_evaluate(hst_ctx *ctx, const hst_model *m, const hst_data *d, hst_err *err)
{
    hst_eval *e = NULL;
    if (d->n_classes < 1) {
        hst_fail(err, HST_EDATA, "the photos have no labels to compare with");
        return NULL;
    }
    int *label = hst_alloc((size_t)d->n_classes, sizeof *label, err);
    if (!label || hst_eval_match(m, d, label, err)) {
        free(label);
        return NULL;
    }
    if (m->n_seen == 0)
        hst_log(ctx, HST_LOG_WARN,
                "the model does not say which photos it has learned from: they would count as if "
                "they were new to it");
    e = hst_eval_through(ctx, m, d, label, err);
    free(label);
    return e;
}
