/* planner.c - which steps a plan has, when each value is alive, and where everything lies. */
#include "base/mem.h"
#include "nn/plan/step.h"

#include <limits.h>
#include <stdlib.h>

static const hst_node *node(const hst_plan *p, int i)
{
    return hst_graph_node(p->graph, i);
}

int hst_plan_learns(const hst_plan *p, int i)
{
    return i >= p->request.learn_from;
}

int hst_plan_is_batch(const hst_plan *p, int i)
{
    return p->request.batch_statistics && hst_plan_learns(p, i) &&
           node(p, i)->op->norm == HST_NORM_BATCH;
}

float *hst_plan_learnt(const hst_plan *p, int i, int slot)
{
    const hst_node *n = node(p, i);
    if (slot >= n->n_slots)
        return NULL;
    return hst_graph_param(p->graph, (size_t)(n->first_param + slot))->data;
}

float *hst_plan_param(const hst_plan *p, int i, int slot)
{
    return slot == 0 && p->standard && p->standard[i] ? p->standard[i]
                                                      : hst_plan_learnt(p, i, slot);
}

static int is_learning(const hst_plan *p)
{
    return p->request.learn_from < p->n_values;
}

/* ---- the graph ---- */

static int check_graph(const hst_plan *p, hst_err *err)
{
    int inputs = 0;
    for (int i = 0; i < p->n_values; i++)
        inputs += node(p, i)->n_inputs == 0;
    if (p->n_values < 2 || inputs != 1 || node(p, 0)->n_inputs != 0)
        return hst_fail(err, HST_EMODEL, "the graph must begin with its one input");
    return 0;
}

static void count_readers(hst_plan *p)
{
    for (int i = 0; i < p->n_values; i++)
        for (int k = 0; k < node(p, i)->n_inputs; k++)
            p->readers.count[node(p, i)->input[k]]++;
}

/* Values have the numbers of their nodes. */
static void begin_values(hst_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        const hst_type *t = &node(p, i)->type;
        hst_value *v = &p->value[i];
        v->shape = hst_type_shape(t);
        v->floats = (hst_shape_floats(v->shape) * hst_scalar_bytes(t->dtype) + 3) / sizeof(float);
        v->is_input = i == 0;
        v->first = v->last = -1;
    }
    p->input = p->value[0].shape;
    p->output = p->value[p->n_values - 1].shape;
}

/* What is wanted counts as read, so that no step leaves it out. */
static int mark_outputs(hst_plan *p, hst_err *err)
{
    const int last = p->n_values - 1, n = p->request.n_outputs ? p->request.n_outputs : 1;
    const int *output = p->request.n_outputs ? p->request.output : &last;
    for (int i = 0; i < n; i++) {
        const int at = output[i];
        if (at < 1 || at > last || p->value[at].is_output)
            return hst_fail(err, HST_EARG, "node %d cannot be an output: %s", at,
                            at < 1 || at > last ? "there is none" : "it is one already");
        p->readers.count[at]++;
        p->value[at].is_output = 1;
        p->value[at].output_at = p->output_floats;
        p->output_floats += p->value[at].floats;
    }
    return 0;
}

/* Which pixels are read, from the last node to the first: of a network whose features are one token
 * the last layers need no others. Learning keeps all. */
static void find_needed(hst_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        const int all = (int)hst_shape_pixels(p->value[i].shape);
        p->needed[i] = p->value[i].is_output || is_learning(p) ? all : 0;
    }
    for (int i = p->n_values - 1; i > 0; i--) {
        const hst_node *n = node(p, i);
        const int pixels = p->needed[i] && n->op->needs ? n->op->needs(n, p->needed[i]) : INT_MAX;
        for (int k = 0; k < n->n_inputs; k++)
            if (p->needed[n->input[k]] < pixels)
                p->needed[n->input[k]] = pixels;
    }
}

int hst_plan_wide(const hst_plan *p, int i)
{
    const hst_shape s = p->value[i].shape;
    return s.h == 1 && p->needed[i] > 0 && p->needed[i] < s.w ? p->needed[i] : s.w;
}

/* ---- steps ---- */

/* Nodes that learn and nodes that do not are never in one step: the latter run as in inference. */
static int match_step(hst_plan *p, hst_step *s, int at, hst_err *err)
{
    const hst_device *d = p->request.device;
    const int learns = hst_plan_learns(p, at);
    const int limit = learns ? p->n_values : p->request.learn_from;
    for (const hst_device_row *r = learns ? d->learn : d->infer; r->pattern; r++) {
        *s = (hst_step){.runner = r->runner};
        for (int k = 0; k < HST_MAX_INPUTS; k++)
            s->input[k] = -1;
        if (!hst_pattern_match(&p->readers, r->pattern, at, limit, &s->group))
            continue;
        if (s->group.n_units > 1 && !p->request.fuse)
            continue;
        s->output = s->group.end - 1;
        int rc = r->runner->prepare(p, s, err);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    const hst_node *n = node(p, at);
    return hst_fail(err, HST_EMODEL, "layer %s: %s has no %s", n->name, n->op->name,
                    learns ? "backward pass" : "loop");
}

/* The step's own learning parameters, which lie one behind the other. */
static void find_params(hst_plan *p, hst_step *s)
{
    const float *base = NULL;
    for (size_t i = 0; !base && i < hst_graph_n_params(p->graph); i++)
        base = hst_graph_param(p->graph, i)->statistic ? NULL : hst_graph_param(p->graph, i)->data;
    for (int i = s->group.first; i < s->group.end; i++)
        for (int k = 0; k < node(p, i)->n_slots; k++) {
            const hst_param *q = hst_graph_param(p->graph, (size_t)(node(p, i)->first_param + k));
            if (q->statistic)
                continue;
            if (s->n_params == 0)
                s->param = (size_t)(q->data - base);
            s->n_params += hst_param_count(q);
        }
    s->learns = s->n_params > 0 && hst_plan_learns(p, s->group.first);
    if (s->learns && p->n_params == 0)
        p->param = s->param;
    if (s->learns)
        p->n_params = s->param + s->n_params - p->param;
}

static int list_steps(hst_plan *p, hst_err *err)
{
    for (int at = 1; at < p->n_values; at = p->step[p->n_steps - 1].group.end) {
        hst_step *s = &p->step[p->n_steps];
        int rc = match_step(p, s, at, err);
        if (rc)
            return rc;
        p->n_steps++;
        find_params(p, s);
    }
    if (is_learning(p) && p->n_params == 0)
        return hst_fail(err, HST_EMODEL, "nothing learns from layer %d on", p->request.learn_from);
    return 0;
}

/* ---- life times ---- */

/* When step i goes backward. */
static int back_of(const hst_plan *p, int i)
{
    return 2 * p->n_steps - 1 - i;
}

/* A step is active, and its output's gradient wanted, when it or something before it learns. */
static void find_active(hst_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        p->grad[i] = p->value[i];
        p->grad[i].first = p->grad[i].last = -1;
    }
    for (int i = 0; i < p->n_steps; i++) {
        hst_step *s = &p->step[i];
        s->active = s->learns;
        for (int k = 0; k < HST_MAX_INPUTS; k++)
            s->active |= s->input[k] >= 0 && p->grad[s->input[k]].last >= 0;
        if (s->active)
            p->grad[s->output].last = back_of(p, i);
    }
}

/* A gradient is set by the first step of the backward pass that reads the value; later ones add to
 * it. What leads nowhere gets none, and its step stays out of the backward pass. */
static void gradient_lives(hst_plan *p)
{
    p->grad[p->n_values - 1].first = p->n_steps;
    for (int i = p->n_steps - 1; i >= 0; i--) {
        hst_step *s = &p->step[i];
        s->active = s->active && p->grad[s->output].first >= 0;
        for (int k = 0; s->active && k < HST_MAX_INPUTS; k++) {
            hst_value *g = s->input[k] < 0 ? NULL : &p->grad[s->input[k]];
            if (!g || g->last < 0)
                continue;
            s->adds[k] = g->first >= 0;
            if (g->first < 0)
                g->first = back_of(p, i);
        }
    }
}

static void value_lives(hst_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        const hst_step *s = &p->step[i];
        hst_value *y = &p->value[s->output];
        y->first = i;
        y->last = s->active && s->reads & HST_READS_OUTPUT ? back_of(p, i) : i;
        for (int k = 0; k < HST_MAX_INPUTS; k++) {
            int x = s->input[k], last = s->active && s->reads & HST_READS_INPUT ? back_of(p, i) : i;
            if (x >= 0 && p->value[x].last < last)
                p->value[x].last = last;
        }
    }
    for (int i = 0; i < p->n_values; i++)
        if (p->value[i].is_output && p->value[i].last < p->n_steps)
            p->value[i].last = p->n_steps; /* learning copies it behind the last step */
}

static void step_lives(hst_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        hst_step *s = &p->step[i];
        s->saved = (hst_value){.floats = s->saved_floats, .first = i, .last = i};
        if (s->active)
            s->saved.last = back_of(p, i);
        s->work =
            (hst_value){.floats = s->work_floats, .first = s->saved.last, .last = s->saved.last};
    }
}

/* ---- places ---- */

/* Puts values that the tail reads or makes behind the others; how many these are. */
static int split_tail(const hst_plan *p, hst_value **v, int n)
{
    int head = 0;
    for (int i = 0; i < n; i++)
        if (v[i]->last < p->tail) {
            hst_value *other = v[head];
            v[head++] = v[i];
            v[i] = other;
        }
    return head;
}

static int place_values(hst_plan *p, hst_err *err)
{
    int n = 0, most = 2 * p->n_values + 2 * p->n_steps, learning = is_learning(p);
    hst_value **v = hst_alloc((size_t)most, sizeof(*v), err);
    if (!v)
        return HST_EMEM;
    for (int i = 1; i < p->n_values; i++)
        if (p->value[i].first >= 0 && (learning || !p->value[i].is_output))
            v[n++] = &p->value[i];
    for (int i = 1; learning && i < p->n_values; i++)
        if (p->grad[i].first >= 0 && p->grad[i].last >= 0)
            v[n++] = &p->grad[i];
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].saved_floats > 0)
            v[n++] = &p->step[i].saved;
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].work_floats > 0 && p->step[i].active)
            v[n++] = &p->step[i].work;
    const int head = learning ? n : split_tail(p, v, n);
    hst_layout(v, head, &p->block_floats);
    hst_layout(v + head, n - head, &p->tail_floats);
    free(v);
    return 0;
}

hst_state_size hst_plan_hand_out(hst_plan *p, float *f, double *d)
{
    hst_state_size z = {0};
    for (int i = 0; i < p->n_steps; i++) {
        hst_step *s = &p->step[i];
        s->state = f ? f + z.floats : NULL;
        s->state_d = d ? d + z.doubles : NULL;
        z.floats += hst_whole_lines(s->state_floats);
        z.doubles += hst_whole_lines(s->state_doubles);
    }
    return z;
}

int hst_plan_steps(hst_plan *p, hst_err *err)
{
    const size_t n = (size_t)hst_graph_n_nodes(p->graph);
    p->n_values = (int)n;
    p->kernels = p->request.kernels;
    p->step = hst_alloc(n, sizeof *p->step, err);
    p->value = p->step ? hst_alloc(n, sizeof *p->value, err) : NULL;
    p->grad = p->value ? hst_alloc(n, sizeof *p->grad, err) : NULL;
    p->needed = p->grad ? hst_alloc(n, sizeof *p->needed, err) : NULL;
    p->readers = (hst_readers){p->graph, p->needed ? hst_alloc(n, sizeof(int), err) : NULL};
    if (!p->readers.count)
        return HST_EMEM;
    int rc = check_graph(p, err);
    if (rc)
        return rc;
    count_readers(p);
    begin_values(p);
    rc = mark_outputs(p, err);
    if (rc == 0)
        find_needed(p);
    rc = rc ? rc : list_steps(p, err);
    if (rc)
        return rc;
    find_active(p);
    gradient_lives(p);
    value_lives(p);
    step_lives(p);
    if (!is_learning(p))
        hst_plan_choose_tail(p);
    return place_values(p, err);
}

void hst_plan_clear(hst_plan *p)
{
    for (int i = 0; p->step && i < p->n_steps; i++)
        if (p->step[i].runner->clear)
            p->step[i].runner->clear(&p->step[i]);
    free(p->readers.count);
    free(p->needed);
    free(p->step);
    free(p->value);
    free(p->grad);
    free(p->weights);
    hst_plan_standardised_end(p);
}
