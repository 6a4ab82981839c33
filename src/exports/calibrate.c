/* calibrate.c - what the values of a program lie between, over photos that go through the model's
 * network in float32: the nodes that make the same as its steps are told. */
#include "exports/photos.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Nodes of one pass, whose values fit into MOST floats together, unless one alone does not. */
enum { MOST = 1 << 24 };

typedef struct calibrating {
    const hst_exporting *x;
    const hst_plan *plan;
    const hst_probes *pictures;
    const int *node; /* [n_nodes] outputs of the plan */
    int n_nodes;
    hst_range *found; /* [pictures][n_nodes] */
    hst_range *head;  /* [pictures] of the logits; NULL: not in this pass */
} calibrating;

static hst_range none(void)
{
    return (hst_range){INFINITY, -INFINITY};
}

static void widen(hst_range *r, float least, float most)
{
    r->least = fminf(r->least, least);
    r->most = fmaxf(r->most, most);
}

static void logits(const calibrating *c, const float *features, hst_range *out)
{
    const hst_model *m = c->x->model;
    *out = none();
    for (int k = 0; k < m->n_classes; k++) {
        const float z = (float)hst_model_logit(m, features, k);
        widen(out, z, z);
    }
}

static int look(void *arg, size_t i, int thread, hst_err *err)
{
    const calibrating *c = arg;
    const hst_pixel_norm *norm = &hst_model_plain(c->x->model)->view[0].prep.norm;
    const size_t n = (size_t)c->pictures->height * (size_t)c->pictures->width * 3;
    const uint8_t *rgb = c->pictures->picture + i * n;
    float *x = hst_alloc_raw(n + hst_plan_output_floats(c->plan), sizeof *x, err);
    hst_work *w = x ? hst_work_new(c->plan, err) : NULL;
    (void)thread;
    for (size_t k = 0; w && k < n; k++)
        x[k] = ((float)rgb[k] - norm->mean[k % 3]) / norm->std[k % 3];
    if (w)
        hst_plan_run(c->plan, w, x, 1, x + n);
    const float *y = x + n;
    for (int k = 0; w && k < c->n_nodes; k++) {
        const size_t floats = hst_shape_floats(hst_plan_value(c->plan, c->node[k]));
        hst_range *r = &c->found[i * (size_t)c->n_nodes + (size_t)k];
        *r = (hst_range){y[0], y[0]};
        for (size_t f = 1; f < floats; f++) {
            r->least = y[f] < r->least ? y[f] : r->least;
            r->most = y[f] > r->most ? y[f] : r->most;
        }
        if (c->head && k == c->n_nodes - 1)
            logits(c, y, &c->head[i]);
        y += floats;
    }
    hst_work_free(w);
    free(x);
    return w ? 0 : HST_EMEM;
}

/* The nodes of one pass into range[nodes]; head: the last one's are the features. */
static int pass(calibrating *c, hst_range *range, hst_range *head, hst_err *err)
{
    const hst_graph *g = hst_model_plain(c->x->model)->backbone->graph;
    const size_t n = (size_t)c->pictures->n, nodes = (size_t)c->n_nodes;
    hst_plan_options o = hst_plan_defaults();
    o.output = c->node;
    o.n_outputs = c->n_nodes;
    hst_plan *plan = hst_plan_make(g, c->x->ctx->kernels, &o, err);
    c->found = plan ? hst_alloc(n * nodes, sizeof *c->found, err) : NULL;
    c->head = c->found && head ? hst_alloc(n, sizeof *c->head, err) : NULL;
    c->plan = plan;
    int rc = c->found && (c->head || !head) ? 0 : HST_EMEM;
    rc = rc ? rc : hst_executor_try(c->x->ctx->executor, n, look, c, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        for (size_t k = 0; k < nodes; k++)
            widen(&range[c->node[k]], c->found[i * nodes + k].least, c->found[i * nodes + k].most);
        if (head)
            widen(head, c->head[i].least, c->head[i].most);
    }
    free(c->head);
    free(c->found);
    hst_plan_free(plan);
    return rc;
}

/* wanted[nodes]: in passes of what fits together. */
static int passes(calibrating *c, const char *wanted, hst_range *range, hst_range *head,
                  hst_err *err)
{
    const hst_graph *g = hst_model_plain(c->x->model)->backbone->graph;
    const int n = hst_graph_n_nodes(g);
    int *node = hst_alloc((size_t)n, sizeof *node, err), rc = node ? 0 : HST_EMEM;
    size_t floats = 0;
    c->node = node;
    c->n_nodes = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        const size_t more = wanted[i] ? hst_shape_floats(hst_node_shape(hst_graph_node(g, i))) : 0;
        if (floats + more > MOST && c->n_nodes) {
            rc = pass(c, range, NULL, err);
            floats = 0;
            c->n_nodes = 0;
        }
        floats += more;
        if (wanted[i])
            node[c->n_nodes++] = i;
    }
    rc = rc ? rc : pass(c, range, head, err);
    free(node);
    return rc;
}

/* Pixels between 0 and 255, scaled. */
static hst_range of_pixels(const hst_do_step *s)
{
    hst_range r = none();
    if (s->what == HST_DO_INPUT)
        return (hst_range){0, 255};
    for (size_t c = 0; c < s->n_w; c++) {
        widen(&r, s->b[c], s->b[c]);
        widen(&r, 255 * s->w[c] + s->b[c], 255 * s->w[c] + s->b[c]);
    }
    return r;
}

/* With 0 in it, and not empty where photos had but one number. */
static hst_range usable(hst_range r)
{
    if (!(r.least <= r.most))
        return r;
    r.least = fminf(r.least, 0);
    r.most = fmaxf(r.most, 0);
    return r.least < r.most ? r : (hst_range){0, 1};
}

static int ranges(const hst_exporting *x, const hst_probes *pictures, hst_step_range *out,
                  hst_err *err)
{
    const hst_program *p = x->program;
    const size_t n = (size_t)hst_graph_n_nodes(hst_model_plain(x->model)->backbone->graph);
    calibrating c = {.x = x, .pictures = pictures};
    char *wanted = hst_alloc(n, 1, err);
    hst_range *range = wanted ? hst_alloc(n, sizeof *range, err) : NULL, head = none();
    int rc = range ? 0 : HST_EMEM;
    for (size_t i = 0; range && i < n; i++)
        range[i] = none();
    for (int i = 0; range && i < p->n; i++)
        wanted[p->step[i].node] = wanted[p->step[i].bare_node] = 1;
    if (range) {
        wanted[0] = 0;
        wanted[n - 1] = 1;
    }
    rc = rc ? rc : passes(&c, wanted, range, &head, err);
    for (int i = 0; rc == 0 && i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        const int of_input = s->what == HST_DO_INPUT ||
                             (s->what == HST_DO_AFFINE && s->input[0] == 0 && s->node == 0);
        out[i] = (hst_step_range){usable(range[s->node]), usable(range[s->bare_node])};
        if (of_input)
            out[i].value = of_pixels(s);
    }
    /* behind the features: the head, in two steps of which the first has the logits */
    if (rc == 0)
        out[p->features + 1] = (hst_step_range){usable(head), usable(head)};
    free(range);
    free(wanted);
    return rc;
}

int hst_export_calibrate(const hst_exporting *x, const hst_export_photos *from, hst_step_range *out,
                         hst_err *err)
{
    size_t n = from->n_calibrates;
    hst_probes pictures = {0};
    int rc = hst_export_pictures(x->ctx, x->model, from, from->calibrates, &n, &pictures, err);
    if (rc == 0 && n == 0)
        rc = hst_fail(err, HST_EDATA,
                      "no photo of the training side can be used to find the ranges of int8");
    rc = rc ? rc : ranges(x, &pictures, out, err);
    hst_probes_free(&pictures);
    return rc;
}
