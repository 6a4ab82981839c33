/* learn.c - plans for learning: made, and run forward and backward over a batch. */
#include "nn/learn.h"

#include "base/mem.h"
#include "nn/learn/step.h"

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
    if (!learning_block(g))
        return hst_fail(err, HST_EMODEL, "the graph has no parameters that could learn");
    if (o->first_node < 0 || o->first_node >= hst_graph_n_nodes(g))
        return hst_fail(err, HST_EMODEL, "nothing learns from layer %d on", o->first_node);
    if (o->precision == HST_PRECISION_INT8)
        return hst_fail(err, HST_EARG, "nothing learns in 8 bits");
    if (o->max_batch < 1 || !(o->bn_decay >= 0 && o->bn_decay <= 1))
        return hst_fail(err, HST_EARG, "a batch of %d images or a decay of %g is out of bounds",
                        o->max_batch, o->bn_decay);
    return 0;
}

/* The shared pieces, each big enough for the step that needs most of it. */
typedef struct sizes {
    size_t scratch, sums, partials;
} sizes;

/* Of a step of inference: a thread has an image to itself, so what all threads share is its own. */
static hst_step_memory inference_memory(const hst_step *s)
{
    hst_step_memory m = {.own = s->scratch_floats};
    if (s->runner->memory)
        m = s->runner->memory(s, 1, 1);
    return (hst_step_memory){hst_whole_lines(m.own), hst_whole_lines(m.shared)};
}

static size_t scratch_of(const hst_step *s)
{
    const hst_step_memory m = s->runner->forward ? (hst_step_memory){0} : inference_memory(s);
    return hst_larger(hst_whole_lines(s->scratch_floats), m.own + m.shared);
}

static sizes sizes_of(const hst_plan *p)
{
    sizes z = {0};
    for (int i = 0; i < p->n_steps; i++) {
        const hst_step *s = &p->step[i];
        z.scratch = hst_larger(z.scratch, scratch_of(s));
        z.sums = hst_larger(z.sums, hst_whole_lines(s->sum_doubles));
        z.partials = hst_larger(z.partials, s->learns ? hst_whole_lines(s->n_params) : 0);
    }
    return z;
}

static size_t groups_of(size_t images)
{
    return (images + HST_LEARN_GROUP - 1) / HST_LEARN_GROUP;
}

/* Images that this process has at most, of any batch. */
static int places_of(const hst_learn_options *o)
{
    const hst_deal d = hst_deal_of(o->ranks, (size_t)o->max_batch);
    const size_t groups = hst_deal_begin(&d, d.rank + 1) - hst_deal_begin(&d, d.rank);
    if (d.ranks == 1)
        return o->max_batch;
    return groups ? (int)groups * HST_LEARN_GROUP : 1;
}

static int allocate(hst_learn *l, hst_err *err)
{
    const size_t batch = (size_t)l->places, groups = groups_of(batch);
    const size_t threads = (size_t)hst_executor_threads(l->options.executor);
    const sizes z = sizes_of(&l->plan);
    const hst_state_size state = hst_plan_hand_out(&l->plan, NULL, NULL);
    size_t floats = state.floats + threads * z.scratch + groups * z.partials;
    size_t doubles = state.doubles + batch * z.sums, bytes;
    if (!hst_mul_ok(l->plan.block_floats, batch * sizeof(float), &bytes))
        return hst_fail(err, HST_EMEM, "a batch of %zu images is too large", batch);
    bytes += doubles * sizeof(double) + floats * sizeof(float);
    l->states_d = hst_alloc(bytes, 1, err);
    if (!l->states_d)
        return HST_EMEM;
    l->bytes = bytes;
    l->scratch_floats = z.scratch;
    l->partial_floats = z.partials;
    l->sums = l->states_d + state.doubles;
    l->states = (float *)(l->sums + batch * z.sums);
    l->scratch = l->states + state.floats;
    l->partials = l->scratch + threads * z.scratch;
    l->block = l->partials + groups * z.partials;
    hst_plan_hand_out(&l->plan, l->states, l->states_d);
    if (hst_ranks_size(l->options.ranks) == 1)
        return 0;
    l->exchange = hst_exchange_new(l->options.ranks, (size_t)l->options.max_batch, z.partials, err);
    l->bytes += hst_exchange_bytes(l->exchange);
    return l->exchange ? 0 : HST_EMEM;
}

static int pack(hst_learn *l, int from, hst_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < l->plan.n_steps; i++) {
        hst_step *s = &l->plan.step[i];
        if (s->group.first >= from && s->runner->pack)
            rc = s->runner->pack(&l->plan, s, l->scratch, err);
    }
    return rc;
}

hst_learn *hst_learn_new(hst_graph *g, const hst_kernels *k, const hst_learn_options *o,
                         hst_err *err)
{
    if (check(g, o, err))
        return NULL;
    hst_learn *l = hst_alloc(1, sizeof *l, err);
    if (!l)
        return NULL;
    l->options = *o;
    l->places = places_of(o);
    l->params = learning_block(g);
    l->plan.graph = g;
    l->plan.request = (hst_plan_request){.device = &hst_device_cpu_f32,
                                         .kernels = k,
                                         .products = k->products[o->precision],
                                         .fuse = o->fuse,
                                         .cache_bytes = o->cache_bytes,
                                         .learn_from = o->first_node,
                                         .batch_statistics = o->batchnorm == HST_BN_BATCH};
    if (hst_plan_steps(&l->plan, err) || hst_plan_standardised(&l->plan, err) || allocate(l, err) ||
        pack(l, 0, err)) {
        hst_learn_free(l);
        return NULL;
    }
    return l;
}

void hst_learn_free(hst_learn *l)
{
    if (!l)
        return;
    hst_plan_clear(&l->plan);
    hst_exchange_free(l->exchange);
    free(l->states_d);
    free(l);
}

float *hst_learn_params(const hst_learn *l)
{
    return l->params + l->plan.param;
}

size_t hst_learn_count(const hst_learn *l)
{
    return l->plan.n_params;
}

size_t hst_learn_bytes(const hst_learn *l)
{
    return l->bytes;
}

static float *at(const hst_learn *l, const hst_value *v, int i)
{
    return l->block + v->offset * (size_t)l->places + (size_t)i * v->floats;
}

const float *hst_learn_value(const hst_learn *l, int value, int i)
{
    const hst_value *v = &l->plan.value[value];
    return v->is_input ? l->x + (size_t)i * v->floats : at(l, v, i);
}

float *hst_learn_value_mut(const hst_learn *l, int value, int i)
{
    return at(l, &l->plan.value[value], i);
}

float *hst_learn_grad(const hst_learn *l, int value, int i)
{
    const hst_value *g = &l->plan.grad[value];
    return g->first < 0 || g->last < 0 ? NULL : at(l, g, i);
}

float *hst_learn_saved(const hst_learn *l, const hst_step *s, int i)
{
    return at(l, &s->saved, i);
}

float *hst_learn_work(const hst_learn *l, const hst_step *s, int i)
{
    return at(l, &s->work, i);
}

double *hst_learn_sums(const hst_learn *l, const hst_step *s, int i)
{
    return l->sums + (size_t)i * s->sum_doubles;
}

float *hst_learn_param_grad(const hst_learn_task *t, int node, int slot)
{
    const hst_plan *p = &t->learn->plan;
    const hst_node *n = hst_graph_node(p->graph, node);
    if (!t->grad || slot >= n->n_slots || n->slot[slot].statistic)
        return NULL;
    return t->grad + (hst_plan_learnt(p, node, slot) - t->learn->params) - t->step->param;
}

/* A loop of hst_learn_images or _groups. */
typedef struct loop {
    hst_learn *l;
    hst_step *s;
    hst_learn_fn *fn;
    int part, group;        /* group: images of a task */
    hst_learn_range params; /* whose gradient is summed */
} loop;

static void run_task(void *arg, size_t i, int thread)
{
    const loop *p = arg;
    hst_learn *l = p->l;
    hst_learn_task t = {.learn = l, .step = p->s, .part = p->part, .count = p->group};
    t.first = (int)i * p->group;
    if (t.count > l->n - t.first)
        t.count = l->n - t.first;
    t.scratch = l->scratch + (size_t)thread * l->scratch_floats;
    if (p->params.n > 0) {
        t.grad = l->partials + i * l->partial_floats;
        memset(t.grad + p->params.from, 0, p->params.n * sizeof *t.grad);
    }
    p->fn(&t);
}

void hst_learn_images(hst_learn *l, hst_step *s, int part, hst_learn_fn *fn)
{
    loop p = {.l = l, .s = s, .fn = fn, .part = part, .group = 1};
    hst_executor_for(l->options.executor, (size_t)l->n, run_task, &p);
}

enum { PIECE = 16384 }; /* floats that a task adds up */

/* What is summed by the threads, and where it goes. */
typedef struct total {
    const loop *loop;
    float *to;    /* the first subtree's, of the first of the loop's params */
    size_t apart; /* from one subtree's place to the next one's */
} total;

/* One piece of the gradient: the shares of the groups, ((0 + 1) + (2 + 3)) + ..., as far as they
 * are this process's. */
static void add_up(void *arg, size_t i, int thread)
{
    const total *t = arg;
    const loop *p = t->loop;
    const hst_learn *l = p->l;
    const hst_deal *d = &l->deal;
    const size_t first = hst_deal_begin(d, d->rank), end = hst_deal_begin(d, d->rank + 1);
    const size_t left = p->params.n - i * PIECE, n = left < PIECE ? left : PIECE;
    float *share = l->partials + p->params.from + i * PIECE, *to = t->to + i * PIECE;
    (void)thread;
    for (size_t step = 1; step < d->groups; step *= 2)
        for (size_t a = hst_round_up(first, 2 * step); a + step < end; a += 2 * step) {
            if (!hst_deal_has(d, a, 2 * step))
                continue;
            float *restrict sum = share + (a - first) * l->partial_floats;
            const float *restrict more = sum + step * l->partial_floats;
            for (size_t k = 0; k < n; k++)
                sum[k] += more[k];
        }
    for (size_t g = first; g < end; g++)
        if (hst_deal_hands_over(d, g)) {
            memcpy(to, share + (g - first) * l->partial_floats, n * sizeof *to);
            to += t->apart;
        }
}

void hst_learn_groups(hst_learn *l, hst_step *s, int part, hst_learn_range params, hst_learn_fn *fn)
{
    loop p = {.l = l, .s = s, .fn = fn, .part = part, .group = HST_LEARN_GROUP, .params = params};
    total t = {.loop = &p};
    if (!s->learns)
        p.params.n = 0;
    hst_executor_for(l->options.executor, groups_of((size_t)l->n), run_task, &p);
    if (p.params.n == 0)
        return;
    const size_t from = s->param - l->plan.param + params.from;
    t.to = l->exchange ? hst_exchange_room(l->exchange, from, params.n, &t.apart) : l->out + from;
    hst_executor_for(l->options.executor, (p.params.n + PIECE - 1) / PIECE, add_up, &t);
    if (l->exchange)
        hst_exchange_added(l->exchange);
}

void hst_learn_add_sums(hst_learn *l, const hst_step *s, double *sum, size_t n, int to_all)
{
    if (l->first == 0)
        memset(sum, 0, n * sizeof *sum);
    if (l->exchange)
        hst_exchange_before(l->exchange, sum, n);
    for (int i = 0; i < l->n; i++)
        for (size_t k = 0; k < n; k++)
            sum[k] += hst_learn_sums(l, s, i)[k];
    if (l->exchange)
        hst_exchange_behind(l->exchange, sum, n, to_all);
}

/* A step of inference on one image. */
static void infer_image(const hst_learn_task *t)
{
    const hst_step *s = t->step;
    hst_run_args a = {.kernels = t->learn->plan.kernels,
                      .scratch = t->scratch,
                      .shared = t->scratch + inference_memory(s).own,
                      .threads = 1,
                      .images = 1};
    for (int k = 0; k < HST_MAX_INPUTS; k++)
        a.x[k] = s->input[k] < 0 ? NULL : hst_learn_value(t->learn, s->input[k], t->first);
    a.y = hst_learn_value_mut(t->learn, s->output, t->first);
    s->runner->infer(s, &a);
}

int hst_learn_forward(hst_learn *l, const float *x, int n, float *features, hst_err *err)
{
    const hst_value *out = &l->plan.value[l->plan.n_values - 1];
    if (n < 1 || n > l->options.max_batch)
        return hst_fail(err, HST_EARG, "a batch of %d images: 1 to %d were planned", n,
                        l->options.max_batch);
    const hst_learn_share own = hst_learn_own(l->options.ranks, n);
    l->x = x;
    l->n = own.n;
    l->first = own.first;
    l->all = n;
    l->deal = hst_deal_of(l->options.ranks, (size_t)n);
    if (l->exchange)
        hst_exchange_begin(l->exchange, &l->deal, NULL);
    for (int i = 0; i < l->plan.n_steps; i++) {
        hst_step *s = &l->plan.step[i];
        if (s->runner->forward)
            s->runner->forward(l, s);
        else
            hst_learn_images(l, s, 0, infer_image);
    }
    memcpy(features, at(l, out, 0), (size_t)l->n * out->floats * sizeof *features);
    return l->exchange ? hst_exchange_finish(l->exchange, err) : 0;
}

/* What is made of the summed gradient, step by step. */
static void settle(hst_learn *l)
{
    for (int i = l->plan.n_steps - 1; i >= 0; i--)
        if (l->plan.step[i].active && l->plan.step[i].runner->settle)
            l->plan.step[i].runner->settle(l, &l->plan.step[i]);
    for (int i = l->plan.request.learn_from; i < l->plan.n_values; i++)
        if (l->plan.standard && l->plan.standard[i])
            hst_plan_standardise_back(&l->plan, i,
                                      l->out + (hst_plan_learnt(&l->plan, i, 0) - l->params) -
                                          l->plan.param);
}

int hst_learn_backward(hst_learn *l, const float *dfeatures, float *grad, hst_err *err)
{
    const hst_value *out = &l->plan.grad[l->plan.n_values - 1];
    int rc = 0;
    if (l->all == 0)
        return hst_fail(err, HST_EARG, "backward needs a forward before it");
    l->out = grad;
    if (l->exchange)
        hst_exchange_begin(l->exchange, &l->deal, grad);
    memset(grad, 0, l->plan.n_params * sizeof *grad);
    if (out->last >= 0)
        memcpy(at(l, out, 0), dfeatures, (size_t)l->n * out->floats * sizeof *dfeatures);
    for (int i = l->plan.n_steps - 1; i >= 0; i--)
        if (l->plan.step[i].active)
            l->plan.step[i].runner->backward(l, &l->plan.step[i]);
    if (l->exchange)
        rc = hst_exchange_finish(l->exchange, err);
    if (rc == 0)
        settle(l);
    l->n = l->all = 0;
    return rc;
}

void hst_learn_changed(hst_learn *l)
{
    hst_plan_standardise(&l->plan, l->plan.request.learn_from);
    /* What learns packs without fail: only inference looks whether weights are finite. */
    (void)pack(l, l->plan.request.learn_from, NULL);
}
