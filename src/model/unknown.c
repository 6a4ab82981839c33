#include "model/unknown.h"
#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 127, NEAREST = 3 };
static const double far_from = 1.5, far_weight = 8;

struct hst_unknown_work {
    int8_t *root, *plain; /* [dim] */
    double root_scale[HST_MAX_BESIDE], plain_scale[HST_MAX_BESIDE];
    double *similar; /* [n_classes] largest cosine */
};

size_t hst_unknown_most(int dim)
{
    const size_t n = HST_UNKNOWN_MAX_BYTES / ((size_t)dim + sizeof(int32_t));
    return n ? n : 1;
}

/* ---- features in few bits ---- */

/* What is no number counts as 0, so that the rest of the photo still tells something. */
static double root_of(float x, int is_root)
{
    const double r = isfinite(x) ? sqrt(fabs((double)x)) : 0;
    return is_root ? r : sqrt(r);
}

static void keep_root(const float *x, int n, int is_root, int8_t *root)
{
    double top = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, root_of(x[i], is_root));
    for (int i = 0; i < n; i++) {
        const int v = top > 0 ? (int)(root_of(x[i], is_root) / top * TOP + 0.5) : 0;
        root[i] = (int8_t)(x[i] < 0 ? -v : v);
    }
}

static void keep_all(const hst_unknown *u, const float *x, int8_t *root)
{
    for (int b = 0; b < u->n_branches; b++) {
        const int first = u->branch[b];
        keep_root(x + first, u->branch[b + 1] - first, u->is_root[b], root + first);
    }
}

static void make_plain(const int8_t *root, int n, int8_t *plain)
{
    for (int i = 0; i < n; i++) {
        const double r = (double)root[i] / TOP, v = r * r * r * r * TOP;
        plain[i] = (int8_t)(r < 0 ? -(int)(v + 0.5) : (int)(v + 0.5));
    }
}

/* Whole numbers: exact in any order. At most 127^2 a feature: room for 133,000 of them. */
static int32_t product(const int8_t *restrict a, const int8_t *restrict b, int n)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double scale_of(const int8_t *v, int n)
{
    const int32_t square = product(v, v, n);
    return square ? 1 / sqrt((double)square) : 0;
}

/* From root[dim]: the rest of a photo. */
static void complete(const hst_unknown *u, const int8_t *root, int8_t *plain, double *root_scale,
                     double *plain_scale)
{
    for (int b = 0; b < u->n_branches; b++) {
        const int first = u->branch[b], n = u->branch[b + 1] - first;
        make_plain(root + first, n, plain + first);
        root_scale[b] = scale_of(root + first, n);
        plain_scale[b] = scale_of(plain + first, n);
    }
}

/* ---- made ---- */

static hst_unknown *make(const hst_extractor *e, size_t n, hst_err *err)
{
    hst_unknown *u = hst_alloc(1, sizeof *u, err);
    if (!u)
        return NULL;
    *u = (hst_unknown){.n = n, .dim = e->dim, .n_branches = e->n_branches};
    for (int b = 0; b < e->n_branches; b++) {
        u->branch[b] = e->branch[b].first;
        u->is_root[b] = e->branch[b].transform == HST_ROOT;
    }
    u->branch[e->n_branches] = e->dim;
    const size_t scales = (size_t)e->n_branches * sizeof(double);
    u->label = hst_alloc(n, sizeof *u->label, err);
    u->root = u->label ? hst_alloc(n, (size_t)e->dim, err) : NULL;
    u->plain = u->root ? hst_alloc(n, (size_t)e->dim, err) : NULL;
    u->root_scale = u->plain ? hst_alloc(n, scales, err) : NULL;
    u->plain_scale = u->root_scale ? hst_alloc(n, scales, err) : NULL;
    if (u->plain_scale)
        return u;
    hst_unknown_free(u);
    return NULL;
}

static void complete_all(hst_unknown *u)
{
    for (size_t i = 0; i < u->n; i++) {
        const size_t at = i * (size_t)u->dim, scale = i * (size_t)u->n_branches;
        complete(u, u->root + at, u->plain + at, u->root_scale + scale, u->plain_scale + scale);
    }
}

hst_unknown *hst_unknown_new(const hst_extractor *e, const float *const *x, hst_spill *home,
                             const int *label, size_t n, hst_err *err)
{
    hst_unknown *u = make(e, n, err);
    for (size_t i = 0; u && i < n; i++) {
        u->label[i] = label[i];
        keep_all(u, x[i], u->root + i * (size_t)u->dim);
        hst_spill_visited(home);
    }
    if (u)
        complete_all(u);
    return u;
}

hst_unknown *hst_unknown_again(const hst_extractor *e, const int8_t *root, const int32_t *label,
                               size_t n, hst_err *err)
{
    hst_unknown *u = make(e, n, err);
    if (!u)
        return NULL;
    memcpy(u->label, label, n * sizeof *label);
    memcpy(u->root, root, n * (size_t)u->dim);
    complete_all(u);
    return u;
}

void hst_unknown_free(hst_unknown *u)
{
    if (!u)
        return;
    free(u->label);
    free(u->root);
    free(u->plain);
    free(u->root_scale);
    free(u->plain_scale);
    free(u);
}

hst_unknown_work *hst_unknown_work_new(int dim, int n_classes, hst_err *err)
{
    hst_unknown_work *w = hst_alloc(1, sizeof *w, err);
    if (!w)
        return NULL;
    w->root = hst_alloc((size_t)dim, 1, err);
    w->plain = w->root ? hst_alloc((size_t)dim, 1, err) : NULL;
    w->similar = w->plain ? hst_alloc((size_t)n_classes, sizeof *w->similar, err) : NULL;
    if (w->similar)
        return w;
    hst_unknown_work_free(w);
    return NULL;
}

void hst_unknown_work_free(hst_unknown_work *w)
{
    if (!w)
        return;
    free(w->root);
    free(w->plain);
    free(w->similar);
    free(w);
}

/* ---- a photo ---- */

static double distance(double cosine)
{
    return cosine < 1 ? sqrt(1 - cosine) : 0;
}

/* Mean cosine over the branches. */
static double cosine(const hst_unknown *u, const int8_t *a, const double *a_scale, const int8_t *b,
                     const double *b_scale)
{
    double sum = 0;
    for (int k = 0; k < u->n_branches; k++) {
        const int first = u->branch[k], n = u->branch[k + 1] - first;
        sum += (double)product(a + first, b + first, n) * a_scale[k] * b_scale[k];
    }
    return sum / u->n_branches;
}

/* The largest cosines, falling. */
static void note_nearest(double nearest[NEAREST], double c)
{
    for (int i = 0; i < NEAREST; i++)
        if (c > nearest[i]) {
            const double next = nearest[i];
            nearest[i] = c;
            c = next;
        }
}

static double unsure(const float *prob, int n)
{
    double sum = 0;
    for (int c = 0; c < n; c++)
        sum += log(fmax((double)prob[c], (double)FLT_MIN));
    return sum / n;
}

/* similar[c]: below -1 where a class has no photo. */
static double apart(const float *prob, const double *similar, int n)
{
    double sum = 0, all = 0, nearest = -1;
    for (int c = 0; c < n; c++)
        if (similar[c] >= -1) {
            sum += (double)prob[c] * distance(similar[c]);
            all += (double)prob[c];
            nearest = fmax(nearest, similar[c]);
        }
    return all > 0 ? sum / all : distance(nearest);
}

static double away(const double nearest[NEAREST])
{
    double sum = 0;
    int n = 0;
    while (n < NEAREST && nearest[n] >= -1)
        sum += distance(nearest[n++]);
    return sum / n;
}

int hst_unknown_measure(const hst_unknown *u, const hst_unknown_asked *a, hst_unknown_work *w,
                        double measure[HST_N_STRANGE])
{
    double nearest[NEAREST] = {-2, -2, -2};
    for (int c = 0; c < a->n_classes; c++)
        w->similar[c] = -2;
    keep_all(u, a->x, w->root);
    complete(u, w->root, w->plain, w->root_scale, w->plain_scale);
    for (size_t i = 0; i < u->n; i++) {
        const size_t at = i * (size_t)u->dim, scale = i * (size_t)u->n_branches;
        if (a->fold && a->fold[i] == a->left_out)
            continue;
        double *similar = &w->similar[u->label[i]];
        *similar =
            fmax(*similar, cosine(u, w->root, w->root_scale, u->root + at, u->root_scale + scale));
        note_nearest(nearest,
                     cosine(u, w->plain, w->plain_scale, u->plain + at, u->plain_scale + scale));
    }
    if (nearest[0] < -1)
        return 0;
    measure[HST_UNSURE] = unsure(a->prob, a->n_classes);
    measure[HST_APART] = apart(a->prob, w->similar, a->n_classes);
    measure[HST_AWAY] = away(nearest);
    return 1;
}

double hst_unknown_combine(const hst_unknown *u, const double measure[HST_N_STRANGE])
{
    double z[HST_N_STRANGE];
    for (int i = 0; i < HST_N_STRANGE; i++)
        z[i] = u->deviation[i] > 0 ? (measure[i] - u->mean[i]) / u->deviation[i] : 0;
    const double far = fmax(z[HST_AWAY] - far_from, 0);
    return z[HST_UNSURE] + z[HST_APART] + far_weight * far * far;
}
