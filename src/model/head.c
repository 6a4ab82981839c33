/* head.c - the last layer, and those in front of it where there are any: features -> probabilities
 * or a number, and whether they mean anything. */
#include "base/mem.h"
#include "model/model.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK = 32 }; /* classes computed at once: a row of the kernel is read in one go */

/* A matrix and what is added: of the head, or of a hidden layer. */
typedef struct dense {
    int in, out;
    const float *kernel, *bias; /* [in][out], [out] */
} dense;

/* z[k] = x . kernel[:][first + k] + bias[first + k] for n <= CHUNK outputs. */
static void products(const dense *d, const float *x, int first, int n, double z[CHUNK])
{
    size_t stride = (size_t)d->out;
    for (int k = 0; k < n; k++)
        z[k] = 0;
    for (int i = 0; i < d->in; i++) {
        const float *row = d->kernel + (size_t)i * stride + first;
        double v = (double)x[i];
        for (int k = 0; k < n; k++)
            z[k] += v * (double)row[k];
    }
    for (int k = 0; k < n; k++)
        z[k] += (double)d->bias[first + k];
}

static void logits(const hst_model *m, const float *x, int first, int n, double z[CHUNK])
{
    const int in = m->n_hidden ? m->hidden[m->n_hidden - 1].out : m->dim;
    products(&(dense){in, m->n_classes, m->kernel, m->bias}, x, first, n, z);
}

/* ---- hidden layers ---- */

static double clipped(double x, double most)
{
    return x < 0 ? 0 : x > most ? most : x;
}

/* GELU: x times the share of a normal distribution below x; the others as the kernels have them. */
static double activate(enum hst_act act, double x)
{
    switch (act) {
    case HST_ACT_RELU6:
        return clipped(x, 6);
    case HST_ACT_RELU:
        return x < 0 ? 0 : x;
    case HST_ACT_HSWISH:
        return x * clipped(x + 3, 6) / 6;
    case HST_ACT_SWISH:
        return x / (1 + exp(-x));
    case HST_ACT_GELU:
        return x * 0.5 * erfc(-x * sqrt(0.5));
    default:
        return x;
    }
}

/* y[out], before the activation; and behind it, where that is told. */
static void layer(const hst_hidden *h, const float *x, enum hst_act act, float *y)
{
    const dense d = {h->in, h->out, h->kernel, h->bias};
    double z[CHUNK];
    for (int c = 0; c < h->out; c += CHUNK) {
        int n = h->out - c < CHUNK ? h->out - c : CHUNK;
        products(&d, x, c, n, z);
        for (int k = 0; k < n; k++)
            y[c + k] = (float)activate(act, z[k]);
    }
}

/* What the head reads: the features, or what is made of them in room. */
static const float *hidden(const hst_model *m, const float *x, float room[2][HST_HIDDEN_MOST_DIM])
{
    for (int i = 0; i < m->n_hidden; i++) {
        layer(&m->hidden[i], x, m->hidden[i].act, room[i % 2]);
        x = room[i % 2];
    }
    return x;
}

/* slope[in] = kernel v[out] */
static void back(const dense *d, const float *v, float *slope)
{
    for (int i = 0; i < d->in; i++) {
        double sum = 0;
        for (int k = 0; k < d->out; k++)
            sum += (double)d->kernel[(size_t)i * (size_t)d->out + (size_t)k] * (double)v[k];
        slope[i] = (float)sum;
    }
}

/* room: of every hidden layer what it makes before its activation, then two slopes. */
static void slope_of(const hst_model *m, const float *features, float *v, float *slope, float *room)
{
    const float *x = features;
    for (int i = 0; i < m->n_hidden; i++) {
        const hst_hidden *h = &m->hidden[i];
        float *z = room + (size_t)i * 2 * HST_HIDDEN_MOST_DIM, *y = z + HST_HIDDEN_MOST_DIM;
        layer(h, x, HST_ACT_NONE, z);
        for (int k = 0; k < h->out; k++) {
            y[k] = (float)activate(h->act, (double)z[k]);
            z[k] = z[k] != 0 ? y[k] / z[k] : 0; /* by how much it counts for this photo */
        }
        x = y;
    }
    for (int i = m->n_hidden; i-- > 0;) {
        const hst_hidden *h = &m->hidden[i];
        const dense d = {h->in, h->out, h->kernel, h->bias};
        const float *gain = room + (size_t)i * 2 * HST_HIDDEN_MOST_DIM;
        float *to = i ? room + (size_t)(2 * i + 1) * HST_HIDDEN_MOST_DIM : slope;
        for (int k = 0; k < h->out; k++)
            v[k] *= gain[k];
        back(&d, v, to);
        for (int k = 0; i && k < h->in; k++)
            v[k] = to[k];
    }
}

int hst_model_slope(const hst_model *m, const float *features, int c, float *slope, hst_err *err)
{
    const int n = m->n_hidden ? m->hidden[m->n_hidden - 1].out : m->dim;
    float *v = slope, *room = NULL;
    if (m->n_hidden) {
        v = hst_alloc(2 * (size_t)m->n_hidden + 1, HST_HIDDEN_MOST_DIM * sizeof *v, err);
        room = v ? v + HST_HIDDEN_MOST_DIM : NULL;
        if (!room)
            return HST_EMEM;
    }
    for (int i = 0; i < n; i++)
        v[i] = m->kernel[(size_t)i * (size_t)m->n_classes + (size_t)c];
    if (room) {
        slope_of(m, features, v, slope, room);
        free(v);
    }
    return 0;
}

int hst_model_set_layers(hst_model *m, const hst_hidden *layers, int n_hidden, float *kernel,
                         float *bias, hst_err *err)
{
    int in = m->dim, fits = n_hidden <= HST_MOST_HIDDEN;
    free(m->kernel);
    free(m->bias);
    m->kernel = kernel;
    m->bias = bias;
    m->n_hidden = n_hidden;
    for (int i = 0; i < n_hidden; i++) {
        m->hidden[i] = layers[i];
        fits = fits && layers[i].in == in && layers[i].out <= HST_HIDDEN_MOST_DIM;
        in = layers[i].out;
    }
    return fits ? 0 : hst_fail(err, HST_EMODEL, "its layers do not fit one another");
}

/* ---- what is told ---- */

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
    float room[2][HST_HIDDEN_MOST_DIM];
    features = hidden(m, features, room);
    if (m->target == HST_TARGET_CLASS)
        softmax(m, features, prob);
    else
        each(m, features, prob);
}

double hst_model_logit(const hst_model *m, const float *features, int c)
{
    float room[2][HST_HIDDEN_MOST_DIM];
    double z[CHUNK];
    logits(m, hidden(m, features, room), c, 1, z);
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
