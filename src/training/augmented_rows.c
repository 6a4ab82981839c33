#include "training/augmented_rows.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int make_room(hst_augmented_rows *r, size_t photos, size_t times, size_t dim, hst_err *err)
{
    size_t n;
    if (!hst_mul_ok(photos, times + 1, &n))
        return hst_fail(err, HST_EMEM, "%zu views of %zu photos are too many", times, photos);
    r->n = n;
    r->x = hst_alloc(n, sizeof *r->x, err);
    r->label = r->x ? hst_alloc(n, sizeof *r->label, err) : NULL;
    r->weight = r->label ? hst_alloc(n, sizeof *r->weight, err) : NULL;
    r->score = r->weight ? hst_alloc(n, sizeof *r->score, err) : NULL;
    r->fold = r->score ? hst_alloc(n, sizeof *r->fold, err) : NULL;
    r->views = r->fold ? hst_alloc(n - photos, dim * sizeof *r->views, err) : NULL;
    return r->views ? 0 : HST_EMEM;
}

static void fill(hst_augmented_rows *r, const hst_examples *e, const double *weight, size_t dim)
{
    const size_t times = r->n / e->n - 1;
    for (size_t i = 0; i < r->n; i++) {
        const size_t photo = i < e->n ? i : (i - e->n) / times;
        const double whole = weight ? weight[photo] : 1;
        r->x[i] = i < e->n ? e->x[i] : r->views + (i - e->n) * dim;
        r->label[i] = e->label[photo];
        r->weight[i] = whole / (double)(times + 1);
        r->score[i] = i < e->n ? whole : 0;
    }
}

/* Copies and near copies of a photo, and the views of them all, stay together. */
static int deal(hst_augmented_rows *r, const hst_fit *f, const hst_examples *e, hst_err *err)
{
    const int dim = f->model->dim, classes = f->model->n_classes;
    size_t *group = hst_alloc(r->n, sizeof *group, err);
    int rc = group ? 0 : HST_EMEM;
    if (rc == 0 && e->group)
        memcpy(group, e->group, e->n * sizeof *group);
    else if (rc == 0)
        rc = hst_copies_group(e->x, e->home, e->n, dim, group, err);
    for (size_t i = e->n; rc == 0 && i < r->n; i++)
        group[i] = group[(i - e->n) / (r->n / e->n - 1)];
    const hst_deal all = {.label = r->label, .group = group, .n = r->n, .n_classes = classes};
    if (rc == 0)
        rc = hst_folds_deal(&all, f->run->settings.seed, r->fold, err);
    free(group);
    return rc;
}

int hst_augmented_rows_make(const hst_fit *f, const hst_examples *e, const double *weight,
                            hst_augmented_rows *out, hst_err *err)
{
    const hst_run *run = f->run;
    const size_t dim = (size_t)f->model->dim;
    const hst_changes changes = {.ctx = f->ctx,
                                 .extractor = f->model->extractor,
                                 .d = run->data,
                                 .have = run->features,
                                 .photo = e->photo,
                                 .n = e->n,
                                 .seed = run->settings.seed,
                                 .times = run->settings.augmented};
    *out = (hst_augmented_rows){0};
    int rc = make_room(out, e->n, (size_t)changes.times, dim, err);
    if (rc == 0)
        rc = hst_features_changed(&changes, out->views, err);
    if (rc)
        return rc;
    fill(out, e, weight, dim);
    return deal(out, f, e, err);
}

void hst_augmented_rows_clear(hst_augmented_rows *r)
{
    free(r->x);
    free(r->label);
    free(r->weight);
    free(r->score);
    free(r->fold);
    free(r->views);
    *r = (hst_augmented_rows){0};
}
