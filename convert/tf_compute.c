/* Sources: https://www.tensorflow.org/api_docs/python/tf/raw_ops, tensorflow/lite/schema/schema.fbs
 */
#include "tf_compute.h"

#include <string.h>

enum { MOST_WHOLE = 2 * EV_DIMS };

int tf_odd(const tf_operation *o, const char *why, hst_err *err)
{
    return hst_fail(err, HST_EMODEL, "its graph cannot be computed: a %.100s %s", o->name, why);
}

/* ---- inputs ---- */

/* A bias, or what is padded with; NULL: there is none. */
static const ev_array *third(const tf_operation *o)
{
    return o->n_in > 2 && o->in[2].x ? &o->in[2] : NULL;
}

/* Counted from the front; -1: there is no such axis. */
static int axis_of(int64_t axis, int n_dims)
{
    const int64_t from_front = axis < 0 ? axis + n_dims : axis;
    return from_front >= 0 && from_front < n_dims ? (int)from_front : -1;
}

/* The numbers of input i; how many, at most MOST_WHOLE; -1: more, or no whole ones. */
static int whole_numbers(const tf_operation *o, int i, int64_t out[MOST_WHOLE])
{
    const float farthest = 1e9F;
    const size_t n = i < o->n_in && o->in[i].whole ? ev_count(&o->in[i]) : MOST_WHOLE + 1;
    if (n > MOST_WHOLE)
        return -1;
    for (size_t k = 0; k < n; k++) {
        const float v = o->in[i].x[k];
        out[k] = (int64_t)(v < -farthest ? -farthest : v > farthest ? farthest : v);
    }
    return (int)n;
}

/* ---- element by element ---- */

/* What is done behind a sum or product, to o->out[0]. */
static int behind(tf_operation *o, hst_err *err)
{
    ev_array x = o->out[0];
    if (o->f == EV_ITSELF)
        return 0;
    o->out[0] = (ev_array){0};
    const int rc = ev_unary(o->e, o->f, &x, &o->out[0], err);
    ev_free(&x);
    return rc;
}

int tf_binary(tf_operation *o, int how, hst_err *err)
{
    const int rc = ev_binary(o->e, (char)how, &o->in[0], &o->in[1], &o->out[0], err);
    return rc ? rc : behind(o, err);
}

int tf_unary(tf_operation *o, int how, hst_err *err)
{
    return ev_unary(o->e, (enum ev_function)how, &o->in[0], &o->out[0], err);
}

/* Pixels to float32: nothing else is cast in what is read here. */
int tf_cast(tf_operation *o, int how, hst_err *err)
{
    (void)how;
    const int rc = ev_unary(o->e, EV_ITSELF, &o->in[0], &o->out[0], err);
    o->out[0].whole = 0;
    return rc;
}

int tf_softmax(tf_operation *o, int how, hst_err *err)
{
    (void)how;
    return ev_softmax(o->e, &o->in[0], o->in[0].n_dims - 1, &o->out[0], err);
}

int tf_mean(tf_operation *o, int how, hst_err *err)
{
    int64_t axes[MOST_WHOLE];
    const int n = whole_numbers(o, 1, axes);
    unsigned over = 0;
    (void)how;
    for (int i = 0; i < n; i++) {
        const int axis = axis_of(axes[i], o->in[0].n_dims);
        if (axis < 0)
            return tf_odd(o, "is over no axis", err);
        over |= 1u << axis;
    }
    return n < 1 ? tf_odd(o, "does not say over which axes", err)
                 : ev_reduce(o->e, 'm', &o->in[0], over, o->keeps, &o->out[0], err);
}

/* ---- windows ---- */

/* Channels behind the batch: as the evaluator has pictures. */
static int planes(tf_operation *o, ev_array *out, hst_err *err)
{
    return o->in[0].n_dims == 4 ? ev_transpose(o->e, &o->in[0], (const int[]){0, 3, 1, 2}, out, err)
                                : tf_odd(o, "is not of pictures", err);
}

static int pixels(tf_operation *o, ev_array *y, hst_err *err)
{
    const int rc = ev_transpose(o->e, y, (const int[]){0, 2, 3, 1}, &o->out[0], err);
    ev_free(y);
    return rc ? rc : behind(o, err);
}

/* TensorFlow's SAME: as many windows as strides begin in the picture; zeros on both sides. */
static int window_of(const tf_operation *o, const ev_array *x, ev_window *w, hst_err *err)
{
    enum { MOST_PX = 1 << 16 };
    for (int i = 0; i < 2; i++) {
        const int64_t size = x->dim[2 + i], s = w->stride[i];
        if (s < 1 || size < 1 || s > MOST_PX || w->kernel[i] > MOST_PX)
            return tf_odd(o, "has no usable stride or window", err);
        const int64_t total = ((size + s - 1) / s - 1) * s + w->kernel[i] - size;
        w->pad[i] = o->same && total > 0 ? total / 2 : 0;
        w->pad[2 + i] = o->same && total > 0 ? total - total / 2 : 0;
    }
    return 0;
}

static int convolve(tf_operation *o, const ev_array *x, const ev_array *k, ev_array *y,
                    hst_err *err)
{
    ev_window w = o->window;
    w.kernel[0] = k->dim[2];
    w.kernel[1] = k->dim[3];
    w.groups = o->depthwise ? x->dim[1] : k->dim[1] ? x->dim[1] / k->dim[1] : 0;
    const int rc = window_of(o, x, &w, err);
    return rc ? rc : ev_conv(o->e, x, k, third(o), &w, y, err);
}

int tf_conv(tf_operation *o, int how, hst_err *err)
{
    ev_array x = {0}, k = {0}, y = {0};
    (void)how;
    int rc = o->in[1].n_dims == 4 ? planes(o, &x, err) : tf_odd(o, "is not of pictures", err);
    rc = rc ? rc : ev_transpose(o->e, &o->in[1], o->oihw, &k, err);
    rc = rc ? rc : convolve(o, &x, &k, &y, err);
    ev_free(&x);
    ev_free(&k);
    return rc ? rc : pixels(o, &y, err);
}

/* Of an average what is outside does not count. */
int tf_pool(tf_operation *o, int largest, hst_err *err)
{
    ev_array x = {0}, y = {0};
    ev_window w = o->window;
    int rc = planes(o, &x, err);
    rc = rc ? rc : window_of(o, &x, &w, err);
    rc = rc ? rc : ev_pool(o->e, &x, &w, largest, &y, err);
    ev_free(&x);
    return rc ? rc : pixels(o, &y, err);
}

/* ---- products ---- */

/* Matrix i as it is multiplied; *own is made where its last two axes are exchanged. */
static int matrix(tf_operation *o, int i, ev_array *own, const ev_array **out, hst_err *err)
{
    int order[EV_DIMS];
    const int n = o->in[i].n_dims;
    *out = &o->in[i];
    if (!o->turned[i])
        return 0;
    if (n < 2)
        return tf_odd(o, "is not of matrices", err);
    for (int k = 0; k < n; k++)
        order[k] = k < n - 2 ? k : 2 * n - 3 - k;
    *out = own;
    return ev_transpose(o->e, &o->in[i], order, own, err);
}

int tf_product(tf_operation *o, int how, hst_err *err)
{
    ev_array own[2] = {{0}, {0}}, y = {0};
    const ev_array *a = NULL, *b = NULL;
    (void)how;
    int rc = matrix(o, 0, &own[0], &a, err);
    rc = rc ? rc : matrix(o, 1, &own[1], &b, err);
    rc = rc ? rc : ev_matmul(o->e, a, b, third(o) ? &y : &o->out[0], err);
    if (rc == 0 && third(o))
        rc = ev_binary(o->e, '+', &y, third(o), &o->out[0], err);
    ev_free(&own[0]);
    ev_free(&own[1]);
    ev_free(&y);
    return rc ? rc : behind(o, err);
}

/* ---- places ---- */

int tf_reshape(tf_operation *o, int how, hst_err *err)
{
    int64_t dim[MOST_WHOLE], all = 1;
    const int n = whole_numbers(o, 1, dim);
    int open = -1;
    (void)how;
    for (int i = 0; i < n; i++) {
        if (dim[i] == -1 && open < 0)
            open = i;
        else if (dim[i] < 0 || dim[i] > (1 << 27) || all > (1 << 30))
            return tf_odd(o, "is to no shape", err);
        else
            all *= dim[i];
    }
    if (open >= 0)
        dim[open] = all ? (int64_t)ev_count(&o->in[0]) / all : 0;
    return ev_reshape(o->e, &o->in[0], n, dim, &o->out[0], err);
}

/* Widths [axes][2], and what stands there if not zeros. */
int tf_pad(tf_operation *o, int how, hst_err *err)
{
    int64_t given[MOST_WHOLE], width[MOST_WHOLE];
    const int n = o->in[0].n_dims;
    (void)how;
    if (whole_numbers(o, 1, given) != 2 * n || (third(o) && ev_count(third(o)) != 1))
        return tf_odd(o, "has not two widths for an axis", err);
    for (int i = 0; i < n; i++) {
        width[i] = given[2 * i];
        width[n + i] = given[2 * i + 1];
    }
    return ev_pad(o->e, &o->in[0], width, third(o) ? third(o)->x[0] : 0, &o->out[0], err);
}

int tf_transpose(tf_operation *o, int how, hst_err *err)
{
    int64_t given[MOST_WHOLE];
    int order[EV_DIMS];
    const int n = o->in[0].n_dims;
    (void)how;
    if (whole_numbers(o, 1, given) != n)
        return tf_odd(o, "has not an axis for an axis", err);
    for (int i = 0; i < n; i++)
        order[i] = axis_of(given[i], n);
    return ev_transpose(o->e, &o->in[0], order, &o->out[0], err);
}

int tf_concat(tf_operation *o, int how, hst_err *err)
{
    const ev_array *all[TF_MAX_PORTS];
    (void)how;
    for (int i = 0; i < o->n_in; i++)
        all[i] = &o->in[i];
    return ev_concat(o->e, all, o->n_in, axis_of(o->axis, o->in[0].n_dims), &o->out[0], err);
}

/* Into n_out equal parts, along the axis that is the first input. */
int tf_split(tf_operation *o, int how, hst_err *err)
{
    int64_t axis[MOST_WHOLE];
    ev_cut c = {.step = 1};
    (void)how;
    const int n = whole_numbers(o, 0, axis);
    c.axis = n == 1 ? axis_of(axis[0], o->in[1].n_dims) : -1;
    if (c.axis < 0 || o->n_out < 1 || o->in[1].dim[c.axis] % o->n_out)
        return tf_odd(o, "is not into equal parts", err);
    c.count = o->in[1].dim[c.axis] / o->n_out;
    int rc = 0;
    for (int i = 0; rc == 0 && i < o->n_out; i++, c.first += c.count)
        rc = ev_slice(o->e, &o->in[1], &c, &o->out[i], err);
    return rc;
}

/* From `first` on so many; -1: all that there are. */
int tf_slice(tf_operation *o, int how, hst_err *err)
{
    int64_t first[MOST_WHOLE], count[MOST_WHOLE];
    const int n = o->in[0].n_dims;
    (void)how;
    if (whole_numbers(o, 1, first) != n || whole_numbers(o, 2, count) != n)
        return tf_odd(o, "has not a beginning for an axis", err);
    int rc = ev_reshape(o->e, &o->in[0], n, o->in[0].dim, &o->out[0], err);
    for (int i = 0; rc == 0 && i < n; i++) {
        ev_array whole = o->out[0];
        const ev_cut c = {i, first[i], 1, count[i] == -1 ? whole.dim[i] - first[i] : count[i]};
        o->out[0] = (ev_array){0};
        rc = ev_slice(o->e, &whole, &c, &o->out[0], err);
        ev_free(&whole);
    }
    return rc;
}

/* ---- running ---- */

int tf_run(tf_operation *o, const tf_row *row, hst_err *err)
{
    for (int i = 0; i < row->least; i++)
        if (i >= o->n_in || !o->in[i].x)
            return tf_odd(o, "lacks an input", err);
    return row->compute(o, row->how, err);
}

void tf_end(tf_operation *o)
{
    for (int i = 0; i < TF_MAX_PORTS; i++) {
        ev_free(&o->in[i]);
        ev_free(&o->out[i]);
    }
}
