/* rounds.h - measuring in rounds, of which those count that had their cores to themselves.
 *
 * Every round measures everything once, so that a disturbance hits all of it alike; the best round
 * is the machine's, the median what to expect. Between rounds the cores are probed (probe.h). */
#ifndef HST_MEASURING_ROUNDS_H
#define HST_MEASURING_ROUNDS_H
#include "base/executor.h"
#include "headstart.h"

enum { HST_MIN_ROUNDS = 3, HST_MAX_ROUNDS = 200 };

typedef struct hst_rounds {
    hst_executor *executor; /* of the threads that are probed; NULL: the caller's alone */
    double end;             /* when there are rounds enough */
    int n;
    double probe[HST_MAX_ROUNDS + 1]; /* before each round, and behind the last */
    int counts[HST_MAX_ROUNDS];       /* the rounds that count, in order */
    int n_counts, n_shared;
} hst_rounds;

hst_rounds hst_rounds_begin(hst_executor *ex, double at_least_s);
/* 1: another round, r->n, is to be measured; hst_rounds_next is behind it. */
int hst_rounds_more(const hst_rounds *r);
void hst_rounds_next(hst_rounds *r);

/* x[n] as the pixels of prepared images are, so that no number is odd. */
void hst_rounds_image(float *x, size_t n);

/* Which rounds count: those in front of and behind which the cores were as they mostly are. All of
 * them where that leaves fewer than HST_MIN_ROUNDS. */
void hst_rounds_judge(hst_rounds *r);
/* Best and median over the rounds that count; v[i * stride] is the rate of round i. */
hst_rate hst_rounds_rate(const hst_rounds *r, const double *v, size_t stride);
#endif
