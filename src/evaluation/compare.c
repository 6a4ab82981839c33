/* compare.c - several models over the same photos: each tested against the first. */
#include "base/mem.h"
#include "evaluation/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hst_comparison {
    int n;                        /* models */
    size_t photos;                /* that all of them count */
    const hst_eval_photo **photo; /* [photos][n] */
    size_t *differs, n_differs;   /* photos that not all have right, nor all wrong */
    hst_compared *model;          /* [n] */
};

static int by_path(const void *a, const void *b)
{
    const hst_eval_photo *x = *(const hst_eval_photo *const *)a;
    const hst_eval_photo *y = *(const hst_eval_photo *const *)b;
    int order = strcmp(x->path, y->path);
    return order ? order : x < y ? -1 : x > y;
}

/* The photos that e counts, in the order of their paths; to be freed. */
static const hst_eval_photo **sorted(const hst_eval *e, size_t *n, hst_err *err)
{
    const hst_eval_photo **p = hst_alloc(e->n_photos, sizeof *p, err);
    *n = 0;
    for (size_t i = 0; p && i < e->n_photos; i++)
        if (hst_eval_counts(hst_eval_at(e, i)))
            p[(*n)++] = hst_eval_at(e, i);
    if (p)
        qsort(p, *n, sizeof *p, by_path);
    return p;
}

/* Keeps of c's rows, which are in the order of paths, those that e has too, and puts e's photo into
 * column i. */
static int join(hst_comparison *c, const hst_eval *first, const hst_eval *e, int i, hst_err *err)
{
    size_t n, at = 0, kept = 0, columns = (size_t)c->n;
    int rc = 0;
    const hst_eval_photo **p = sorted(e, &n, err);
    if (!p)
        return HST_EMEM;
    for (size_t k = 0; rc == 0 && k < c->photos; k++) {
        const hst_eval_photo **row = c->photo + k * columns;
        const hst_eval_photo *ours = row[0];
        while (at < n && strcmp(p[at]->path, ours->path) < 0)
            at++;
        if (at == n || strcmp(p[at]->path, ours->path) != 0)
            continue;
        const char *here = first->labels[ours->truth], *there = e->labels[p[at]->truth];
        if (strcmp(here, there) != 0)
            rc = hst_fail(err, HST_EARG,
                          "%s is of class %s in one evaluation and of class %s in another",
                          ours->path, here, there);
        row[i] = p[at++];
        memmove(c->photo + kept++ * columns, row, columns * sizeof *row);
    }
    c->photos = kept;
    free(p);
    return rc;
}

static int by_first(const void *a, const void *b)
{
    const hst_eval_photo *x = *(const hst_eval_photo *const *)a;
    const hst_eval_photo *y = *(const hst_eval_photo *const *)b;
    return x < y ? -1 : x > y;
}

static int match(hst_comparison *c, const hst_eval *const *e, hst_err *err)
{
    size_t n, columns = (size_t)c->n;
    const hst_eval_photo **p = sorted(e[0], &n, err);
    if (!p)
        return HST_EMEM;
    c->photo = hst_alloc(n, columns * sizeof *c->photo, err);
    c->differs = hst_alloc(n, sizeof *c->differs, err);
    c->model = hst_alloc(columns, sizeof *c->model, err);
    int rc = c->photo && c->differs && c->model ? 0 : HST_EMEM;
    for (size_t k = 0; rc == 0 && k < n; k++)
        c->photo[k * columns] = p[k];
    c->photos = n;
    for (int i = 1; rc == 0 && i < c->n; i++)
        rc = join(c, e[0], e[i], i, err);
    if (rc == 0) /* photos of one evaluation lie in an array, in its order */
        qsort(c->photo, c->photos, columns * sizeof *c->photo, by_first);
    free(p);
    return rc;
}

static int is_right(const hst_eval_photo *p)
{
    return p->truth == p->guess;
}

static void count(hst_comparison *c)
{
    for (int i = 0; i < c->n; i++)
        c->model[i] = (hst_compared){.size = sizeof(hst_compared), .n = c->photos};
    for (size_t k = 0; k < c->photos; k++) {
        const hst_eval_photo **row = c->photo + k * (size_t)c->n;
        int all = 0, first = is_right(row[0]);
        for (int i = 0; i < c->n; i++) {
            hst_compared *v = &c->model[i];
            int right = is_right(row[i]);
            all += right;
            v->right += (uint64_t)right;
            v->only_first += first && !right;
            v->only_this += right && !first;
        }
        if (all > 0 && all < c->n)
            c->differs[c->n_differs++] = k;
    }
}

static void measure(hst_compared *v)
{
    v->accuracy = v->low = v->high = NAN;
    if (v->n == 0)
        return;
    v->accuracy = (double)v->right / (double)v->n;
    hst_wilson(v->right, v->n, &v->low, &v->high);
}

static int test(hst_comparison *c, hst_err *err)
{
    size_t tests = (size_t)c->n - 1;
    double *p = hst_alloc(tests, 2 * sizeof *p, err);
    if (!p)
        return HST_EMEM;
    double *adjusted = p + tests;
    for (size_t i = 0; i < tests; i++) {
        const hst_compared *v = &c->model[i + 1];
        p[i] = v->n ? hst_sign_test(v->only_this, v->only_this + v->only_first) : NAN;
    }
    int rc = hst_holm(p, tests, adjusted, err);
    for (size_t i = 0; i <= tests; i++) {
        hst_compared *v = &c->model[i];
        measure(v);
        v->p_value = i ? p[i - 1] : NAN;
        v->p_adjusted = i ? adjusted[i - 1] : NAN;
    }
    free(p);
    return rc;
}

hst_comparison *hst_compare(const hst_eval *const *e, int n, hst_err *err)
{
    if (n < 2) {
        hst_fail(err, HST_EARG, "a comparison needs at least two models");
        return NULL;
    }
    for (int i = 0; i < n; i++)
        if (e[i]->target != HST_TARGET_CLASS) {
            hst_fail(err, HST_EARG,
                     "models are compared photo by photo where they say one class; evaluate those "
                     "of labels or numbers one by one");
            return NULL;
        }
    hst_comparison *c = hst_alloc(1, sizeof *c, err);
    if (!c)
        return NULL;
    c->n = n;
    int rc = match(c, e, err);
    if (rc == 0) {
        count(c);
        rc = test(c, err);
    }
    if (rc == 0)
        return c;
    hst_comparison_free(c);
    return NULL;
}

void hst_comparison_free(hst_comparison *c)
{
    if (!c)
        return;
    free(c->photo);
    free(c->differs);
    free(c->model);
    free(c);
}

const hst_compared *hst_comparison_at(const hst_comparison *c, int i)
{
    return i >= 0 && i < c->n ? &c->model[i] : NULL;
}

const hst_eval_photo *hst_comparison_differs(const hst_comparison *c, size_t k, int i)
{
    if (k >= c->n_differs || i < 0 || i >= c->n)
        return NULL;
    return c->photo[c->differs[k] * (size_t)c->n + (size_t)i];
}
