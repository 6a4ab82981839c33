/* labelled.c - photos of which the caller knows several labels or a number, and what is known of
 * any photos. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const hst_sized sized = HST_SIZED(hst_labelled, sides);

void hst_labelled_init(hst_labelled *l, size_t size)
{
    hst_sized_init(&sized, &(hst_labelled){0}, l, size);
}

static int check_names(const hst_labelled *l, hst_err *err)
{
    if (!l->names || l->n_names < 1 || (l->numbers && l->n_names != 1))
        return hst_fail(err, HST_EARG, "%d names, expected %s", l->n_names,
                        l->numbers ? "the one of the numbers" : "those of the labels");
    for (int a = 0; a < l->n_names; a++) {
        if (!l->names[a] || !l->names[a][0])
            return hst_fail(err, HST_EARG, "name %d is empty", a);
        for (int b = 0; b < a; b++)
            if (strcmp(l->names[a], l->names[b]) == 0)
                return hst_fail(err, HST_EARG, "two labels are '%s'", l->names[a]);
    }
    return 0;
}

static int check_photo(const hst_labelled *l, size_t i, hst_err *err)
{
    const size_t n = (size_t)l->n_names;
    if (!l->paths[i] || !l->paths[i][0])
        return hst_fail(err, HST_EARG, "photo %zu has no path", i);
    if (l->numbers && !isfinite(l->numbers[i]))
        return hst_fail(err, HST_EARG, "%s: its %s is not a finite number", l->paths[i],
                        l->names[0]);
    for (size_t c = 0; l->marks && c < n; c++)
        if (l->marks[i * n + c] > 1)
            return hst_fail(err, HST_EARG, "%s: label %s is %d, expected 0 or 1", l->paths[i],
                            l->names[c], l->marks[i * n + c]);
    if (l->sides && l->sides[i] != HST_TRAIN && l->sides[i] != HST_VALIDATION)
        return hst_fail(err, HST_EARG, "%s: side %d, expected that of training or validation",
                        l->paths[i], l->sides[i]);
    return 0;
}

static int check(const hst_labelled *l, const hst_data_opts *o, enum hst_split split, hst_err *err)
{
    if (!l->marks == !l->numbers)
        return hst_fail(err, HST_EARG, "hst_data_from_labelled wants marks or numbers, not %s",
                        l->marks ? "both" : "neither");
    if (split == HST_SPLIT_KERAS || o->val_dir)
        return hst_fail(err, HST_EARG, "%s is for photos of one class each, in folders",
                        o->val_dir ? "a folder for validation" : "split keras");
    if (l->n == 0 || !l->paths)
        return hst_fail(err, HST_EDATA, "no photos");
    int rc = check_names(l, err);
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = check_photo(l, i, err);
    return rc;
}

static int add_names(hst_data *d, const hst_labelled *l, hst_err *err)
{
    d->classes = hst_arena_alloc(d->arena, (size_t)l->n_names, sizeof *d->classes, err);
    if (!d->classes)
        return HST_EMEM;
    for (int c = 0; c < l->n_names; c++)
        if (!(d->classes[d->n_classes++] = hst_arena_strdup(d->arena, l->names[c], err)))
            return HST_EMEM;
    return 0;
}

static int add_photos(hst_data *d, const hst_labelled *l, hst_err *err)
{
    const size_t n_names = (size_t)l->n_names;
    uint8_t *marks = l->marks ? hst_arena_alloc(d->arena, l->n, n_names, err) : NULL;
    d->photos = hst_alloc(l->n, sizeof *d->photos, err);
    if (!d->photos || (l->marks && !marks))
        return HST_EMEM;
    if (marks)
        memcpy(marks, l->marks, l->n * n_names);
    for (size_t i = 0; i < l->n; i++) {
        const char *path = hst_arena_strdup(d->arena, l->paths[i], err);
        if (!path)
            return HST_EMEM;
        d->photos[d->n_photos++] = (hst_photo){.path = path,
                                               .relative = path,
                                               .label = -1,
                                               .side = l->sides ? l->sides[i] : HST_UNSPLIT,
                                               .marks = marks ? marks + i * n_names : NULL,
                                               .number = l->numbers ? l->numbers[i] : NAN};
    }
    return 0;
}

hst_data *hst_data_from_labelled(const hst_labelled *given, const hst_data_opts *opts, hst_err *err)
{
    hst_labelled l = {0};
    hst_data_opts o;
    enum hst_split split;
    if (!given)
        hst_fail(err, HST_EARG, "hst_data_from_labelled: no photos given");
    if (!given || hst_sized_read(&sized, &l, given, err) ||
        hst_data_opts_read(opts, &o, &split, err) || check(&l, &o, split, err))
        return NULL;
    hst_data *d = hst_alloc(1, sizeof *d, err);
    if (!d)
        return NULL;
    d->target = l.marks ? HST_TARGET_LABELS : HST_TARGET_NUMBER;
    d->split = l.sides ? HST_SPLIT_FOLDERS : split;
    d->val_part = o.val_part;
    d->seed = o.seed;
    d->dir = "";
    d->arena = hst_arena_new(err);
    if (d->arena && add_names(d, &l, err) == 0 && add_photos(d, &l, err) == 0)
        return d;
    hst_data_free(d);
    return NULL;
}

enum hst_target hst_data_target(const hst_data *d)
{
    return d->target;
}

const uint8_t *hst_data_marks(const hst_data *d, size_t i)
{
    return i < d->n_photos ? d->photos[i].marks : NULL;
}

double hst_data_number(const hst_data *d, size_t i)
{
    return i < d->n_photos ? d->photos[i].number : NAN;
}

const char *hst_data_known_name(const hst_data *d)
{
    return d->target == HST_TARGET_LABELS   ? "labels"
           : d->target == HST_TARGET_NUMBER ? "number"
                                            : "label";
}

void hst_data_put_known(const hst_data *d, size_t i, hst_buf *b)
{
    const hst_photo *p = &d->photos[i];
    if (p->label >= 0)
        hst_buf_puts(b, d->classes[p->label]);
    if (d->target == HST_TARGET_NUMBER)
        hst_buf_double(b, p->number);
    for (int c = 0, any = 0; p->marks && c < d->n_classes; c++)
        if (p->marks[c]) {
            hst_buf_puts(b, any++ ? "|" : "");
            hst_buf_puts(b, d->classes[c]);
        }
}

void hst_data_csv_known(const hst_data *d, size_t i, hst_buf *b)
{
    hst_buf text = HST_BUF(SIZE_MAX / 2);
    hst_data_put_known(d, i, &text);
    b->failed |= text.failed;
    hst_buf_csv(b, text.p ? text.p : "");
    hst_buf_free(&text);
}

int hst_data_same_known(const hst_data *d, size_t a, size_t b)
{
    const hst_photo *x = &d->photos[a], *y = &d->photos[b];
    if (d->target == HST_TARGET_LABELS)
        return memcmp(x->marks, y->marks, (size_t)d->n_classes) == 0;
    return d->target == HST_TARGET_NUMBER ? x->number == y->number : x->label == y->label;
}
