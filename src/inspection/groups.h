/* groups.h - things that belong together, in chains of pairs: a forest in an array (Galler and
 * Fischer 1964), where each points to an earlier one of its group, the first to itself. */
#ifndef HST_INSPECTION_GROUPS_H
#define HST_INSPECTION_GROUPS_H
#include <stddef.h>

/* The first of i's group. */
static inline size_t hst_groups_first(size_t *group, size_t i)
{
    while (group[i] != i)
        i = group[i] = group[group[i]];
    return i;
}

/* a and b belong together, and so do their groups. */
static inline void hst_groups_join(size_t *group, size_t a, size_t b)
{
    a = hst_groups_first(group, a);
    b = hst_groups_first(group, b);
    group[a > b ? a : b] = a < b ? a : b;
}

/* Each points to the first of its group. */
static inline void hst_groups_flatten(size_t *group, size_t n)
{
    for (size_t i = 0; i < n; i++)
        group[i] = hst_groups_first(group, i);
}
#endif
