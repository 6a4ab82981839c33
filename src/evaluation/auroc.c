#include "evaluation/auroc.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A photo in the order of its probability of one class. */
typedef struct place {
    uint32_t key; /* the bits of the probability: of numbers from 0 on they have its order */
    uint32_t photo;
} place;

enum { DIGIT = 11, DIGITS = 3, BUCKETS = 1 << DIGIT };

/* Sorts from[n] by key: radix sort, the lowest digit first. The result is in to. */
static void sort_places(place *from, place *to, size_t n)
{
    for (int d = 0; d < DIGITS; d++) {
        size_t start[BUCKETS] = {0}, at = 0;
        int shift = d * DIGIT;
        for (size_t i = 0; i < n; i++)
            start[from[i].key >> shift & (BUCKETS - 1)]++;
        for (int b = 0; b < BUCKETS; b++) {
            size_t here = start[b];
            start[b] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            to[start[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
        place *t = from;
        from = to;
        to = t;
    }
}

/* The photos by their probability of class c, smallest first, in out[n]; spare[n] is scratch. */
static void order(const hst_outcomes *s, int c, place *out, place *spare)
{
    for (size_t i = 0; i < s->n; i++) {
        float p = s->photo[i].prob[c];
        memcpy(&spare[i].key, &p, sizeof p);
        spare[i].photo = (uint32_t)i;
    }
    sort_places(spare, out, s->n); /* an odd number of digits: it ends in out */
}

/* times NULL: every photo once. */
static double area_of(const hst_outcomes *s, int c, const place *p, const uint32_t *times)
{
    uint64_t ours = 0, others = 0;
    double sum = 0;
    for (size_t i = 0; i < s->n;) {
        uint64_t equal_ours = 0, equal_others = 0;
        uint32_t key = p[i].key;
        for (; i < s->n && p[i].key == key; i++) {
            uint32_t w = times ? times[p[i].photo] : 1;
            int our = s->photo[p[i].photo].truth == c;
            equal_ours += our ? w : 0;
            equal_others += our ? 0 : w;
        }
        sum += (double)equal_ours * ((double)others + 0.5 * (double)equal_others);
        ours += equal_ours;
        others += equal_others;
    }
    return ours && others ? sum / ((double)ours * (double)others) : NAN;
}

static double mean_area(const hst_estimate *area, int n_classes)
{
    double sum = 0;
    int n = 0;
    for (int c = 0; c < n_classes; c++)
        if (!isnan(area[c].value)) {
            sum += area[c].value;
            n++;
        }
    return n ? sum / n : NAN;
}

int hst_auroc(const hst_outcomes *s, hst_estimate *area, hst_err *err)
{
    place *out = hst_alloc_raw(s->n, 2 * sizeof *out, err);
    if (!out)
        return HST_EMEM;
    for (int c = 0; c < s->n_classes; c++) {
        order(s, c, out, out + s->n);
        area[c] = (hst_estimate){area_of(s, c, out, NULL), NAN, NAN};
    }
    area[s->n_classes] = (hst_estimate){mean_area(area, s->n_classes), NAN, NAN};
    free(out);
    return 0;
}

/* ---- intervals by bootstrap ---- */

typedef struct resampling {
    const hst_outcomes *s;
    int n;         /* classes that have an area */
    int *class;    /* [n] */
    place *place;  /* [n][photos], in order */
    double *drawn; /* [n + 1][HST_RESAMPLES]; the last row is the mean */
    uint32_t *times;
} resampling;

static void draw(resampling *r, uint32_t b)
{
    double sum = 0;
    int n = 0;
    hst_resample(r->s, b, r->times);
    for (int k = 0; k < r->n; k++) {
        double v = area_of(r->s, r->class[k], r -> place + (size_t)k * r -> s -> n, r -> times);
        r->drawn[(size_t)k * HST_RESAMPLES + b] = v;
        sum += isnan(v) ? 0 : v;
        n += !isnan(v);
    }
    r->drawn[(size_t)r->n * HST_RESAMPLES + b] = n ? sum / n : NAN;
}

static void bootstrap(resampling *r, hst_estimate *area)
{
    for (uint32_t b = 0; b < HST_RESAMPLES; b++)
        draw(r, b);
    for (int k = 0; k <= r->n; k++) {
        hst_estimate *a = &area[k < r->n ? r->class[k] : r->s->n_classes];
        hst_percentiles(r->drawn + (size_t)k * HST_RESAMPLES, HST_RESAMPLES, &a->low, &a->high);
    }
}

static int by_bootstrap(resampling *r, hst_estimate *area, hst_err *err)
{
    size_t n = (size_t)r->n, photos = r->s->n;
    place *spare = hst_alloc_raw(photos, sizeof *spare, err);
    int rc = HST_EMEM;
    r->place = hst_alloc_raw(n * photos, sizeof *r->place, err);
    r->drawn = hst_alloc_raw(n + 1, HST_RESAMPLES * sizeof *r->drawn, err);
    r->times = hst_alloc_raw(photos, sizeof *r->times, err);
    if (spare && r->place && r->drawn && r->times) {
        for (int k = 0; k < r->n; k++)
            order(r->s, r->class[k], r -> place + (size_t)k * photos, spare);
        bootstrap(r, area);
        rc = 0;
    }
    free(spare);
    free(r->place);
    free(r->drawn);
    free(r->times);
    return rc;
}

/* ---- intervals by standard error ---- */

/* Adds to pull[i], photo by photo, what it pulls the area up by, and to *squares the squares: a
 * photo of the class by how many of the others are below it, one of the others by how many of the
 * class are above it. */
static void influences(const hst_outcomes *s, int c, const place *p, double area, double *pull,
                       double *squares)
{
    double ours = 0, others = 0, all_ours = 0, all_others;
    for (size_t i = 0; i < s->n; i++)
        all_ours += s->photo[i].truth == c;
    all_others = (double)s->n - all_ours;
    for (size_t i = 0; i < s->n;) {
        size_t end = i;
        double equal_ours = 0;
        for (; end < s->n && p[end].key == p[i].key; end++)
            equal_ours += s->photo[p[end].photo].truth == c;
        double equal_others = (double)(end - i) - equal_ours;
        double below = (others + equal_others / 2) / all_others;
        double above = (all_ours - ours - equal_ours / 2) / all_ours;
        for (; i < end; i++) {
            int our = s->photo[p[i].photo].truth == c;
            double d = our ? (below - area) / all_ours : (above - area) / all_others;
            pull[p[i].photo] += d;
            *squares += d * d;
        }
        ours += equal_ours;
        others += equal_others;
    }
}

static void put_interval(const hst_outcomes *s, double variance, hst_estimate *a)
{
    const double z = 1.959963984540054;
    double half = z * sqrt(variance * (double)s->n / (double)s->draws);
    a->low = fmax(0, a->value - half);
    a->high = fmin(1, a->value + half);
}

static int by_error(const resampling *r, hst_estimate *area, hst_err *err)
{
    const hst_outcomes *s = r->s;
    place *out = hst_alloc_raw(s->n, 2 * sizeof *out, err);
    double *pull = hst_alloc(s->n, sizeof *pull, err), all = 0;
    for (int k = 0; out && pull && k < r->n; k++) {
        hst_estimate *a = &area[r->class[k]];
        double variance = 0;
        order(s, r->class[k], out, out + s->n);
        influences(s, r->class[k], out, a -> value, pull, &variance);
        put_interval(s, variance, a);
    }
    for (size_t i = 0; pull && i < s->n; i++)
        all += pull[i] / r->n * (pull[i] / r->n);
    if (r->n)
        put_interval(s, all, &area[s->n_classes]);
    int rc = out && pull ? 0 : HST_EMEM;
    free(out);
    free(pull);
    return rc;
}

int hst_auroc_intervals(const hst_outcomes *s, size_t most, hst_estimate *area, hst_err *err)
{
    resampling r = {.s = s, .class = hst_alloc((size_t)s->n_classes, sizeof *r.class, err)};
    size_t cells;
    if (!r.class)
        return HST_EMEM;
    for (int c = 0; c < s->n_classes; c++)
        if (!isnan(area[c].value))
            r.class[r.n++] = c;
    int few = hst_mul_ok((size_t)r.n, s->n, &cells) && cells <= most;
    int rc = few ? by_bootstrap(&r, area, err) : by_error(&r, area, err);
    free(r.class);
    return rc;
}
