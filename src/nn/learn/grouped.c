/* grouped.c - a grouped convolution, a group and a band of rows at a time (infer/grouped.h). With X
 * the rows of windows of a group, overlapping as they lie in memory, and w' its kernel turned round
 * and in and out exchanged:
 *
 *   y = X w + b      dw += X' dy      db += sum over pixels of dy
 *   dx = w' over dy, which is spread out with zeros where the stride is not 1 */
#include "nn/infer/grouped.h"
#include "base/mem.h"
#include "nn/learn/step.h"

#include <string.h>

enum { KERNEL, BIAS }; /* slots */

static const hst_node *node_of(const hst_plan *p, const hst_step *s)
{
    return hst_graph_node(p->graph, s->group.first);
}

/* What turns dy into dx: the same window at stride 1, of groups of `out` and `in` channels. */
static hst_node turned(const hst_node *n, hst_shape in)
{
    hst_node t = *n;
    hst_conv c = *hst_node_conv(n);
    t.slot[KERNEL].dim[2] = c.channels / c.groups;
    t.slot[KERNEL].dim[3] = in.c;
    c.stride = 1;
    c.channels = in.c;
    memcpy(t.attrs, &c, sizeof c);
    return t;
}

/* Places in the step's state. */
static size_t back_at(const hst_node *n)
{
    return hst_whole_lines(hst_groups_floats(n));
}

/* Of the copy of dy that all input rows of a band see, and of the rows of dx made from it. */
typedef struct back {
    int band, wide, out, in; /* channels of a group */
    size_t copy, rows;       /* floats */
} back;

static back back_of(const hst_conv *c, hst_shape in)
{
    back b = {.wide = in.w + c->kernel - 1, .out = c->channels / c->groups, .in = in.c / c->groups};
    const hst_conv at_1 = {.kernel = c->kernel, .stride = 1};
    b.band = hst_groups_band(&at_1, b.out, in.h, b.wide);
    b.copy = hst_whole_lines((size_t)(b.band + c->kernel - 1) * (size_t)(b.wide * b.out));
    b.rows = (size_t)in.w * (size_t)b.in;
    return b;
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_node *n = node_of(p, s);
    (void)err;
    if (n->op != &hst_op_grouped || !p->request.fuse)
        return 0;
    const hst_shape in = hst_graph_shape(p->graph, n->input[0]);
    const hst_node t = turned(n, in);
    const back b = back_of(hst_node_conv(n), in);
    memcpy(s->input, n->input, sizeof s->input);
    s->reads = HST_READS_INPUT;
    s->state_floats = back_at(n) + hst_groups_floats(&t);
    s->scratch_floats = hst_larger(hst_groups_scratch(n, &in, p->kernels), b.copy + b.rows);
    return 1;
}

/* w'[ky][kx][n][g m] = w[k-1-ky][k-1-kx][m][g n], packed, and a bias of zeros */
static void pack_turned(const hst_node *n, const hst_node *t, const float *w, float *out)
{
    const hst_conv *c = hst_node_conv(n);
    const size_t own = (size_t)n->slot[KERNEL].dim[2], all = (size_t)c->channels;
    const size_t given = all / (size_t)c->groups, taps = (size_t)(c->kernel * c->kernel);
    const size_t columns = (size_t)hst_grouped_columns((int)own);
    memset(out, 0, hst_groups_floats(t) * sizeof *out);
    for (size_t g = 0; g < (size_t)c->groups; g++)
        for (size_t k = 0; k < taps; k++)
            for (size_t o = 0; o < given; o++, out += columns)
                for (size_t m = 0; m < own; m++)
                    out[m] = w[((taps - 1 - k) * own + m) * all + g * given + o];
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    const hst_node *n = node_of(p, s), t = turned(n, hst_graph_shape(p->graph, n->input[0]));
    const float *w = hst_plan_param(p, s->group.first, KERNEL);
    const float *given = hst_plan_param(p, s->group.first, BIAS);
    float *bias = hst_groups_pack(n, w, NULL, s->state);
    (void)scratch;
    (void)err;
    for (int c = 0; given && c < hst_node_conv(n)->channels; c++)
        bias[hst_groups_place(n, c)] = given[c];
    if (s->active)
        pack_turned(n, &t, w, s->state + back_at(n));
    return 0;
}

/* ---- forward ---- */

static void forward_image(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    const hst_node *n = node_of(&l->plan, s);
    const hst_infer_unit u = {.node = *n,
                              .in = hst_graph_shape(l->plan.graph, n->input[0]),
                              .out = hst_node_shape(n),
                              .weights = s->state,
                              .bias = s->state + hst_groups_bias_at(n)};
    const hst_run_args a = {.kernels = l->plan.kernels,
                            .x = {hst_learn_value(l, s->input[0], t->first)},
                            .y = hst_learn_value_mut(l, s->output, t->first),
                            .scratch = t->scratch,
                            .threads = 1,
                            .images = 1};
    hst_infer_grouped(&u, &a);
}

static void forward(hst_learn *l, hst_step *s)
{
    hst_learn_images(l, s, 0, forward_image);
}

/* ---- backward ---- */

/* One image of a task. */
typedef struct image {
    const hst_learn_task *t;
    const hst_node *node;
    const hst_conv *conv;
    hst_shape in, out;
    const float *x, *dy;
    float *dx, *dw; /* NULL: not wanted */
} image;

/* dw of group g: of each row of the window by itself, a matrix product over a row of outputs. */
static void kernel_gradient(const image *m, int g)
{
    const hst_conv *c = m->conv;
    const int own = m->in.c / c->groups, given = m->out.c / c->groups;
    const int wide = (m->out.w - 1) * c->stride + c->kernel, run = c->kernel * own;
    const int band = hst_groups_band(c, own, m->out.h, wide);
    const size_t all = (size_t)m->out.c, row = (size_t)(wide * own);
    for (int from = 0; m->dw && from < m->out.h; from += band) {
        const int end = from + band < m->out.h ? from + band : m->out.h;
        hst_band_copy(&(hst_band){.x = m->x,
                                  .shape = m->in,
                                  .first = g * own,
                                  .n = own,
                                  .top = from * c->stride - hst_conv_span(c, m->in.h).before,
                                  .left = -hst_conv_span(c, m->in.w).before,
                                  .rows = (end - from - 1) * c->stride + c->kernel,
                                  .wide = wide,
                                  .apart = 1},
                      m->t->scratch);
        for (int i = 0; i < (end - from) * c->kernel; i++) {
            const int y = i / c->kernel, ky = i % c->kernel;
            m->t->learn->plan.kernels->grad_gemm(&(hst_grad_gemm){
                .a = m->t->scratch + (size_t)(y * c->stride + ky) * row,
                .b = m->dy + (size_t)(from + y) * hst_shape_row_floats(m->out) + g * given,
                .lda = (size_t)(c->stride * own),
                .ldb = all,
                .dw = m->dw + (size_t)(ky * run) * all + g * given,
                .ldw = all,
                .rows = (size_t)m->out.w,
                .m = run,
                .n = given});
        }
    }
}

/* Row y of dx of group g from the rows of gradients at dy. */
static void input_row(const image *m, const hst_node *t, int g, int y, const float *dy)
{
    const back b = back_of(m->conv, m->in);
    const size_t columns = (size_t)hst_grouped_columns(b.in), all = (size_t)m->in.c;
    const float *w = m->t->step->state + back_at(m->node);
    float *made = m->t->scratch + b.copy, *dx = m->dx + (size_t)y * hst_shape_row_floats(m->in);
    const int adds = m->t->step->adds[0];
    const hst_grouped k = {.x = dy,
                           .x_row = (size_t)(b.wide * b.out),
                           .w = w +
                                (size_t)(g * m->conv->kernel * m->conv->kernel * b.out) * columns,
                           .bias = w + hst_groups_bias_at(t),
                           .y = adds ? made : dx + g * b.in,
                           .y_step = adds ? (size_t)b.in : all,
                           .outputs = m->in.w,
                           .in = b.out,
                           .out = b.in,
                           .kernel = m->conv->kernel,
                           .stride = 1};
    m->t->learn->plan.kernels->grouped(&k);
    for (int i = 0; adds && i < m->in.w; i++)
        for (int c = 0; c < b.in; c++)
            dx[(size_t)i * all + (size_t)(g * b.in + c)] += made[i * b.in + c];
}

static void input_gradient(const image *m, int g)
{
    const hst_node t = turned(m->node, m->in);
    const back b = back_of(m->conv, m->in);
    const int beyond = m->conv->kernel - 1;
    for (int from = 0; m->dx && from < m->in.h; from += b.band) {
        const int end = from + b.band < m->in.h ? from + b.band : m->in.h;
        hst_band_copy(&(hst_band){.x = m->dy,
                                  .shape = m->out,
                                  .first = g * b.out,
                                  .n = b.out,
                                  .top = from + hst_conv_span(m->conv, m->in.h).before - beyond,
                                  .left = hst_conv_span(m->conv, m->in.w).before - beyond,
                                  .rows = end - from + beyond,
                                  .wide = b.wide,
                                  .apart = m->conv->stride},
                      m->t->scratch);
        for (int y = from; y < end; y++)
            input_row(m, &t, g, y, m->t->scratch + (size_t)(y - from) * (size_t)(b.wide * b.out));
    }
}

static void backward_group(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    const hst_node *n = node_of(&l->plan, s);
    float *db = hst_learn_param_grad(t, s->group.first, BIAS);
    for (int i = t->first; i < t->first + t->count; i++) {
        const image m = {.t = t,
                         .node = n,
                         .conv = hst_node_conv(n),
                         .in = hst_graph_shape(l->plan.graph, n->input[0]),
                         .out = hst_node_shape(n),
                         .x = hst_learn_value(l, s->input[0], i),
                         .dy = hst_learn_grad(l, s->output, i),
                         .dx = hst_learn_grad(l, s->input[0], i),
                         .dw = hst_learn_param_grad(t, s->group.first, KERNEL)};
        for (int g = 0; g < m.conv->groups; g++) {
            kernel_gradient(&m, g);
            input_gradient(&m, g);
        }
        if (db)
            l->plan.kernels->grad_sum(m.dy, (size_t)m.out.c, hst_shape_pixels(m.out), m.out.c, db);
    }
}

static void backward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, hst_learn_all(s), backward_group);
}

const hst_runner hst_learn_grouped_runner = {
    .name = "grouped", .prepare = prepare, .pack = pack, .forward = forward, .backward = backward};
