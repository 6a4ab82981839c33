/* pooled.c - a network's last 1x1 convolution, its frozen batch norm, clamp (ReLU or
 * ReLU6) and the average
 * over all pixels as one step, a group of channels at a time:
 *
 *   forward     f = clamp(x W' + b')                  saved: [groups][pixels][channels]
 *               y = average of f
 *   backward    gf = gate(gy / pixels, by f)
 *               dW' += x' gf,   gx += gf W'' (transposed) */
#include "base/mem.h"
#include "nn/infer/unit.h"
#include "nn/learn/conv_norm.h"

#include <stdlib.h>
#include <string.h>

typedef struct pooled {
    hst_conv_norm unit;
    int group; /* channels at a time */
    const float *w, *bias;
    const float *back;        /* for each group [channels][inputs] packed */
    size_t back_step;         /* floats of a group */
    float top;                /* of its clamp: hst_gemm.clamp */
    hst_multiplier by;        /* of its products */
    size_t rounded, gathered; /* scratch of products, of the kernel's gradient */
} pooled;

/* Input pixels, input channels, output channels. */
typedef struct sizes {
    size_t pixels, in, out;
} sizes;

static sizes sizes_of(const hst_plan *p, const hst_step *s)
{
    const pooled *t = s->own;
    return (sizes){hst_shape_pixels(p->value[s->input[0]].shape), t->unit.rows, t->unit.n};
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_unit *unit = &s->group.unit[0];
    pooled t = {.top = hst_act_clamp(hst_unit_act(p->graph, unit)),
                .by = hst_multiplier_of(p, unit)};
    if (!hst_conv_norm_of(p, unit, &t.unit) || !(t.top > 0))
        return 0;
    const int in = (int)t.unit.rows, out = (int)t.unit.n;
    const size_t pixels = hst_shape_pixels(hst_graph_shape(p->graph, unit->first));
    t.group = hst_conv_norm_group(out, t.by);
    s->input[0] = unit->x;
    s->reads = HST_READS_INPUT;
    s->state_floats =
        hst_matrix_floats(t.by, in, out) + hst_conv_norm_packed_groups(t.by, &t.unit, t.group);
    s->saved_floats = pixels * t.unit.n;
    t.rounded = hst_whole_lines(HST_LEARN_GROUP * pixels * (size_t)t.group);
    t.gathered =
        t.rounded + hst_larger(hst_multiply_floats(t.by, in), hst_multiply_floats(t.by, t.group));
    s->scratch_floats = hst_larger(t.gathered + hst_gradient_floats(t.by, in, t.group),
                                   (2 * t.unit.rows + 1) * t.unit.n);
    s->own = hst_alloc(1, sizeof t, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &t, sizeof t);
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    pooled *t = s->own;
    const hst_conv_norm *u = &t->unit;
    const int in = (int)u->rows, out = (int)u->n;
    float *transposed = scratch + (u->rows + 1) * u->n, *state = s->state;
    (void)err;
    hst_conv_norm_fold(p, u, scratch);
    t->w = state;
    t->bias = hst_matrix_pack(t->by, scratch, scratch + u->rows * u->n, in, out, state);
    state += hst_matrix_floats(t->by, in, out);
    t->back = state;
    t->back_step = hst_matrix_floats(t->by, t->group, in);
    hst_conv_norm_pack_groups(t->by, u, scratch, t->group, transposed, state);
    return 0;
}

static size_t channels_from(const pooled *t, size_t c)
{
    return t->unit.n - c < (size_t)t->group ? t->unit.n - c : (size_t)t->group;
}

static void forward_image(const hst_learn_task *task)
{
    const hst_learn *l = task->learn;
    const hst_step *s = task->step;
    const pooled *t = s->own;
    const sizes z = sizes_of(&l->plan, s);
    float *y = hst_learn_value_mut(l, s->output, task->first);
    float *f = hst_learn_saved(l, s, task->first);
    for (size_t c = 0, n; c < z.out; c += n, f += z.pixels * n) {
        n = channels_from(t, c);
        hst_multiply(t->by,
                     &(hst_gemm){.x = hst_learn_value(l, s->input[0], task->first),
                                 .ldx = z.in,
                                 .w = hst_matrix_columns(t->by, t->w, (int)z.in, (int)c),
                                 .bias = t->bias + c,
                                 .y = f,
                                 .ldy = n,
                                 .rows = z.pixels,
                                 .k = (int)z.in,
                                 .n = (int)n,
                                 .clamp = t->top},
                     task->scratch + t->rounded);
        l->plan.kernels->average(f, z.pixels, (int)n, y + c);
    }
}

/* gf[pixels][n] = gy[n] / pixels where 0 < f < top, else 0. */
static void gate_maps(const float *f, const float *gy, size_t pixels, size_t n, float top,
                      float *gf)
{
    const float share = 1.0f / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++) {
            const float v = f[i * n + c], g = gy[c] * share;
            gf[i * n + c] = v > 0 && v < top ? g : 0;
        }
}

static void backward_group(const hst_learn_task *task)
{
    const hst_learn *l = task->learn;
    const hst_step *s = task->step;
    const pooled *t = s->own;
    const sizes z = sizes_of(&l->plan, s);
    const size_t images = (size_t)task->count, rows = images * z.pixels;
    const float *x = hst_learn_value(l, s->input[0], task->first);
    float *gx = hst_learn_grad(l, s->input[0], task->first), *f = task->scratch;
    float *gw = hst_conv_norm_kernel_grad(task, &t->unit),
          *gb = hst_conv_norm_bias_grad(task, &t->unit);
    for (size_t c = 0, n; c < z.out; c += n) {
        n = channels_from(t, c);
        for (size_t i = 0; i < images; i++)
            gate_maps(hst_learn_saved(l, s, task->first + (int)i) + c * z.pixels,
                      hst_learn_grad(l, s->output, task->first + (int)i) + c, z.pixels, n, t->top,
                      f + i * z.pixels * n);
        l->plan.kernels->grad_sum(f, n, rows, (int)n, gb + c);
        hst_gradient dw =
            hst_gradient_begin(t->by, (int)z.in, (int)n, rows, task->scratch + t->gathered);
        dw.dw = gw + c;
        dw.ldw = z.out;
        hst_gradient_add(&dw, x, z.in, f, n, rows);
        hst_gradient_end(&dw);
        const float *w = t->back + c / (size_t)t->group * t->back_step;
        if (gx)
            hst_multiply(t->by,
                         &(hst_gemm){.x = f,
                                     .ldx = n,
                                     .w = w,
                                     .bias = hst_matrix_bias(t->by, w, (int)n, (int)z.in),
                                     .y = gx,
                                     .ldy = z.in,
                                     .residual = c > 0 || s->adds[0] ? gx : NULL,
                                     .rows = rows,
                                     .k = (int)n,
                                     .n = (int)z.in},
                         task->scratch + t->rounded);
    }
}

static void forward(hst_learn *l, hst_step *s)
{
    hst_learn_images(l, s, 0, forward_image);
}

static void backward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, hst_learn_all(s), backward_group);
}

static void settle(hst_learn *l, hst_step *s)
{
    const pooled *t = s->own;
    hst_conv_norm_unfold(l, &t->unit);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_learn_pooled_runner = {.name = "1x1 and average",
                                            .prepare = prepare,
                                            .pack = pack,
                                            .forward = forward,
                                            .backward = backward,
                                            .settle = settle,
                                            .clear = clear};
