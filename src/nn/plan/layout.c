/* layout.c - which activation lives where: those that are never alive at the same time share
 * memory.
 *
 * Largest first, each at the lowest offset free of everything placed before it that is alive at the
 * same time; within a few per cent of the best for chains with short side branches (Pisarchyk, Lee
 * 2020, "greedy by size"). */
#include "nn/plan/step.h"

#include <stdlib.h>

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
            size_t end = o->offset + hst_whole_lines(o->floats);
            if (alive_together(v, o) && at < end && o->offset < at + hst_whole_lines(v->floats)) {
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

void hst_layout(hst_value **v, int n, size_t *end)
{
    qsort(v, (size_t)n, sizeof(*v), by_size);
    for (int i = 0; i < n; i++) {
        v[i]->offset = lowest(v[i], v, i);
        size_t behind = v[i]->offset + hst_whole_lines(v[i]->floats);
        if (behind > *end)
            *end = behind;
    }
}
