#include "backbones/params.h"
#include "base/finite.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hst_param_map *hst_param_maps_add(hst_param_maps *l, const char *ours, const char *theirs,
                                  hst_err *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        hst_param_map *more = hst_resize(l->map, cap, sizeof *more, err);
        if (!more)
            return NULL;
        l->map = more;
        l->cap = cap;
    }
    hst_param_map *m = &l->map[l->n++];
    *m = (hst_param_map){0};
    snprintf(m->ours, sizeof m->ours, "%s", ours);
    snprintf(m->theirs, sizeof m->theirs, "%s", theirs);
    return m;
}

void hst_param_maps_free(hst_param_maps *l)
{
    free(l->map);
    *l = (hst_param_maps){0};
}

/* ---- shapes ---- */

/* "[32, 3, 3, 3]" */
static void shape_text(const int64_t *dim, int n, char out[200])
{
    size_t at = 0;
    out[at++] = '[';
    for (int i = 0; i < n && at < 180; i++)
        at += (size_t)snprintf(out + at, 200 - at, "%s%lld", i ? ", " : "", (long long)dim[i]);
    snprintf(out + at, 200 - at, "]");
}

/* What the tensor x (NULL: missing) of the file should be like, for parameter p. */
static void expected_shape(const hst_param_map *m, const hst_param *p, const hst_tensor *x,
                           int64_t dim[4])
{
    const int tokens = p->n_dims - 2;
    for (int i = 0; i < p->n_dims; i++)
        dim[m->permutes ? m->order[i] : i] = p->dim[i];
    if (m->slice.of)
        dim[m->slice.axis] *= m->slice.of;
    if (!x || x->n_dims < 2)
        return;
    const int64_t rows = x->dim[x->n_dims - 2];
    if ((m->grid.is && hst_grid_side(rows, m->grid.kept)) || (m->rows && rows >= m->row + m->rows))
        dim[tokens] = rows;
}

/* The axes that are longer than 1. */
static int squeeze(const int64_t *dim, int n, int64_t *out)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        if (dim[i] != 1)
            out[k++] = dim[i];
    return k;
}

static int is_shape(const hst_tensor *x, const int64_t *dim, int n, int squeezes)
{
    int64_t a[sizeof x->dim / sizeof *x->dim], b[4];
    if (squeezes) {
        const int n_a = squeeze(x->dim, x->n_dims, a), n_b = squeeze(dim, n, b);
        return n_a == n_b && memcmp(a, b, (size_t)n_a * sizeof *a) == 0;
    }
    return x->n_dims == n && memcmp(x->dim, dim, (size_t)n * sizeof *dim) == 0;
}

static int check_shape(const hst_tensor *x, const hst_param_map *m, const int64_t *dim, int n,
                       hst_err *err)
{
    char want[200], have[200];
    int64_t shown[4] = {0};
    if (x && is_shape(x, dim, n, m->squeezes || m->grid.is || m->rows))
        return 0;
    if (m->squeezes)
        n = squeeze(dim, n, shown);
    shape_text(m->squeezes ? shown : dim, n, want);
    if (!x)
        return hst_fail(err, HST_EMODEL, "tensor '%s' %s is missing", m->theirs, want);
    shape_text(x->dim, x->n_dims, have);
    return hst_fail(err, HST_EMODEL, "tensor '%s' has shape %s, expected %s", m->theirs, have,
                    want);
}

/* ---- values ---- */

/* What no network can hold: NaN, infinity, a variance below zero. name: the tensor's in its file.
 */
static int check_values(const hst_param *p, const char *name, hst_err *err)
{
    size_t n = hst_param_count(p), len = strlen(p->name);
    int variance = p->statistic && len > 8 && strcmp(p->name + len - 8, "variance") == 0;
    if (!hst_all_finite(p->data, n))
        return hst_fail(err, HST_EMODEL, "tensor '%s' holds a value that is not a finite number",
                        name);
    for (size_t i = 0; variance && i < n; i++)
        if (p->data[i] < 0)
            return hst_fail(err, HST_EMODEL, "tensor '%s' holds a variance below zero (%g)", name,
                            (double)p->data[i]);
    return 0;
}

static int read_floats(const hst_tensor *x, float *out, hst_err *err)
{
    int rc = hst_tensor_floats(x, out, err);
    if (rc)
        (void)hst_err_at(err, x->name);
    return rc;
}

/* p = the slice of the tensor from[dim] in the parameter's order of axes. */
static void arrange(const hst_param_map *m, const int64_t *shape, const float *from,
                    const hst_param *p)
{
    ptrdiff_t stride[4] = {0}, step[4] = {0}, dim[4] = {1, 1, 1, 1}, at = 1;
    const int n = p->n_dims, pad = 4 - n; /* axes of length 1 in front make four */
    for (int i = n; i-- > 0; at *= (ptrdiff_t)shape[i])
        stride[i] = at;
    if (m->slice.of)
        from +=
            m->slice.part * (ptrdiff_t)shape[m->slice.axis] / m->slice.of * stride[m->slice.axis];
    for (int i = 0; i < n; i++) {
        dim[pad + i] = p->dim[i];
        step[pad + i] = stride[m->permutes ? m->order[i] : i];
        if (m->reversed >> i & 1) {
            from += (p->dim[i] - 1) * step[pad + i];
            step[pad + i] = -step[pad + i];
        }
    }
    float *to = p->data;
    for (ptrdiff_t a = 0; a < dim[0]; a++)
        for (ptrdiff_t b = 0; b < dim[1]; b++)
            for (ptrdiff_t c = 0; c < dim[2]; c++) {
                const float *row = from + a * step[0] + b * step[1] + c * step[2];
                for (ptrdiff_t d = 0; d < dim[3]; d++)
                    *to++ = row[d * step[3]];
            }
}

/* The table of positions p ([rows * columns][C], perhaps with axes of length 1 in front) from that
 * of the tensor, of so many rows. */
static int resize_grid(const hst_param_map *m, int64_t rows, const float *from, const hst_param *p,
                       hst_err *err)
{
    const hst_cells to = m->grid.to;
    const size_t c = (size_t)p->dim[p->n_dims - 1];
    const int side = hst_grid_side(rows, m->grid.kept);
    const hst_resizing r = {m->grid.way, {side, side}, to, c};
    from += (size_t)m->grid.kept * c;
    if (hst_param_count(p) != (size_t)to.rows * (size_t)to.columns * c)
        return hst_fail(err, HST_EMODEL, "'%s' is no table of %d x %d", p->name, to.rows,
                        to.columns);
    if (to.rows != side || to.columns != side)
        return hst_grid_resize(&r, from, p->data, err);
    memcpy(p->data, from, hst_param_count(p) * sizeof *from);
    return 0;
}

static int is_copy(const hst_param_map *m)
{
    return !m->slice.of && !m->permutes && !m->reversed && !m->grid.is && !m->rows;
}

/* dim: the tensor's shape, without or with axes of length 1, as expected_shape has it. */
static int read_values(const hst_param_map *m, const hst_tensor *x, const int64_t *dim,
                       const hst_param *p, hst_err *err)
{
    if (is_copy(m))
        return read_floats(x, p->data, err);
    float *raw = hst_alloc(hst_tensor_count(x), sizeof *raw, err);
    int rc = raw ? read_floats(x, raw, err) : HST_EMEM;
    if (rc == 0 && m->grid.is)
        rc = resize_grid(m, dim[p->n_dims - 2], raw, p, err);
    else if (rc == 0 && m->rows)
        memcpy(p->data, raw + (size_t)m->row * (size_t)p->dim[p->n_dims - 1],
               hst_param_count(p) * sizeof *raw);
    else if (rc == 0)
        arrange(m, dim, raw, p);
    free(raw);
    return rc;
}

static int import_part(const hst_tensors *t, const hst_param_map *m, const hst_param *p, char *used,
                       hst_err *err)
{
    int64_t dim[4];
    for (size_t i = 0; !*m->theirs && i < hst_param_count(p); i++)
        p->data[i] = m->value;
    if (!*m->theirs)
        return 0;
    const hst_tensor *x = hst_tensors_find(t, m->theirs);
    expected_shape(m, p, x, dim);
    int rc = check_shape(x, m, dim, p->n_dims, err);
    rc = rc ? rc : read_values(m, x, dim, p, err);
    if (rc == 0)
        used[x - hst_tensors_at(t, 0)] = 1;
    return rc;
}

/* part, which is `into` of p, to its place; added, subtracted or in the place of what was there. */
static void put_part(const hst_param_map *m, const hst_param *part, const hst_param *p)
{
    size_t outer = 1, inner = 1;
    const int axis = m->into.n ? m->into.axis : 0, first = m->into.n ? m->into.first : 0;
    for (int i = 0; i < axis; i++)
        outer *= (size_t)p->dim[i];
    for (int i = axis + 1; i < p->n_dims; i++)
        inner *= (size_t)p->dim[i];
    const size_t run = (size_t)part->dim[axis] * inner;
    for (size_t o = 0; o < outer; o++) {
        float *to = p->data + (o * (size_t)p->dim[axis] + (size_t)first) * inner;
        for (size_t i = 0; i < run; i++) {
            const float x = part->data[o * run + i];
            to[i] = m->adds ? to[i] + (float)m->adds * x : x;
        }
    }
}

int hst_param_import(const hst_tensors *t, const hst_param_map *m, const hst_param *p, char *used,
                     hst_err *err)
{
    hst_param part = *p;
    const int whole = !m->into.n && !m->adds;
    if (m->into.n)
        part.dim[m->into.axis] = m->into.n;
    if (!whole && !(part.data = hst_alloc(hst_param_count(&part), sizeof *part.data, err)))
        return HST_EMEM;
    int rc = import_part(t, m, &part, used, err);
    if (rc == 0 && !whole)
        put_part(m, &part, p);
    if (!whole)
        free(part.data);
    return rc ? rc : check_values(p, m->theirs, err);
}

int hst_params_import(const hst_tensors *t, const hst_param_maps *l, const hst_graph *g, char *used,
                      hst_err *err)
{
    char *filled = hst_alloc(hst_graph_n_params(g) + 1, 1, err);
    int rc = filled ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        const hst_param *p = hst_graph_find(g, l->map[i].ours);
        rc = p ? hst_param_import(t, &l->map[i], p, used, err)
               : hst_fail(err, HST_EMODEL, "the network has no parameter '%s'", l->map[i].ours);
        if (p)
            filled[p - hst_graph_param(g, 0)] = 1;
    }
    for (size_t i = 0; rc == 0 && i < hst_graph_n_params(g); i++)
        if (!filled[i])
            rc = hst_fail(err, HST_EMODEL, "nothing is said of parameter '%s'",
                          hst_graph_param(g, i)->name);
    free(filled);
    return rc;
}

int hst_params_read(const hst_tensors *t, const char *prefix, const hst_graph *g, hst_err *err)
{
    hst_param_maps l = {0};
    char name[HST_MAX_FILE_NAME];
    char *used = hst_alloc(hst_tensors_count(t) + 1, 1, err);
    int rc = used ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        rc = hst_param_maps_add(&l, p->name, name, err) ? 0 : HST_EMEM;
    }
    rc = rc ? rc : hst_params_import(t, &l, g, used, err);
    hst_param_maps_free(&l);
    free(used);
    return rc;
}
