#include "report/ranking.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *pa, const void *pb)
{
    const hst_ranked *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

static int by_cell(const void *pa, const void *pb)
{
    const hst_ranked *a = pa, *b = pb;
    if (a->truth != b->truth)
        return a->truth < b->truth ? -1 : 1;
    if (a->guess != b->guess)
        return a->guess < b->guess ? -1 : 1;
    return by_key(pa, pb);
}

/* Largest probability less the second largest; of one class alone, 1. */
static float margin(const hst_eval *e, const hst_eval_photo *p)
{
    float second = 0;
    for (int c = 0; c < e->n_classes; c++)
        if (c != p->guess && p->prob[c] > second)
            second = p->prob[c];
    return p->prob[p->guess] - second;
}

/* The label that is most wrong, of those that are; -1: none is. *off: how far its probability is
 * from what is so. */
static int most_wrong(const hst_eval *e, const hst_eval_photo *p, float *off)
{
    int most = -1;
    *off = 0;
    for (int c = 0; c < e->n_classes; c++) {
        const float far = p->marks[c] ? 1 - p->prob[c] : p->prob[c];
        if ((p->prob[c] >= e->threshold[c]) == p->marks[c] || (most >= 0 && far <= *off))
            continue;
        most = c;
        *off = far;
    }
    return most;
}

/* Of a photo that has no class. */
static void rank_target(hst_ranking *r, const hst_eval *e, size_t i, const hst_eval_photo *p)
{
    float off = (float)fabs(p->value - p->number);
    const int labels = e->target == HST_TARGET_LABELS, guess = labels ? most_wrong(e, p, &off) : 0;
    if (guess >= 0)
        r->wrong[r->n_wrong++] = (hst_ranked){i, -1, guess, -off};
}

/* In order, where it is among the first. */
static void keep_close(hst_ranking *r, const hst_ranked *one)
{
    size_t at = r->n_close;
    while (at > 0 && by_key(one, &r->close[at - 1]) < 0)
        at--;
    if (at == HST_CLOSE_PHOTOS)
        return;
    r->n_close += r->n_close < HST_CLOSE_PHOTOS;
    memmove(&r->close[at + 1], &r->close[at], (r->n_close - at - 1) * sizeof *r->close);
    r->close[at] = *one;
}

int hst_ranking_make(const hst_eval *e, int all, hst_ranking *r, hst_err *err)
{
    const hst_eval_photo *p;
    const int of_class = e->target == HST_TARGET_CLASS;
    const size_t most = all ? e->n_photos : e->n;
    const size_t wrong_most = of_class && !all ? e->n - e->hits : most;
    r->wrong = hst_alloc(wrong_most, sizeof *r->wrong, err);
    r->cell = r->wrong ? hst_alloc(of_class ? most : 0, sizeof *r->cell, err) : NULL;
    if (!r->cell)
        return HST_EMEM;
    for (size_t i = 0; (p = hst_eval_at(e, i)); i++) {
        if (!all && !hst_eval_counts(p))
            continue;
        if (!of_class) {
            rank_target(r, e, i, p);
            continue;
        }
        float sure = p->prob[p->guess];
        int wrong = p->guess != p->truth;
        if (wrong)
            r->wrong[r->n_wrong++] = (hst_ranked){i, p->truth, p->guess, -sure};
        keep_close(r, &(hst_ranked){i, p->truth, p->guess, margin(e, p)});
        r->cell[r->n++] = (hst_ranked){i, p->truth, p->guess, wrong ? -sure : sure};
    }
    qsort(r->wrong, r->n_wrong, sizeof *r->wrong, by_key);
    qsort(r->cell, r->n, sizeof *r->cell, by_cell);
    for (size_t i = 0, n; i < r->n; i += n, r->n_cells++)
        hst_ranking_cell(r, r->cell[i].truth, r->cell[i].guess, &n);
    return 0;
}

void hst_ranking_clear(hst_ranking *r)
{
    free(r->wrong);
    free(r->cell);
}

/* By bisection for the first that is not before the cell. */
const hst_ranked *hst_ranking_cell(const hst_ranking *r, int truth, int guess, size_t *n)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const hst_ranked *m = &r->cell[middle];
        if (m->truth < truth || (m->truth == truth && m->guess < guess))
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < r->n && r->cell[high].truth == truth && r->cell[high].guess == guess;)
        high++;
    *n = high - low;
    return r->cell + low;
}
