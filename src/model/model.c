#include "model/model.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Labels are what a model says: each one text, none empty, no two alike. */
static int check_labels(const char *const *labels, int n, hst_err *err)
{
    for (int i = 0; i < n; i++)
        if (!labels[i][0] || !hst_is_utf8(labels[i]))
            return hst_fail(err, HST_EARG, "label %d '%s' is %s", i, labels[i],
                            labels[i][0] ? "not valid UTF-8" : "empty");
    const char **sorted = hst_alloc((size_t)n, sizeof *sorted, err);
    if (!sorted)
        return HST_EMEM;
    memcpy(sorted, labels, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    int rc = 0;
    for (int i = 1; rc == 0 && i < n; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            rc = hst_fail(err, HST_EARG, "two labels are '%s'", sorted[i]);
    free(sorted);
    return rc;
}

static int check_new(const hst_backbone *b, const hst_prep *prep, const char *const *labels, int n,
                     hst_err *err)
{
    if (n < 1 || n > HST_MAX_CLASSES)
        return hst_fail(err, HST_EARG, "%d classes, expected 1 to %d", n, HST_MAX_CLASSES);
    if (prep->px != b->arch.px)
        return hst_fail(err, HST_EARG, "pictures are prepared for %d pixels, the network wants %d",
                        prep->px, b->arch.px);
    if (hst_prep_check(prep, err))
        return HST_EARG;
    return check_labels(labels, n, err);
}

hst_model *hst_model_new(const hst_backbone *b, const hst_prep *prep, const char *const *labels,
                         int n_classes, hst_err *err)
{
    if (check_new(b, prep, labels, n_classes, err))
        return NULL;
    hst_model *m = hst_alloc(1, sizeof *m, err);
    if (!m)
        return NULL;
    m->backbone = b;
    m->prep = *prep;
    m->n_classes = n_classes;
    m->dim = hst_plan_output(b->plan).c;
    m->labels = hst_alloc((size_t)n_classes, sizeof *m->labels, err);
    m->kernel = hst_alloc((size_t)m->dim, (size_t)n_classes * sizeof *m->kernel, err);
    m->bias = hst_alloc((size_t)n_classes, sizeof *m->bias, err);
    if (!m->labels || !m->kernel || !m->bias)
        goto fail;
    for (int i = 0; i < n_classes; i++)
        if (!(m->labels[i] = hst_strdup(labels[i], err)))
            goto fail;
    return m;
fail:
    hst_model_free(m);
    return NULL;
}

void hst_model_free(hst_model *m)
{
    if (!m)
        return;
    for (int i = 0; m->labels && i < m->n_classes; i++)
        free(m->labels[i]);
    for (size_t i = 0; i < m->n_record; i++) {
        free(m->record[i].key);
        free(m->record[i].value);
    }
    free(m->labels);
    free(m->record);
    free(m->kernel);
    free(m->bias);
    hst_backbone_free(m->owned_backbone);
    free(m);
}

static hst_record_pair *find_record(const hst_model *m, const char *key)
{
    for (size_t i = 0; i < m->n_record; i++)
        if (strcmp(m->record[i].key, key) == 0)
            return &m->record[i];
    return NULL;
}

int hst_model_set_record(hst_model *m, const char *key, const char *value, hst_err *err)
{
    if (!hst_is_utf8(key) || !hst_is_utf8(value))
        return hst_fail(err, HST_EARG, "record '%s' is not valid UTF-8: '%s'", key, value);
    char *v = hst_strdup(value, err);
    if (!v)
        return HST_EMEM;
    hst_record_pair *r = find_record(m, key);
    if (r) {
        free(r->value);
        r->value = v;
        return 0;
    }
    char *k = hst_strdup(key, err);
    r = k ? hst_resize(m->record, m->n_record + 1, sizeof *r, err) : NULL;
    if (!r) {
        free(k);
        free(v);
        return HST_EMEM;
    }
    m->record = r;
    m->record[m->n_record++] = (hst_record_pair){k, v};
    return 0;
}

const char *hst_model_record(const hst_model *m, const char *key)
{
    if (strcmp(key, "content_sha256") == 0)
        return m->content_sha256[0] ? m->content_sha256 : NULL;
    const hst_record_pair *r = find_record(m, key);
    return r ? r->value : NULL;
}

int hst_model_classes(const hst_model *m)
{
    return m->n_classes;
}

const char *hst_model_label(const hst_model *m, int i)
{
    return i >= 0 && i < m->n_classes ? m->labels[i] : NULL;
}

const hst_backbone *hst_model_backbone(const hst_model *m)
{
    return m->backbone;
}
