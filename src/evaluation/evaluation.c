#include "evaluation/evaluation.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int eval_alloc(hst_eval *e, size_t n, hst_err *err)
{
    size_t classes = (size_t)e->n_classes, cells, probs;
    if (!hst_mul_ok(classes, classes, &cells) || !hst_mul_ok(n, classes, &probs))
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos of %zu classes", n, classes);
    if (!(e->labels = hst_alloc(classes, sizeof *e->labels, err)) ||
        !(e->photo = hst_alloc(n, sizeof *e->photo, err)) ||
        !(e->prob = hst_alloc(probs, sizeof *e->prob, err)) ||
        !(e->confusion = hst_alloc(cells, sizeof *e->confusion, err)) ||
        !(e->score = hst_alloc(classes, sizeof *e->score, err)))
        return HST_EMEM;
    e->cap = n;
    return 0;
}

hst_eval *hst_eval_new(const char *const *labels, int n_classes, size_t n, hst_err *err)
{
    if (n_classes < 1) {
        hst_fail(err, HST_EARG, "an evaluation needs at least one class");
        return NULL;
    }
    hst_eval *e = hst_alloc(1, sizeof *e, err);
    if (!e)
        return NULL;
    e->n_classes = n_classes;
    e->folds = 1;
    if (eval_alloc(e, n, err) != 0)
        goto fail;
    for (int c = 0; c < n_classes; c++)
        if (!(e->labels[c] = hst_strdup(labels[c], err)))
            goto fail;
    return e;
fail:
    hst_eval_free(e);
    return NULL;
}

void hst_eval_free(hst_eval *e)
{
    if (!e)
        return;
    for (int c = 0; e->labels && c < e->n_classes; c++)
        free(e->labels[c]);
    for (size_t i = 0; i < e->n; i++)
        free((char *)e->photo[i].path);
    free(e->labels);
    free(e->photo);
    free(e->prob);
    free(e->confusion);
    free(e->score);
    free(e);
}

int hst_eval_add(hst_eval *e, const char *path, int truth, const float *prob, hst_err *err)
{
    size_t classes = (size_t)e->n_classes;
    if (e->n == e->cap || truth < 0 || truth >= e->n_classes)
        return hst_fail(err, HST_EARG, "%s: no room, or no class %d in this evaluation", path,
                        truth);
    char *copy = hst_strdup(path, err);
    if (!copy)
        return HST_EMEM;
    float *own = e->prob + e->n * classes;
    memcpy(own, prob, classes * sizeof *prob);
    e->photo[e->n++] = (hst_eval_photo){.size = sizeof *e->photo,
                                        .path = copy,
                                        .truth = truth,
                                        .guess = hst_argmax(prob, e->n_classes),
                                        .prob = own};
    return 0;
}

/* Over the classes that have photos. */
static void compare_classes(hst_eval *e)
{
    uint64_t most = 0, fewest = UINT64_MAX;
    double recalls = 0;
    int classes = 0;
    for (int c = 0; c < e->n_classes; c++) {
        uint64_t photos = e->score[c].support;
        if (photos == 0)
            continue;
        classes++;
        recalls += e->score[c].recall;
        most = photos > most ? photos : most;
        fewest = photos < fewest ? photos : fewest;
    }
    e->balanced_accuracy = classes ? recalls / classes : NAN;
    e->imbalance = classes ? (double)most / (double)fewest : NAN;
}

void hst_eval_finish(hst_eval *e)
{
    size_t classes = (size_t)e->n_classes;
    double sum = 0;
    e->hits = 0;
    memset(e->confusion, 0, classes * classes * sizeof *e->confusion);
    for (size_t i = 0; i < e->n; i++) {
        const hst_eval_photo *p = &e->photo[i];
        e->confusion[(size_t)p->truth * classes + (size_t)p->guess]++;
        e->hits += p->truth == p->guess;
        sum += hst_log_loss(p->prob[p->truth]);
    }
    for (int c = 0; c < e->n_classes; c++)
        e->score[c] = hst_score_class(e->confusion, e->n_classes, c);
    e->log_loss = e->n ? sum / (double)e->n : NAN;
    compare_classes(e);
}

int hst_eval_metric(const hst_eval *e, const char *name, double *value, double *low, double *high,
                    hst_err *err)
{
    double v, a, b;
    if (strcmp(name, "accuracy") == 0)
        v = e->n ? (double)e->hits / (double)e->n : NAN;
    else if (strcmp(name, "balanced_accuracy") == 0)
        v = e->balanced_accuracy;
    else if (strcmp(name, "imbalance") == 0)
        v = e->imbalance;
    else if (strcmp(name, "log_loss") == 0)
        v = e->log_loss;
    else if (strcmp(name, "n") == 0)
        v = (double)e->n;
    else if (strcmp(name, "skipped") == 0)
        v = (double)e->n_skipped;
    else if (strcmp(name, "stored") == 0)
        v = (double)e->n_stored;
    else
        return hst_fail(err, HST_EARG,
                        "unknown metric '%s': accuracy, balanced_accuracy, imbalance, log_loss, n, "
                        "skipped or stored",
                        name);
    a = b = v;
    if (strcmp(name, "accuracy") == 0 && e->n)
        hst_wilson_part(v, hst_fold_trials((double)e->n, e->folds), &a, &b);
    *value = v;
    if (low)
        *low = a;
    if (high)
        *high = b;
    return 0;
}

int hst_eval_classes(const hst_eval *e)
{
    return e->n_classes;
}

static int known(const hst_eval *e, int c)
{
    return c >= 0 && c < e->n_classes;
}

const char *hst_eval_label(const hst_eval *e, int c)
{
    return known(e, c) ? e->labels[c] : NULL;
}

uint64_t hst_eval_confusion(const hst_eval *e, int truth, int guess)
{
    if (!known(e, truth) || !known(e, guess))
        return 0;
    return e->confusion[(size_t)truth * (size_t)e->n_classes + (size_t)guess];
}

const hst_class_score *hst_eval_class(const hst_eval *e, int c)
{
    return known(e, c) ? &e->score[c] : NULL;
}

const hst_eval_photo *hst_eval_at(const hst_eval *e, size_t i)
{
    return i < e->n ? &e->photo[i] : NULL;
}
