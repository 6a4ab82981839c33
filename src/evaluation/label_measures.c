/* label_measures.c - metrics of photos with several labels. */
#include "base/mem.h"
#include "evaluation/target_measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const hst_label_names[HST_N_LABEL_MEASURES] = {
    [HST_LABEL_MAP] = "map",
    [HST_LABEL_MICRO_F1] = "micro_f1",
    [HST_LABEL_MACRO_F1] = "macro_f1",
    [HST_LABEL_MICRO_PRECISION] = "micro_precision",
    [HST_LABEL_MICRO_RECALL] = "micro_recall",
    [HST_LABEL_MACRO_PRECISION] = "macro_precision",
    [HST_LABEL_MACRO_RECALL] = "macro_recall",
    [HST_LABEL_SUBSET_ACCURACY] = "subset_accuracy",
    [HST_LABEL_HAMMING_LOSS] = "hamming_loss",
    [HST_LABEL_LOG_LOSS] = "log_loss"};

/* What is known of a photo and a label: both bits in a byte. */
enum { HAS = 1, SAID = 2 };

/* A place in the order of a label's probabilities: the photo, times four, and two bits. */
enum { POSITIVE = 1, LAST_OF_EQUALS = 2 };

/* Marks beyond which fewer samples are drawn, so that intervals take seconds; never fewer than
 * these. */
enum { MARKS_OF_ALL_SAMPLES = 1 << 19, FEWEST_SAMPLES = 100 };

typedef struct table {
    size_t n, classes;
    uint8_t *bits;   /* [n][classes] */
    double *loss;    /* [n] mean over the labels */
    uint32_t *wrong; /* [n] marks */
    uint32_t *order; /* [classes][n] by falling probability */
    size_t *count;   /* [classes][4] marks by their bits */
    uint32_t *times; /* [n] of the sample at hand */
} table;

static void table_clear(table *t)
{
    free(t->bits);
    free(t->loss);
    free(t->wrong);
    free(t->order);
    free(t->count);
    free(t->times);
}

typedef struct place {
    float p;
    uint32_t photo;
} place;

static int by_falling(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return x->photo < y->photo ? -1 : 1;
}

static void order_label(table *t, const hst_eval_photo *const *photo, size_t c, place *at)
{
    for (size_t i = 0; i < t->n; i++)
        at[i] = (place){photo[i]->prob[c], (uint32_t)i};
    qsort(at, t->n, sizeof *at, by_falling);
    for (size_t i = 0; i < t->n; i++) {
        const int positive = t->bits[at[i].photo * t->classes + c] & HAS ? POSITIVE : 0;
        const int last = i + 1 == t->n || at[i + 1].p != at[i].p ? LAST_OF_EQUALS : 0;
        t->order[c * t->n + i] = at[i].photo << 2 | (uint32_t)(positive | last);
    }
}

static void look_at(table *t, const hst_eval *e, const hst_eval_photo *p, size_t i)
{
    for (size_t c = 0; c < t->classes; c++) {
        const int has = p->marks[c] != 0, said = p->prob[c] >= e->threshold[c];
        const double prob = (double)p->prob[c];
        t->bits[i * t->classes + c] = (uint8_t)((has ? HAS : 0) | (said ? SAID : 0));
        t->wrong[i] += has != said;
        t->loss[i] += hst_log_loss(has ? prob : 1 - prob) / (double)t->classes;
    }
}

static int table_make(table *t, const hst_eval *e, hst_err *err)
{
    size_t cells;
    *t = (table){.classes = (size_t)e->n_classes};
    if (!hst_mul_ok(e->n, t->classes, &cells) || e->n > UINT32_MAX / 4)
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos of %d labels", e->n,
                        e->n_classes);
    const hst_eval_photo **photo = hst_alloc(e->n, sizeof *photo, err);
    place *at = photo ? hst_alloc(e->n, sizeof *at, err) : NULL;
    int rc = HST_EMEM;
    if (at && (t->bits = hst_alloc(cells, 1, err)) &&
        (t->loss = hst_alloc(e->n, sizeof *t->loss, err)) &&
        (t->wrong = hst_alloc(e->n, sizeof *t->wrong, err)) &&
        (t->order = hst_alloc(cells, sizeof *t->order, err)) &&
        (t->count = hst_alloc(t->classes, 4 * sizeof *t->count, err)) &&
        (t->times = hst_alloc(e->n, sizeof *t->times, err))) {
        for (size_t i = 0; i < e->n_photos; i++)
            if (hst_eval_counts(hst_eval_at(e, i))) {
                look_at(t, e, &e->photo[i], t->n);
                photo[t->n] = hst_eval_at(e, i);
                t->times[t->n++] = 1;
            }
        for (size_t c = 0; c < t->classes; c++)
            order_label(t, photo, c, at);
        rc = 0;
    }
    free(at);
    free(photo);
    return rc;
}

/* Sum over the ranks of precision times what recall gains there; photos of the same probability are
 * one rank. NaN without a photo that has the label. */
static double average_precision(const table *t, size_t c)
{
    const uint32_t *order = t->order + c * t->n;
    double sum = 0;
    size_t seen = 0, positive = 0, before = 0;
    for (size_t i = 0; i < t->n; i++) {
        const uint32_t w = t->times[order[i] >> 2];
        seen += w;
        positive += order[i] & POSITIVE ? w : 0;
        if ((order[i] & LAST_OF_EQUALS) && positive > before) {
            sum += (double)(positive - before) * (double)positive / (double)seen;
            before = positive;
        }
    }
    return positive ? sum / (double)positive : NAN;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Of the marks counted: precision, recall and F1, of all together and in the mean of labels. */
static void rates(const table *t, double *v)
{
    double all[4] = {0}, labels = 0;
    for (size_t c = 0; c < t->classes; c++) {
        const size_t *n = t->count + 4 * c;
        const double tp = (double)n[HAS | SAID], fp = (double)n[SAID], fn = (double)n[HAS];
        all[HAS | SAID] += tp;
        all[SAID] += fp;
        all[HAS] += fn;
        labels += tp + fp + fn > 0;
        v[HST_LABEL_MACRO_PRECISION] += ratio(tp, tp + fp);
        v[HST_LABEL_MACRO_RECALL] += ratio(tp, tp + fn);
        v[HST_LABEL_MACRO_F1] += ratio(2 * tp, 2 * tp + fp + fn);
    }
    const double tp = all[HAS | SAID], fp = all[SAID], fn = all[HAS];
    v[HST_LABEL_MACRO_PRECISION] = ratio(v[HST_LABEL_MACRO_PRECISION], labels);
    v[HST_LABEL_MACRO_RECALL] = ratio(v[HST_LABEL_MACRO_RECALL], labels);
    v[HST_LABEL_MACRO_F1] = ratio(v[HST_LABEL_MACRO_F1], labels);
    v[HST_LABEL_MICRO_PRECISION] = ratio(tp, tp + fp);
    v[HST_LABEL_MICRO_RECALL] = ratio(tp, tp + fn);
    v[HST_LABEL_MICRO_F1] = ratio(2 * tp, 2 * tp + fp + fn);
}

/* Of the photos as often as t->times has them. v: [HST_N_LABEL_MEASURES + classes]. */
static void measure(table *t, double *v)
{
    double photos = 0, areas = 0;
    memset(v, 0, HST_N_LABEL_MEASURES * sizeof *v);
    memset(t->count, 0, 4 * t->classes * sizeof *t->count);
    for (size_t i = 0; i < t->n; i++) {
        const uint32_t w = t->times[i];
        const uint8_t *bits = t->bits + i * t->classes;
        if (w == 0)
            continue;
        for (size_t c = 0; c < t->classes; c++)
            t->count[4 * c + bits[c]] += w;
        photos += w;
        v[HST_LABEL_SUBSET_ACCURACY] += t->wrong[i] == 0 ? w : 0;
        v[HST_LABEL_HAMMING_LOSS] += (double)w * t->wrong[i] / (double)t->classes;
        v[HST_LABEL_LOG_LOSS] += w * t->loss[i];
    }
    v[HST_LABEL_SUBSET_ACCURACY] /= photos;
    v[HST_LABEL_HAMMING_LOSS] /= photos;
    v[HST_LABEL_LOG_LOSS] /= photos;
    rates(t, v);
    for (size_t c = 0; c < t->classes; c++) {
        const double area = v[HST_N_LABEL_MEASURES + c] = average_precision(t, c);
        areas += !isnan(area);
        v[HST_LABEL_MAP] += isnan(area) ? 0 : area;
    }
    v[HST_LABEL_MAP] = areas > 0 ? v[HST_LABEL_MAP] / areas : NAN;
}

static int bootstrap(table *t, const hst_eval *e, const hst_target_values *out, hst_err *err)
{
    const size_t all = HST_N_LABEL_MEASURES + t->classes, marks = t->n * t->classes;
    const hst_outcomes s = {.n = t->n, .draws = hst_eval_draws(e)};
    size_t samples = HST_RESAMPLES;
    if (marks > MARKS_OF_ALL_SAMPLES)
        samples = HST_RESAMPLES * (size_t)MARKS_OF_ALL_SAMPLES / marks;
    samples = samples < FEWEST_SAMPLES ? FEWEST_SAMPLES : samples;
    double *v = hst_alloc(all, sizeof *v, err);
    double *drawn = v ? hst_alloc(all, samples * sizeof *drawn, err) : NULL;
    if (drawn) {
        for (uint32_t b = 0; b < samples; b++) {
            hst_resample(&s, b, t->times);
            measure(t, v);
            for (size_t k = 0; k < all; k++)
                drawn[k * samples + b] = v[k];
        }
        for (size_t k = 0; k < all; k++)
            hst_percentiles(drawn + k * samples, samples, &out->low[k], &out->high[k]);
    }
    free(v);
    const int rc = drawn ? 0 : HST_EMEM;
    free(drawn);
    return rc;
}

int hst_labels_measure(const hst_eval *e, const hst_target_values *out, hst_err *err)
{
    table t;
    int rc = table_make(&t, e, err);
    if (rc == 0 && t.n == 0) {
        for (size_t k = 0; k < HST_N_LABEL_MEASURES + t.classes; k++)
            out->value[k] = NAN;
    } else if (rc == 0) {
        measure(&t, out->value);
        if (out->low)
            rc = bootstrap(&t, e, out, err);
    }
    table_clear(&t);
    return rc;
}
