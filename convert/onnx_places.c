/* onnx_places.c - operators of ONNX that put numbers in other places, or make them of shapes. */
#include "onnx_compute.h"
#include "onnx_tensor.h"

#include <math.h>
#include <string.h>

/* ---- inputs and attributes ---- */

int onnx_has(const onnx_run *r, int i)
{
    return i < r->o->node.n_in && r->o->node.in[i].n > 0;
}

int64_t onnx_integer(const onnx_run *r, const char *name, int64_t absent)
{
    const onnx_attribute *a = onnx_find_attribute(&r->o->node, name);
    return a ? a->i : absent;
}

double onnx_real(const onnx_run *r, const char *name, double absent)
{
    const onnx_attribute *a = onnx_find_attribute(&r->o->node, name);
    return a ? (double)a->f : absent;
}

int onnx_axis(int64_t axis, int n_dims)
{
    const int64_t from_front = axis < 0 ? axis + n_dims : axis;
    return from_front >= 0 && from_front < n_dims ? (int)from_front : -1;
}

static const float FARTHEST = 1e9F;

int onnx_whole_numbers(const onnx_run *r, int i, const char *name, int64_t out[ONNX_MOST_WHOLE])
{
    const onnx_attribute *a = name ? onnx_find_attribute(&r->o->node, name) : NULL;
    const size_t n = onnx_has(r, i) ? ev_count(&r->in[i]) : a ? (size_t)a->n_ints : 0;
    if (n > ONNX_MOST_WHOLE)
        return 0;
    for (size_t k = 0; k < n; k++)
        out[k] =
            onnx_has(r, i) ? (int64_t)fmaxf(-FARTHEST, fminf(r->in[i].x[k], FARTHEST)) : a->ints[k];
    return (int)n;
}

int onnx_odd(const onnx_run *r, const char *why, hst_err *err)
{
    const bytes op = r->o->node.op.b;
    return hst_fail(err, HST_EMODEL, "its graph cannot be computed: a %.*s %s",
                    op.n < 100 ? (int)op.n : 100, (const char *)op.p, why);
}

int onnx_copy(onnx_run *r, const ev_array *x, ev_array *out, hst_err *err)
{
    return ev_reshape(&r->e, x, x->n_dims, x->dim, out, err);
}

/* ---- constants and shapes ---- */

int onnx_constant(onnx_run *r, int how, hst_err *err)
{
    const onnx_attribute *value = onnx_find_attribute(&r->o->node, "value"),
                         *ints = onnx_find_attribute(&r->o->node, "value_ints"),
                         *i = onnx_find_attribute(&r->o->node, "value_int");
    bytes unnamed;
    hst_tensor t;
    (void)how;
    if (value) {
        const int rc = onnx_tensor(value->t, r->o->s, r->o->w->arena, &unnamed, &t, err);
        return rc ? rc : onnx_array(r, &t, &r->out[0], err);
    }
    const int64_t n = ints ? ints->n_ints : 0;
    const int rc = ev_new(&r->e, ints != NULL, &n, &r->out[0], err);
    for (int k = 0; rc == 0 && k < n; k++)
        r->out[0].own[k] = (float)ints->ints[k];
    if (rc == 0 && !ints)
        r->out[0].own[0] = i ? (float)i->i : (float)onnx_real(r, "value_float", 0);
    r->out[0].whole = ints || i;
    return rc;
}

int onnx_constant_of_shape(onnx_run *r, int how, hst_err *err)
{
    const onnx_attribute *value = onnx_find_attribute(&r->o->node, "value");
    int64_t dim[ONNX_MOST_WHOLE];
    ev_array with = {0};
    bytes unnamed;
    hst_tensor t;
    (void)how;
    int rc = value ? onnx_tensor(value->t, r->o->s, r->o->w->arena, &unnamed, &t, err) : 0;
    rc = rc || !value ? rc : onnx_array(r, &t, &with, err);
    rc = rc ? rc : ev_new(&r->e, onnx_whole_numbers(r, 0, NULL, dim), dim, &r->out[0], err);
    for (size_t i = 0; rc == 0 && value && i < ev_count(&r->out[0]); i++)
        r->out[0].own[i] = ev_count(&with) ? with.x[0] : 0;
    r->out[0].whole = with.whole;
    ev_free(&with);
    return rc;
}

int onnx_shape(onnx_run *r, int how, hst_err *err)
{
    const int n = r->in[0].n_dims;
    int64_t begin = onnx_integer(r, "start", 0), end = onnx_integer(r, "end", n);
    (void)how;
    begin = begin < 0 ? begin + n : begin;
    end = end < 0 ? end + n : end > n ? n : end;
    if (begin < 0 || end < begin)
        return onnx_odd(r, "is of no axes", err);
    const int rc = ev_new(&r->e, 1, (const int64_t[]){end - begin}, &r->out[0], err);
    for (int64_t i = begin; rc == 0 && i < end; i++)
        r->out[0].own[i - begin] = (float)r->in[0].dim[i];
    r->out[0].whole = 1;
    return rc;
}

int onnx_range(onnx_run *r, int how, hst_err *err)
{
    enum { MOST = 1 << 20 };
    (void)how;
    if (ev_count(&r->in[0]) != 1 || ev_count(&r->in[1]) != 1 || ev_count(&r->in[2]) != 1)
        return onnx_odd(r, "is not from a number to a number", err);
    const double begin = (double)r->in[0].x[0], step = (double)r->in[2].x[0];
    const double n = step != 0 ? ceil(((double)r->in[1].x[0] - begin) / step) : 0;
    if (!(n <= MOST))
        return onnx_odd(r, "is too long", err);
    const int rc = ev_new(&r->e, 1, (const int64_t[]){n > 0 ? (int64_t)n : 0}, &r->out[0], err);
    for (int64_t i = 0; rc == 0 && i < r->out[0].dim[0]; i++)
        r->out[0].own[i] = (float)(begin + (double)i * step);
    r->out[0].whole = r->in[0].whole && r->in[2].whole;
    return rc;
}

int onnx_reshape(onnx_run *r, int how, hst_err *err)
{
    int64_t dim[ONNX_MOST_WHOLE], all = 1;
    const int n = onnx_whole_numbers(r, 1, "shape", dim), keeps = !onnx_integer(r, "allowzero", 0);
    int open = -1;
    (void)how;
    for (int i = 0; i < n; i++) {
        if (dim[i] == 0 && keeps && i < r->in[0].n_dims)
            dim[i] = r->in[0].dim[i];
        if (dim[i] == -1 && open < 0)
            open = i;
        else if (dim[i] < 0 || dim[i] > (1 << 27) || all > (1 << 30))
            return onnx_odd(r, "is to no shape", err);
        else
            all *= dim[i];
    }
    if (open >= 0)
        dim[open] = all ? (int64_t)ev_count(&r->in[0]) / all : 0;
    return ev_reshape(&r->e, &r->in[0], n, dim, &r->out[0], err);
}

int onnx_flatten(onnx_run *r, int how, hst_err *err)
{
    int64_t dim[2] = {1, 1}, axis = onnx_integer(r, "axis", 1);
    (void)how;
    axis = axis < 0 ? axis + r->in[0].n_dims : axis;
    for (int i = 0; i < r->in[0].n_dims; i++)
        dim[i >= axis] *= r->in[0].dim[i];
    return ev_reshape(&r->e, &r->in[0], 2, dim, &r->out[0], err);
}

int onnx_squeeze(onnx_run *r, int how, hst_err *err)
{
    int64_t axes[ONNX_MOST_WHOLE], dim[EV_DIMS];
    const int n = onnx_whole_numbers(r, 1, "axes", axes);
    unsigned gone = 0;
    int kept = 0;
    (void)how;
    for (int i = 0; i < n; i++)
        if (onnx_axis(axes[i], r->in[0].n_dims) >= 0)
            gone |= 1u << onnx_axis(axes[i], r->in[0].n_dims);
    for (int i = 0; i < r->in[0].n_dims; i++)
        if (!(n ? gone >> i & 1 : r->in[0].dim[i] == 1))
            dim[kept++] = r->in[0].dim[i];
    return ev_reshape(&r->e, &r->in[0], kept, dim, &r->out[0], err);
}

int onnx_unsqueeze(onnx_run *r, int how, hst_err *err)
{
    int64_t axes[ONNX_MOST_WHOLE], dim[EV_DIMS];
    const int n = onnx_whole_numbers(r, 1, "axes", axes), all = r->in[0].n_dims + n;
    unsigned more = 0;
    (void)how;
    for (int i = 0; i < n && all <= EV_DIMS; i++)
        if (onnx_axis(axes[i], all) >= 0)
            more |= 1u << onnx_axis(axes[i], all);
    int from = 0;
    for (int i = 0; i < all && all <= EV_DIMS; i++) {
        if (!(more >> i & 1) && from == r->in[0].n_dims)
            return onnx_odd(r, "is of the same axis twice", err);
        dim[i] = more >> i & 1 ? 1 : r->in[0].dim[from++];
    }
    return ev_reshape(&r->e, &r->in[0], all, dim, &r->out[0], err);
}

int onnx_transpose(onnx_run *r, int how, hst_err *err)
{
    const onnx_attribute *a = onnx_find_attribute(&r->o->node, "perm");
    int order[EV_DIMS];
    const int n = r->in[0].n_dims;
    (void)how;
    if (a && a->n_ints != n)
        return onnx_odd(r, "has not an axis for an axis", err);
    for (int i = 0; i < n; i++)
        order[i] = !a ? n - 1 - i : a->ints[i] < 0 || a->ints[i] >= n ? -1 : (int)a->ints[i];
    return ev_transpose(&r->e, &r->in[0], order, &r->out[0], err);
}

int onnx_expand(onnx_run *r, int how, hst_err *err)
{
    int64_t dim[ONNX_MOST_WHOLE];
    (void)how;
    return ev_expand(&r->e, &r->in[0], onnx_whole_numbers(r, 1, NULL, dim), dim, &r->out[0], err);
}

int onnx_tile(onnx_run *r, int how, hst_err *err)
{
    int64_t times[ONNX_MOST_WHOLE];
    const ev_array *all[ONNX_MAX_PORTS];
    const int n = onnx_whole_numbers(r, 1, NULL, times);
    (void)how;
    int rc = n == r->in[0].n_dims ? onnx_copy(r, &r->in[0], &r->out[0], err)
                                  : onnx_odd(r, "has not a number for an axis", err);
    for (int i = 0; rc == 0 && i < n; i++) {
        ev_array one = r->out[0];
        if (times[i] == 1)
            continue;
        if (times[i] < 1 || times[i] > ONNX_MAX_PORTS)
            return onnx_odd(r, "is of an odd number", err);
        for (int k = 0; k < times[i]; k++)
            all[k] = &one;
        r->out[0] = (ev_array){0};
        rc = ev_concat(&r->e, all, (int)times[i], i, &r->out[0], err);
        ev_free(&one);
    }
    return rc;
}

/* Only to the size that there is: networks here have such for tables of positions alone. */
int onnx_resize(onnx_run *r, int how, hst_err *err)
{
    const ev_array *x = &r->in[0];
    const int by_size = onnx_has(r, 3), at = by_size ? 3 : 2;
    int same = onnx_has(r, at) && ev_count(&r->in[at]) == (size_t)x->n_dims;
    (void)how;
    for (int i = 0; same && i < x->n_dims; i++)
        same = r->in[at].x[i] == (by_size ? (float)x->dim[i] : 1);
    return same ? onnx_copy(r, x, &r->out[0], err)
                : onnx_odd(r,
                           "changes the size, of a table of positions: export the network for "
                           "pictures of the size that it learned at",
                           err);
}

int onnx_concat(onnx_run *r, int how, hst_err *err)
{
    const ev_array *all[ONNX_MAX_PORTS];
    (void)how;
    for (int i = 0; i < r->o->node.n_in; i++)
        all[i] = &r->in[i];
    return ev_concat(&r->e, all, r->o->node.n_in,
                     onnx_axis(onnx_integer(r, "axis", 0), all[0]->n_dims), &r->out[0], err);
}

/* From `begin` to `end` as numpy has them. */
static ev_cut cut_of(int axis, int64_t size, int64_t begin, int64_t end, int64_t step)
{
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    begin = begin < 0 ? begin + size : begin;
    end = end < 0 ? end + size : end;
    begin = begin < low ? low : begin > high ? high : begin;
    end = end < low ? low : end > high ? high : end;
    const int64_t far = step > 0 ? end - begin : begin - end, wide = step > 0 ? step : -step;
    return (ev_cut){axis, begin, step, far > 0 ? (far - 1) / wide + 1 : 0};
}

int onnx_slice(onnx_run *r, int how, hst_err *err)
{
    int64_t begin[ONNX_MOST_WHOLE], end[ONNX_MOST_WHOLE], axes[ONNX_MOST_WHOLE],
        step[ONNX_MOST_WHOLE];
    const int n = onnx_whole_numbers(r, 1, "starts", begin),
              n_axes = onnx_whole_numbers(r, 3, "axes", axes),
              n_steps = onnx_whole_numbers(r, 4, NULL, step);
    (void)how;
    if (onnx_whole_numbers(r, 2, "ends", end) != n || (n_axes && n_axes != n) ||
        (n_steps && n_steps != n))
        return onnx_odd(r, "has not an end for a beginning", err);
    int rc = onnx_copy(r, &r->in[0], &r->out[0], err);
    for (int i = 0; rc == 0 && i < n; i++) {
        ev_array whole = r->out[0];
        const int axis = onnx_axis(n_axes ? axes[i] : i, whole.n_dims);
        const int64_t by = n_steps ? step[i] : 1;
        r->out[0] = (ev_array){0};
        const ev_cut c =
            cut_of(axis, axis < 0 ? 0 : whole.dim[axis], begin[i], end[i], by ? by : 1);
        rc = ev_slice(&r->e, &whole, &c, &r->out[0], err);
        ev_free(&whole);
    }
    return rc;
}

int onnx_split(onnx_run *r, int how, hst_err *err)
{
    int64_t size[ONNX_MOST_WHOLE];
    const int axis = onnx_axis(onnx_integer(r, "axis", 0), r->in[0].n_dims),
              n_out = r->o->node.n_out;
    const int n = onnx_whole_numbers(r, 1, "split", size);
    ev_cut c = {axis, 0, 1, 0};
    (void)how;
    if (axis < 0 || (n && n != n_out))
        return onnx_odd(r, "is along no axis", err);
    int rc = 0;
    for (int i = 0; rc == 0 && i < n_out; i++, c.first += c.count) {
        const int64_t all = r->in[0].dim[axis], each = (all - 1) / n_out + 1;
        c.count = n ? size[i] : each < all - c.first ? each : all - c.first;
        rc = ev_slice(&r->e, &r->in[0], &c, &r->out[i], err);
    }
    return rc;
}

int onnx_gather(onnx_run *r, int how, hst_err *err)
{
    (void)how;
    return ev_gather(&r->e, &r->in[0], &r->in[1],
                     onnx_axis(onnx_integer(r, "axis", 0), r->in[0].n_dims), &r->out[0], err);
}

int onnx_pad(onnx_run *r, int how, hst_err *err)
{
    const onnx_attribute *mode = onnx_find_attribute(&r->o->node, "mode");
    int64_t given[ONNX_MOST_WHOLE], axes[ONNX_MOST_WHOLE], width[ONNX_MOST_WHOLE] = {0};
    const int n = r->in[0].n_dims, n_axes = onnx_whole_numbers(r, 3, NULL, axes);
    const int n_given = onnx_whole_numbers(r, 1, "pads", given), of = n_axes ? n_axes : n;
    (void)how;
    if ((mode && !pb_is(&mode->s, "constant")) || n_given != 2 * of)
        return onnx_odd(r, "is of an unknown kind", err);
    for (int i = 0; i < of; i++) {
        const int axis = n_axes ? onnx_axis(axes[i], n) : i;
        if (axis < 0)
            return onnx_odd(r, "is along no axis", err);
        width[axis] = given[i];
        width[n + axis] = given[of + i];
    }
    const float with = onnx_has(r, 2) && ev_count(&r->in[2]) == 1 ? r->in[2].x[0] : 0;
    return ev_pad(&r->e, &r->in[0], width, with, &r->out[0], err);
}
