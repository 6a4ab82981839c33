#include "evaluation/measures.h"
#include "base/mem.h"
#include "evaluation/target_measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hst_measures *hst_measures_new(hst_err *err)
{
    return hst_alloc(1, sizeof(struct hst_measures), err);
}

void hst_measures_clear(struct hst_measures *m)
{
    free(m->outcomes.photo);
    free(m->area);
    free(m->of_target);
    *m = (struct hst_measures){0};
}

void hst_measures_free(struct hst_measures *m)
{
    if (m)
        hst_measures_clear(m);
    free(m);
}

/* ---- what metrics are made of ---- */

static int make_outcomes(const hst_eval *e, hst_outcomes *s, hst_err *err)
{
    hst_outcome *o = hst_alloc(e->n_photos, sizeof *o, err);
    size_t n = 0;
    if (!o)
        return HST_EMEM;
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        if (!hst_eval_counts(p))
            continue;
        o[n++] = (hst_outcome){.prob = p->prob,
                               .truth = p->truth,
                               .guess = p->guess,
                               .rank = hst_rank(p->prob, e->n_classes, p->truth),
                               .confidence = p->prob[p->guess],
                               .log_loss = hst_log_loss(p->prob[p->truth]),
                               .brier = hst_brier(p->prob, e->n_classes, p->truth)};
    }
    double worth = hst_fold_trials((double)n, e->folds);
    *s = (hst_outcomes){
        .n = n, .n_classes = e->n_classes, .photo = o, .draws = (size_t)fmax(1, round(worth))};
    return 0;
}

/* The outcomes; NULL without memory. */
static const hst_outcomes *outcomes_of(const hst_eval *e, hst_err *err)
{
    hst_outcomes *s = &e->measures->outcomes;
    if (!s->photo && make_outcomes(e, s, err))
        return NULL;
    return s;
}

/* ---- kinds of metrics; ends: 1 where the ends of the interval are wanted as well ---- */

/* hits of n photos, which are worth fewer where they were judged out of folds. */
static void proportion(const hst_eval *e, size_t hits, size_t n, hst_estimate *out)
{
    out->value = out->low = out->high = n ? (double)hits / (double)n : NAN;
    if (n)
        hst_wilson_part(out->value, hst_fold_trials((double)n, e->folds), &out->low, &out->high);
}

static int top(const hst_eval *e, int k, hst_estimate *out, hst_err *err)
{
    const hst_outcomes *s = outcomes_of(e, err);
    size_t hits = 0;
    if (!s)
        return HST_EMEM;
    for (size_t i = 0; i < s->n; i++)
        hits += s->photo[i].rank < k;
    proportion(e, hits, s->n, out);
    return 0;
}

static int measure(const hst_eval *e, enum hst_measure k, int ends, hst_estimate *out, hst_err *err)
{
    struct hst_measures *m = e->measures;
    const hst_outcomes *s = outcomes_of(e, err);
    int rc = s ? 0 : HST_EMEM;
    if (rc == 0 && !m->have_values)
        rc = hst_outcomes_measure(s, m->value, err);
    m->have_values |= rc == 0;
    if (rc == 0 && ends && !m->have_intervals && s->n) {
        rc = hst_outcomes_bootstrap(s, m->value, m->low, m->high, err);
        m->have_intervals = rc == 0;
    }
    if (rc)
        return rc;
    out->value = out->low = out->high = m->value[k];
    if (m->have_intervals) {
        out->low = m->low[k];
        out->high = m->high[k];
    }
    return 0;
}

/* c: the class, or n_classes for the mean of all. */
static int area(const hst_eval *e, int c, int ends, hst_estimate *out, hst_err *err)
{
    struct hst_measures *m = e->measures;
    const hst_outcomes *s = outcomes_of(e, err);
    int rc = s ? 0 : HST_EMEM;
    if (rc == 0 && !m->area) {
        hst_estimate *a = hst_alloc((size_t)e->n_classes + 1, sizeof *a, err);
        rc = a ? hst_auroc(s, a, err) : HST_EMEM;
        if (rc == 0)
            m->area = a;
        else
            free(a);
    }
    if (rc == 0 && ends && !m->have_area_intervals && s->n) {
        rc = hst_auroc_intervals(s, HST_AUROC_MOST, m->area, err);
        m->have_area_intervals = rc == 0;
    }
    if (rc)
        return rc;
    *out = m->area[c];
    if (!m->have_area_intervals)
        out->low = out->high = out->value;
    return 0;
}

/* ---- by name ---- */

static const struct {
    const char *name;
    enum hst_measure measure;
} measured[] = {
    {"balanced_accuracy", HST_BALANCED_ACCURACY},
    {"log_loss", HST_LOG_LOSS},
    {"brier", HST_BRIER},
    {"macro_precision", HST_MACRO_PRECISION},
    {"macro_recall", HST_MACRO_RECALL},
    {"macro_f1", HST_MACRO_F1},
    {"weighted_precision", HST_WEIGHTED_PRECISION},
    {"weighted_f1", HST_WEIGHTED_F1},
    {"calibration_error", HST_CALIBRATION_ERROR},
};

/* k of "top_5"; 0: not such a name. */
static int top_of(const char *name)
{
    if (strncmp(name, "top_", 4) != 0)
        return 0;
    size_t n = strlen(name + 4);
    if (n < 1 || n > 6 || strspn(name + 4, "0123456789") != n)
        return 0;
    return (int)strtol(name + 4, NULL, 10);
}

/* Photos that count and are called unknown; NaN where the model cannot tell. */
static double refused(const hst_eval *e)
{
    double n = 0;
    for (size_t i = 0; i < e->n_photos; i++) {
        if (isnan(hst_eval_at(e, i)->unknown_score))
            return NAN;
        n += hst_eval_counts(hst_eval_at(e, i)) && hst_eval_at(e, i)->unknown_score > 0;
    }
    return n;
}

/* Numbers without an interval; 0 where the name is none of them. */
static int plain(const hst_eval *e, const char *name, double *v)
{
    if (strcmp(name, "imbalance") == 0)
        *v = e->imbalance;
    else if (strcmp(name, "n") == 0)
        *v = (double)e->n;
    else if (strcmp(name, "copies") == 0)
        *v = (double)e->n_copies;
    else if (strcmp(name, "seen") == 0)
        *v = (double)e->n_seen;
    else if (strcmp(name, "seen_accuracy") == 0)
        *v = e->n_seen ? (double)e->seen_hits / (double)e->n_seen : NAN;
    else if (strcmp(name, "skipped") == 0)
        *v = (double)e->n_skipped;
    else if (strcmp(name, "refused") == 0)
        *v = refused(e);
    else if (strcmp(name, "stored") == 0)
        *v = (double)e->n_stored;
    else
        return 0;
    return 1;
}

/* Values k of labels or numbers. */
static int of_target(const hst_eval *e, size_t k, int ends, hst_estimate *out, hst_err *err)
{
    struct hst_measures *m = e->measures;
    const int labels = e->target == HST_TARGET_LABELS;
    const size_t n = labels ? HST_N_LABEL_MEASURES + (size_t)e->n_classes : HST_N_NUMBER_MEASURES;
    ends = ends && e->n;
    if (!m->of_target || (ends && !m->have_target_intervals)) {
        double *v = hst_alloc(3 * n, sizeof *v, err);
        const hst_target_values to = {v, ends ? v + n : NULL, ends ? v + 2 * n : NULL};
        int rc = v ? labels ? hst_labels_measure(e, &to, err) : hst_numbers_measure(e, &to, err)
                   : HST_EMEM;
        if (rc) {
            free(v);
            return rc;
        }
        free(m->of_target);
        m->of_target = v;
        m->have_target_intervals = ends;
    }
    const double *v = m->of_target;
    const int have = m->have_target_intervals;
    *out = (hst_estimate){v[k], have ? v[n + k] : v[k], have ? v[2 * n + k] : v[k]};
    return 0;
}

/* Photos that count whose number lies in the interval around the one predicted. */
static void coverage(const hst_eval *e, int outer, hst_estimate *out)
{
    const double below = e->ends[outer ? 0 : 1], above = e->ends[outer ? 3 : 2];
    size_t inside = 0;
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        inside +=
            hst_eval_counts(p) && p->number >= p->value + below && p->number <= p->value + above;
    }
    proportion(e, inside, isfinite(below) && isfinite(above) ? e->n : 0, out);
}

static size_t index_of(const char *const *names, size_t n, const char *name)
{
    size_t k = 0;
    while (k < n && strcmp(names[k], name) != 0)
        k++;
    return k;
}

static int find_of_labels(const hst_eval *e, const char *name, int ends, hst_estimate *out,
                          hst_err *err)
{
    const size_t k = index_of(hst_label_names, HST_N_LABEL_MEASURES, name);
    if (k == HST_LABEL_SUBSET_ACCURACY) {
        proportion(e, (size_t)e->hits, e->n, out);
        return 0;
    }
    if (k < HST_N_LABEL_MEASURES)
        return of_target(e, k, ends, out, err);
    return hst_fail(err, HST_EARG,
                    "unknown metric of labels '%s': map, micro_ or macro_ f1, precision and "
                    "recall, subset_accuracy, hamming_loss, log_loss, n, copies, seen, "
                    "seen_accuracy, skipped or stored",
                    name);
}

static int find_of_number(const hst_eval *e, const char *name, int ends, hst_estimate *out,
                          hst_err *err)
{
    const size_t k = index_of(hst_number_names, HST_N_NUMBER_MEASURES, name);
    if (strcmp(name, "coverage_80") == 0 || strcmp(name, "coverage_95") == 0) {
        coverage(e, strcmp(name, "coverage_95") == 0, out);
        return 0;
    }
    if (k < HST_N_NUMBER_MEASURES)
        return of_target(e, k, ends, out, err);
    return hst_fail(err, HST_EARG,
                    "unknown metric of a number '%s': mae, rmse, r2, median_absolute_error, "
                    "coverage_80, coverage_95, n, copies, seen, skipped or stored",
                    name);
}

static int find(const hst_eval *e, const char *name, int ends, hst_estimate *out, hst_err *err)
{
    if (plain(e, name, &out->value)) {
        out->low = out->high = out->value;
        return 0;
    }
    if (e->target == HST_TARGET_LABELS)
        return find_of_labels(e, name, ends, out, err);
    if (e->target == HST_TARGET_NUMBER)
        return find_of_number(e, name, ends, out, err);
    /* Recalls weighted by photos are the photos that are right. */
    if (strcmp(name, "accuracy") == 0 || strcmp(name, "weighted_recall") == 0) {
        proportion(e, (size_t)e->hits, e->n, out);
        return 0;
    }
    if (strcmp(name, "auroc") == 0)
        return area(e, e->n_classes, ends, out, err);
    if (top_of(name))
        return top(e, top_of(name), out, err);
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        if (strcmp(name, measured[i].name) == 0)
            return measure(e, measured[i].measure, ends, out, err);
    return hst_fail(err, HST_EARG,
                    "unknown metric '%s': accuracy, top_K, balanced_accuracy, log_loss, brier, "
                    "calibration_error, auroc, macro_ or weighted_ precision, recall and f1, "
                    "imbalance, n, copies, seen, seen_accuracy, refused, skipped or stored",
                    name);
}

int hst_eval_metric(const hst_eval *e, const char *name, double *value, double *low, double *high,
                    hst_err *err)
{
    hst_estimate found;
    int rc = find(e, name, low || high, &found, err);
    if (rc)
        return rc;
    *value = found.value;
    if (low)
        *low = found.low;
    if (high)
        *high = found.high;
    return 0;
}

/* ---- of one class ---- */

/* F1 is 2J / (1 + J) of the proportion J: of the photos that are of the class or were called it,
 * those that are both. It rises with J, so the ends of J's interval are those of F1. */
static void f1(const hst_eval *e, uint64_t hits, uint64_t either, hst_estimate *out)
{
    proportion(e, (size_t)hits, (size_t)either, out);
    out->value = 2 * (double)hits / ((double)hits + (double)either);
    out->low = 2 * out->low / (1 + out->low);
    out->high = 2 * out->high / (1 + out->high);
}

static int find_of_label(const hst_eval *e, int c, const char *name, hst_estimate *out,
                         hst_err *err)
{
    const uint64_t *said = e->said + 2 * (size_t)c, truths = e->score[c].support;
    if (strcmp(name, "ap") == 0)
        return of_target(e, HST_N_LABEL_MEASURES + (size_t)c, 1, out, err);
    if (strcmp(name, "precision") == 0)
        proportion(e, (size_t)said[1], (size_t)said[0], out);
    else if (strcmp(name, "recall") == 0)
        proportion(e, (size_t)said[1], (size_t)truths, out);
    else if (strcmp(name, "f1") == 0)
        f1(e, said[1], truths + said[0] - said[1], out);
    else
        return hst_fail(err, HST_EARG,
                        "unknown metric of a label '%s': ap, precision, recall or f1", name);
    return 0;
}

static int find_of_class(const hst_eval *e, int c, const char *name, hst_estimate *out,
                         hst_err *err)
{
    if (e->target == HST_TARGET_LABELS)
        return find_of_label(e, c, name, out, err);
    if (e->target == HST_TARGET_NUMBER)
        return hst_fail(err, HST_EARG, "a number has no classes, and no metric '%s' of one", name);
    uint64_t hits = hst_eval_confusion(e, c, c), truths = e->score[c].support, guesses = 0;
    for (int t = 0; t < e->n_classes; t++)
        guesses += hst_eval_confusion(e, t, c);
    if (strcmp(name, "precision") == 0)
        proportion(e, (size_t)hits, (size_t)guesses, out);
    else if (strcmp(name, "recall") == 0)
        proportion(e, (size_t)hits, (size_t)truths, out);
    else if (strcmp(name, "f1") == 0)
        f1(e, hits, truths + guesses - hits, out);
    else if (strcmp(name, "auroc") == 0)
        return area(e, c, 1, out, err);
    else
        return hst_fail(err, HST_EARG,
                        "unknown metric of a class '%s': precision, recall, f1 or auroc", name);
    return 0;
}

int hst_eval_class_metric(const hst_eval *e, int c, const char *name, hst_estimate *out,
                          hst_err *err)
{
    hst_estimate found;
    if (c < 0 || c >= e->n_classes)
        return hst_fail(err, HST_EARG, "no class %d in this evaluation of %d", c, e->n_classes);
    int rc = find_of_class(e, c, name, &found, err);
    if (rc == 0)
        *out = found;
    return rc;
}
