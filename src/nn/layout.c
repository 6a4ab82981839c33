/* layout.c - which activation lives where: those that are never alive at the same time share
 * memory.
 *
 * Largest first, each at the lowest offset free of everything placed before it that is alive at the
 * same time; within a few per cent of the best for chains with short side branches (Pisarchyk, Lee
 * 2020, "greedy by size"). */
#include "base/mem.h"
#include "nn/step.h"

#include <stdlib.h>

enum { ALIGN_FLOATS = HST_ALIGN / sizeof(float) };

static size_t rounded(size_t floats)
{
    return (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static int in_block(const hst_value *v)
{
    return v->first >= 0 && !v->is_input && !v->is_output;
}

static int alive_together(const hst_value *a, const hst_value *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset for v among the n placed values. */
static size_t lowest(const hst_value *v, hst_value *const *placed, int n)
{
    size_t at = 0;
    for (int moved = 1; moved;) {
        moved = 0;
        for (int i = 0; i < n; i++) {
            const hst_value *o = placed[i];
            size_t end = o->offset + rounded(o->floats);
            if (alive_together(v, o) && at < end && o->offset < at + rounded(v->floats)) {
                at = end;
                moved = 1;
            }
        }
    }
    return at;
}

static int by_size(const void *a, const void *b)
{
    const hst_value *x = *(hst_value *const *)a, *y = *(hst_value *const *)b;
    if (x->floats != y->floats)
        return x->floats < y->floats ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

void hst_layout_place(hst_value **v, int n, size_t *end)
{
    qsort(v, (size_t)n, sizeof(*v), by_size);
    for (int i = 0; i < n; i++) {
        v[i]->offset = lowest(v[i], v, i);
        size_t behind = v[i]->offset + rounded(v[i]->floats);
        if (behind > *end)
            *end = behind;
    }
}

int hst_layout(hst_plan *p, hst_err *err)
{
    int n = 0;
    hst_value **order = hst_alloc((size_t)p->n_values, sizeof(*order), err);
    if (!order)
        return HST_EMEM;
    for (int i = 0; i < p->n_values; i++)
        if (in_block(&p->value[i]))
            order[n++] = &p->value[i];
    hst_layout_place(order, n, &p->block_floats);
    free(order);
    return 0;
}
