/* squeeze_excite.c - squeeze-and-excitation (Hu et al. 2018, arXiv 1709.01507) as one learning
 * step:
 *
 *   m = average over pixels of x                     [c]
 *   u1 = m W1 + b1,  h = act1(u1)                    [r]
 *   u2 = h W2 + b2,  s = act2(u2)                    [c]
 *   y = x s                                          [pixels][c]
 *
 * m, u1 and u2 are saved; x is read twice forward and once backward. With g the gradient of y:
 *
 *   ds = sum over pixels of g x,   du2 = ds act2'(u2),   dW2 += h' du2,   db2 += du2
 *   du1 = (du2 W2') act1'(u1),     dW1 += m' du1,        db1 += du1
 *   dx = g s + (du1 W1') / pixels
 *
 * The small products are done for a group of images at once: their weights are read once. */
#include "base/mem.h"
#include "nn/infer/unit.h"
#include "nn/learn/step.h"

#include <stdlib.h>
#include <string.h>

enum { KERNEL, BIAS }; /* slots */

/* One of the two layers; places in the step's state and in an image's saved floats. */
typedef struct layer {
    int node, in, out;
    enum hst_act act;
    size_t w, back; /* packed for forward, transposed for backward */
    size_t x, u; /* what it reads (of the second: nothing saved), what its activation is done to */
} layer;

typedef struct excite {
    layer layer[2];
    size_t pixels, c;
} excite;

static int layer_of(const hst_plan *p, const hst_unit *u, layer *out)
{
    const hst_node *n = hst_unit_node(p->graph, u, HST_PART_CONV);
    *out = (layer){.node = u->first,
                   .in = hst_graph_shape(p->graph, u->x).c,
                   .out = hst_node_shape(n).c,
                   .act = hst_unit_act(p->graph, u)};
    return u->node[HST_PART_NORM] < 0;
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_unit *unit = s->group.unit;
    const hst_shape x = hst_graph_shape(p->graph, unit[0].x);
    excite e = {.pixels = hst_shape_pixels(x), .c = (size_t)x.c};
    size_t most = 0;
    if (!layer_of(p, &unit[1], &e.layer[0]) || !layer_of(p, &unit[2], &e.layer[1]))
        return 0;
    e.layer[0].x = hst_learn_take(&s->saved_floats, e.c);
    for (int i = 0; i < 2; i++) {
        layer *l = &e.layer[i];
        l->w = hst_learn_take(&s->state_floats, hst_gemm_packed(p->kernels, l->in, l->out));
        l->back = hst_learn_take(&s->state_floats, hst_gemm_packed(p->kernels, l->out, l->in));
        l->u = hst_learn_take(&s->saved_floats, (size_t)l->out);
        most += hst_whole_lines((size_t)l->in) + hst_whole_lines((size_t)l->out);
    }
    s->input[0] = unit[0].x;
    s->reads = HST_READS_INPUT;
    s->scratch_floats = HST_LEARN_GROUP * most;
    s->own = hst_alloc(1, sizeof e, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &e, sizeof e);
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    const excite *e = s->own;
    (void)scratch;
    (void)err;
    for (int i = 0; i < 2; i++) {
        const layer *l = &e->layer[i];
        const float *w = hst_plan_param(p, l->node, KERNEL), *b = hst_plan_param(p, l->node, BIAS);
        (void)hst_gemm_pack(p->kernels, w, b, l->in, l->out, s->state + l->w);
        hst_gemm_pack_transposed(p->kernels, w, l->in, l->out, s->state + l->back);
    }
    return 0;
}

/* y[rows][n] = x[rows][k] times a packed matrix, rows of the task's images. */
static void product(const hst_learn_task *t, const float *x, size_t ldx, size_t w, hst_gemm g)
{
    const hst_kernels *k = t->learn->plan.kernels;
    g.x = x;
    g.ldx = ldx;
    g.w = t->step->state + w;
    g.bias = hst_gemm_bias(k, g.w, g.k, g.n);
    g.rows = (size_t)t->count;
    k->gemm(&g);
}

/* Row by row: to[row] = act(u of the task's image). */
static void activate(const hst_learn_task *t, const layer *l, float *to)
{
    for (int i = 0; i < t->count; i++)
        t->learn->plan.kernels->activate(l->act,
                                         hst_learn_saved(t->learn, t->step, t->first + i) + l->u,
                                         to + (size_t)(i * l->out), (size_t)l->out);
}

static void forward_group(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    const excite *e = s->own;
    const layer *a = &e->layer[0], *b = &e->layer[1];
    float *saved = hst_learn_saved(l, s, t->first), *h = t->scratch;
    float *scale = h + HST_LEARN_GROUP * hst_whole_lines((size_t)a->out);
    for (int i = 0; i < t->count; i++)
        l->plan.kernels->average(hst_learn_value(l, s->input[0], t->first + i), e->pixels,
                                 (int)e->c, hst_learn_saved(l, s, t->first + i) + a->x);
    product(t, saved + a->x, s->saved_floats, a->w,
            (hst_gemm){.y = saved + a->u, .ldy = s->saved_floats, .k = a->in, .n = a->out});
    activate(t, a, h);
    product(t, h, (size_t)a->out, b->w,
            (hst_gemm){.y = saved + b->u, .ldy = s->saved_floats, .k = b->in, .n = b->out});
    activate(t, b, scale);
    for (int i = 0; i < t->count; i++, scale += e->c) {
        const float *x = hst_learn_value(l, s->input[0], t->first + i);
        float *y = hst_learn_value_mut(l, s->output, t->first + i);
        for (size_t p = 0; p < e->pixels; p++, x += e->c, y += e->c)
            for (size_t c = 0; c < e->c; c++)
                y[c] = x[c] * scale[c];
    }
}

/* d[images][out] behind the layer's activation, then its gradients; x: what the layer read. */
static void layer_gradient(const hst_learn_task *t, const layer *l, const float *x, size_t ldx,
                           float *d)
{
    const hst_kernels *k = t->learn->plan.kernels;
    const size_t out = (size_t)l->out;
    float *db = hst_learn_param_grad(t, l->node, BIAS);
    for (int i = 0; i < t->count; i++) {
        float *row = d + (size_t)i * out;
        k->norm_gate(&(hst_norm_gate){.x = hst_learn_saved(t->learn, t->step, t->first + i) + l->u,
                                      .dy = row,
                                      .dx = row,
                                      .rows = 1,
                                      .c = l->out,
                                      .act = l->act});
    }
    k->grad_gemm(&(hst_grad_gemm){.a = x,
                                  .b = d,
                                  .lda = ldx,
                                  .ldb = out,
                                  .dw = hst_learn_param_grad(t, l->node, KERNEL),
                                  .ldw = out,
                                  .rows = (size_t)t->count,
                                  .m = l->in,
                                  .n = l->out});
    if (db)
        k->grad_sum(d, out, (size_t)t->count, l->out, db);
}

/* ds[c] = sum over pixels of g x, a few rows at a time in registers. */
static void scale_gradient(const float *g, const float *x, size_t pixels, size_t c, float *ds)
{
    memset(ds, 0, c * sizeof *ds);
    for (size_t p = 0; p < pixels; p++, g += c, x += c)
        for (size_t k = 0; k < c; k++)
            ds[k] += g[k] * x[k];
}

/* dx [+]= g s + dm / pixels */
static void input_gradient(const hst_learn_task *t, int image, const float *scale, const float *dm)
{
    const hst_step *s = t->step;
    const excite *e = s->own;
    const float *restrict g = hst_learn_grad(t->learn, s->output, image);
    float *restrict dx = hst_learn_grad(t->learn, s->input[0], image);
    const float share = 1.0f / (float)e->pixels;
    if (!dx)
        return;
    for (size_t p = 0; p < e->pixels; p++, g += e->c, dx += e->c)
        for (size_t c = 0; c < e->c; c++) {
            const float d = g[c] * scale[c] + dm[c] * share;
            dx[c] = s->adds[0] ? dx[c] + d : d;
        }
}

static void backward_group(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    const excite *e = s->own;
    const layer *a = &e->layer[0], *b = &e->layer[1];
    const size_t images = (size_t)t->count;
    float *h = t->scratch, *du1 = h + images * (size_t)a->out, *d = du1 + images * (size_t)a->out;
    float *scale = d + images * e->c;
    activate(t, a, h);
    activate(t, b, scale);
    for (size_t i = 0; i < images; i++)
        scale_gradient(hst_learn_grad(l, s->output, t->first + (int)i),
                       hst_learn_value(l, s->input[0], t->first + (int)i), e->pixels, e->c,
                       d + i * e->c);
    layer_gradient(t, b, h, (size_t)a->out, d);
    product(t, d, e->c, b->back,
            (hst_gemm){.y = du1, .ldy = (size_t)a->out, .k = b->out, .n = b->in});
    layer_gradient(t, a, hst_learn_saved(l, s, t->first) + a->x, s->saved_floats, du1);
    product(t, du1, (size_t)a->out, a->back,
            (hst_gemm){.y = d, .ldy = e->c, .k = a->out, .n = a->in});
    for (size_t i = 0; i < images; i++)
        input_gradient(t, t->first + (int)i, scale + i * e->c, d + i * e->c);
}

static void forward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, (hst_learn_range){0, 0}, forward_group);
}

static void backward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, hst_learn_all(s), backward_group);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_learn_squeeze_excite_runner = {.name = "squeeze and excite",
                                                    .prepare = prepare,
                                                    .pack = pack,
                                                    .forward = forward,
                                                    .backward = backward,
                                                    .clear = clear};
