/* norm.c - batch norm (Ioffe, Szegedy 2015) as a step by itself, in both modes.
 *
 *   y = gamma x^ + beta,   x^ = (x - mean) / sigma,   sigma = sqrt(variance + epsilon)
 *
 * per channel. Frozen: mean and variance are the moving ones, constants. Batch: those over the N
 * pixels of all images, the biased variance, which depend on x; with the sums over the same pixels
 *
 *   d beta = sum dy,   d gamma = sum dy x^,
 *   dx = gamma / sigma (dy - d beta / N - x^ d gamma / N)     (frozen: without the last two terms)
 *
 * Sums run in double, image by image, and are joined in image order. */
#include "nn/learn/norm.h"

#include <math.h>
#include <string.h>

enum { GAMMA, BETA, MEAN, VARIANCE }; /* slots */

static size_t channels(const hst_learn *l, const hst_step *s)
{
    return (size_t)l->plan.value[s->output].shape.c;
}

static size_t pixels(const hst_learn *l, const hst_step *s)
{
    return hst_shape_pixels(l->plan.value[s->output].shape);
}

/* gamma alone; NULL: what a factor makes of 1. */
static void fix_gamma(const hst_node *at, const float *gamma, hst_bn_state *n)
{
    for (int c = 0; c < hst_node_shape(at).c; c++) {
        n->scale[c] = gamma ? gamma[c] : (float)hst_node_factor(at);
        n->shift[c] = n->mean[c] = 0;
        n->inverse[c] = 1;
    }
}

void hst_bn_fix(const hst_plan *p, int node, const double *mean, const double *variance,
                hst_bn_state *n)
{
    if (node < 0)
        return;
    const hst_node *at = hst_graph_node(p->graph, node);
    const float *gamma = hst_plan_param(p, node, GAMMA), *beta = hst_plan_param(p, node, BETA);
    if (at->op->norm == HST_NORM_GAMMA || at->op->norm == HST_NORM_FACTOR) {
        fix_gamma(at, gamma, n);
        return;
    }
    const float *moving = hst_plan_param(p, node, MEAN);
    const float *moving_variance = hst_plan_param(p, node, VARIANCE);
    for (size_t c = 0; c < (size_t)hst_node_shape(at).c; c++) {
        double m = mean ? mean[c] : moving[c], v = variance ? variance[c] : moving_variance[c];
        double inverse = 1 / sqrt(v + hst_node_epsilon(at));
        n->mean[c] = (float)m;
        n->inverse[c] = (float)inverse;
        n->scale[c] = (float)(gamma[c] * inverse);
        n->shift[c] = (float)(beta[c] - m * gamma[c] * inverse);
    }
}

void hst_bn_move(const hst_learn *l, int node, double count, const double *mean,
                 const double *variance)
{
    const hst_learn_options *o = &l->options;
    const hst_shape out = hst_graph_shape(l->plan.graph, node);
    double toward = 1 - o->bn_decay, unbiased = count > 1 ? count / (count - 1) : 1;
    float *moving = hst_plan_param(&l->plan, node, MEAN);
    float *other = hst_plan_param(&l->plan, node, VARIANCE);
    for (size_t c = 0; c < (size_t)out.c; c++) {
        double v = variance[c] * (o->bn_unbiased ? unbiased : 1);
        moving[c] = (float)(moving[c] + (mean[c] - moving[c]) * toward);
        other[c] = (float)(other[c] + (v - other[c]) * toward);
    }
}

hst_bn_state hst_bn_state_at(float *state, size_t c)
{
    return (hst_bn_state){state, state + c, state + 2 * c, state + 3 * c};
}

static hst_bn_state state_of(const hst_learn *l, const hst_step *s)
{
    return hst_bn_state_at(s->state, channels(l, s));
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_node *n = hst_graph_node(p->graph, s->group.first);
    const size_t c = (size_t)hst_node_shape(n).c;
    (void)err;
    if (n->op->norm != HST_NORM_BATCH)
        return 0;
    s->input[0] = n->input[0];
    s->reads = HST_READS_INPUT;
    s->state_floats = HST_BN_FLOATS * c;
    s->state_doubles = 2 * c; /* mean and variance, or the two sums */
    s->sum_doubles = 2 * c;
    return 1;
}

/* sums[c] = mean, sums[c + ..] = sum of squared differences from it, of one image. */
static void moments_image(const hst_learn_task *t)
{
    size_t c = channels(t->learn, t->step), n = pixels(t->learn, t->step);
    const float *x = hst_learn_value(t->learn, t->step->input[0], t->first);
    double *mean = hst_learn_sums(t->learn, t->step, t->first), *squares = mean + c;
    memset(mean, 0, 2 * c * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++)
            mean[k] += (double)x[i * c + k];
    for (size_t k = 0; k < c; k++)
        mean[k] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++) {
            double d = (double)x[i * c + k] - mean[k];
            squares[k] += d * d;
        }
}

void hst_bn_join(double *mean, double *squares, double count, const double *more_mean,
                 const double *more_squares, double more, size_t c)
{
    double share = more / (count + more), cross = count * share;
    for (size_t k = 0; k < c; k++) {
        double d = more_mean[k] - mean[k];
        mean[k] += d * share;
        squares[k] += more_squares[k] + d * d * cross;
    }
}

void hst_bn_moments(hst_learn *l, const hst_step *s, size_t c, double pixels, double *moments)
{
    double *mean = moments, *squares = moments + c;
    if (l->exchange)
        hst_exchange_before(l->exchange, moments, 2 * c);
    for (int i = 0; i < l->n; i++) {
        const double *more = hst_learn_sums(l, s, i);
        const int before = l->first + i;
        if (before == 0)
            memcpy(moments, more, 2 * c * sizeof *moments);
        else
            hst_bn_join(mean, squares, pixels * before, more, more + c, pixels, c);
    }
    if (l->exchange)
        hst_exchange_behind(l->exchange, moments, 2 * c, 1);
    for (size_t k = 0; k < c; k++)
        squares[k] /= pixels * l->all;
}

static void use_batch(hst_learn *l, hst_step *s)
{
    size_t c = channels(l, s);
    double *mean = s->state_d, *variance = mean + c, n = (double)pixels(l, s);
    hst_bn_state state = state_of(l, s);
    hst_learn_images(l, s, 0, moments_image);
    hst_bn_moments(l, s, c, n, mean);
    hst_bn_move(l, s->group.first, n * l->all, mean, variance);
    hst_bn_fix(&l->plan, s->group.first, mean, variance, &state);
}

static void normalise_image(const hst_learn_task *t)
{
    size_t c = channels(t->learn, t->step), n = pixels(t->learn, t->step);
    const float *x = hst_learn_value(t->learn, t->step->input[0], t->first);
    float *y = hst_learn_value_mut(t->learn, t->step->group.first, t->first);
    hst_bn_state s = state_of(t->learn, t->step);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++)
            y[i * c + k] = x[i * c + k] * s.scale[k] + s.shift[k];
}

static void forward(hst_learn *l, hst_step *s)
{
    if (hst_plan_is_batch(&l->plan, s->group.first))
        use_batch(l, s);
    hst_learn_images(l, s, 0, normalise_image);
}

/* sums[c] = sum dy, sums[c + ..] = sum dy x^, of one image. */
static void sums_image(const hst_learn_task *t)
{
    size_t c = channels(t->learn, t->step), n = pixels(t->learn, t->step);
    const float *x = hst_learn_value(t->learn, t->step->input[0], t->first);
    const float *dy = hst_learn_grad(t->learn, t->step->output, t->first);
    double *beta = hst_learn_sums(t->learn, t->step, t->first), *gamma = beta + c;
    hst_bn_state s = state_of(t->learn, t->step);
    memset(beta, 0, 2 * c * sizeof *beta);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++) {
            float normal = (x[i * c + k] - s.mean[k]) * s.inverse[k];
            beta[k] += (double)dy[i * c + k];
            gamma[k] += (double)(dy[i * c + k] * normal);
        }
}

/* dx of one image from the whole batch's sums. */
static void backward_image(const hst_learn_task *t, int i)
{
    const hst_learn *l = t->learn;
    size_t c = channels(l, t->step), n = pixels(l, t->step);
    const float *x = hst_learn_value(l, t->step->input[0], i);
    const float *dy = hst_learn_grad(l, t->step->output, i);
    float *dx = hst_learn_grad(l, t->step->input[0], i);
    const double *beta = t->step->state_d, *gamma = beta + c;
    hst_bn_state s = state_of(l, t->step);
    int is_batch = hst_plan_is_batch(&l->plan, t->step->group.first);
    double share = is_batch ? 1 / (double)(n * (size_t)l->all) : 0;
    for (size_t j = 0; j < n * c; j++) {
        size_t k = j % c;
        float normal = (x[j] - s.mean[k]) * s.inverse[k];
        float rest = (float)(beta[k] * share) + normal * (float)(gamma[k] * share);
        float d = s.scale[k] * (dy[j] - rest);
        dx[j] = t->step->adds[0] ? dx[j] + d : d;
    }
}

static void backward_group(const hst_learn_task *t)
{
    const hst_step *s = t->step;
    size_t c = channels(t->learn, s);
    float *gamma = hst_learn_param_grad(t, s->group.first, GAMMA);
    float *beta = hst_learn_param_grad(t, s->group.first, BETA);
    for (size_t k = 0; gamma && hst_learn_is_last(t) && k < c; k++) { /* the total, once */
        beta[k] = (float)s->state_d[k];
        gamma[k] = (float)s->state_d[c + k];
    }
    for (int i = t->first; hst_learn_grad(t->learn, s->input[0], i) && i < t->first + t->count; i++)
        backward_image(t, i);
}

static void backward(hst_learn *l, hst_step *s)
{
    size_t c = channels(l, s);
    hst_learn_images(l, s, 0, sums_image);
    hst_learn_add_sums(l, s, s->state_d, 2 * c, hst_plan_is_batch(&l->plan, s->group.first));
    hst_learn_groups(l, s, 0, hst_learn_all(s), backward_group);
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    hst_bn_state state = hst_bn_state_at(s->state, (size_t)p->value[s->output].shape.c);
    (void)scratch;
    (void)err;
    if (!hst_plan_is_batch(p, s->group.first))
        hst_bn_fix(p, s->group.first, NULL, NULL, &state);
    return 0;
}

const hst_runner hst_learn_norm_runner = {.name = "batchnorm",
                                          .prepare = prepare,
                                          .pack = pack,
                                          .forward = forward,
                                          .backward = backward};
