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
        !(e->pixels = hst_alloc(n, sizeof *e->pixels, err)) ||
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
    for (size_t i = 0; i < e->n_photos; i++)
        free((char *)e->photo[i].path);
    free(e->labels);
    free(e->photo);
    free(e->pixels);
    free(e->prob);
    free(e->confusion);
    free(e->score);
    free(e);
}

int hst_eval_add(hst_eval *e, const hst_judged *j, hst_err *err)
{
    size_t classes = (size_t)e->n_classes, i = e->n_photos;
    if (i == e->cap || j->truth < 0 || j->truth >= e->n_classes)
        return hst_fail(err, HST_EARG, "%s: no room, or no class %d in this evaluation", j->path,
                        j->truth);
    char *copy = hst_strdup(j->path, err);
    if (!copy)
        return HST_EMEM;
    float *own = e->prob + i * classes;
    memcpy(own, j->prob, classes * sizeof *own);
    e->pixels[i] = j->pixels;
    e->photo[e->n_photos++] = (hst_eval_photo){.size = sizeof *e->photo,
                                               .path = copy,
                                               .truth = j->truth,
                                               .guess = hst_argmax(own, e->n_classes),
                                               .prob = own,
                                               .seen = j->seen};
    return 0;
}

typedef struct same {
    uint64_t pixels;
    size_t photo;
} same;

/* Equal pictures next to each other, in the order of the photos. */
static int by_pixels(const void *pa, const void *pb)
{
    const same *a = pa, *b = pb;
    if (a->pixels != b->pixels)
        return a->pixels < b->pixels ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

/* Of photos with the same picture all but the first are copies. */
static int find_copies(hst_eval *e, hst_err *err)
{
    same *s = hst_alloc(e->n_photos, sizeof *s, err);
    if (!s)
        return HST_EMEM;
    for (size_t i = 0; i < e->n_photos; i++)
        s[i] = (same){e->pixels[i], i};
    qsort(s, e->n_photos, sizeof *s, by_pixels);
    for (size_t i = 0; i < e->n_photos; i++)
        e->photo[s[i].photo].copy = i > 0 && s[i].pixels && s[i].pixels == s[i - 1].pixels;
    free(s);
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

int hst_eval_finish(hst_eval *e, hst_err *err)
{
    size_t classes = (size_t)e->n_classes;
    double sum = 0;
    int rc = find_copies(e, err);
    if (rc)
        return rc;
    e->n = e->n_copies = e->n_seen = 0;
    e->hits = e->seen_hits = 0;
    memset(e->confusion, 0, classes * classes * sizeof *e->confusion);
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = &e->photo[i];
        e->n_copies += p->copy;
        e->n_seen += p->seen && !p->copy;
        e->seen_hits += p->seen && !p->copy && p->truth == p->guess;
        if (!hst_eval_counts(p))
            continue;
        e->n++;
        e->confusion[(size_t)p->truth * classes + (size_t)p->guess]++;
        e->hits += p->truth == p->guess;
        sum += hst_log_loss(p->prob[p->truth]);
    }
    for (int c = 0; c < e->n_classes; c++)
        e->score[c] = hst_score_class(e->confusion, e->n_classes, c);
    e->log_loss = e->n ? sum / (double)e->n : NAN;
    compare_classes(e);
    return 0;
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
    else if (strcmp(name, "copies") == 0)
        v = (double)e->n_copies;
    else if (strcmp(name, "seen") == 0)
        v = (double)e->n_seen;
    else if (strcmp(name, "seen_accuracy") == 0)
        v = e->n_seen ? (double)e->seen_hits / (double)e->n_seen : NAN;
    else if (strcmp(name, "skipped") == 0)
        v = (double)e->n_skipped;
    else if (strcmp(name, "stored") == 0)
        v = (double)e->n_stored;
    else
        return hst_fail(err, HST_EARG,
                        "unknown metric '%s': accuracy, balanced_accuracy, imbalance, log_loss, n, "
                        "copies, seen, seen_accuracy, skipped or stored",
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
    return i < e->n_photos ? &e->photo[i] : NULL;
}
