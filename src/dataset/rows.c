#include "dataset/rows.h"
#include "dataset/join.h"

#include "dataset/class_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hst_rows_add(hst_rows *r, const hst_row *row, hst_err *err)
{
    void *list = r->row;
    int rc = hst_make_room(&list, r->n, &r->cap, sizeof *r->row, err);
    r->row = list;
    if (rc == 0)
        r->row[r->n++] = *row;
    return rc;
}

int hst_rows_add_class(hst_rows *r, const char *name, hst_err *err)
{
    void *list = r->classes;
    int rc = hst_make_room(&list, r->n_classes, &r->classes_cap, sizeof *r->classes, err);
    r->classes = list;
    if (rc == 0)
        r->classes[r->n_classes++] = name;
    return rc;
}

int hst_rows_leave_out(hst_rows *r, const char *path, enum hst_left why, const char *what,
                       hst_err *err)
{
    return hst_left_add(&r->data->left, path, why, what, err);
}

int hst_rows_understood(hst_rows *r, hst_err *err, const char *fmt, ...)
{
    const char *before = r->data->understood;
    char more[1024], line[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(more, sizeof more, fmt, args);
    va_end(args);
    snprintf(line, sizeof line, "%s%s%s", before ? before : "", before ? "; " : "", more);
    hst_printable(more, sizeof more, line);
    r->data->understood = hst_arena_strdup(r->arena, more, err);
    return r->data->understood ? 0 : HST_EMEM;
}

void hst_rows_clear(hst_rows *r)
{
    free(r->row);
    free(r->classes);
    *r = (hst_rows){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a row's photo shows; *last: what the row before showed, which is mostly the same. */
static int add_classes_of(hst_rows *r, const hst_row *row, const char **last, hst_err *err)
{
    int rc = 0;
    if (r->data->target == HST_TARGET_NUMBER)
        return 0;
    for (size_t k = 0; rc == 0 && k < row->n_labels; k++)
        rc = hst_rows_add_class(r, row->label[k], err);
    if (row->n_labels == 0 && row->class_name && row->class_name != *last)
        rc = hst_rows_add_class(r, row->class_name, err);
    *last = row->class_name;
    return rc;
}

/* The classes of all rows and those told, once each, in order. */
static int make_classes(hst_rows *r, hst_err *err)
{
    hst_data *d = r->data;
    const char *last = NULL;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        rc = add_classes_of(r, &r->row[i], &last, err);
    if (rc == 0 && d->target == HST_TARGET_NUMBER)
        rc = hst_rows_add_class(r, r->o->target, err);
    if (rc == 0 && r->n_classes)
        qsort(r->classes, r->n_classes, sizeof *r->classes, by_text);
    for (size_t i = 0; rc == 0 && i < r->n_classes; i++)
        if (n == 0 || strcmp(r->classes[n - 1], r->classes[i]) != 0)
            r->classes[n++] = r->classes[i];
    r->n_classes = n;
    if (rc == 0 && n > INT32_MAX)
        rc = hst_fail(err, HST_EDATA, "%s: %zu classes are too many", d->dir, n);
    d->classes = rc ? NULL : hst_arena_alloc(r->arena, n, sizeof *d->classes, err);
    for (size_t i = 0; d->classes && i < n; i++)
        d->classes[d->n_classes++] = r->classes[i];
    return rc ? rc : d->classes ? 0 : HST_EMEM;
}

/* The class of that name, or -1. */
static int find_class(const hst_data *d, const char *name)
{
    const char **found = name && d->n_classes ? bsearch(&name, d->classes, (size_t)d->n_classes,
                                                        sizeof *d->classes, by_text)
                                              : NULL;
    return found ? (int)(found - d->classes) : -1;
}

/* What is for tests has a side only where it stands in for validation. */
static int side_of(const hst_data *d, enum hst_part part)
{
    if (part == HST_PART_NONE || (part == HST_PART_TEST && d->split == HST_SPLIT_NONE))
        return HST_UNSPLIT;
    return part == HST_PART_TRAIN ? HST_TRAIN : HST_VALIDATION;
}

/* First the whole path of the folder ("sub" < "sub-a" < "sub/deep" < "sub2"), then the name. */
static int by_folder_then_name(const char *p, const char *q)
{
    const char *p_end = strrchr(p, '/'), *q_end = strrchr(q, '/');
    const size_t np = p_end ? (size_t)(p_end - p) : 0, nq = q_end ? (size_t)(q_end - q) : 0;
    const int order = memcmp(p, q, np < nq ? np : nq);
    if (order != 0)
        return order;
    return np == nq ? strcmp(p + np, q + nq) : np < nq ? -1 : 1;
}

/* The training side first, classes in order. */
static int photos_in_order(const void *pa, const void *pb)
{
    const hst_photo *a = pa, *b = pb;
    const int last_a = a->side == HST_VALIDATION, last_b = b->side == HST_VALIDATION;
    if (last_a != last_b)
        return last_a - last_b;
    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    const int order = by_folder_then_name(a->relative, b->relative);
    return order ? order : strcmp(a->path, b->path);
}

/* The row's labels as marks[n_classes], which are all 0. */
static void set_marks(const hst_data *d, const hst_row *row, uint8_t *marks)
{
    for (size_t k = 0; k < row->n_labels; k++)
        marks[find_class(d, row->label[k])] = 1;
    if (row->n_labels == 0 && row->class_name)
        marks[find_class(d, row->class_name)] = 1;
}

/* What is known of the photo but for its class. */
static void set_target(const hst_data *d, const hst_row *row, uint8_t *marks, hst_photo *p)
{
    if (d->target != HST_TARGET_CLASS)
        p->label = -1;
    if (d->target == HST_TARGET_NUMBER)
        p->number = row->number;
    if (d->target == HST_TARGET_LABELS) {
        set_marks(d, row, marks);
        p->marks = marks;
    }
}

static int make_photos(hst_rows *r, hst_err *err)
{
    hst_data *d = r->data;
    const char *last = NULL;
    int label = -1, parts = 0;
    const size_t n_marks = d->target == HST_TARGET_LABELS ? (size_t)d->n_classes : 0;
    uint8_t *marks = n_marks ? hst_arena_alloc(r->arena, r->n, n_marks, err) : NULL;
    d->photos = hst_alloc(r->n, sizeof *d->photos, err);
    if (!d->photos || (n_marks && !marks))
        return HST_EMEM;
    for (size_t i = 0; i < r->n; i++) {
        const hst_row *row = &r->row[i];
        if (i == 0 || row->class_name != last)
            label = find_class(d, row->class_name);
        last = row->class_name;
        d->photos[d->n_photos++] =
            (hst_photo){.path = row->path,
                        .relative = row->relative ? row->relative : row->path,
                        .label = label,
                        .side = side_of(d, row->part),
                        .number = NAN};
        set_target(d, row, marks ? marks + i * n_marks : NULL, &d->photos[i]);
        parts |= row->part != HST_PART_NONE;
    }
    d->split = parts ? HST_SPLIT_FOLDERS : d->split;
    if (d->n_photos)
        qsort(d->photos, d->n_photos, sizeof *d->photos, photos_in_order);
    return 0;
}

/* Photos to learn from, [n_classes]. */
static size_t *count_training(const hst_data *d, hst_err *err)
{
    size_t *n = hst_alloc((size_t)d->n_classes, sizeof *n, err);
    for (size_t i = 0; n && i < d->n_photos; i++)
        if (d->photos[i].label >= 0 && d->photos[i].side != HST_VALIDATION)
            n[d->photos[i].label]++;
    return n;
}

/* trains: photos to learn from of each class. */
static int check_sides(const hst_data *d, const size_t *trains, hst_err *err)
{
    size_t n_val = 0;
    for (size_t i = 0; i < d->n_photos; i++) {
        const hst_photo *p = &d->photos[i];
        n_val += p->side == HST_VALIDATION;
        if (p->side == HST_VALIDATION && p->label >= 0 && trains[p->label] == 0)
            return hst_fail(err, HST_EDATA,
                            "%s: its class, %s, has no photos to train on; add some, or take it "
                            "away from the validation side too",
                            p->path, d->classes[p->label]);
    }
    if (n_val == 0)
        return hst_fail(err, HST_EDATA, "%s: no photos on the validation side", d->dir);
    return 0;
}

/* to_split: the sides are still to be made, or rows have them. */
static int check_enough(const hst_data *d, int to_split, const size_t *trains, hst_err *err)
{
    const char *root = d->root ? d->root : d->dir;
    size_t filled = 0, n = 0;
    int last = -1;
    for (int c = 0; c < d->n_classes; c++) {
        n += trains[c];
        filled += trains[c] > 0;
        last = trains[c] ? c : last;
    }
    if (d->n_photos == 0)
        return hst_fail(err, HST_EDATA, "%s: no photos", root);
    if (d->target == HST_TARGET_LABELS && d->n_classes == 0)
        return hst_fail(err, HST_EDATA, "%s: no photo has a label", root);
    if (to_split && filled < 2 && d->target == HST_TARGET_CLASS)
        return hst_fail(err, HST_EDATA,
                        "%s: photos of one class only (%s); a model needs at least two classes",
                        root, last < 0 ? "none" : d->classes[last]);
    if (d->split == HST_SPLIT_KERAS && d->target == HST_TARGET_CLASS && n < 2 * filled)
        return hst_fail(err, HST_EDATA,
                        "%s: too few photos: %zu in %zu classes; the Keras split wants at least 2 "
                        "per class",
                        root, n, filled);
    return 0;
}

static int keras_sides(hst_data *d, hst_err *err)
{
    uint8_t *side = hst_alloc(d->n_photos, 1, err);
    if (!side)
        return HST_EMEM;
    int rc = hst_split_keras(d->n_photos, d->val_part, d->seed, side, NULL, err);
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++)
        d->photos[i].side = side[i];
    free(side);
    return rc;
}

/* What was understood and left out, told once all is well. */
static int tell(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    hst_data *d = r->data;
    hst_buf b = HST_BUF(1 << 16);
    char line[1024];
    hst_left_sort(&d->left);
    hst_left_tell(&d->left, d->dir, &b);
    int rc = hst_buf_check(&b, err);
    if (rc == 0 && b.n) {
        hst_printable(line, sizeof line, b.p);
        d->left_summary = hst_arena_strdup(r->arena, line, err);
        rc = d->left_summary ? 0 : HST_EMEM;
    }
    hst_buf_free(&b);
    if (rc == 0 && d->understood)
        hst_log(ctx, HST_LOG_INFO, "%s: %s", d->dir, d->understood);
    if (rc == 0 && d->left_summary)
        hst_log(ctx, hst_left_matters(&d->left) ? HST_LOG_WARN : HST_LOG_INFO, "%s: left out: %s",
                d->dir, d->left_summary);
    return rc;
}

int hst_rows_finish(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    hst_data *d = r->data;
    const int to_split = d->split != HST_SPLIT_NONE;
    int rc = hst_rows_take_part(r, err);
    if (rc == 0 && d->target == HST_TARGET_LABELS)
        rc = hst_rows_join(ctx, r, err);
    if (rc == 0)
        rc = make_classes(r, err);
    if (rc == 0)
        rc = make_photos(r, err);
    size_t *trains = rc ? NULL : count_training(d, err);
    if (rc == 0)
        rc = trains ? check_enough(d, to_split, trains, err) : HST_EMEM;
    if (rc == 0 && d->split == HST_SPLIT_FOLDERS && to_split)
        rc = check_sides(d, trains, err);
    if (rc == 0 && d->split == HST_SPLIT_KERAS)
        rc = keras_sides(d, err);
    if (rc == 0 && to_split)
        rc = hst_class_names_check(ctx, d, err);
    free(trains);
    return rc ? rc : tell(ctx, r, err);
}
