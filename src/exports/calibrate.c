/* calibrate.c - what the values of a program lie between, and what they are on average, over photos
 * that go through the model's network in float32: the nodes that make the same as its steps are
 * told. */
#include "exports/photos.h"

#include "base/mem.h"
#include "nn/spread.h"

#include <math.h>
#include <stdlib.h>

/* Nodes of one pass, whose values fit into MOST floats together, unless one alone does not. */
enum { MOST = 1 << 24 };

/* What is found of the graph's nodes. */
typedef struct finding {
    hst_range *range, head; /* [nodes]; of the logits */
    size_t *first;          /* [nodes + 1] of its channels in `sum` */
    double *sum, *most;     /* over pixels and pictures; the largest of them */
    hst_spread **spread;    /* [n_spreads] of each thread; in the end the first has them all */
    int n_spreads;
} finding;

typedef struct calibrating {
    const hst_exporting *x;
    const hst_plan *plan;
    const hst_probes *pictures;
    finding *all;
    const int *node; /* [n_nodes] outputs of the plan */
    int n_nodes;
    size_t n_sums;    /* channels of these nodes */
    hst_range *found; /* [pictures][n_nodes] */
    double *sums;     /* [pictures][2][n_sums]: sums, and the largest numbers */
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

/* Of x[pixels][channels]: its range, and each channel's sum and largest number. */
static hst_range look_at(const float *x, size_t pixels, size_t channels, double *sum, double *most)
{
    hst_range r = {x[0], x[0]};
    for (size_t i = 1; i < pixels * channels; i++) {
        r.least = x[i] < r.least ? x[i] : r.least;
        r.most = x[i] > r.most ? x[i] : r.most;
    }
    for (size_t c = 0; c < channels; c++)
        most[c] = (double)x[c];
    for (size_t i = 0; i < pixels; i++, x += channels)
        for (size_t c = 0; c < channels; c++) {
            sum[c] += (double)x[c];
            most[c] = (double)x[c] > most[c] ? (double)x[c] : most[c];
        }
    return r;
}

static int look(void *arg, size_t i, int thread, hst_err *err)
{
    const calibrating *c = arg;
    const hst_pixel_norm *norm = &hst_model_plain(c->x->model)->view[0].prep.norm;
    const size_t n = (size_t)c->pictures->height * (size_t)c->pictures->width * 3;
    const uint8_t *rgb = c->pictures->picture + i * n;
    float *x = hst_alloc_raw(n + hst_plan_output_floats(c->plan), sizeof *x, err);
    hst_work *w = x ? hst_work_new(c->plan, err) : NULL;
    for (size_t k = 0; w && k < n; k++)
        x[k] = ((float)rgb[k] - norm->mean[k % 3]) / norm->std[k % 3];
    if (w)
        hst_plan_run(c->plan, w, x, 1, x + n);
    const float *y = x + n;
    double *sum = c->sums + i * 2 * c->n_sums;
    for (int k = 0; w && k < c->n_nodes; k++) {
        const hst_shape s = hst_plan_value(c->plan, c->node[k]);
        c->found[i * (size_t)c->n_nodes + (size_t)k] =
            look_at(y, hst_shape_pixels(s), (size_t)s.c, sum, sum + c->n_sums);
        hst_spread_add(c->all->spread[thread], c->node[k], y, hst_shape_floats(s));
        if (c->head && k == c->n_nodes - 1)
            logits(c, y, &c->head[i]);
        y += hst_shape_floats(s);
        sum += s.c;
    }
    hst_work_free(w);
    free(x);
    return w ? 0 : HST_EMEM;
}

/* What one picture told of the nodes of a pass. */
static void gather(calibrating *c, size_t picture)
{
    const double *sum = c->sums + picture * 2 * c->n_sums;
    for (int k = 0; k < c->n_nodes; k++) {
        const int node = c->node[k];
        const hst_range r = c->found[picture * (size_t)c->n_nodes + (size_t)k];
        widen(&c->all->range[node], r.least, r.most);
        for (size_t at = c->all->first[node]; at < c->all->first[node + 1]; at++, sum++) {
            c->all->sum[at] += *sum;
            c->all->most[at] = fmax(c->all->most[at], sum[c->n_sums]);
        }
    }
    if (c->head)
        widen(&c->all->head, c->head[picture].least, c->head[picture].most);
}

/* The nodes of one pass. with_head: the last one's are the features. */
static int pass(calibrating *c, int with_head, hst_err *err)
{
    const hst_graph *g = hst_model_plain(c->x->model)->backbone->graph;
    const size_t n = (size_t)c->pictures->n;
    hst_plan_options o = hst_plan_defaults();
    o.output = c->node;
    o.n_outputs = c->n_nodes;
    c->n_sums = 0;
    for (int k = 0; k < c->n_nodes; k++)
        c->n_sums += c->all->first[c->node[k] + 1] - c->all->first[c->node[k]];
    hst_plan *plan = hst_plan_make(g, c->x->ctx->kernels, &o, err);
    c->found = plan ? hst_alloc(n * (size_t)c->n_nodes, sizeof *c->found, err) : NULL;
    c->sums = c->found ? hst_alloc(n * 2 * c->n_sums, sizeof *c->sums, err) : NULL;
    c->head = c->sums && with_head ? hst_alloc(n, sizeof *c->head, err) : NULL;
    c->plan = plan;
    int rc = c->sums && (c->head || !with_head) ? 0 : HST_EMEM;
    rc = rc ? rc : hst_executor_try(c->x->ctx->executor, n, look, c, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        gather(c, i);
    free(c->head);
    free(c->sums);
    free(c->found);
    hst_plan_free(plan);
    return rc;
}

/* wanted[nodes]: in passes of what fits together. */
static int passes(calibrating *c, const char *wanted, hst_err *err)
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
            rc = pass(c, 0, err);
            floats = 0;
            c->n_nodes = 0;
        }
        floats += more;
        if (wanted[i])
            node[c->n_nodes++] = i;
    }
    rc = rc ? rc : pass(c, 1, err);
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

/* The network's input, as its first node reads it. */
static int is_input(const hst_do_step *s)
{
    return s->what == HST_DO_INPUT ||
           (s->what == HST_DO_AFFINE && s->input[0] == 0 && s->node == 0);
}

/* counted[nodes]: as hst_spread_new takes it. */
static int finding_make(finding *f, const hst_exporting *x, const char *counted, hst_err *err)
{
    const hst_graph *g = hst_model_plain(x->model)->backbone->graph;
    const size_t n = (size_t)hst_graph_n_nodes(g);
    const int threads = hst_executor_threads(x->ctx->executor);
    *f = (finding){.head = none()};
    f->range = hst_alloc(n, sizeof *f->range, err);
    f->first = f->range ? hst_alloc(n + 1, sizeof *f->first, err) : NULL;
    for (size_t i = 0; f->first && i < n; i++) {
        f->range[i] = none();
        f->first[i + 1] = f->first[i] + (size_t)hst_node_shape(hst_graph_node(g, (int)i)).c;
    }
    const size_t channels = f->first ? f->first[n] : 0;
    f->sum = f->first ? hst_alloc(2 * channels + 1, sizeof *f->sum, err) : NULL;
    f->most = f->sum ? f->sum + channels : NULL;
    for (size_t i = 0; f->sum && i < channels; i++)
        f->most[i] = -INFINITY;
    f->spread = f->sum ? hst_alloc((size_t)threads, sizeof(*f->spread), err) : NULL;
    while (f->spread && f->n_spreads < threads) {
        f->spread[f->n_spreads] = hst_spread_new(g, counted, err);
        if (!f->spread[f->n_spreads++])
            return HST_EMEM;
    }
    return f->spread ? 0 : HST_EMEM;
}

static void finding_free(finding *f)
{
    for (int i = 0; i < f->n_spreads; i++)
        hst_spread_free(f->spread[i]);
    free(f->spread);
    free(f->range);
    free(f->first);
    free(f->sum);
}

/* Channels of the network's input: over the pictures' pixels. */
static void look_at_pixels(const calibrating *c)
{
    const hst_pixel_norm *norm = &hst_model_plain(c->x->model)->view[0].prep.norm;
    const size_t pixels = (size_t)c->pictures->height * (size_t)c->pictures->width;
    uint64_t sum[3] = {0};
    for (size_t i = 0; i < (size_t)c->pictures->n * pixels * 3; i++)
        sum[i % 3] += c->pictures->picture[i];
    for (int k = 0; k < 3; k++)
        c->all->sum[k] =
            ((double)sum[k] - (double)c->pictures->n * (double)pixels * (double)norm->mean[k]) /
            (double)norm->std[k];
}

/* Of a value around 0 a few large numbers would make the steps of all others wider: its range ends
 * where least is lost. What ReLU leaves keeps all of its range, as its large numbers say most. */
static void mark(const hst_program *p, char *wanted, char *counted)
{
    for (int i = 0; i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        wanted[s->node] = wanted[s->bare_node] = 1;
        if (s->act != HST_ACT_RELU && s->act != HST_ACT_RELU6)
            counted[s->node] = counted[s->bare_node] = 1;
    }
}

static void narrow(finding *f, const char *counted, int n)
{
    for (int i = 1; i < f->n_spreads; i++)
        hst_spread_merge(f->spread[0], f->spread[i]);
    for (int i = 1; i < n; i++) {
        const int around = counted[i] && f->range[i].least < 0;
        const hst_range r = around ? hst_spread_range(f->spread[0], i) : none();
        if (r.least < r.most)
            f->range[i] =
                (hst_range){fmaxf(f->range[i].least, r.least), fminf(f->range[i].most, r.most)};
    }
}

static int find(const hst_exporting *x, const hst_probes *pictures, finding *f, hst_err *err)
{
    const int n = hst_graph_n_nodes(hst_model_plain(x->model)->backbone->graph);
    calibrating c = {.x = x, .pictures = pictures, .all = f};
    char *wanted = hst_alloc((size_t)n, 2, err), *counted = wanted ? wanted + n : NULL;
    if (!wanted)
        return HST_EMEM;
    mark(x->program, wanted, counted);
    wanted[0] = counted[0] = 0;
    wanted[n - 1] = 1;
    int rc = finding_make(f, x, counted, err);
    if (rc == 0)
        look_at_pixels(&c);
    rc = rc ? rc : passes(&c, wanted, err);
    if (rc == 0)
        narrow(f, counted, n);
    free(wanted);
    return rc;
}

/* What is known of step i's channels, where the network's input or a node makes the same: their
 * means, and behind them the largest numbers. */
static int of_channels(const hst_exporting *x, const finding *f, int n_pictures, int i, float *out)
{
    const hst_do_step *s = &x->program->step[i];
    const hst_graph *g = hst_model_plain(x->model)->backbone->graph;
    const hst_shape shape = hst_node_shape(hst_graph_node(g, s->node));
    if ((s->node == 0 && !is_input(s)) || shape.c != hst_do_channels(s))
        return 0;
    const double n = (double)hst_shape_pixels(shape) * n_pictures;
    for (size_t c = 0, at = f->first[s->node]; c < (size_t)shape.c; c++, at++) {
        out[c] = (float)(f->sum[at] / n);
        out[c + (size_t)shape.c] = (float)f->most[at];
        if (!isfinite(out[c]))
            return 0;
    }
    return 1;
}

/* One block: ranges, and what is known of channels behind them. */
static hst_step_range *ranges(const hst_exporting *x, const finding *f, int n_pictures,
                              hst_err *err)
{
    const hst_program *p = x->program;
    size_t floats = 0;
    for (int i = 0; i < p->n; i++)
        floats += 2 * (size_t)hst_do_channels(&p->step[i]);
    hst_step_range *out =
        hst_alloc((size_t)p->n + floats * sizeof(float) / sizeof *out + 1, sizeof *out, err);
    float *known = (float *)(out ? out + p->n : NULL);
    for (int i = 0; out && i < p->n; i++) {
        const hst_do_step *s = &p->step[i];
        const size_t channels = (size_t)hst_do_channels(s);
        out[i] = (hst_step_range){.value = usable(f->range[s->node]),
                                  .bare = usable(f->range[s->bare_node])};
        if (of_channels(x, f, n_pictures, i, known)) {
            out[i].mean = known;
            out[i].most = known + channels;
        }
        if (is_input(s))
            out[i].value = of_pixels(s);
        known += 2 * channels;
    }
    /* behind the features: the head, in two steps of which the first has the logits */
    if (out)
        out[p->features + 1] = (hst_step_range){.value = usable(f->head), .bare = usable(f->head)};
    return out;
}

hst_step_range *hst_export_calibrate(const hst_exporting *x, const hst_export_photos *from,
                                     hst_err *err)
{
    size_t n = from->n_calibrates;
    hst_probes pictures = {0};
    finding f = {0};
    int rc = hst_export_pictures(x->ctx, x->model, from, from->calibrates, &n, &pictures, err);
    if (rc == 0 && n == 0)
        rc = hst_fail(err, HST_EDATA,
                      "no photo of the training side can be used to find the ranges of int8");
    rc = rc ? rc : find(x, &pictures, &f, err);
    hst_step_range *out = rc ? NULL : ranges(x, &f, pictures.n, err);
    finding_free(&f);
    hst_probes_free(&pictures);
    return out;
}
