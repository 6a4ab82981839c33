/* evaluate_places.c - numbers in other places: shapes, orders of axes, parts. */
#include "evaluate.h"

#include <string.h>

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph cannot be computed: %s", why);
}

/* Numbers behind one place of the axis. */
static size_t inner_of(const ev_array *a, int axis)
{
    size_t n = 1;
    for (int i = axis + 1; i < a->n_dims; i++)
        n *= (size_t)a->dim[i];
    return n;
}

static size_t outer_of(const ev_array *a, int axis)
{
    size_t n = 1;
    for (int i = 0; i < axis; i++)
        n *= (size_t)a->dim[i];
    return n;
}

int ev_reshape(evaluator *e, const ev_array *a, int n_dims, const int64_t *dim, ev_array *out,
               hst_err *err)
{
    int rc = ev_new(e, n_dims, dim, out, err);
    if (rc == 0 && ev_count(out) != ev_count(a))
        rc = refuse(err, "a value is brought into a shape that it does not fill");
    if (rc == 0)
        memcpy(out->own, a->x, ev_count(a) * sizeof *a->x);
    out->whole = a->whole;
    return rc;
}

int ev_transpose(evaluator *e, const ev_array *a, const int *order, ev_array *out, hst_err *err)
{
    int64_t dim[EV_DIMS] = {1}, step[EV_DIMS] = {0}, own[EV_DIMS], at[EV_DIMS] = {0}, from = 0;
    unsigned seen = 0;
    const int n = a->n_dims;
    for (int64_t i = n, all = 1; i-- > 0; all *= a->dim[i])
        own[i] = all;
    for (int i = 0; i < n; i++) {
        if (order[i] < 0 || order[i] >= n || seen >> order[i] & 1)
            return refuse(err, "axes are put in an order that is none");
        seen |= 1u << order[i];
        dim[i] = a->dim[order[i]];
        step[i] = own[order[i]];
    }
    int rc = ev_new(e, n, dim, out, err);
    out->whole = a->whole;
    const size_t all = rc ? 0 : ev_count(out), row = n ? (size_t)dim[n - 1] : 1;
    for (size_t i = 0; row && i < all; i += row) {
        for (size_t k = 0; k < row; k++)
            out->own[i + k] = a->x[from + (int64_t)k * (n ? step[n - 1] : 0)];
        for (int k = n - 1; k-- > 0;) {
            from += step[k];
            if (++at[k] < dim[k])
                break;
            from -= step[k] * dim[k];
            at[k] = 0;
        }
    }
    return rc;
}

int ev_concat(evaluator *e, const ev_array *const *a, int n, int axis, ev_array *out, hst_err *err)
{
    ev_array all = *a[0];
    if (axis < 0 || axis >= all.n_dims)
        return refuse(err, "values are put together along no axis of theirs");
    for (int k = 1; k < n; k++) {
        for (int i = 0; i < all.n_dims; i++)
            if (a[k]->n_dims != all.n_dims || (i != axis && a[k]->dim[i] != all.dim[i]))
                return refuse(err, "values of different shapes are put together");
        all.dim[axis] += a[k]->dim[axis];
        all.whole &= a[k]->whole;
    }
    int rc = ev_new(e, all.n_dims, all.dim, out, err);
    out->whole = all.whole;
    const size_t outer = rc ? 0 : outer_of(out, axis);
    float *to = out->own;
    for (size_t o = 0; o < outer; o++)
        for (int k = 0; k < n; k++) {
            const size_t run = (size_t)a[k]->dim[axis] * inner_of(a[k], axis);
            memcpy(to, a[k]->x + o * run, run * sizeof *to);
            to += run;
        }
    return rc;
}

int ev_slice(evaluator *e, const ev_array *a, const ev_cut *c, ev_array *out, hst_err *err)
{
    int64_t dim[EV_DIMS];
    if (c->axis < 0 || c->axis >= a->n_dims || c->count < 0)
        return refuse(err, "a part is taken of no axis");
    const int64_t last = c->first + (c->count - 1) * c->step, size = a->dim[c->axis];
    if (c->count && (c->first < 0 || c->first >= size || last < 0 || last >= size))
        return refuse(err, "a part is taken that is not there");
    memcpy(dim, a->dim, sizeof dim);
    dim[c->axis] = c->count;
    int rc = ev_new(e, a->n_dims, dim, out, err);
    out->whole = a->whole;
    const size_t inner = inner_of(a, c->axis), outer = rc ? 0 : outer_of(a, c->axis);
    float *to = out->own;
    for (size_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < c->count; i++, to += inner)
            memcpy(to, a->x + (o * (size_t)size + (size_t)(c->first + i * c->step)) * inner,
                   inner * sizeof *to);
    return rc;
}

int ev_gather(evaluator *e, const ev_array *a, const ev_array *at, int axis, ev_array *out,
              hst_err *err)
{
    int64_t dim[2 * EV_DIMS];
    int n = 0;
    if (axis < 0 || axis >= a->n_dims)
        return refuse(err, "places are taken of no axis");
    const int64_t size = a->dim[axis];
    for (int i = 0; i < a->n_dims; i++)
        for (int k = 0; k < (i == axis ? at->n_dims : 1); k++)
            dim[n++] = i == axis ? at->dim[k] : a->dim[i];
    int rc = ev_new(e, n, dim, out, err);
    out->whole = a->whole;
    const size_t inner = inner_of(a, axis), outer = rc ? 0 : outer_of(a, axis);
    float *to = out->own;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < ev_count(at); i++, to += inner) {
            const float place = at->x[i] < 0 ? at->x[i] + (float)size : at->x[i];
            if (!(place >= 0 && place < (float)size))
                return refuse(err, "a place is taken that is not there");
            memcpy(to, a->x + (o * (size_t)size + (size_t)place) * inner, inner * sizeof *to);
        }
    return rc;
}

/* One axis. */
static int pad_axis(evaluator *e, const ev_array *a, int axis, int64_t before, int64_t behind,
                    float with, ev_array *out, hst_err *err)
{
    int64_t dim[EV_DIMS];
    enum { MOST = 1 << 20 };
    if (before < 0 || behind < 0 || before > MOST || behind > MOST)
        return refuse(err, "a value is padded by an impossible width");
    memcpy(dim, a->dim, sizeof dim);
    dim[axis] += before + behind;
    int rc = ev_new(e, a->n_dims, dim, out, err);
    const size_t inner = inner_of(a, axis), outer = rc ? 0 : outer_of(a, axis);
    const size_t run = (size_t)a->dim[axis] * inner;
    float *to = out->own;
    for (size_t o = 0; o < outer; o++) {
        for (size_t i = 0; i < (size_t)before * inner; i++)
            *to++ = with;
        memcpy(to, a->x + o * run, run * sizeof *to);
        to += run;
        for (size_t i = 0; i < (size_t)behind * inner; i++)
            *to++ = with;
    }
    return rc;
}

int ev_pad(evaluator *e, const ev_array *a, const int64_t *width, float with, ev_array *out,
           hst_err *err)
{
    const int n = a->n_dims;
    int rc = ev_reshape(e, a, n, a->dim, out, err);
    for (int i = 0; rc == 0 && i < n; i++) {
        ev_array more = {0};
        if (!width[i] && !width[n + i])
            continue;
        rc = pad_axis(e, out, i, width[i], width[n + i], with, &more, err);
        ev_free(out);
        *out = more;
    }
    return rc;
}
