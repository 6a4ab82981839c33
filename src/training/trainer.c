#include "training/trainer.h"

#include "base/finite.h"
#include "base/mem.h"
#include "nn/op.h"
#include "training/average.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The backbone's graph with its weights, as a copy that may be changed. */
static hst_graph *copy_graph(const hst_backbone *b, hst_err *err)
{
    hst_graph *g = hst_arch_graph(&b->arch, err);
    for (size_t i = 0; g && i < hst_graph_n_params(g); i++) {
        const hst_param *to = hst_graph_param(g, i), *from = hst_graph_param(b->graph, i);
        memcpy(to->data, from->data, hst_param_count(to) * sizeof *to->data);
    }
    return g;
}

/* The layers that learn as groups, the head's rate being 1 and the last layer's layer_decay; where
 * some of a layer's parameters decay and others not, each run of these. */
static int make_groups(hst_trainer *t, const hst_trainer_options *o, hst_err *err)
{
    const float *base = hst_learn_params(t->learn);
    int nodes = hst_graph_n_nodes(t->graph), *layer = hst_alloc((size_t)nodes, sizeof *layer, err);
    t->group = hst_alloc(hst_graph_n_params(t->graph), sizeof *t->group, err);
    int rc = layer && t->group ? 0 : HST_EMEM, at = -1, decays = 0;
    if (rc == 0)
        (void)hst_thaw_layers(t->graph, layer);
    for (int i = o->thaw.first_node; rc == 0 && i < nodes; i++) {
        const hst_node *n = hst_graph_node(t->graph, i);
        for (int s = 0; s < n->n_slots; s++) {
            const hst_param *p = hst_graph_param(t->graph, (size_t)(n->first_param + s));
            if (p->statistic)
                continue;
            const int own = hst_thaw_decays(t->graph, i, s);
            if (layer[i] != at || own != decays) {
                at = layer[i];
                decays = own;
                t->group[t->n_groups++] =
                    (hst_group){.begin = (size_t)(p->data - base),
                                .decays = decays,
                                .rate = pow(o->layer_decay, o->thaw.n_layers - at)};
            }
            t->group[t->n_groups - 1].optimiser.n += hst_param_count(p);
        }
    }
    free(layer);
    return rc;
}

static int start_optimiser(hst_optimiser *p, size_t n, const hst_trainer_options *o, hst_err *err)
{
    int rc = hst_optimiser_init(p, o->rule, n, err);
    p->momentum = o->momentum < 0 ? 0 : (float)o->momentum;
    return rc;
}

static int start_optimisers(hst_trainer *t, const hst_trainer_options *o, hst_err *err)
{
    int rc = make_groups(t, o, err);
    for (size_t i = 0; rc == 0 && i < t->n_groups; i++) {
        hst_optimiser *p = &t->group[i].optimiser;
        rc = start_optimiser(p, p->n, o, err);
        p->weight_decay = t->group[i].decays ? p->weight_decay : 0;
    }
    return rc ? rc : start_optimiser(&t->head_optimiser, t->head.n_params, o, err);
}

static int make_mean(hst_trainer *t, hst_err *err)
{
    if (!(t->ema > 0))
        return 0;
    t->mean = hst_alloc(hst_learn_count(t->learn), sizeof *t->mean, err);
    t->head_mean = t->mean ? hst_alloc(t->head.n_params, sizeof *t->head_mean, err) : NULL;
    return t->head_mean ? 0 : HST_EMEM;
}

int hst_trainer_init(hst_trainer *t, const hst_ctx *ctx, const hst_backbone *b,
                     const hst_trainer_options *o, hst_err *err)
{
    hst_learn_options l = o->learn;
    size_t dim = (size_t)hst_plan_output(b->plan).c;
    l.first_node = o->thaw.first_node;
    l.max_batch = (int)o->max_batch;
    l.executor = ctx->executor;
    l.precision = b->precision;
    l.ranks = ctx->ranks;
    *t = (hst_trainer){.ranks = ctx->ranks, .clip = o->clip, .ema = o->ema};
    int rc = hst_dense_head_init(&t->head, (int)dim, o->n_classes, o->max_batch, err);
    if (rc)
        return rc;
    t->head.l2 = (float)o->l2;
    t->head.label_smoothing = (float)o->label_smoothing;
    t->graph = copy_graph(b, err);
    t->learn = t->graph ? hst_learn_new(t->graph, ctx->kernels, &l, err) : NULL;
    if (!t->learn)
        return HST_EMEM;
    t->grad = hst_alloc(hst_learn_count(t->learn), sizeof *t->grad, err);
    t->features = t->grad ? hst_alloc(o->max_batch, dim * sizeof *t->features, err) : NULL;
    t->dfeatures = t->features ? hst_alloc(o->max_batch, dim * sizeof *t->dfeatures, err) : NULL;
    t->row = t->dfeatures ? hst_alloc(o->max_batch, sizeof *t->row, err) : NULL;
    if (!t->row)
        return HST_EMEM;
    for (size_t i = 0; i < o->max_batch; i++)
        t->row[i] = t->features + i * dim;
    rc = make_mean(t, err);
    return rc ? rc : start_optimisers(t, o, err);
}

void hst_trainer_clear(hst_trainer *t)
{
    for (size_t i = 0; i < t->n_groups; i++)
        hst_optimiser_clear(&t->group[i].optimiser);
    hst_optimiser_clear(&t->head_optimiser);
    hst_dense_head_clear(&t->head);
    hst_learn_free(t->learn);
    hst_graph_free(t->graph);
    free(t->group);
    free(t->grad);
    free(t->features);
    free(t->dfeatures);
    free(t->row);
    free(t->mean);
    free(t->head_mean);
    *t = (hst_trainer){0};
}

static double sum_of_squares(const float *x, size_t n)
{
    enum { LANES = 16 };
    double lane[LANES] = {0}, rest = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++)
        rest += (double)x[i] * (double)x[i];
    for (size_t l = 0; l < LANES; l++)
        rest += lane[l];
    return rest;
}

static void scale(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* Shortens the gradient of backbone and head together to t->clip. Returns its length before. */
static double clip(hst_trainer *t)
{
    size_t n = hst_learn_count(t->learn);
    double length =
        sqrt(sum_of_squares(t->grad, n) + sum_of_squares(t->head.grad, t->head.n_params));
    if (t->clip > 0 && length > t->clip && isfinite(length)) {
        scale(t->grad, n, (float)(t->clip / length));
        scale(t->head.grad, t->head.n_params, (float)(t->clip / length));
    }
    return length;
}

static void move(hst_trainer *t, double learning_rate)
{
    float *w = hst_learn_params(t->learn);
    for (size_t i = 0; i < t->n_groups; i++) {
        hst_group *g = &t->group[i];
        g->optimiser.learning_rate = (float)(learning_rate * g->rate);
        hst_optimiser_step(&g->optimiser, w + g->begin, t->grad + g->begin);
    }
    t->head_optimiser.learning_rate = (float)learning_rate;
    hst_optimiser_step(&t->head_optimiser, t->head.param, t->head.grad);
    hst_learn_changed(t->learn);
}

/* 1 when every parameter and statistic is a finite number. */
static int weights_finite(const hst_trainer *t)
{
    int ok = hst_all_finite(t->head.param, t->head.n_params);
    for (size_t i = 0; ok && i < hst_graph_n_params(t->graph); i++) {
        const hst_param *p = hst_graph_param(t->graph, i);
        ok = hst_all_finite(p->data, hst_param_count(p));
    }
    return ok;
}

/* A sum over the batch's rows, in their order, goes from rank to rank. */
static int head_gradient(hst_trainer *t, const hst_head_batch *b, const hst_learn_share *own,
                         hst_batch_score *score, hst_err *err)
{
    hst_dense_head *h = &t->head;
    const size_t first = (size_t)own->first;
    hst_dense_head_look(h, b, first, (size_t)own->n);
    hst_dense_head_begin(h);
    int rc = hst_ranks_before(t->ranks, own->last, h->grad, h->sum_bytes, err);
    hst_dense_head_add(h, b, first, (size_t)own->n);
    if (rc == 0)
        rc = hst_ranks_behind(t->ranks, own->last, h->grad, h->sum_bytes, err);
    *score = hst_dense_head_end(h, b);
    return rc;
}

int hst_trainer_step(hst_trainer *t, hst_train_batch *batch, hst_batch_score *score, hst_err *err)
{
    hst_head_batch *b = &batch->head;
    const hst_learn_share own = hst_learn_own(t->ranks, (int)b->n);
    const size_t first = (size_t)own.first;
    b->x = t->row;
    int rc = hst_learn_forward(t->learn, batch->x, (int)b->n,
                               t->features + first * (size_t)t->head.dim, err);
    if (rc == 0)
        rc = head_gradient(t, b, &own, score, err);
    if (rc)
        return rc;
    if (!isfinite(score->loss))
        return 0;
    hst_dense_head_inputs(&t->head, b, first, (size_t)own.n, t->dfeatures);
    rc = hst_learn_backward(t->learn, t->dfeatures, t->grad, err);
    if (rc)
        return rc;
    int finite = isfinite(clip(t));
    if (finite)
        move(t, batch->learning_rate);
    if (!finite || !weights_finite(t))
        score->loss = (double)NAN;
    return 0;
}

void hst_trainer_mean_start(hst_trainer *t)
{
    if (!t->mean)
        return;
    memcpy(t->mean, hst_learn_params(t->learn), hst_learn_count(t->learn) * sizeof *t->mean);
    memcpy(t->head_mean, t->head.param, t->head.n_params * sizeof *t->head_mean);
}

void hst_trainer_mean_move(hst_trainer *t, uint64_t steps)
{
    double decay = hst_average_decay(t->ema, steps);
    if (!t->mean)
        return;
    hst_average_move(t->mean, hst_learn_params(t->learn), hst_learn_count(t->learn), decay);
    hst_average_move(t->head_mean, t->head.param, t->head.n_params, decay);
}

void hst_trainer_mean_exchange(hst_trainer *t)
{
    if (!t->mean)
        return;
    hst_average_exchange(t->mean, hst_learn_params(t->learn), hst_learn_count(t->learn));
    hst_average_exchange(t->head_mean, t->head.param, t->head.n_params);
}

size_t hst_trainer_n_params(const hst_trainer *t)
{
    size_t n = 0;
    for (size_t i = 0; i < hst_graph_n_params(t->graph); i++)
        n += hst_param_count(hst_graph_param(t->graph, i));
    return n;
}

void hst_trainer_get(const hst_trainer *t, float *out)
{
    for (size_t i = 0; i < hst_graph_n_params(t->graph); i++) {
        const hst_param *p = hst_graph_param(t->graph, i);
        memcpy(out, p->data, hst_param_count(p) * sizeof *out);
        out += hst_param_count(p);
    }
}

void hst_trainer_set(hst_trainer *t, const float *x)
{
    for (size_t i = 0; i < hst_graph_n_params(t->graph); i++) {
        const hst_param *p = hst_graph_param(t->graph, i);
        memcpy(p->data, x, hst_param_count(p) * sizeof *x);
        x += hst_param_count(p);
    }
}

int hst_trainer_keep(const hst_trainer *t, float **kept, hst_err *err)
{
    size_t n = hst_trainer_n_params(t);
    *kept = hst_alloc(n + t->head.n_params, sizeof **kept, err);
    if (!*kept)
        return HST_EMEM;
    hst_trainer_get(t, *kept);
    memcpy(*kept + n, t->head.param, t->head.n_params * sizeof **kept);
    return 0;
}

void hst_trainer_undo(hst_trainer *t, const float *kept)
{
    hst_trainer_set(t, kept);
    memcpy(t->head.param, kept + hst_trainer_n_params(t), t->head.n_params * sizeof *kept);
    for (size_t i = 0; i < t->n_groups; i++)
        hst_optimiser_restart(&t->group[i].optimiser);
    hst_optimiser_restart(&t->head_optimiser);
    hst_learn_changed(t->learn);
}

void hst_trainer_go_halfway(hst_trainer *t, const hst_graph *other)
{
    for (size_t i = 0; i < hst_graph_n_params(t->graph); i++) {
        const hst_param *p = hst_graph_param(t->graph, i), *to = hst_graph_param(other, i);
        for (size_t k = 0; k < hst_param_count(p); k++)
            p->data[k] = 0.5F * p->data[k] + 0.5F * to->data[k];
    }
}
