/* learn_plan.c - which steps a learning plan has, and where everything lies in memory. */
#include "nn/learn_plan.h"

#include "base/mem.h"
#include "nn/learn_chain.h"

#include <stdlib.h>

/* The first that matches does the nodes. */
static const hst_learn_kind *const kinds[] = {&hst_learn_fused_kind, &hst_learn_tail_kind,
                                              &hst_learn_chain_kind, &hst_learn_norm_kind,
                                              &hst_learn_node_kind};

static const hst_node *node(const hst_learn *l, int i)
{
    return hst_graph_node(l->graph, i);
}

static void count_readers(hst_learn *l)
{
    for (int i = 0; i < l->n_values; i++)
        for (int k = 0; k < HST_MAX_INPUTS; k++)
            if (node(l, i)->input[k] >= 0)
                l->readers[node(l, i)->input[k]]++;
}

/* Finds the kind for the nodes from s->node on; nodes that learn and nodes that do not are never in
 * one step. */
static int match_step(hst_learn *l, hst_learn_step *s, hst_err *err)
{
    int first = l->options.first_node, limit = s->node < first ? first : l->n_values;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        s->kind = kinds[i];
        int rc = kinds[i]->match(l, limit, s, err);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    const hst_node *n = node(l, s->node);
    return hst_fail(err, HST_EMODEL, "layer %s: %s has no backward pass", n->name, n->op->name);
}

/* The step's own learning parameters, which lie one behind the other. */
static void find_params(hst_learn *l, hst_learn_step *s)
{
    for (int i = s->node; i < s->end; i++)
        for (int k = 0; k < node(l, i)->n_slots; k++) {
            const hst_param *p = hst_graph_param(l->graph, (size_t)(node(l, i)->first_param + k));
            if (p->statistic)
                continue;
            if (s->n_params == 0)
                s->param = (size_t)(p->data - l->params);
            s->n_params += hst_param_count(p);
        }
    s->learns = s->n_params > 0 && s->node >= l->options.first_node;
    if (s->learns && l->count == 0)
        l->offset = s->param;
    if (s->learns)
        l->count = s->param + s->n_params - l->offset;
}

static int list_steps(hst_learn *l, hst_err *err)
{
    int rc = 0;
    for (int at = 1; rc == 0 && at < l->n_values;) {
        hst_learn_step *s = &l->step[l->n_steps++];
        *s = (hst_learn_step){.node = at, .input = {-1, -1}};
        rc = match_step(l, s, err);
        if (rc)
            break;
        find_params(l, s);
        at = s->end;
    }
    return rc;
}

/* Values have the numbers of their nodes; a step's output is that of its last node. */
static void begin_lives(hst_learn *l)
{
    for (int i = 0; i < l->n_values; i++) {
        hst_value *v = &l->value[i];
        *v = (hst_value){.shape = node(l, i)->out, .first = -1, .last = -1};
        v->floats = (size_t)v->shape.h * (size_t)v->shape.w * (size_t)v->shape.c;
        l->grad[i] = *v;
    }
}

/* A step is active, and its output's gradient wanted, when it or something before it learns. */
static void find_active(hst_learn *l)
{
    for (int i = 0; i < l->n_steps; i++) {
        hst_learn_step *s = &l->step[i];
        s->active = s->learns;
        for (int k = 0; k < HST_MAX_INPUTS; k++)
            s->active |= s->input[k] >= 0 && l->grad[s->input[k]].last >= 0;
        if (s->active)
            l->grad[s->end - 1].last = 2 * l->n_steps - 1 - i;
    }
}

/* A gradient is set by the first step of the backward pass that reads the value; later ones add to
 * it. What leads nowhere gets none, and its step stays out of the backward pass. */
static void gradient_lives(hst_learn *l)
{
    l->grad[l->n_values - 1].first = l->n_steps;
    for (int i = l->n_steps - 1; i >= 0; i--) {
        hst_learn_step *s = &l->step[i];
        s->active = s->active && l->grad[s->end - 1].first >= 0;
        for (int k = 0; s->active && k < HST_MAX_INPUTS; k++) {
            hst_value *g = s->input[k] < 0 ? NULL : &l->grad[s->input[k]];
            if (!g || g->last < 0)
                continue;
            s->adds[k] = g->first >= 0;
            if (g->first < 0)
                g->first = 2 * l->n_steps - 1 - i;
        }
    }
}

static void value_lives(hst_learn *l)
{
    for (int i = 0; i < l->n_steps; i++) {
        const hst_learn_step *s = &l->step[i];
        int back = 2 * l->n_steps - 1 - i;
        hst_value *y = &l->value[s->end - 1];
        y->first = i;
        y->last = s->active && s->reads & HST_READS_OUTPUT ? back : i;
        for (int k = 0; k < HST_MAX_INPUTS; k++) {
            int x = s->input[k], last = s->active && s->reads & HST_READS_INPUT ? back : i;
            if (x >= 0 && l->value[x].last < last)
                l->value[x].last = last;
        }
    }
    hst_value *out = &l->value[l->n_values - 1];
    if (out->last < l->n_steps)
        out->last = l->n_steps; /* it is copied behind the last step */
}

static void step_lives(hst_learn *l)
{
    for (int i = 0; i < l->n_steps; i++) {
        hst_learn_step *s = &l->step[i];
        s->keep = (hst_value){.floats = s->keep_floats, .first = i, .last = i};
        if (s->active)
            s->keep.last = 2 * l->n_steps - 1 - i;
        s->temp =
            (hst_value){.floats = s->temp_floats, .first = s->keep.last, .last = s->keep.last};
    }
}

static int place_values(hst_learn *l, size_t *floats, hst_err *err)
{
    int n = 0, most = 2 * l->n_values + 2 * l->n_steps;
    hst_value **v = hst_alloc((size_t)most, sizeof(*v), err);
    if (!v)
        return HST_EMEM;
    for (int i = 1; i < l->n_values; i++)
        if (l->value[i].first >= 0)
            v[n++] = &l->value[i];
    for (int i = 1; i < l->n_values; i++)
        if (l->grad[i].first >= 0 && l->grad[i].last >= 0)
            v[n++] = &l->grad[i];
    for (int i = 0; i < l->n_steps; i++)
        if (l->step[i].keep_floats > 0)
            v[n++] = &l->step[i].keep;
    for (int i = 0; i < l->n_steps; i++)
        if (l->step[i].temp_floats > 0 && l->step[i].active)
            v[n++] = &l->step[i].temp;
    hst_layout_place(v, n, floats);
    free(v);
    return 0;
}

enum { ALIGN_FLOATS = HST_ALIGN / sizeof(float), ALIGN_DOUBLES = HST_ALIGN / sizeof(double) };

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The shared pieces, each big enough for the step that needs most of it. */
typedef struct sizes {
    size_t values, states, states_d, scratch, sums, partials;
} sizes;

static sizes sizes_of(const hst_learn *l)
{
    sizes z = {0};
    for (int i = 0; i < l->n_steps; i++) {
        const hst_learn_step *s = &l->step[i];
        size_t params = s->learns ? round_up(s->n_params, ALIGN_FLOATS) : 0;
        size_t scratch = round_up(s->scratch_floats, ALIGN_FLOATS);
        size_t sums = round_up(s->sum_doubles, ALIGN_DOUBLES);
        z.states += round_up(s->state_floats, ALIGN_FLOATS);
        z.states_d += round_up(s->state_doubles, ALIGN_DOUBLES);
        z.scratch = scratch > z.scratch ? scratch : z.scratch;
        z.sums = sums > z.sums ? sums : z.sums;
        z.partials = params > z.partials ? params : z.partials;
    }
    return z;
}

static void hand_out(hst_learn *l)
{
    float *f = l->states;
    double *d = l->states_d;
    for (int i = 0; i < l->n_steps; i++) {
        hst_learn_step *s = &l->step[i];
        s->state = f;
        s->state_d = d;
        f += round_up(s->state_floats, ALIGN_FLOATS);
        d += round_up(s->state_doubles, ALIGN_DOUBLES);
    }
}

static int allocate(hst_learn *l, hst_err *err)
{
    size_t batch = (size_t)l->options.max_batch, values = 0;
    size_t groups = (batch + HST_LEARN_GROUP - 1) / HST_LEARN_GROUP;
    if (place_values(l, &values, err))
        return HST_EMEM;
    sizes z = sizes_of(l);
    l->scratch_floats = z.scratch;

    l->partial_floats = z.partials;
    size_t threads = (size_t)hst_executor_threads(l->options.executor);
    size_t floats = z.states + threads * z.scratch + groups * z.partials;
    size_t doubles = z.states_d + batch * z.sums, bytes;
    if (!hst_mul_ok(values, batch * sizeof(float), &bytes))
        return hst_fail(err, HST_EMEM, "a batch of %zu images is too large", batch);
    bytes += doubles * sizeof(double) + floats * sizeof(float);
    l->states_d = hst_alloc(bytes, 1, err);
    if (!l->states_d)
        return HST_EMEM;
    l->bytes = bytes;
    l->sums = l->states_d + z.states_d;
    l->states = (float *)(l->sums + batch * z.sums);
    l->scratch = l->states + z.states;
    l->partials = l->scratch + threads * z.scratch;
    l->block = l->partials + groups * z.partials;
    hand_out(l);
    return 0;
}

int hst_learn_build(hst_learn *l, hst_err *err)
{
    size_t n = (size_t)l->n_values;
    l->step = hst_alloc(n, sizeof *l->step, err);
    l->value = l->step ? hst_alloc(n, sizeof *l->value, err) : NULL;
    l->grad = l->value ? hst_alloc(n, sizeof *l->grad, err) : NULL;
    l->readers = l->grad ? hst_alloc(n, sizeof *l->readers, err) : NULL;
    if (!l->readers)
        return HST_EMEM;
    count_readers(l);
    int rc = list_steps(l, err);
    if (rc)
        return rc;
    if (l->count == 0)
        return hst_fail(err, HST_EMODEL, "nothing learns from layer %d on", l->options.first_node);
    begin_lives(l);
    find_active(l);
    gradient_lives(l);
    value_lives(l);
    step_lives(l);
    return allocate(l, err);
}
