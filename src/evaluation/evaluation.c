#include "evaluation/evaluation.h"
#include "base/mem.h"
#include "evaluation/measures.h"
#include "images/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int eval_alloc(hst_eval *e, const hst_ctx *ctx, size_t n, hst_err *err)
{
    const int of_class = e->target == HST_TARGET_CLASS, several = e->target == HST_TARGET_LABELS;
    size_t classes = (size_t)e->n_classes, cells, probs, pairs;
    if (!hst_mul_ok(classes, of_class ? classes : 1, &cells) || !hst_mul_ok(n, classes, &probs))
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos of %zu classes", n, classes);
    pairs = of_class ? cells - classes : 0;
    pairs = pairs < n ? pairs : n; /* each has a photo */
    if (!(e->labels = hst_alloc(classes, sizeof *e->labels, err)) ||
        !(e->photos = hst_spill_new(ctx, n, sizeof *e->photo, err)) ||
        !(e->pixels = hst_alloc(n, sizeof *e->pixels, err)) ||
        !(e->probs = hst_spill_new(ctx, probs, sizeof *e->prob, err)) ||
        (of_class && !(e->confusion = hst_alloc(cells, sizeof *e->confusion, err))) ||
        (several && !(e->marks = hst_alloc(probs, 1, err))) ||
        (several && !(e->said = hst_alloc(classes, 2 * sizeof *e->said, err))) ||
        (several && !(e->threshold = hst_alloc(classes, sizeof *e->threshold, err))) ||
        !(e->score = hst_alloc(classes, sizeof *e->score, err)) ||
        !(e->confused = hst_alloc(pairs, sizeof *e->confused, err)) ||
        !(e->measures = hst_measures_new(err)))
        return HST_EMEM;
    e->photo = hst_spill_at(e->photos);
    e->prob = hst_spill_at(e->probs);
    e->cap = n;
    return 0;
}

hst_eval *hst_eval_new(const char *const *labels, int n_classes, size_t n, hst_err *err)
{
    return hst_eval_of(&(hst_eval_kind){.labels = labels, .n_classes = n_classes}, n, err);
}

hst_eval *hst_eval_of(const hst_eval_kind *k, size_t n, hst_err *err)
{
    if (k->n_classes < 1) {
        hst_fail(err, HST_EARG, "an evaluation needs at least one class");
        return NULL;
    }
    hst_eval *e = hst_alloc(1, sizeof *e, err);
    if (!e)
        return NULL;
    e->target = k->target;
    e->n_classes = k->n_classes;
    e->folds = 1;
    if (k->ctx)
        e->ctx = hst_ctx_quiet(k->ctx);
    if (eval_alloc(e, k->ctx, n, err) != 0)
        goto fail;
    for (int c = 0; c < e->n_classes; c++)
        if (!(e->labels[c] = hst_strdup(k->labels[c], err)))
            goto fail;
    if (k->target == HST_TARGET_LABELS)
        memcpy(e->threshold, k->threshold, (size_t)k->n_classes * sizeof *e->threshold);
    if (k->target == HST_TARGET_NUMBER)
        memcpy(e->ends, k->ends, sizeof e->ends);
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
    for (size_t i = 0; i < e->n_photos && !e->borrows_paths; i++)
        free((char *)hst_eval_at(e, i)->path);
    free(e->labels);
    hst_spill_free(e->photos);
    free(e->pixels);
    hst_spill_free(e->probs);
    free(e->marks);
    free(e->said);
    free(e->threshold);
    free(e->confusion);
    free(e->score);
    free(e->confused);
    hst_measures_free(e->measures);
    free(e);
}

size_t hst_eval_draws(const hst_eval *e)
{
    return (size_t)fmax(1, round(hst_fold_trials((double)e->n, e->folds)));
}

int hst_eval_right(const hst_eval *e, const hst_eval_photo *p)
{
    for (int c = 0; e->target == HST_TARGET_LABELS && c < e->n_classes; c++)
        if ((p->prob[c] >= e->threshold[c]) != p->marks[c])
            return 0;
    return e->target == HST_TARGET_LABELS ||
           (e->target == HST_TARGET_CLASS && p->truth == p->guess);
}

/* What is known of the photo beside what was said of it; -1, NULL and NaN where it is not that. */
static void add_truth(hst_eval *e, const hst_judged *j, hst_eval_photo *p)
{
    const size_t classes = (size_t)e->n_classes;
    p->truth = p->guess = -1;
    p->number = p->value = NAN;
    if (e->target == HST_TARGET_CLASS) {
        p->truth = j->truth;
        p->guess = hst_argmax(p->prob, e->n_classes);
    } else if (e->target == HST_TARGET_LABELS) {
        uint8_t *own = e->marks + (size_t)(p - e->photo) * classes;
        memcpy(own, j->marks, classes);
        p->marks = own;
    } else {
        p->number = j->number;
        p->value = (double)p->prob[0];
    }
}

int hst_eval_add(hst_eval *e, const hst_judged *j, hst_err *err)
{
    size_t classes = (size_t)e->n_classes, i = e->n_photos;
    if (i == e->cap ||
        (e->target == HST_TARGET_CLASS && (j->truth < 0 || j->truth >= e->n_classes)))
        return hst_fail(err, HST_EARG, "%s: no room, or no class %d in this evaluation", j->path,
                        j->truth);
    const char *path = e->borrows_paths ? j->path : hst_strdup(j->path, err);
    if (!path)
        return HST_EMEM;
    float *own = e->prob + i * classes;
    memcpy(own, j->prob, classes * sizeof *own);
    e->pixels[i] = j->pixels;
    e->photo[e->n_photos++] =
        (hst_eval_photo){.size = sizeof *e->photo,
                         .path = path,
                         .prob = own,
                         .seen = j->seen,
                         .unknown_score = j->unknown_score ? *j->unknown_score : NAN};
    add_truth(e, j, &e->photo[i]);
    (void)hst_eval_at(e, i);
    return 0;
}

/* Of photos with the same picture all but the first are copies. */
static int find_copies(hst_eval *e, hst_err *err)
{
    size_t *first = hst_alloc(e->n_photos, sizeof *first, err);
    int rc =
        first ? hst_pixels_first(e->pixels, sizeof *e->pixels, e->n_photos, first, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < e->n_photos; i++) {
        e->photo[i].copy = first[i] != i;
        (void)hst_eval_at(e, i);
    }
    free(first);
    return rc;
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

/* More photos first, then in the order of the matrix. */
static int by_photos(const void *a, const void *b)
{
    const hst_confused *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->truth != y->truth ? x->truth - y->truth : x->guess - y->guess;
}

static void find_confused(hst_eval *e)
{
    size_t n = 0;
    for (int t = 0; t < e->n_classes; t++)
        for (int g = 0; g < e->n_classes; g++) {
            uint64_t photos = hst_eval_confusion(e, t, g);
            if (t != g && photos)
                e->confused[n++] = (hst_confused){sizeof(hst_confused), t, g, photos,
                                                  (double)photos / (double)e->score[t].support};
        }
    e->n_confused = n;
    qsort(e->confused, n, sizeof *e->confused, by_photos);
}

static void clear_bins(hst_eval *e)
{
    for (int k = 0; k < HST_BINS; k++)
        e->bin[k] = (hst_reliability){.size = sizeof(hst_reliability),
                                      .above = (double)k / HST_BINS,
                                      .up_to = (double)(k + 1) / HST_BINS};
}

static void add_to_bin(hst_eval *e, const hst_eval_photo *p)
{
    double confidence = p->prob[p->guess];
    hst_reliability *r = &e->bin[hst_bin(confidence)];
    r->n++;
    r->right += p->truth == p->guess;
    r->confidence += confidence; /* a sum, until all are in */
}

static void end_bins(hst_eval *e)
{
    for (int k = 0; k < HST_BINS; k++) {
        hst_reliability *r = &e->bin[k];
        r->confidence = r->n ? r->confidence / (double)r->n : NAN;
        r->accuracy = r->n ? (double)r->right / (double)r->n : NAN;
        r->low = r->high = NAN;
        if (r->n)
            hst_wilson_part(r->accuracy, hst_fold_trials((double)r->n, e->folds), &r->low,
                            &r->high);
    }
}

/* Photos of each sort, whatever was said of them. */
static void count(hst_eval *e)
{
    e->n = e->n_copies = e->n_seen = 0;
    e->hits = e->seen_hits = 0;
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        const int right = hst_eval_right(e, p);
        e->n_copies += p->copy;
        e->n_seen += p->seen && !p->copy;
        e->seen_hits += p->seen && !p->copy && right;
        e->n += hst_eval_counts(p);
        e->hits += hst_eval_counts(p) && right;
    }
}

/* Scores of each label; 0/0 counts as 0. */
static void score_labels(hst_eval *e)
{
    const size_t classes = (size_t)e->n_classes;
    memset(e->said, 0, 2 * classes * sizeof *e->said);
    for (size_t c = 0; c < classes; c++) {
        uint64_t *said = e->said + 2 * c, have = 0;
        for (size_t i = 0; i < e->n_photos; i++) {
            const hst_eval_photo *p = hst_eval_at(e, i);
            const int yes = p->prob[c] >= e->threshold[c];
            if (!hst_eval_counts(p))
                continue;
            said[0] += yes;
            said[1] += yes && p->marks[c];
            have += p->marks[c];
        }
        const double hits = (double)said[1], either = (double)(said[0] + have);
        e->score[c] = (hst_class_score){.size = sizeof(hst_class_score),
                                        .precision = said[0] ? hits / (double)said[0] : 0,
                                        .recall = have ? hits / (double)have : 0,
                                        .f1 = either > 0 ? 2 * hits / either : 0,
                                        .support = have};
    }
}

int hst_eval_finish(hst_eval *e, hst_err *err)
{
    size_t classes = (size_t)e->n_classes;
    double sum = 0;
    int rc = find_copies(e, err);
    if (rc)
        return rc;
    hst_measures_clear(e->measures);
    clear_bins(e);
    count(e);
    e->log_loss = e->balanced_accuracy = e->imbalance = NAN;
    if (e->target == HST_TARGET_LABELS)
        score_labels(e);
    if (e->target != HST_TARGET_CLASS)
        return 0;
    memset(e->confusion, 0, classes * classes * sizeof *e->confusion);
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        if (!hst_eval_counts(p))
            continue;
        e->confusion[(size_t)p->truth * classes + (size_t)p->guess]++;
        sum += hst_log_loss(p->prob[p->truth]);
        add_to_bin(e, p);
    }
    for (int c = 0; c < e->n_classes; c++)
        e->score[c] = hst_score_class(e->confusion, e->n_classes, c);
    hst_spill_rest(e->photos);
    hst_spill_rest(e->probs);
    e->log_loss = e->n ? sum / (double)e->n : NAN;
    compare_classes(e);
    find_confused(e);
    end_bins(e);
    return 0;
}

enum hst_target hst_eval_target(const hst_eval *e)
{
    return e->target;
}

int hst_eval_classes(const hst_eval *e)
{
    return e->n_classes;
}

static int known(const hst_eval *e, int c)
{
    return c >= 0 && c < e->n_classes;
}

double hst_eval_threshold(const hst_eval *e, int c)
{
    return e->threshold && known(e, c) ? (double)e->threshold[c] : NAN;
}

const char *hst_eval_label(const hst_eval *e, int c)
{
    return known(e, c) ? e->labels[c] : NULL;
}

uint64_t hst_eval_confusion(const hst_eval *e, int truth, int guess)
{
    if (!known(e, truth) || !known(e, guess) || !e->confusion)
        return 0;
    return e->confusion[(size_t)truth * (size_t)e->n_classes + (size_t)guess];
}

double hst_eval_confusion_part(const hst_eval *e, int truth, int guess)
{
    uint64_t photos = known(e, truth) ? e->score[truth].support : 0;
    return photos ? (double)hst_eval_confusion(e, truth, guess) / (double)photos : 0;
}

const hst_confused *hst_eval_confused(const hst_eval *e, size_t i)
{
    return i < e->n_confused ? &e->confused[i] : NULL;
}

const hst_reliability *hst_eval_reliability(const hst_eval *e, int i)
{
    return i >= 0 && i < HST_BINS ? &e->bin[i] : NULL;
}

const hst_class_score *hst_eval_class(const hst_eval *e, int c)
{
    return known(e, c) ? &e->score[c] : NULL;
}

const hst_eval_photo *hst_eval_at(const hst_eval *e, size_t i)
{
    if (i >= e->n_photos)
        return NULL;
    hst_spill_passed(e->photos, sizeof *e->photo);
    hst_spill_passed(e->probs, (size_t)e->n_classes * sizeof *e->prob);
    return &e->photo[i];
}
