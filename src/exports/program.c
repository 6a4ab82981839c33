#include "exports/program.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *const hst_do_names[HST_DOS] = {
    [HST_DO_INPUT] = "input",
    [HST_DO_CONST] = "constant",
    [HST_DO_CONV] = "convolution",
    [HST_DO_DEPTHWISE] = "depthwise convolution",
    [HST_DO_DENSE] = "dense layer",
    [HST_DO_AFFINE] = "scale and shift",
    [HST_DO_BATCH_NORM] = "batch norm",
    [HST_DO_ADD] = "addition",
    [HST_DO_MULTIPLY] = "product",
    [HST_DO_ACTIVATE] = "activation",
    [HST_DO_PAD] = "padding",
    [HST_DO_MAX_POOL] = "max pooling",
    [HST_DO_AVERAGE_POOL] = "average pooling",
    [HST_DO_TURN] = "rotary positions",
    [HST_DO_MEAN] = "mean",
    [HST_DO_LAYER_NORM] = "layer norm",
    [HST_DO_GROUP_NORM] = "group norm",
    [HST_DO_ATTENTION] = "attention",
    [HST_DO_CONCAT] = "concatenation",
    [HST_DO_SLICE] = "slice",
    [HST_DO_SHAPE] = "reshape",
    [HST_DO_SOFTMAX] = "softmax",
};

void hst_program_free(hst_program *p)
{
    for (int i = 0; i < p->n; i++) {
        free(p->step[i].w);
        free(p->step[i].b);
    }
    free(p->step);
    *p = (hst_program){0};
}

static int grow(hst_program *p, hst_err *err)
{
    if (p->n < p->cap)
        return 0;
    const int cap = p->cap ? 2 * p->cap : 64;
    hst_do_step *more = hst_resize(p->step, (size_t)cap, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    p->step = more;
    p->cap = cap;
    return 0;
}

/* *copy: of x[n]; NULL where x is. */
static int copy_floats(const float *x, size_t n, float **copy, hst_err *err)
{
    *copy = x ? hst_alloc_raw(n, sizeof *x, err) : NULL;
    if (x && !*copy)
        return HST_EMEM;
    if (x)
        memcpy(*copy, x, n * sizeof *x);
    return 0;
}

int hst_program_add(hst_program *p, const hst_do_step *like, hst_err *err)
{
    hst_do_step s = *like;
    if (grow(p, err))
        return HST_EMEM;
    s.w = s.b = NULL;
    s.readers = 0;
    for (int i = 0; i < s.n_inputs; i++)
        p->step[s.input[i]].readers++;
    if (s.rank == 0) {
        s.rank = p->step[s.input[0]].rank;
        memcpy(s.dim, p->step[s.input[0]].dim, sizeof s.dim);
    }
    int rc = copy_floats(like->w, like->n_w, &s.w, err);
    rc = rc ? rc : copy_floats(like->b, like->n_b, &s.b, err);
    if (rc) {
        free(s.w);
        return rc;
    }
    p->step[p->n] = s;
    return p->n++;
}

int hst_do_channels(const hst_do_step *s)
{
    return s->dim[s->rank - 1];
}

size_t hst_do_positions(const hst_do_step *s)
{
    size_t n = 1;
    for (int i = 0; i < s->rank - 1; i++)
        n *= (size_t)s->dim[i];
    return n;
}

size_t hst_do_floats(const hst_do_step *s)
{
    return hst_do_positions(s) * (size_t)hst_do_channels(s);
}

/* How many of a window's positions lie in [0, in). */
static int inside(int at, int before, int kernel, int stride, int in)
{
    const int first = at * stride - before, end = first + kernel;
    return (end < in ? end : in) - (first > 0 ? first : 0);
}

void hst_do_corrections(const hst_do_step *in, const hst_do_step *out, float *x)
{
    const hst_do_window *k = &out->window;
    for (int r = 0; r < out->dim[0]; r++)
        for (int c = 0; c < out->dim[1]; c++)
            *x++ = (float)(k->kernel_h * k->kernel_w) /
                   (float)(inside(r, k->top, k->kernel_h, k->stride_h, in->dim[0]) *
                           inside(c, k->left, k->kernel_w, k->stride_w, in->dim[1]));
}

size_t hst_program_params(const hst_program *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n; i++)
        n += p->step[i].n_w + p->step[i].n_b;
    return n;
}

int hst_do_pads_nothing(const hst_do_window *k)
{
    return !k->top && !k->left && !k->bottom && !k->right;
}

/* Whether TensorFlow's SAME pads a length so. */
static int pads_same(int in, int out, int kernel, int stride, int before, int behind)
{
    const int total = (out - 1) * stride + kernel - in > 0 ? (out - 1) * stride + kernel - in : 0;
    return out == (in - 1) / stride + 1 && before == total / 2 && behind == total - total / 2;
}

int hst_do_pads_same(const hst_do_step *in, const hst_do_step *out)
{
    const hst_do_window *k = &out->window;
    return pads_same(in->dim[0], out->dim[0], k->kernel_h, k->stride_h, k->top, k->bottom) &&
           pads_same(in->dim[1], out->dim[1], k->kernel_w, k->stride_w, k->left, k->right);
}
