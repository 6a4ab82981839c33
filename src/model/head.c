/* head.c - the last layer: features -> probabilities or a number, and whether they mean
 * anything. */
#include "model/model.h"

#include <math.h>

enum { CHUNK = 32 }; /* classes computed at once: a row of the kernel is read in one go */

/* z[k] = features . kernel[:][first + k] + bias[first + k] for n <= CHUNK classes. */
static void logits(const hst_model *m, const float *features, int first, int n, double z[CHUNK])
{
    size_t stride = (size_t)m->n_classes;
    for (int k = 0; k < n; k++)
        z[k] = 0;
    for (int i = 0; i < m->dim; i++) {
        const float *row = m->kernel + (size_t)i * stride + first;
        double x = (double)features[i];
        for (int k = 0; k < n; k++)
            z[k] += x * (double)row[k];
    }
    for (int k = 0; k < n; k++)
        z[k] += (double)m->bias[first + k];
}

/* The logits are computed twice, for their maximum and for the exponentials, so that no memory is
 * needed for them in double; next to the network that costs nothing. */
static void softmax(const hst_model *m, const float *features, float *prob)
{
    double z[CHUNK], top = -INFINITY, sum = 0;
    for (int c = 0; c < m->n_classes; c += CHUNK) {
        int n = m->n_classes - c < CHUNK ? m->n_classes - c : CHUNK;
        logits(m, features, c, n, z);
        for (int k = 0; k < n; k++)
            top = z[k] > top ? z[k] : top;
    }
    for (int c = 0; c < m->n_classes; c += CHUNK) {
        int n = m->n_classes - c < CHUNK ? m->n_classes - c : CHUNK;
        logits(m, features, c, n, z);
        for (int k = 0; k < n; k++) {
            double e = exp(z[k] - top); /* at most 1: no overflow */
            sum += e;
            prob[c + k] = (float)e;
        }
    }
    for (int c = 0; c < m->n_classes; c++)
        prob[c] = (float)((double)prob[c] / sum);
}

static void each(const hst_model *m, const float *features, float *prob)
{
    const int sigmoid = m->target == HST_TARGET_LABELS;
    double z[CHUNK];
    for (int c = 0; c < m->n_classes; c += CHUNK) {
        int n = m->n_classes - c < CHUNK ? m->n_classes - c : CHUNK;
        logits(m, features, c, n, z);
        for (int k = 0; k < n; k++)
            prob[c + k] = (float)(sigmoid ? 1 / (1 + exp(-z[k])) : z[k]);
    }
}

void hst_model_head(const hst_model *m, const float *features, float *prob)
{
    if (m->target == HST_TARGET_CLASS)
        softmax(m, features, prob);
    else
        each(m, features, prob);
}

double hst_model_logit(const hst_model *m, const float *features, int c)
{
    double z[CHUNK];
    logits(m, features, c, 1, z);
    return z[0];
}

double hst_model_unknown(const hst_model *m, const float *features, const float *prob,
                         hst_unknown_work *w)
{
    const hst_unknown *u = m->unknown;
    double measure[HST_N_STRANGE];
    if (!u)
        return NAN;
    const hst_unknown_asked a = {.x = features, .prob = prob, .n_classes = m->n_classes};
    (void)hst_unknown_measure(u, &a, w, measure); /* without folds there is always one to compare */
    return hst_unknown_combine(u, measure) - u->threshold;
}
