#include "dataset/layout.h"

#include <stdio.h>
#include <string.h>

/* The folders in one folder, and how many of them are what. */
typedef struct view {
    const char *folder;
    hst_sub *sub;
    size_t n, used;                           /* with pictures */
    size_t bare;                              /* without any file: classes to come */
    size_t sided[HST_PARTS], flat[HST_PARTS]; /* of that name, with class folders or without */
    size_t one;                               /* the last with pictures */
} view;

static int is_used(const hst_sub *s)
{
    return !s->skip && (s->direct || s->nested);
}

static int look(const hst_rows *r, hst_tree *t, const char *folder, view *v, hst_err *err)
{
    *v = (view){.folder = folder};
    int rc = hst_layout_subs(r, t, folder, &v->sub, &v->n, err);
    for (size_t i = 0; rc == 0 && i < v->n; i++) {
        const hst_sub *s = &v->sub[i];
        v->bare += !s->skip && s->files == 0;
        if (!is_used(s))
            continue;
        v->used++;
        v->one = i;
        (s->nested ? v->sided : v->flat)[s->part]++;
    }
    return rc;
}

static size_t parts_in(const view *v)
{
    size_t n = 0;
    for (int p = HST_PART_TRAIN; p < HST_PARTS; p++)
        n += v->sided[p] + v->flat[p];
    return n;
}

static int add_level(hst_layout *l, const char *folder, hst_err *err)
{
    if (l->n_levels == HST_LAYOUT_LEVELS)
        return hst_fail(err, HST_EDATA, "%s: the class folders lie too deep", folder);
    l->level[l->n_levels++] = folder;
    return 0;
}

static int add_side(const hst_tree *t, hst_layout *l, const char *folder, enum hst_part part,
                    hst_err *err)
{
    char name[300];
    const size_t i = hst_tree_find(t, folder);
    const char *slash = strrchr(folder, '/');
    hst_layout_side *s = &l->side[l->n++];
    snprintf(name, sizeof name, "%.255s/", slash ? slash + 1 : folder);
    *s = (hst_layout_side){.folder = folder,
                           .path = i < t->n_folders ? t->folder[i].path : t->root,
                           .name = hst_arena_strdup(t->arena, name, err),
                           .part = part};
    return s->name ? 0 : HST_EMEM;
}

/* Names of the folders that are parts (or all with pictures), "test, train"; cut where many. */
static void list_names(const view *v, int only_parts, char *out, size_t cap)
{
    size_t n = 0, told = 0;
    out[0] = 0;
    for (size_t i = 0; i < v->n && n + 1 < cap; i++) {
        const hst_sub *s = &v->sub[i];
        if (!is_used(s) || (only_parts && !s->part))
            continue;
        if (told++ == 4) {
            snprintf(out + n, cap - n, ", ...");
            return;
        }
        const int wrote = snprintf(out + n, cap - n, "%s%.60s", told > 1 ? ", " : "", s->name);
        n += wrote > 0 ? (size_t)wrote : 0;
    }
}

static const char *dir_of(const hst_tree *t, const char *folder)
{
    const size_t i = hst_tree_find(t, folder);
    return i < t->n_folders ? t->folder[i].path : t->root;
}

/* ---- parts ---- */

/* A side may lie in one more folder, of its own name or one for pictures: seg_train/seg_train/. */
static int find_inside(const hst_rows *r, hst_tree *t, const hst_sub *s, hst_layout *l,
                       const char **folder, hst_err *err)
{
    view v;
    *folder = s->below;
    int rc = look(r, t, s->below, &v, err);
    if (rc || v.used != 1 || v.sub[v.one].direct || s->direct)
        return rc;
    const hst_sub *one = &v.sub[v.one];
    if (one->part != s->part && strcmp(one->name, "images") != 0)
        return 0;
    *folder = one->below;
    return add_level(l, s->below, err);
}

/* Every part that has class folders. */
static int take_parts(const hst_rows *r, hst_tree *t, const view *v, hst_layout *l, hst_err *err)
{
    int rc = 0;
    for (int p = HST_PART_TRAIN; p < HST_PARTS; p++)
        for (size_t i = 0; rc == 0 && i < v->n; i++) {
            const hst_sub *s = &v->sub[i];
            const char *folder;
            if (!is_used(s) || (int)s->part != p || !s->nested)
                continue;
            rc = find_inside(r, t, s, l, &folder, err);
            rc = rc ? rc : add_side(t, l, folder, s->part, err);
        }
    return rc;
}

/* The names of parts fit no layout. one, many: why, of one such folder or of several. */
static int refuse_parts(const hst_tree *t, const view *v, const char *one, const char *many,
                        hst_err *err)
{
    char names[300];
    const int is_one = parts_in(v) == 1;
    list_names(v, 1, names, sizeof names);
    return hst_fail(err, HST_EDATA,
                    "%s: %s %s, but %s; name the folder of class folders, or say --part none if "
                    "%s",
                    dir_of(t, v->folder), names,
                    is_one ? "looks like a part of a data set and not like a class"
                           : "look like parts of a data set and not like classes",
                    is_one ? one : many, is_one ? "it is a class" : "they are classes");
}

/* Folders that have the names of parts are here: they are the sides, or classes after all. */
static int read_parts(const hst_rows *r, hst_tree *t, const view *v, hst_layout *l, hst_err *err)
{
    const int splits = r->data->split != HST_SPLIT_NONE || r->o->part;
    const size_t others = v->sided[HST_PART_NONE] + v->flat[HST_PART_NONE];
    const size_t sided =
        v->sided[HST_PART_TRAIN] + v->sided[HST_PART_VAL] + v->sided[HST_PART_TEST];
    for (int p = HST_PART_TRAIN; p < HST_PARTS; p++)
        if (v->sided[p] > 1)
            return refuse_parts(t, v, "", "several are the same part", err);
    if (sided == 0) {
        /* a folder of photos called train beside others is a class: parts come in pairs */
        const int is_class = v->flat[HST_PART_TRAIN] == 1 && parts_in(v) == 1 && others > 0;
        if (is_class || !splits)
            return add_side(t, l, v->folder, HST_PART_NONE, err);
        return refuse_parts(t, v, "holds no class folders", "hold no class folders", err);
    }
    if (sided == 1 && parts_in(v) == 1 && others > 0)
        return refuse_parts(t, v, "lies beside other folders of photos", "", err);
    if (sided > 0 && !v->sided[HST_PART_TRAIN] && (sided > 1 || parts_in(v) > 1) && splits &&
        !r->o->part)
        return refuse_parts(t, v, "", "none of them is one to train on with class folders", err);
    int rc = take_parts(r, t, v, l, err);
    if (rc == 0 && l->n == 1)
        l->side[0].part = HST_PART_NONE; /* all there is: to be split as usual */
    return rc;
}

/* ---- no parts ---- */

/* All folders hold the same folders and nothing else: parts under names that say nothing. */
static int are_alike(const hst_tree *t, const view *v)
{
    const hst_sub *a = NULL;
    for (size_t i = 0; i < v->n; i++) {
        const hst_sub *s = &v->sub[i];
        size_t first, end, same = 0, all = 0;
        char below[4096];
        if (!is_used(s))
            continue;
        if (s->direct || s->nested < 2)
            return 0;
        a = a ? a : s;
        hst_tree_folders(t, a->below, &first, &end);
        for (size_t k = first; k < end; k++) {
            const char *name = hst_tree_under(t->folder[k].below, a->below);
            if (strchr(name, '/') || hst_is_junk(name))
                continue;
            snprintf(below, sizeof below, "%s/%s", s->below, name);
            all++;
            same += hst_tree_find(t, below) < t->n_folders;
        }
        if (2 * same < all)
            return 0;
    }
    return v->used > 1;
}

/* From folder down through folders that hold one folder with pictures and no more: *deep is the
 * first of several, or with parts; folder itself where there is none such. */
static int unwrap(const hst_rows *r, hst_tree *t, const char *folder, const char **deep,
                  hst_err *err)
{
    view v;
    int rc = look(r, t, folder, &v, err);
    const char *start = folder;
    *deep = start;
    for (int depth = 0; rc == 0 && depth < HST_LAYOUT_LEVELS - 4; depth++) {
        if (v.used > 1 || parts_in(&v)) {
            *deep = v.folder;
            return 0;
        }
        if (v.used == 0 || v.bare || v.sub[v.one].direct)
            return 0;
        rc = look(r, t, v.sub[v.one].below, &v, err);
    }
    return rc;
}

/* The levels from above down to right above deep. */
static int add_levels(const hst_tree *t, const char *above, const char *deep, hst_layout *l,
                      hst_err *err)
{
    int rc = 0;
    size_t n = strlen(above);
    while (rc == 0 && strlen(deep) > n) {
        char *level = hst_arena_strdup(t->arena, deep, err);
        if (!level)
            return HST_EMEM;
        level[n] = 0;
        rc = add_level(l, level, err);
        const char *next = strchr(deep + n + (n > 0), '/');
        n = next ? (size_t)(next - deep) : strlen(deep);
    }
    return rc;
}

int hst_layout_find(hst_rows *r, hst_tree *t, hst_layout *l, hst_err *err)
{
    const char *folder;
    char names[300];
    view v;
    *l = (hst_layout){0};
    if (r->o->part && strcmp(r->o->part, "none") == 0)
        return add_side(t, l, "", HST_PART_NONE, err);
    int rc = unwrap(r, t, "", &folder, err);
    rc = rc ? rc : add_levels(t, "", folder, l, err);
    rc = rc ? rc : look(r, t, folder, &v, err);
    if (rc)
        return rc;
    if (parts_in(&v) == 0) {
        list_names(&v, 0, names, sizeof names);
        if (r->data->split != HST_SPLIT_NONE && are_alike(t, &v))
            return hst_fail(
                err, HST_EDATA,
                "%s: each of its folders (%s) holds the same class folders; name one of "
                "them (and another with --val), or say --part none if they are classes",
                dir_of(t, folder), names);
        return add_side(t, l, folder, HST_PART_NONE, err);
    }
    rc = read_parts(r, t, &v, l, err);
    if (rc == 0 && !(l->n == 1 && l->side[0].folder == v.folder))
        rc = add_level(l, folder, err);
    return rc;
}
