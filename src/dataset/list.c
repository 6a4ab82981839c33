#include "dataset/list.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hst_list_begin(hst_list *l, const hst_ctx *ctx, hst_rows *r, const char *base, hst_tree *in)
{
    *l = (hst_list){.ctx = ctx, .rows = r, .file = r->data->dir};
    hst_finder_begin(&l->finder, r->arena, base, in);
}

void hst_list_clear(hst_list *l)
{
    hst_finder_end(&l->finder);
    free(l->entry);
    l->entry = NULL;
    l->n = l->cap = 0;
}

int hst_list_refuse(hst_list *l, size_t line, const char *what, hst_err *err)
{
    char where[4096];
    snprintf(where, sizeof where, "%s, line %zu", l->file, line);
    const char *copy = hst_arena_strdup(l->rows->arena, where, err);
    return copy ? hst_rows_leave_out(l->rows, copy, HST_LEFT_LABEL, what, err) : HST_EMEM;
}

static int leave_missing(hst_list *l, const char *cell, const char *why, hst_err *err)
{
    const char *copy = hst_arena_strdup(l->rows->arena, cell, err);
    l->missing = l->missing ? l->missing : copy;
    l->n_missing++;
    return copy ? hst_rows_leave_out(l->rows, copy, HST_LEFT_MISSING, why, err) : HST_EMEM;
}

int hst_list_add(hst_list *l, const char *cell, const hst_entry *e, hst_err *err)
{
    const char *path, *why;
    const int rc = hst_finder_find(&l->finder, cell, &path, &why, err);
    if (rc || !path)
        return rc ? rc : leave_missing(l, cell, why, err);
    hst_entry found = *e;
    found.path = path;
    return hst_list_put(l, &found, err);
}

int hst_list_put(hst_list *l, const hst_entry *e, hst_err *err)
{
    void *list = l->entry;
    if (hst_make_room(&list, l->n, &l->cap, sizeof *l->entry, err))
        return HST_EMEM;
    l->entry = list;
    l->entry[l->n++] = *e;
    return 0;
}

/* ---- one entry a photo ---- */

static int by_path(const void *pa, const void *pb)
{
    const hst_entry *a = pa, *b = pb;
    const int order = strcmp(a->path, b->path);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int has_label(const hst_entry *e, const char *label)
{
    for (size_t i = 0; i < e->n_labels; i++)
        if (strcmp(e->label[i], label) == 0)
            return 1;
    return 0;
}

/* The labels of both in to. */
static int join_labels(hst_list *l, hst_entry *to, const hst_entry *from, hst_err *err)
{
    size_t more = 0;
    for (size_t i = 0; i < from->n_labels; i++)
        more += !has_label(to, from->label[i]);
    if (more == 0)
        return 0;
    const char **all = hst_arena_alloc(l->rows->arena, to->n_labels + more, sizeof *all, err);
    if (!all)
        return HST_EMEM;
    memcpy(all, to->label, to->n_labels * sizeof *all);
    for (size_t i = 0, n = to->n_labels; i < from->n_labels; i++)
        if (!has_label(to, from->label[i]))
            all[n++] = from->label[i];
    to->label = all;
    to->n_labels += more;
    return 0;
}

/* Photos named more than once become one entry. Their sides: what the first says; numbers that
 * differ become none. */
static int merge(hst_list *l, hst_err *err)
{
    size_t n = 0;
    int rc = 0;
    if (l->n)
        qsort(l->entry, l->n, sizeof *l->entry, by_path);
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        hst_entry *last = n ? &l->entry[n - 1] : NULL, *e = &l->entry[i];
        if (!last || strcmp(last->path, e->path) != 0) {
            l->entry[n++] = *e;
            continue;
        }
        l->n_doubles++;
        if (e->wrong)
            continue;
        if (last->wrong)
            *last = *e;
        last->number = last->number == e->number ? last->number : (double)NAN;
        rc = join_labels(l, last, e, err);
    }
    l->n = n;
    return rc;
}

/* ---- rows ---- */

static const char *relative_of(const hst_list *l, const char *path)
{
    const char *below = hst_tree_under(path, l->finder.base);
    return below == path ? NULL : below;
}

static int several(const hst_list *l, size_t n, const hst_entry *e, hst_err *err)
{
    char where[48] = "";
    if (e->line)
        snprintf(where, sizeof where, ", line %zu", e->line);
    return hst_fail(err, HST_EDATA,
                    "%s: %zu of %zu photos have several labels (%s%s: %s, %s); --multi-label "
                    "learns all of them",
                    l->file, n, l->n, e->path, where, e->label[0], e->label[1]);
}

/* Where most photos have several labels, it is not one class each that the list says. */
static int check_single(const hst_list *l, hst_err *err)
{
    size_t n = 0;
    const hst_entry *first = NULL;
    for (size_t i = 0; i < l->n; i++)
        if (l->entry[i].n_labels > 1) {
            first = first ? first : &l->entry[i];
            n++;
        }
    return n * 2 > l->n ? several(l, n, first, err) : 0;
}

/* Why the entry can be no row, or NULL. */
static const char *what_is_wrong(const hst_list *l, const hst_entry *e)
{
    if (e->wrong)
        return e->wrong;
    switch (l->rows->data->target) {
    case HST_TARGET_NUMBER:
        return isfinite(e->number) ? NULL : "two numbers";
    case HST_TARGET_LABELS:
        return NULL;
    case HST_TARGET_CLASS:
        break;
    }
    return e->n_labels == 1  ? NULL
           : e->n_labels > 1 ? "several labels (--multi-label learns them)"
                             : "no label";
}

static int add_row(hst_list *l, const hst_entry *e, hst_err *err)
{
    const char *wrong = what_is_wrong(l, e);
    if (wrong)
        return hst_rows_leave_out(l->rows, e->path, HST_LEFT_LABEL, wrong, err);
    return hst_rows_add(l->rows,
                        &(hst_row){.path = e->path,
                                   .relative = relative_of(l, e->path),
                                   .class_name = e->n_labels ? e->label[0] : NULL,
                                   .part = e->part,
                                   .label = e->label,
                                   .n_labels = e->n_labels,
                                   .number = e->number},
                        err);
}

/* A list of one part alone is divided as any other data; where it has several, what says none is
 * for training. */
static void settle_parts(hst_list *l)
{
    const hst_data_opts *o = l->rows->o;
    size_t n[HST_PARTS] = {0};
    for (size_t i = 0; i < l->n; i++)
        n[l->entry[i].part]++;
    const int one =
        n[HST_PART_TRAIN] == l->n || n[HST_PART_VAL] == l->n || n[HST_PART_TEST] == l->n;
    const int parts = n[HST_PART_NONE] < l->n;
    for (size_t i = 0; parts && i < l->n; i++)
        if (one && !o->val_dir && !o->part)
            l->entry[i].part = HST_PART_NONE;
        else if (l->entry[i].part == HST_PART_NONE)
            l->entry[i].part = HST_PART_TRAIN;
}

int hst_list_end(hst_list *l, hst_err *err)
{
    if (l->n == 0 && l->n_missing)
        return hst_fail(err, HST_EDATA,
                        "%s: none of its %zu photos is there (%s, looked for below %s); --images "
                        "DIR says where they are",
                        l->file, l->n_missing, l->missing, l->finder.base);
    if (l->n == 0)
        return hst_fail(err, HST_EDATA, "%s names no photo with a label", l->file);
    int rc = merge(l, err);
    settle_parts(l);
    if (rc == 0 && l->rows->data->target == HST_TARGET_CLASS)
        rc = check_single(l, err);
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = add_row(l, &l->entry[i], err);
    if (rc == 0 && l->n_doubles && !l->repeats)
        rc = hst_rows_understood(l->rows, err, "%zu row%s name%s a photo again", l->n_doubles,
                                 l->n_doubles == 1 ? "" : "s", l->n_doubles == 1 ? "s" : "");
    if (rc == 0 && l->finder.prefix)
        rc = hst_rows_understood(l->rows, err, "%s in front of its paths is not here and left away",
                                 l->finder.prefix);
    else if (rc == 0 && l->finder.n_searched)
        rc = hst_rows_understood(l->rows, err, "%zu photo%s found by name below %s",
                                 l->finder.n_searched, l->finder.n_searched == 1 ? "" : "s",
                                 l->finder.base);
    return rc;
}
