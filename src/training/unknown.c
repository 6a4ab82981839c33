#include "training/unknown.h"
#include "base/executor.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Photos enough to tell a part of 5 % to half a percent. */
enum { MOST_ASKED = 2000 };

/* ---- photos to compare with ---- */

/* share[c] of the classes' count[c] photos, together at most `most`. */
static void deal(const size_t *count, int n_classes, size_t most, size_t *share)
{
    size_t left = most, level = 0;
    for (int more = 1; more && left; level++) {
        more = 0;
        for (int c = 0; c < n_classes && left; c++)
            if (count[c] > level) {
                share[c]++;
                left--;
                more = 1;
            }
    }
}

int64_t hst_unknown_choose(const int *label, size_t n, int n_classes, size_t most, size_t *row,
                           hst_err *err)
{
    const size_t classes = (size_t)n_classes;
    size_t *count = hst_alloc(classes, 3 * sizeof *count, err), kept = 0;
    if (!count)
        return HST_EMEM;
    size_t *share = count + classes, *met = share + classes;
    for (size_t i = 0; i < n; i++)
        count[label[i]]++;
    deal(count, n_classes, most, share);
    for (size_t i = 0; i < n; i++) {
        const int c = label[i];
        const size_t k = met[c]++; /* kept where the number of those due rises */
        if ((k + 1) * share[c] / count[c] > k * share[c] / count[c])
            row[kept++] = i;
    }
    free(count);
    return (int64_t)kept;
}

static hst_unknown *compare_with(const hst_fit *f, const hst_examples *e, const size_t *row,
                                 size_t n, hst_err *err)
{
    const float **x = hst_alloc(n, sizeof *x, err);
    int *label = x ? hst_alloc(n, sizeof *label, err) : NULL;
    hst_unknown *u = NULL;
    for (size_t i = 0; label && i < n; i++) {
        x[i] = e->x[row[i]];
        label[i] = e->label[row[i]];
    }
    if (label)
        u = hst_unknown_new(f->model->extractor, x, e->home, label, n, err);
    free(x);
    free(label);
    return u;
}

/* ---- photos to ask ---- */

typedef struct asking {
    const hst_fit *f;
    const hst_examples *e;    /* the photos that are asked */
    const hst_out_of_fold *o; /* theirs; NULL: the model itself is asked */
    hst_unknown *u;
    int *fold;     /* [u->n] of the photos to compare with; NULL without o */
    size_t *photo; /* [n] which of e are asked */
    size_t n;
    hst_unknown_work **work;          /* [threads] */
    float **prob;                     /* [threads][n_classes] */
    double (*measure)[HST_N_STRANGE]; /* [n] */
    char *told;                       /* [n] 1: there was something to compare with */
} asking;

static int ask(void *arg, size_t i, int thread, hst_err *err)
{
    asking *a = arg;
    const hst_model *m = a->f->model;
    const size_t k = a->photo[i];
    if (!a->work[thread]) {
        a->work[thread] = hst_unknown_work_new(m->dim, m->n_classes, err);
        a->prob[thread] = hst_alloc((size_t)m->n_classes, sizeof(float), err);
    }
    if (!a->work[thread] || !a->prob[thread])
        return HST_EMEM;
    hst_unknown_asked q = {.x = a->e->x[k], .n_classes = m->n_classes, .prob = a->prob[thread]};
    if (a->o) {
        q.prob = a->o->prob + k * (size_t)m->n_classes;
        q.fold = a->fold;
        q.left_out = a->o->fold[k];
    } else {
        hst_model_head(m, q.x, a->prob[thread]);
    }
    hst_spill_visited(a->e->home);
    a->told[i] = (char)hst_unknown_measure(a->u, &q, a->work[thread], a->measure[i]);
    return 0;
}

static int is_new(const hst_fit *f, size_t photo)
{
    return !hst_model_has_seen(f->model, f->run->features->pixels[photo]);
}

/* Held out, or never seen; every so manieth where there are many. */
static int choose_asked(asking *a, hst_err *err)
{
    size_t n = 0;
    a->photo = hst_alloc(a->e->n, sizeof *a->photo, err);
    if (!a->photo)
        return HST_EMEM;
    for (size_t i = 0; i < a->e->n; i++)
        if (a->o ? a->o->fold[i] < HST_FOLDS : is_new(a->f, a->e->photo[i]))
            a->photo[n++] = i;
    a->n = n < MOST_ASKED ? n : MOST_ASKED;
    for (size_t i = 0; i < a->n; i++)
        a->photo[i] = a->photo[i * n / a->n];
    return 0;
}

static int ask_all(asking *a, hst_err *err)
{
    hst_executor *ex = a->f->ctx->executor;
    const size_t threads = (size_t)hst_executor_threads(ex);
    a->work = hst_alloc(threads, sizeof *a->work, err);
    a->prob = a->work ? hst_alloc(threads, sizeof *a->prob, err) : NULL;
    a->measure = a->prob ? hst_alloc(a->n, sizeof *a->measure, err) : NULL;
    a->told = a->measure ? hst_alloc(a->n, 1, err) : NULL;
    int rc = a->told ? hst_executor_try(ex, a->n, ask, a, err) : HST_EMEM;
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < a->n; i++)
        if (a->told[i])
            memmove(a->measure[n++], a->measure[i], sizeof a->measure[i]);
    a->n = n;
    return rc;
}

static void asking_clear(asking *a)
{
    const int threads = hst_executor_threads(a->f->ctx->executor);
    for (int i = 0; i < threads; i++) {
        if (a->work)
            hst_unknown_work_free(a->work[i]);
        if (a->prob)
            free(a->prob[i]);
    }
    free(a->work);
    free(a->prob);
    free(a->measure);
    free(a->told);
    free(a->photo);
    free(a->fold);
    hst_unknown_free(a->u);
}

/* ---- what is usual, and where unknown begins ---- */

static void set_usual(hst_unknown *u, double (*measure)[HST_N_STRANGE], size_t n)
{
    for (int k = 0; k < HST_N_STRANGE; k++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < n; i++)
            sum += measure[i][k];
        u->mean[k] = sum / (double)n;
        for (size_t i = 0; i < n; i++) {
            const double d = measure[i][k] - u->mean[k];
            square += d * d;
        }
        u->deviation[k] = sqrt(square / (double)n);
        if (!(u->deviation[k] > 1e-9)) /* rounding alone */
            u->deviation[k] = 0;
    }
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* 1: set; 0: too few photos for that rate. */
static int set_threshold(hst_unknown *u, double (*measure)[HST_N_STRANGE], size_t n, hst_err *err)
{
    const double rank = ceil(((double)n + 1) * (1 - u->rate) - 1e-9);
    if (n == 0 || rank > (double)n)
        return 0;
    double *score = hst_alloc(n, sizeof *score, err);
    if (!score)
        return HST_EMEM;
    set_usual(u, measure, n);
    for (size_t i = 0; i < n; i++)
        score[i] = hst_unknown_combine(u, measure[i]);
    qsort(score, n, sizeof *score, rising);
    u->threshold = score[rank < 1 ? 0 : (size_t)rank - 1];
    free(score);
    return 1;
}

static int finish(asking *a, double rate, hst_err *err)
{
    hst_model *m = a->f->model;
    a->u->rate = rate;
    int rc = set_threshold(a->u, a->measure, a->n, err);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        hst_log(a->f->ctx, HST_LOG_INFO,
                "%zu photos that were not learned from are too few to tell unknown photos with a "
                "false-alarm rate of %g: the model does without",
                a->n, rate);
        return 0;
    }
    m->unknown = a->u;
    a->u = NULL;
    rc = hst_record_number(m, "unknown_rate", rate, err);
    return rc ? rc : hst_record_number(m, "unknown_n", (double)a->n, err);
}

int hst_unknown_fit(hst_fit *f, const hst_examples *e, const hst_out_of_fold *o, hst_err *err)
{
    const double rate = f->run->settings.unknown_rate;
    if (!(rate > 0))
        return 0;
    size_t most = hst_unknown_most(f->model->dim), *row = hst_alloc(e->n, sizeof *row, err);
    asking a = {.f = f, .e = o->n ? e : &f->validation, .o = o->n ? o : NULL};
    const int64_t n =
        row ? hst_unknown_choose(e->label, e->n, f->model->n_classes, most, row, err) : HST_EMEM;
    int rc = n < 0 ? (int)n : choose_asked(&a, err);
    if (rc == 0) {
        a.u = compare_with(f, e, row, (size_t)n, err);
        a.fold = a.u && a.o ? hst_alloc((size_t)n, sizeof *a.fold, err) : NULL;
        rc = a.u && (a.fold || !a.o) ? 0 : HST_EMEM;
    }
    for (int64_t i = 0; rc == 0 && a.o && i < n; i++)
        a.fold[i] = o->fold[row[i]];
    if (rc == 0)
        rc = ask_all(&a, err);
    if (rc == 0)
        rc = finish(&a, rate, err);
    asking_clear(&a);
    free(row);
    return rc;
}
