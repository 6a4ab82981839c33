#include "training/lbfgs.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY = 10 }; /* steps kept; more gained nothing on image features */

struct hst_lbfgs {
    size_t n;
    int count, newest;      /* steps kept; index of the last one */
    double *s[MEMORY];      /* change of position */
    double *y[MEMORY];      /* change of gradient */
    double inverse[MEMORY]; /* 1 / (s . y) */
    double scale;           /* (s . y) / (y . y) of the newest step */
};

double hst_dot(const double *a, const double *b, size_t n)
{
    double sum[8] = {0}; /* separate sums: no addition waits for the one before it */
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum[i % 8] += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static void add_scaled(double *a, double factor, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] += factor * b[i];
}

hst_lbfgs *hst_lbfgs_new(size_t n, hst_err *err)
{
    hst_lbfgs *h = hst_alloc(1, sizeof *h, err);
    if (!h)
        return NULL;
    h->n = n;
    h->scale = 1;
    for (int i = 0; i < MEMORY; i++) {
        h->s[i] = hst_alloc(n, sizeof(double), err);
        h->y[i] = h->s[i] ? hst_alloc(n, sizeof(double), err) : NULL;
        if (!h->y[i]) {
            hst_lbfgs_free(h);
            return NULL;
        }
    }
    return h;
}

void hst_lbfgs_free(hst_lbfgs *h)
{
    if (!h)
        return;
    for (int i = 0; i < MEMORY; i++) {
        free(h->s[i]);
        free(h->y[i]);
    }
    free(h);
}

void hst_lbfgs_reset(hst_lbfgs *h)
{
    h->count = 0;
    h->scale = 1;
}

void hst_lbfgs_add(hst_lbfgs *h, double t, const double *d, const double *g, const double *g_new)
{
    int at = h->count ? (h->newest + 1) % MEMORY : 0;
    double *s = h->s[at], *y = h->y[at];
    for (size_t i = 0; i < h->n; i++) {
        s[i] = t * d[i];
        y[i] = g_new[i] - g[i];
    }
    double sy = hst_dot(s, y, h->n), yy = hst_dot(y, y, h->n);
    if (!(sy > 1e-14 * yy) || !(yy > 0)) {
        hst_lbfgs_reset(h); /* the slot may have held the oldest step */
        return;
    }
    h->inverse[at] = 1 / sy;
    h->scale = sy / yy;
    h->newest = at;
    h->count += h->count < MEMORY;
}

void hst_lbfgs_direction(const hst_lbfgs *h, const double *g, double *d)
{
    double alpha[MEMORY];
    for (size_t i = 0; i < h->n; i++)
        d[i] = -g[i];
    for (int j = 0; j < h->count; j++) { /* newest first */
        int at = (h->newest - j + MEMORY) % MEMORY;
        alpha[at] = h->inverse[at] * hst_dot(h->s[at], d, h->n);
        add_scaled(d, -alpha[at], h->y[at], h->n);
    }
    for (size_t i = 0; i < h->n; i++)
        d[i] *= h->scale;
    for (int j = h->count; j-- > 0;) { /* oldest first */
        int at = (h->newest - j + MEMORY) % MEMORY;
        double beta = h->inverse[at] * hst_dot(h->y[at], d, h->n);
        add_scaled(d, alpha[at] - beta, h->s[at], h->n);
    }
}
