#include "base/mem.h"
#include "nn/fused.h"

#include <stdlib.h>
#include <string.h>

/* What is being planned. A node that was fused into the step before it is skipped when its turn
 * comes. */
typedef struct planner {
    const hst_graph *g;
    const hst_plan_options *options;
    hst_plan *p;
    int *readers; /* [nodes] nodes that read it */
    int *reader;  /* [nodes] the last of them */
    char *done;   /* [nodes] fused into an earlier step */
    size_t used;  /* floats of the plan's weights */
} planner;

static const hst_node *node(const planner *b, int i)
{
    return hst_graph_node(b->g, i);
}

static void count_readers(planner *b)
{
    for (int i = 0; i < b->p->n_values; i++)
        for (int k = 0; k < HST_MAX_INPUTS; k++) {
            int x = node(b, i)->input[k];
            if (x < 0)
                continue;
            b->readers[x]++;
            b->reader[x] = i;
        }
}

/* The one reader of node i when it is the given op; else -1. */
static int only_reader(const planner *b, int i, const hst_op *op)
{
    if (b->readers[i] != 1 || node(b, b->reader[i])->op != op)
        return -1;
    return b->reader[i];
}

/* Takes a following activation into step s, whose value so far is that of node `at`. Returns the
 * node whose value the step makes. */
static int fuse_activation(planner *b, hst_step *s, int at)
{
    static const struct {
        const hst_op *op;
        enum hst_act act;
    } acts[] = {{&hst_op_relu, HST_ACT_RELU},
                {&hst_op_sigmoid, HST_ACT_SIGMOID},
                {&hst_op_hsigmoid, HST_ACT_HSIGMOID},
                {&hst_op_hswish, HST_ACT_HSWISH},
                {&hst_op_swish, HST_ACT_SWISH}};
    int next = only_reader(b, at, &hst_op_relu6);
    s->relu6 = next >= 0;
    for (size_t i = 0; next < 0 && i < sizeof acts / sizeof *acts; i++) {
        next = only_reader(b, at, acts[i].op);
        s->acts = next >= 0;
        s->act = acts[i].act;
    }
    if (next < 0)
        return at;
    b->done[next] = 1;
    return next;
}

/* The same with an addition in front of it. */
static int fuse_behind(planner *b, hst_step *s, int at)
{
    int add = s->z < 0 ? only_reader(b, at, &hst_op_add) : -1;
    if (add >= 0) {
        const hst_node *n = node(b, add);
        int other = n->input[0] == at ? n->input[1] : n->input[0];
        if (other < at && b->p->value[other].first < b->p->n_steps) { /* already computed */
            s->z = other;
            b->done[add] = 1;
            at = add;
        }
    }
    return fuse_activation(b, s, at);
}

/* A 1x1 convolution that only an average reads makes the average. */
static void fuse_average(planner *b, hst_step *s)
{
    int average = only_reader(b, s->y, &hst_op_global_average);
    if (!b->options->fuse || s->conv.kernel > 1 || s->conv.stride > 1 || s->z >= 0 || average < 0)
        return;
    s->run = hst_step_pooled;
    s->scratch = (size_t)s->in.h * (size_t)s->in.w * (size_t)b->p->kernels->panel;
    s->out = node(b, average)->out;
    s->y = average;
    b->done[average] = 1;
}

static size_t whole_lines(size_t floats)
{
    const size_t line = HST_ALIGN / sizeof(float);
    return (floats + line - 1) / line * line;
}

/* One block for the weights of all steps: few large pages instead of many small ones. A batch
 * norm's place stays untouched where it is folded into a convolution. */
static int make_weights(planner *b, hst_err *err)
{
    size_t floats = 0;
    for (int i = 0; i < b->p->n_values; i++)
        floats += whole_lines(hst_fold_floats(b->g, node(b, i), b->p->kernels));
    b->p->weights = hst_alloc_raw(floats, sizeof *b->p->weights, err);
    return b->p->weights ? 0 : HST_EMEM;
}

static int fold(planner *b, hst_step *s, const hst_node *n, const hst_node *norm, hst_err *err)
{
    s->weights = b->p->weights + b->used;
    b->used += whole_lines(hst_fold_floats(b->g, n, b->p->kernels));
    return hst_fold(b->g, n, norm, b->p->kernels, s, err);
}

static int plan_conv(planner *b, hst_step *s, int i, hst_err *err)
{
    const hst_node *n = node(b, i);
    int at = i, norm = only_reader(b, i, &hst_op_batchnorm);
    int is_depthwise = n->op == &hst_op_depthwise;
    if (norm >= 0) {
        b->done[norm] = 1;
        at = norm;
    }
    int rc = fold(b, s, n, norm >= 0 ? node(b, norm) : NULL, err);
    s->run = is_depthwise ? hst_step_depthwise : hst_step_conv2d;
    if (!is_depthwise && (n->conv.kernel > 1 || n->conv.stride > 1))
        s->scratch = (size_t)n->out.w * (size_t)(n->conv.kernel * n->conv.kernel) * (size_t)s->in.c;
    if (is_depthwise) { /* its kernel adds nothing */
        s->y = fuse_activation(b, s, at);
    } else {
        s->y = fuse_behind(b, s, at);
        fuse_average(b, s);
    }
    return rc;
}

static int plan_pointwise(planner *b, hst_step *s, int i, hst_err *err)
{
    const hst_node *n = node(b, i);
    int rc = 0;
    s->run = hst_step_pointwise;
    s->relu6 = n->op == &hst_op_relu6;
    s->z = n->input[1];
    if (n->op == &hst_op_batchnorm)
        rc = fold(b, s, n, n, err);
    s->y = s->relu6 ? i : fuse_behind(b, s, i);
    return rc;
}

static int plan_node(planner *b, int i, hst_err *err)
{
    hst_plan *p = b->p;
    const hst_node *n = node(b, i);
    if (b->done[i] || n->op == &hst_op_input)
        return 0;
    hst_step *s = &p->step[p->n_steps];
    *s = (hst_step){
        .x = n->input[0], .z = -1, .out = n->out, .conv = n->conv, .in = node(b, n->input[0])->out};
    int rc = 0;
    if (n->op == &hst_op_conv2d || n->op == &hst_op_depthwise)
        rc = plan_conv(b, s, i, err);
    else if (n->op == &hst_op_global_average) {
        s->run = hst_step_average;
        s->y = i;
    } else if (n->op->step) {
        s->run = n->op->step;
        s->z = n->input[1];
        s->y = i;
    } else
        rc = plan_pointwise(b, s, i, err);
    p->value[s->y].first = p->n_steps++;
    return rc;
}

/* Shapes and life times of what the steps read and write. */
static void find_lives(planner *b)
{
    hst_plan *p = b->p;
    for (int i = 0; i < p->n_values; i++) {
        hst_value *v = &p->value[i];
        v->shape = node(b, i)->out;
        v->floats = (size_t)v->shape.h * (size_t)v->shape.w * (size_t)v->shape.c;
        v->is_input = node(b, i)->op == &hst_op_input;
        v->first = -1;
    }
    for (int i = 0; i < p->n_steps; i++) {
        const hst_step *s = &p->step[i];
        p->value[s->y].first = i;
        p->value[s->y].last = i;
        p->value[s->x].last = i;
        if (s->z >= 0)
            p->value[s->z].last = i;
    }
    p->value[p->n_values - 1].is_output = 1;
}

static int check_graph(const hst_graph *g, hst_err *err)
{
    int n = hst_graph_n_nodes(g), inputs = 0;
    for (int i = 0; i < n; i++)
        inputs += hst_graph_node(g, i)->op == &hst_op_input;
    if (n < 2 || inputs != 1 || hst_graph_node(g, 0)->op != &hst_op_input)
        return hst_fail(err, HST_EMODEL, "the graph must begin with its one input");
    return 0;
}

static int build(planner *b, hst_err *err)
{
    hst_plan *p = b->p;
    size_t n = (size_t)p->n_values;
    p->step = hst_alloc(n, sizeof *p->step, err);
    p->value = p->step ? hst_alloc(n, sizeof *p->value, err) : NULL;
    b->readers = p->value ? hst_alloc(n, sizeof *b->readers, err) : NULL;
    b->reader = b->readers ? hst_alloc(n, sizeof *b->reader, err) : NULL;
    b->done = b->reader ? hst_alloc(n, 1, err) : NULL;
    if (!b->done)
        return HST_EMEM;
    if (make_weights(b, err))
        return HST_EMEM;
    count_readers(b);
    p->value[0].first = -1; /* there before the first step */
    for (size_t i = 1; i < n; i++)
        p->value[i].first = (int)n; /* not yet computed */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = plan_node(b, (int)i, err);
    if (rc == 0 && b->options->fuse)
        rc = hst_fuse(p, b->options->cache_bytes, err);
    if (rc)
        return rc;
    find_lives(b);
    p->input = p->value[0].shape;
    p->output = p->value[n - 1].shape;
    return hst_layout(p, err);
}

hst_plan_options hst_plan_defaults(void)
{
    return (hst_plan_options){.fuse = 1, .cache_bytes = hst_cache_bytes()};
}

hst_plan *hst_plan_new(const hst_graph *g, const hst_kernels *k, hst_err *err)
{
    hst_plan_options o = hst_plan_defaults();
    return hst_plan_make(g, k, &o, err);
}

hst_plan *hst_plan_make(const hst_graph *g, const hst_kernels *k, const hst_plan_options *o,
                        hst_err *err)
{
    if (check_graph(g, err))
        return NULL;
    hst_plan *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return NULL;
    p->kernels = k;
    p->n_values = hst_graph_n_nodes(g);
    planner b = {.g = g, .options = o, .p = p};
    int rc = build(&b, err);
    free(b.readers);
    free(b.reader);
    free(b.done);
    if (rc == 0)
        return p;
    hst_plan_free(p);
    return NULL;
}

void hst_plan_free(hst_plan *p)
{
    if (!p)
        return;
    for (int i = 0; p->step && i < p->n_steps; i++)
        free(p->step[i].fused);
    free(p->weights);
    free(p->step);
    free(p->value);
    free(p);
}

hst_shape hst_plan_input(const hst_plan *p)
{
    return p->input;
}

hst_shape hst_plan_output(const hst_plan *p)
{
    return p->output;
}

struct hst_work {
    int threads;
    hst_step_memory extra; /* the most that a step needs */
    float *block;          /* [block_floats], all threads', then each thread's own */
};

static hst_step_memory needs(const hst_step *s, int threads)
{
    return s->fused ? hst_fused_needs(s->fused, threads) : (hst_step_memory){.own = s->scratch};
}

/* Enough for up to `threads` threads (not all may start). Rounded up to cache lines, so that no two
 * threads write one. */
static hst_step_memory most_needed(const hst_plan *p, int threads)
{
    hst_step_memory most = {0};
    for (int i = 0; i < p->n_steps * threads; i++) {
        const hst_step_memory m = needs(&p->step[i / threads], i % threads + 1);
        most.own = m.own > most.own ? m.own : most.own;
        most.shared = m.shared > most.shared ? m.shared : most.shared;
    }
    return (hst_step_memory){whole_lines(most.own), whole_lines(most.shared)};
}

static size_t work_floats(const hst_plan *p, const hst_step_memory *m, int threads)
{
    return p->block_floats + m->shared + m->own * (size_t)threads;
}

size_t hst_work_bytes(const hst_plan *p)
{
    const hst_step_memory m = most_needed(p, 1);
    return work_floats(p, &m, 1) * sizeof(float);
}

hst_work *hst_work_new_together(const hst_plan *p, int threads, hst_err *err)
{
    hst_work *w = hst_alloc(1, sizeof *w, err);
    if (!w)
        return NULL;
    w->threads = threads;
    w->extra = most_needed(p, threads);
    w->block = hst_alloc(work_floats(p, &w->extra, threads), sizeof *w->block, err);
    if (w->block)
        return w;
    free(w);
    return NULL;
}

hst_work *hst_work_new(const hst_plan *p, hst_err *err)
{
    return hst_work_new_together(p, 1, err);
}

void hst_work_free(hst_work *w)
{
    if (!w)
        return;
    free(w->block);
    free(w);
}

/* One image on its way through a plan. */
typedef struct passage {
    const hst_plan *plan;
    hst_work *work;
    const float *x;
    float *y;
} passage;

static void run_steps(void *arg, int thread, int threads, hst_barrier *barrier)
{
    const passage *r = arg;
    const hst_plan *p = r->plan;
    float *block = r->work->block, *shared = block + p->block_floats;
    hst_run_args a = {
        .kernels = p->kernels, .barrier = barrier, .thread = thread, .threads = threads};
    a.shared = shared;
    a.scratch = shared + r->work->extra.shared + (size_t)thread * r->work->extra.own;
    for (int i = 0; i < p->n_steps; i++) {
        const hst_step *s = &p->step[i];
        const hst_value *x = &p->value[s->x], *y = &p->value[s->y],
                        *z = s->z < 0 ? NULL : &p->value[s->z];
        a.x = x->is_input ? r->x : block + x->offset;
        a.y = y->is_output ? r->y : block + y->offset;
        a.z = !z ? NULL : z->is_input ? r->x : block + z->offset;
        s->run(s, &a);
        hst_barrier_wait(barrier);
    }
}

void hst_plan_run(const hst_plan *p, hst_work *w, const float *x, int n, float *y)
{
    passage r = {.plan = p, .work = w, .x = x, .y = y};
    for (int image = 0; image < n; image++) {
        run_steps(&r, 0, 1, NULL);
        r.x += p->value[0].floats;
        r.y += p->value[p->n_values - 1].floats;
    }
}

void hst_plan_run_together(const hst_plan *p, hst_work *w, hst_executor *ex, const float *x,
                           float *y)
{
    hst_executor_together(ex, w->threads, run_steps, &(passage){p, w, x, y});
}
