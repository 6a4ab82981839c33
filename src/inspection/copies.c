/* copies.c - the same picture several times, and near copies: a finding for each group of them, by
 * the worst that is so of it. */
#include "inspection/groups.h"
#include "inspection/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One group, gone through photo by photo. */
typedef struct group {
    size_t n, end;      /* photos; behind their paths among those of all groups */
    int label, side;    /* of the first photo */
    int other_label;    /* of one in another class, or -1 */
    int crosses;        /* it is on both sides */
    float likeness;     /* the greatest of its near pairs */
    int mirrored, near; /* some pair is mirrored; some pair is not the same picture */
} group;

static int is_same(const hst_inspected *in, const hst_near_pair *p)
{
    hst_spill_visited(in->home);
    return in->picture[p->a].pixels == in->picture[p->b].pixels;
}

/* Chains of equal pictures, or of near copies. */
static void chain(const hst_inspected *in, int exact, size_t *first)
{
    const hst_near *near = in->near;
    for (size_t i = 0; i < near->n; i++)
        first[i] = i;
    for (size_t k = 0; k < near->n_pairs; k++)
        if (!exact || is_same(in, &near->pair[k]))
            hst_groups_join(first, near->pair[k].a, near->pair[k].b);
    hst_groups_flatten(first, near->n);
}

static enum hst_kind kind_of(const hst_inspected *in, const group *g, int exact)
{
    if (g->other_label >= 0)
        return exact ? HST_KIND_COPIES_CLASSES : HST_KIND_NEAR_CLASSES;
    if (g->crosses) /* of a stable split only other files with the same pixels do */
        return exact && in->data->split == HST_SPLIT_FOLDERS ? HST_KIND_COPIES_SIDES
                                                             : HST_KIND_NEAR_SIDES;
    return exact ? HST_KIND_COPIES : HST_KIND_NEAR_COPIES;
}

static int add_group(const hst_inspected *in, const group *g, int exact, const char *const *paths,
                     hst_inspection *r, hst_err *err)
{
    const hst_data *d = in->data;
    const char *how = exact         ? "the same picture"
                      : g->mirrored ? "a near copy, mirrored"
                                    : "a near copy";
    char where[400] = "", like[40] = "";
    if (g->other_label >= 0)
        snprintf(where, sizeof where, " in %.150s and in %.150s", d->classes[g->label],
                 d->classes[g->other_label]);
    if (!exact)
        snprintf(like, sizeof like, " (likeness %.2f)", (double)g->likeness);
    const hst_find find = {.kind = kind_of(in, g, exact),
                           .rank = exact ? (double)g->n : (double)g->likeness,
                           .paths = paths,
                           .n = g->n};
    return hst_inspection_add(r, &find, err, "%s%s%s%s", how, where,
                              g->crosses ? ", on both sides" : "", like);
}

/* What is so of all photos of each group. */
static void fill(const hst_inspected *in, const size_t *first, group *groups)
{
    const hst_near *near = in->near;
    for (size_t i = 0; i < near->n; i++) {
        const hst_photo *p = &in->data->photos[i];
        group *g = &groups[first[i]];
        if (g->n++ == 0) {
            g->label = p->label;
            g->side = in->side[i];
            g->other_label = -1;
        }
        if (p->label != g->label && g->other_label < 0)
            g->other_label = p->label;
        g->crosses |= in->side[i] != g->side;
    }
    for (size_t k = 0; k < near->n_pairs; k++) {
        const hst_near_pair *pair = &near->pair[k];
        group *g = &groups[first[pair->a]];
        if (is_same(in, pair))
            continue;
        g->near = 1;
        g->mirrored |= pair->mirrored;
        g->likeness = pair->likeness > g->likeness ? pair->likeness : g->likeness;
    }
}

/* paths[n]: group by group. */
static void gather(const hst_inspected *in, const size_t *first, group *groups, const char **paths)
{
    size_t begin = 0;
    for (size_t i = 0; i < in->near->n; begin += groups[i++].n)
        groups[i].end = begin;
    for (size_t i = 0; i < in->near->n; i++)
        paths[groups[first[i]].end++] = in->data->photos[i].path;
}

static int look(const hst_inspected *in, int exact, hst_inspection *r, hst_err *err)
{
    const size_t n = in->near->n;
    size_t *first = hst_alloc(n, sizeof *first, err);
    group *groups = first ? hst_alloc(n, sizeof *groups, err) : NULL;
    const char **paths = groups ? hst_alloc(n, sizeof *paths, err) : NULL;
    int rc = paths ? 0 : HST_EMEM;
    if (rc == 0) {
        chain(in, exact, first);
        fill(in, first, groups);
        gather(in, first, groups, paths);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (groups[i].n < 2 || (!exact && !groups[i].near))
            continue;
        rc = add_group(in, &groups[i], exact, paths + groups[i].end - groups[i].n, r, err);
    }
    free(first);
    free(groups);
    free(paths);
    return rc;
}

int hst_look_at_copies(const hst_inspected *in, hst_inspection *r, hst_err *err)
{
    int rc = look(in, 1, r, err);
    rc = rc ? rc : look(in, 0, r, err);
    if (rc || !in->near->n_indexed)
        return rc;
    const char *const *dir = &in->data->dir;
    return hst_inspection_add(r, &(hst_find){HST_KIND_NEAR_INDEX, 0, dir, **dir != 0}, err,
                              "of %zu different pictures it finds about 98 of 100 near copies",
                              in->near->n_indexed);
}
