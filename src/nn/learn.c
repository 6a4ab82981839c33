#include "nn/learn.h"

#include "base/mem.h"
#include "nn/learn_plan.h"

#include <stdlib.h>
#include <string.h>

hst_learn_options hst_learn_defaults(void)
{
    return (hst_learn_options){.batchnorm = HST_BN_FROZEN,
                               .bn_decay = 0.999,
                               .bn_unbiased = 1,
                               .max_batch = 32,
                               .fuse = 1,
                               .cache_bytes = hst_cache_bytes()};
}

static float *learning_block(const hst_graph *g)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++)
        if (!hst_graph_param(g, i)->statistic)
            return hst_graph_param(g, i)->data;
    return NULL;
}

static int check(const hst_graph *g, const hst_learn_options *o, hst_err *err)
{
    int n = hst_graph_n_nodes(g), inputs = 0;
    for (int i = 0; i < n; i++)
        inputs += hst_graph_node(g, i)->op == &hst_op_input;
    if (n < 2 || inputs != 1 || hst_graph_node(g, 0)->op != &hst_op_input || !learning_block(g))
        return hst_fail(err, HST_EMODEL,
                        "the graph must begin with its one input and have "
                        "parameters");
    if (o->max_batch < 1 || !(o->bn_decay >= 0 && o->bn_decay <= 1))
        return hst_fail(err, HST_EARG,
                        "a batch of %d images or a decay of %g is out "
                        "of bounds",
                        o->max_batch, o->bn_decay);
    return 0;
}

hst_learn *hst_learn_new(hst_graph *g, const hst_kernels *k, const hst_learn_options *o,
                         hst_err *err)
{
    if (check(g, o, err))
        return NULL;
    hst_learn *l = hst_alloc(1, sizeof *l, err);
    if (!l)
        return NULL;
    l->graph = g;
    l->kernels = k;
    l->options = *o;
    l->n_values = hst_graph_n_nodes(g);
    l->params = learning_block(g);
    if (hst_learn_build(l, err)) {
        hst_learn_free(l);
        return NULL;
    }
    hst_learn_changed(l);
    return l;
}

void hst_learn_free(hst_learn *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->n_steps; i++)
        if (l->step[i].kind && l->step[i].kind->clear)
            l->step[i].kind->clear(&l->step[i]);
    free(l->step);
    free(l->value);
    free(l->grad);
    free(l->readers);
    free(l->states_d);
    free(l);
}

float *hst_learn_params(const hst_learn *l)
{
    return l->params + l->offset;
}

size_t hst_learn_count(const hst_learn *l)
{
    return l->count;
}

size_t hst_learn_offset(const hst_learn *l)
{
    return l->offset;
}

size_t hst_learn_bytes(const hst_learn *l)
{
    return l->bytes;
}

static float *at(const hst_learn *l, const hst_value *v, int i)
{
    return l->block + v->offset * (size_t)l->options.max_batch + (size_t)i * v->floats;
}

const float *hst_learn_value(const hst_learn *l, int value, int i)
{
    return value == 0 ? l->x + (size_t)i * l->value[0].floats : at(l, &l->value[value], i);
}

float *hst_learn_place(const hst_learn *l, int value, int i)
{
    return at(l, &l->value[value], i);
}

float *hst_learn_grad(const hst_learn *l, int value, int i)
{
    const hst_value *g = &l->grad[value];
    return g->first < 0 || g->last < 0 ? NULL : at(l, g, i);
}

float *hst_learn_keep(const hst_learn *l, const hst_learn_step *s, int i)
{
    return at(l, &s->keep, i);
}

float *hst_learn_temp(const hst_learn *l, const hst_learn_step *s, int i)
{
    return at(l, &s->temp, i);
}

double *hst_learn_sums(const hst_learn *l, const hst_learn_step *s, int i)
{
    return l->sums + (size_t)i * s->sum_doubles;
}

int hst_learn_is_batch(const hst_learn *l, int node)
{
    return l->options.batchnorm == HST_BN_BATCH && node >= l->options.first_node;
}

float *hst_learn_param(const hst_learn *l, int node, int slot)
{
    const hst_node *n = hst_graph_node(l->graph, node);
    if (slot >= n->n_slots)
        return NULL;
    return hst_graph_param(l->graph, (size_t)(n->first_param + slot))->data;
}

float *hst_learn_param_grad(const hst_learn_task *t, int node, int slot)
{
    const hst_node *n = hst_graph_node(t->learn->graph, node);
    if (!t->grad || slot >= n->n_slots || n->slot[slot].statistic)
        return NULL;
    return t->grad + (hst_learn_param(t->learn, node, slot) - t->learn->params) - t->step->param;
}

/* A loop of hst_learn_images or _groups. */
typedef struct loop {
    hst_learn *l;
    hst_learn_step *s;
    hst_learn_fn *fn;
    int group;      /* images of a task */
    size_t from, n; /* parameters whose gradient is summed, from the step's first */
} loop;

static void run_task(void *arg, size_t i, int thread)
{
    const loop *p = arg;
    hst_learn *l = p->l;
    hst_learn_task t = {.learn = l, .step = p->s, .first = (int)i * p->group, .count = p->group};
    if (t.count > l->n - t.first)
        t.count = l->n - t.first;
    t.scratch = l->scratch + (size_t)thread * l->scratch_floats;
    if (p->n > 0) {
        t.grad = l->partials + i * l->partial_floats;
        memset(t.grad + p->from, 0, p->n * sizeof *t.grad);
    }
    p->fn(&t);
}

void hst_learn_images(hst_learn *l, hst_learn_step *s, hst_learn_fn *fn)
{
    loop p = {.l = l, .s = s, .fn = fn, .group = 1};
    hst_executor_for(l->options.executor, (size_t)l->n, run_task, &p);
}

enum { PIECE = 16384 }; /* floats that a task adds up */

/* One piece of the gradient: the shares of the groups, ((0 + 1) + (2 + 3)) + ... */
static void add_up(void *arg, size_t i, int thread)
{
    const loop *p = arg;
    const hst_learn *l = p->l;
    size_t groups = ((size_t)l->n + HST_LEARN_GROUP - 1) / HST_LEARN_GROUP;
    size_t from = p->from + i * PIECE, left = p->n - i * PIECE, n = left < PIECE ? left : PIECE;
    (void)thread;
    for (size_t step = 1; step < groups; step *= 2)
        for (size_t a = 0; a + step < groups; a += 2 * step) {
            float *restrict to = l->partials + a * l->partial_floats + from;
            const float *restrict more = l->partials + (a + step) * l->partial_floats + from;
            for (size_t k = 0; k < n; k++)
                to[k] += more[k];
        }
    memcpy(l->out + (p->s->param - l->offset) + from, l->partials + from, n * sizeof(float));
}

void hst_learn_groups_of(hst_learn *l, hst_learn_step *s, size_t from, size_t n, hst_learn_fn *fn)
{
    loop p = {.l = l, .s = s, .fn = fn, .group = HST_LEARN_GROUP, .from = from};
    p.n = s->learns ? n : 0;
    hst_executor_for(l->options.executor, ((size_t)l->n + HST_LEARN_GROUP - 1) / HST_LEARN_GROUP,
                     run_task, &p);
    hst_executor_for(l->options.executor, (p.n + PIECE - 1) / PIECE, add_up, &p);
}

void hst_learn_groups(hst_learn *l, hst_learn_step *s, hst_learn_fn *fn)
{
    hst_learn_groups_of(l, s, 0, s->n_params, fn);
}

int hst_learn_forward(hst_learn *l, const float *x, int n, float *features, hst_err *err)
{
    const hst_value *out = &l->value[l->n_values - 1];
    if (n < 1 || n > l->options.max_batch)
        return hst_fail(err, HST_EARG, "a batch of %d images: 1 to %d were planned", n,
                        l->options.max_batch);
    l->x = x;
    l->n = n;
    for (int i = 0; i < l->n_steps; i++)
        l->step[i].kind->forward(l, &l->step[i]);
    memcpy(features, at(l, out, 0), (size_t)n * out->floats * sizeof *features);
    return 0;
}

int hst_learn_backward(hst_learn *l, const float *dfeatures, float *grad, hst_err *err)
{
    const hst_value *out = &l->grad[l->n_values - 1];
    if (l->n == 0)
        return hst_fail(err, HST_EARG, "backward needs a forward before it");
    l->out = grad;
    memset(grad, 0, l->count * sizeof *grad);
    if (out->last >= 0)
        memcpy(at(l, out, 0), dfeatures, (size_t)l->n * out->floats * sizeof *dfeatures);
    for (int i = l->n_steps - 1; i >= 0; i--)
        if (l->step[i].active)
            l->step[i].kind->backward(l, &l->step[i]);
    l->n = 0;
    return 0;
}

void hst_learn_changed(hst_learn *l)
{
    for (int i = 0; i < l->n_steps; i++)
        if (l->step[i].kind->changed)
            l->step[i].kind->changed(l, &l->step[i]);
}
