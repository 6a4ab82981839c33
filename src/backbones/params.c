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

/* The side of the square grid that a table of so many tokens has; 0: it is none. */
static int grid_side(int64_t tokens, int kept)
{
    int64_t n = 1;
    while (n < 4096 && n * n < tokens - kept)
        n++;
    return n * n == tokens - kept ? (int)n : 0;
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
    if (m->grid.is && x && x->n_dims == p->n_dims && grid_side(x->dim[tokens], m->grid.kept))
        dim[tokens] = x->dim[tokens];
}

static int check_shape(const hst_tensor *x, const char *name, const int64_t *dim, int n,
                       hst_err *err)
{
    char want[200], have[200];
    if (x && x->n_dims == n && memcmp(x->dim, dim, (size_t)n * sizeof *dim) == 0)
        return 0;
    shape_text(dim, n, want);
    if (!x)
        return hst_fail(err, HST_EMODEL, "tensor '%s' %s is missing", name, want);
    shape_text(x->dim, x->n_dims, have);
    return hst_fail(err, HST_EMODEL, "tensor '%s' has shape %s, expected %s", name, have, want);
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

/* p = the slice of x[..] = from in the parameter's order of axes. */
static void arrange(const hst_param_map *m, const hst_tensor *x, const float *from,
                    const hst_param *p)
{
    ptrdiff_t stride[4] = {0}, step[4] = {0}, dim[4] = {1, 1, 1, 1}, at = 1;
    const int n = p->n_dims, pad = 4 - n; /* axes of length 1 in front make four */
    for (int i = n; i-- > 0; at *= (ptrdiff_t)x->dim[i])
        stride[i] = at;
    if (m->slice.of)
        from +=
            m->slice.part * (ptrdiff_t)x->dim[m->slice.axis] / m->slice.of * stride[m->slice.axis];
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

/* Every table of positions that p holds ([tokens][C], one behind the other) from those of x. */
static int resize_grids(const hst_param_map *m, const hst_tensor *x, const float *from,
                        const hst_param *p, hst_err *err)
{
    const int axis = p->n_dims - 2, kept = m->grid.kept;
    const size_t c = (size_t)p->dim[axis + 1], front = (size_t)kept * c;
    const size_t n_from = (size_t)x->dim[axis] * c, n_to = (size_t)p->dim[axis] * c;
    const int m_side = grid_side(x->dim[axis], kept), g_side = grid_side(p->dim[axis], kept);
    int rc = g_side ? 0 : hst_fail(err, HST_EMODEL, "'%s' is no table of a square", p->name);
    for (size_t at = 0; rc == 0 && at * n_to < hst_param_count(p); at++) {
        const float *one = from + at * n_from;
        float *to = p->data + at * n_to;
        memcpy(to, one, (m_side == g_side ? n_to : front) * sizeof *to);
        if (m_side == g_side)
            continue;
        rc = hst_grid_resize(&m->grid, one + front, m_side, to + front, g_side, c, err);
    }
    return rc;
}

static int is_copy(const hst_param_map *m)
{
    return !m->slice.of && !m->permutes && !m->reversed && !m->grid.is;
}

static int read_values(const hst_param_map *m, const hst_tensor *x, const hst_param *p,
                       hst_err *err)
{
    if (is_copy(m))
        return read_floats(x, p->data, err);
    float *raw = hst_alloc(hst_tensor_count(x), sizeof *raw, err);
    int rc = raw ? read_floats(x, raw, err) : HST_EMEM;
    if (rc == 0 && m->grid.is)
        rc = resize_grids(m, x, raw, p, err);
    else if (rc == 0)
        arrange(m, x, raw, p);
    free(raw);
    return rc;
}

/* The same, subtracted from p. */
static int subtract_values(const hst_param_map *m, const hst_tensor *x, const hst_param *p,
                           hst_err *err)
{
    const size_t n = hst_param_count(p);
    float *before = hst_alloc(n, sizeof *before, err);
    if (!before)
        return HST_EMEM;
    memcpy(before, p->data, n * sizeof *before);
    int rc = read_values(m, x, p, err);
    for (size_t i = 0; i < n; i++)
        p->data[i] = before[i] - p->data[i];
    free(before);
    return rc;
}

int hst_param_import(const hst_tensors *t, const hst_param_map *m, const hst_param *p, char *used,
                     hst_err *err)
{
    int64_t dim[4];
    for (size_t i = 0; !*m->theirs && i < hst_param_count(p); i++)
        p->data[i] = m->value;
    if (!*m->theirs)
        return 0;
    const hst_tensor *x = hst_tensors_find(t, m->theirs);
    expected_shape(m, p, x, dim);
    int rc = check_shape(x, m->theirs, dim, p->n_dims, err);
    rc = rc ? rc : m->subtracts ? subtract_values(m, x, p, err) : read_values(m, x, p, err);
    if (rc == 0)
        used[x - hst_tensors_at(t, 0)] = 1;
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
