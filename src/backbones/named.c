#include "backbones/named.h"
#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

static void tensor_free(hst_tensor *t)
{
    free((char *)t->name);
    free((void *)t->data);
}

void hst_named_free(hst_named *l)
{
    for (size_t i = 0; i < l->n; i++)
        tensor_free(&l->tensor[i]);
    free(l->tensor);
    *l = (hst_named){0};
}

static int make_room(hst_named *l, hst_err *err)
{
    const size_t cap = l->cap ? 2 * l->cap : 256;
    if (l->n < l->cap)
        return 0;
    hst_tensor *more = hst_resize(l->tensor, cap, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    l->tensor = more;
    l->cap = cap;
    return 0;
}

hst_tensor *hst_named_add(hst_named *l, const char *name, enum hst_dtype dtype, int n_dims,
                          const int64_t *dim, hst_err *err)
{
    hst_tensor t = {.dtype = dtype, .n_dims = n_dims};
    size_t count = 1;
    for (int i = 0; i < n_dims; i++) {
        t.dim[i] = dim[i];
        count *= (size_t)dim[i];
    }
    t.n_bytes = count * hst_dtype_bytes(dtype);
    if (make_room(l, err))
        return NULL;
    t.name = hst_strdup(name, err);
    t.data = t.name ? hst_alloc(count + 1, hst_dtype_bytes(dtype), err) : NULL;
    if (!t.data) {
        tensor_free(&t);
        return NULL;
    }
    l->tensor[l->n] = t;
    return &l->tensor[l->n++];
}

hst_tensor *hst_named_find(const hst_named *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->tensor[i].name, name) == 0)
            return &l->tensor[i];
    return NULL;
}

float *hst_named_numbers(const hst_tensor *t)
{
    return (float *)(void *)(size_t)t->data; /* its own, const only to those who write files */
}

void hst_named_remove(hst_named *l, const char *name)
{
    hst_tensor *t = hst_named_find(l, name);
    if (!t)
        return;
    tensor_free(t);
    memmove(t, t + 1, (size_t)(l->tensor + l->n - (t + 1)) * sizeof *t);
    l->n--;
}

/* 1 and what is in front of the ending. */
static int ends_in(const char *name, const char *ending, char front[HST_MAX_FILE_NAME])
{
    const size_t n = strlen(name), e = strlen(ending);
    if (n < e || strcmp(name + n - e, ending) != 0)
        return 0;
    snprintf(front, HST_MAX_FILE_NAME, "%.*s", (int)(n - e), name);
    return 1;
}

/* (x - mean) / sqrt(variance + from) * gamma, with `to`. */
void hst_named_change_epsilon(hst_named *l, double from, double to)
{
    char front[HST_MAX_FILE_NAME], name[HST_MAX_FILE_NAME + 8];
    for (size_t i = 0; from != to && i < l->n; i++) {
        if (!ends_in(l->tensor[i].name, ".running_var", front))
            continue;
        snprintf(name, sizeof name, "%s.weight", front);
        const hst_tensor *gamma = hst_named_find(l, name);
        const float *variance = hst_named_numbers(&l->tensor[i]);
        float *by = gamma ? hst_named_numbers(gamma) : NULL;
        for (int64_t c = 0; by && c < l->tensor[i].dim[0]; c++)
            by[c] = (float)((double)by[c] *
                            sqrt(((double)variance[c] + to) / ((double)variance[c] + from)));
    }
}

/* ---- a parameter becomes a tensor ---- */

/* The part of parameter p that the entry is of, one number behind the other, to be freed. */
static float *take_part(const hst_param_map *m, const hst_param *p, hst_param *part, hst_err *err)
{
    size_t outer = 1, inner = 1;
    const int axis = m->into.axis;
    *part = *p;
    if (m->into.n)
        part->dim[axis] = m->into.n;
    float *x = hst_alloc(hst_param_count(part) + 1, sizeof *x, err);
    part->data = x;
    if (!x)
        return NULL;
    for (int i = 0; i < axis; i++)
        outer *= (size_t)p->dim[i];
    for (int i = axis + 1; i < p->n_dims; i++)
        inner *= (size_t)p->dim[i];
    const size_t run = (size_t)part->dim[axis] * inner, first = m->into.n ? m->into.first : 0;
    for (size_t o = 0; o < outer; o++)
        memcpy(x + o * run, p->data + (o * (size_t)p->dim[axis] + first) * inner, run * sizeof *x);
    return x;
}

/* The tensor's shape before axes of length 1 are left out or put in. */
static void shape_of(const hst_param_map *m, const hst_param *part, int64_t dim[4])
{
    for (int i = 0; i < part->n_dims; i++)
        dim[m->permutes ? m->order[i] : i] = part->dim[i];
    if (m->slice.of)
        dim[m->slice.axis] *= m->slice.of;
    if (m->grid.is)
        dim[part->n_dims - 2] += m->grid.kept;
}

/* dim[n] with so many axes: those of length 1 behind the others come and go, where the axes are in
 * the parameter's order those in front. How many it has then. */
static int set_axes(const hst_param_map *m, int64_t dim[4], int n)
{
    const int want = m->axes ? m->axes : n;
    while (n > want && dim[m->permutes ? n - 1 : 0] == 1) {
        if (!m->permutes)
            memmove(dim, dim + 1, (size_t)(n - 1) * sizeof *dim);
        n--;
    }
    for (; n < want; n++) {
        if (m->in_front)
            memmove(dim + 1, dim, (size_t)n * sizeof *dim);
        dim[m->in_front ? 0 : n] = 1;
    }
    return n;
}

/* The numbers of part, in its own order, to their places in the tensor to[shape]. */
static void put(const hst_param_map *m, const int64_t *shape, const hst_param *part, float *to)
{
    ptrdiff_t stride[4] = {0}, step[4] = {0}, dim[4] = {1, 1, 1, 1}, at = 1;
    const int n = part->n_dims, pad = 4 - n; /* axes of length 1 in front make four */
    for (int i = n; i-- > 0; at *= (ptrdiff_t)shape[i])
        stride[i] = at;
    if (m->slice.of)
        to += m->slice.part * (ptrdiff_t)shape[m->slice.axis] / m->slice.of * stride[m->slice.axis];
    if (m->grid.is)
        to += m->grid.kept * stride[n - 2];
    for (int i = 0; i < n; i++) {
        dim[pad + i] = part->dim[i];
        step[pad + i] = stride[m->permutes ? m->order[i] : i];
        if (m->reversed >> i & 1) {
            to += (part->dim[i] - 1) * step[pad + i];
            step[pad + i] = -step[pad + i];
        }
    }
    const float *x = part->data;
    for (ptrdiff_t a = 0; a < dim[0]; a++)
        for (ptrdiff_t b = 0; b < dim[1]; b++)
            for (ptrdiff_t c = 0; c < dim[2]; c++)
                for (ptrdiff_t d = 0; d < dim[3]; d++)
                    to[a * step[0] + b * step[1] + c * step[2] + d * step[3]] = *x++;
}

/* What was added to a parameter on import is in it now, and is written as zeros; that of tokens
 * without a place in the table of positions, which has room for it. */
static int write_entry(const hst_param_map *m, const hst_param *p, hst_named *out, hst_err *err)
{
    int64_t dim[4] = {0}, shown[4];
    hst_param part;
    if (!*m->theirs || (m->rows && m->adds))
        return 0;
    if (m->grid.is && m->grid.to.rows != m->grid.to.columns)
        return hst_fail(err, HST_EUNSUP,
                        "the network's patches are %d x %d, and such files have squares only",
                        m->grid.to.rows, m->grid.to.columns);
    float *own = take_part(m, p, &part, err);
    if (!own)
        return HST_EMEM;
    shape_of(m, &part, dim);
    memcpy(shown, dim, sizeof dim);
    const int n = set_axes(m, shown, part.n_dims);
    const hst_tensor *t = hst_named_find(out, m->theirs);
    if (!t)
        t = hst_named_add(out, m->theirs, HST_F32, n, shown, err);
    if (t && !m->adds)
        put(m, dim, &part, hst_named_numbers(t));
    free(own);
    return t ? 0 : HST_EMEM;
}

/* Behind the statistics of every batch norm how many batches they are of. */
static int add_counters(hst_named *l, hst_err *err)
{
    char front[HST_MAX_FILE_NAME], name[HST_MAX_FILE_NAME + 24];
    const size_t n = l->n;
    for (size_t i = 0; i < n; i++) {
        if (!ends_in(l->tensor[i].name, ".running_var", front))
            continue;
        snprintf(name, sizeof name, "%s.num_batches_tracked", front);
        if (!hst_named_add(l, name, HST_I64, 0, NULL, err))
            return HST_EMEM;
    }
    return 0;
}

static const hst_dialect *dialect_of(const hst_family *f, const char *name)
{
    for (size_t i = 0; i < f->n_dialects; i++)
        if (strcmp(f->dialects[i].name, name) == 0)
            return &f->dialects[i];
    return NULL;
}

int hst_named_make(const hst_arch *a, const hst_graph *g, const char *dialect, const char *prefix,
                   hst_named *out, hst_err *err)
{
    hst_origin o = {.family = hst_family_find(a->family), .fits = 1};
    hst_param_maps l = {0};
    o.dialect = dialect_of(o.family, dialect);
    snprintf(o.prefix, sizeof o.prefix, "%s", prefix);
    if (!o.dialect)
        return hst_fail(err, HST_EUNSUP, "%s has no names of %s", a->family, dialect);
    int rc = o.family->kind->map(a, &o, NULL, &l, err);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const hst_param *p = hst_graph_find(g, l.map[i].ours);
        rc = p ? write_entry(&l.map[i], p, out, err)
               : hst_fail(err, HST_EMODEL, "the network has no parameter '%s'", l.map[i].ours);
    }
    hst_param_maps_free(&l);
    return rc ? rc : add_counters(out, err);
}
