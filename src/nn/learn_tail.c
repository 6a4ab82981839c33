/* learn_tail.c - a network's last 1x1 convolution, its frozen batch norm, ReLU6 and the average
 * over all pixels as one step, a group of channels at a time:
 *
 *   forward     f = relu6(x W' + b')                  kept: [groups][pixels][channels]
 *               y = average of f
 *   backward    gf = gate(gy / pixels, by f)
 *               dW' += x' gf,   gx += gf W'' (transposed) */
#include "base/mem.h"
#include "nn/learn_unit.h"

#include <stdlib.h>
#include <string.h>

typedef struct tail {
    hst_unit unit;
    int group; /* channels at a time */
    const float *w, *bias;
    const float *back; /* for each group [channels][inputs] packed */
    size_t back_step;  /* floats of a group */
} tail;

/* Input pixels, input channels, output channels. */
typedef struct sizes {
    size_t pixels, in, out;
} sizes;

static sizes sizes_of(const hst_learn *l, const hst_learn_step *s)
{
    const tail *t = s->own;
    const hst_shape in = hst_graph_node(l->graph, s->input[0])->out;
    return (sizes){(size_t)in.h * (size_t)in.w, t->unit.rows, t->unit.n};
}

static int match(hst_learn *l, int limit, hst_learn_step *s, hst_err *err)
{
    tail t = {0};
    const int at = l->options.fuse ? hst_unit_match(l, s->node, limit, 1, &t.unit) : 0;
    const hst_node *n = at && at < limit ? hst_graph_node(l->graph, at) : NULL;
    const hst_node *conv = n ? hst_graph_node(l->graph, s->node) : NULL;
    if (!n || n->op != &hst_op_global_average || n->input[0] != at - 1 || l->readers[at - 1] != 1 ||
        conv->op != &hst_op_conv2d || conv->conv.kernel != 1 || conv->conv.stride != 1)
        return 0;
    const int in = (int)t.unit.rows, out = (int)t.unit.n;
    s->end = at + 1;
    s->input[0] = conv->input[0];
    s->reads = HST_READS_INPUT;
    t.group = hst_unit_group(out, l->kernels->panel);
    s->state_floats =
        hst_gemm_packed(l->kernels, in, out) + hst_unit_packed_groups(l->kernels, &t.unit, t.group);
    const size_t fold = (2 * t.unit.rows + 1) * t.unit.n;
    const hst_shape wide = hst_graph_node(l->graph, at - 1)->out;
    const size_t maps = HST_LEARN_GROUP * (size_t)wide.h * (size_t)wide.w * (size_t)t.group;
    s->keep_floats = (size_t)wide.h * (size_t)wide.w * t.unit.n;
    s->scratch_floats = maps > fold ? maps : fold;
    s->own = hst_alloc(1, sizeof t, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &t, sizeof t);
    return 1;
}

static void changed(hst_learn *l, hst_learn_step *s)
{
    tail *t = s->own;
    const hst_unit *u = &t->unit;
    const int in = (int)u->rows, out = (int)u->n;
    float *w = l->scratch, *turned = w + (u->rows + 1) * u->n, *state = s->state;
    hst_unit_fold(l, u, w);
    t->w = state;
    t->bias = hst_gemm_pack(l->kernels, w, w + u->rows * u->n, in, out, state);
    state += hst_gemm_packed(l->kernels, in, out);
    t->back = state;
    t->back_step = hst_gemm_packed(l->kernels, t->group, in);
    hst_unit_pack_groups(l->kernels, u, w, t->group, turned, state);
}

static size_t channels_from(const tail *t, size_t c)
{
    return t->unit.n - c < (size_t)t->group ? t->unit.n - c : (size_t)t->group;
}

static void forward_image(const hst_learn_task *task)
{
    const hst_learn *l = task->learn;
    const hst_learn_step *s = task->step;
    const tail *t = s->own;
    const sizes z = sizes_of(l, s);
    float *y = hst_learn_place(l, s->end - 1, task->first);
    float *f = hst_learn_keep(l, s, task->first);
    for (size_t c = 0, n; c < z.out; c += n, f += z.pixels * n) {
        n = channels_from(t, c);
        l->kernels->gemm(&(hst_gemm){.x = hst_learn_value(l, s->input[0], task->first),
                                     .ldx = z.in,
                                     .w = t->w + c * z.in,
                                     .bias = t->bias + c,
                                     .y = f,
                                     .ldy = n,
                                     .rows = z.pixels,
                                     .k = (int)z.in,
                                     .n = (int)n,
                                     .relu6 = 1});
        l->kernels->average(f, z.pixels, (int)n, y + c);
    }
}

/* gf = gy / pixels where 0 < f < 6, else 0. */
static void gate_maps(const float *f, const float *gy, size_t pixels, size_t n, float *gf)
{
    const float share = 1.0f / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++) {
            const float v = f[i * n + c], g = gy[c] * share;
            gf[i * n + c] = v > 0 && v < 6 ? g : 0;
        }
}

static void backward_group(const hst_learn_task *task)
{
    const hst_learn *l = task->learn;
    const hst_learn_step *s = task->step;
    const tail *t = s->own;
    const sizes z = sizes_of(l, s);
    const size_t images = (size_t)task->count, rows = images * z.pixels;
    const float *x = hst_learn_value(l, s->input[0], task->first);
    float *gx = hst_learn_grad(l, s->input[0], task->first), *f = task->scratch;
    float *gw = hst_unit_kernel_grad(task, &t->unit), *gb = hst_unit_bias_grad(task, &t->unit);
    for (size_t c = 0, n; c < z.out; c += n) {
        n = channels_from(t, c);
        for (size_t i = 0; i < images; i++)
            gate_maps(hst_learn_keep(l, s, task->first + (int)i) + c * z.pixels,
                      hst_learn_grad(l, s->end - 1, task->first + (int)i) + c, z.pixels, n,
                      f + i * z.pixels * n);
        l->kernels->grad_sum(f, n, rows, (int)n, gb + c);
        l->kernels->grad_gemm(
            &(hst_grad_gemm){x, f, z.in, n, gw + c, z.out, rows, (int)z.in, (int)n});
        const float *w = t->back + c / (size_t)t->group * t->back_step;
        if (gx)
            l->kernels->gemm(&(hst_gemm){
                .x = f,
                .ldx = n,
                .w = w,
                .bias = w + hst_gemm_packed(l->kernels, (int)n, (int)z.in) -
                        hst_gemm_packed(l->kernels, 0, (int)z.in),
                .y = gx,
                .ldy = z.in,
                .residual = c > 0 || s->adds[0] ? gx : NULL,
                .rows = rows,
                .k = (int)n,
                .n = (int)z.in,
            });
    }
}

static void forward(hst_learn *l, hst_learn_step *s)
{
    hst_learn_images(l, s, forward_image);
}

static void backward(hst_learn *l, hst_learn_step *s)
{
    const tail *t = s->own;
    hst_learn_groups(l, s, backward_group);
    hst_unit_unfold(l, &t->unit);
}

static void clear(hst_learn_step *s)
{
    free(s->own);
}

const hst_learn_kind hst_learn_tail_kind = {.name = "1x1 and average",
                                            .match = match,
                                            .forward = forward,
                                            .backward = backward,
                                            .changed = changed,
                                            .clear = clear};
