#include "model/model.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
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

static int check_new(const hst_extractor *e, const char *const *labels, int n, hst_err *err)
{
    const hst_view *v;
    if (n < 1 || n > HST_MAX_CLASSES)
        return hst_fail(err, HST_EARG, "%d classes, expected 1 to %d", n, HST_MAX_CLASSES);
    for (int i = 0; (v = hst_extractor_view(e, i, NULL, NULL)); i++)
        if (hst_prep_check(&v->prep, err))
            return HST_EARG;
    return check_labels(labels, n, err);
}

static int fill(hst_model *m, const char *const *labels, hst_err *err)
{
    const size_t classes = (size_t)m->n_classes;
    m->labels = hst_alloc(classes, sizeof *m->labels, err);
    m->kernel = hst_alloc((size_t)m->dim, classes * sizeof *m->kernel, err);
    m->bias = hst_alloc(classes, sizeof *m->bias, err);
    if (!m->labels || !m->kernel || !m->bias)
        return HST_EMEM;
    for (size_t i = 0; i < classes; i++)
        if (!(m->labels[i] = hst_strdup(labels[i], err)))
            return HST_EMEM;
    return 0;
}

hst_model *hst_model_new(hst_extractor *e, const char *const *labels, int n_classes, hst_err *err)
{
    hst_model *m = check_new(e, labels, n_classes, err) ? NULL : hst_alloc(1, sizeof *m, err);
    if (!m) {
        hst_extractor_free(e);
        return NULL;
    }
    *m = (hst_model){.extractor = e, .n_classes = n_classes, .dim = e->dim};
    if (fill(m, labels, err) == 0)
        return m;
    hst_model_free(m);
    return NULL;
}

const char *const hst_target_names[] = {
    [HST_TARGET_CLASS] = "class", [HST_TARGET_LABELS] = "labels", [HST_TARGET_NUMBER] = "number"};

int hst_model_set_target(hst_model *m, enum hst_target target, hst_err *err)
{
    if (target == HST_TARGET_NUMBER && m->n_classes != 1)
        return hst_fail(err, HST_EARG, "%d names of a number, expected one", m->n_classes);
    if (target == HST_TARGET_LABELS) {
        m->threshold = hst_alloc((size_t)m->n_classes, sizeof *m->threshold, err);
        if (!m->threshold)
            return HST_EMEM;
        for (int c = 0; c < m->n_classes; c++)
            m->threshold[c] = 0.5f;
    }
    m->target = target;
    m->number = (hst_number){.ends = {-INFINITY, -INFINITY, INFINITY, INFINITY}};
    return 0;
}

const hst_branch *hst_model_plain(const hst_model *m)
{
    const hst_branch *b = &m->extractor->branch[0];
    const int plain =
        m->extractor->n_branches == 1 && b->n_views == 1 && b->transform == HST_IDENTITY;
    return plain && hst_size_equal(b->view[0].prep.size, b->backbone->arch.size) &&
                   !b->view[0].prep.mirror
               ? b
               : NULL;
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
    for (int i = 0; i < m->n_hidden; i++) {
        free(m->hidden[i].kernel);
        free(m->hidden[i].bias);
    }
    free(m->labels);
    free(m->threshold);
    free(m->seen);
    hst_unknown_free(m->unknown);
    free(m->record);
    free(m->kernel);
    free(m->bias);
    hst_extractor_free(m->extractor);
    free(m);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int hst_model_set_seen(hst_model *m, const uint64_t *pixels, size_t n, hst_err *err)
{
    uint64_t *seen = hst_alloc(n, sizeof *seen, err);
    size_t kept = 0;
    if (!seen)
        return HST_EMEM;
    memcpy(seen, pixels, n * sizeof *seen);
    qsort(seen, n, sizeof *seen, by_number);
    for (size_t i = 0; i < n; i++)
        if (seen[i] != (kept ? seen[kept - 1] : 0))
            seen[kept++] = seen[i];
    free(m->seen);
    m->seen = seen;
    m->n_seen = kept;
    return 0;
}

int hst_model_has_seen(const hst_model *m, uint64_t pixels)
{
    return pixels && m->n_seen &&
           bsearch(&pixels, m->seen, m->n_seen, sizeof pixels, by_number) != NULL;
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

enum hst_precision hst_model_precision(const hst_model *m)
{
    return m->extractor->branch[0].backbone->precision;
}

int hst_model_tells_unknown(const hst_model *m)
{
    return m->unknown != NULL;
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

enum hst_target hst_model_target(const hst_model *m)
{
    return m->target;
}

double hst_model_threshold(const hst_model *m, int i)
{
    return m->threshold && i >= 0 && i < m->n_classes ? (double)m->threshold[i] : NAN;
}

int hst_model_interval(const hst_model *m, double part, double value, double *low, double *high)
{
    const int outer = part == 0.95;
    if (m->target != HST_TARGET_NUMBER || (!outer && part != 0.8))
        return 0;
    const double below = m->number.ends[outer ? 0 : 1], above = m->number.ends[outer ? 3 : 2];
    if (!isfinite(below) || !isfinite(above))
        return 0;
    *low = value + below;
    *high = value + above;
    return 1;
}

uint64_t hst_model_head_params(const hst_model *m)
{
    uint64_t in = (uint64_t)m->dim, n = 0;
    for (int i = 0; i < m->n_hidden; i++) {
        n += (in + 1) * (uint64_t)m->hidden[i].out;
        in = (uint64_t)m->hidden[i].out;
    }
    return n + (in + 1) * (uint64_t)m->n_classes;
}

int hst_model_range(const hst_model *m, double *least, double *most)
{
    if (m->target != HST_TARGET_NUMBER || isnan(m->number.least))
        return 0;
    *least = m->number.least;
    *most = m->number.most;
    return 1;
}

const hst_backbone *hst_model_backbone(const hst_model *m)
{
    return m->extractor->branch[0].backbone;
}

const hst_backbone *hst_model_backbone_at(const hst_model *m, int i)
{
    return i >= 0 && i < m->extractor->n_branches ? m->extractor->branch[i].backbone : NULL;
}

double hst_model_cost(const hst_model *m, int *passes)
{
    if (passes)
        *passes = hst_extractor_n_views(m->extractor);
    return hst_extractor_cost(m->extractor);
}

size_t hst_model_extractor(const hst_model *m, char *buf, size_t cap)
{
    char text[1024];
    hst_extractor_describe(m->extractor, text, sizeof text);
    const size_t n = strlen(text);
    if (cap > 0) {
        const size_t kept = n < cap ? n : cap - 1;
        memcpy(buf, text, kept);
        buf[kept] = 0;
    }
    return n;
}
