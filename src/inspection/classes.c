/* classes.c - how many photos each class has, and names that may be one. */
#include "base/file.h"
#include "dataset/class_check.h"
#include "inspection/look.h"

#include <stdlib.h>
#include <string.h>

enum {
    FEW = 10,   /* photos: with 0.2 of them aside, fewer leave one or none to measure by */
    TENTH = 10, /* the largest class by the smallest, from which the small ones are told */
};

typedef struct named {
    char key[HST_CLASS_KEY];
    int label;
} named;

static int by_key(const void *pa, const void *pb)
{
    const named *a = pa, *b = pb;
    const int order = strcmp(a->key, b->key);
    return order ? order : a->label - b->label;
}

/* Of the folder of a class, in the arena. */
static const char *folder_of(const hst_data *d, const char *root, int label, hst_inspection *r,
                             hst_err *err)
{
    char *path = hst_path_join(root, d->classes[label], err);
    const char *kept = path ? hst_arena_strdup(r->arena, path, err) : NULL;
    free(path);
    return kept;
}

static int look_at_names(const hst_data *d, const char *const *folder, hst_inspection *r,
                         hst_err *err)
{
    const size_t n = (size_t)d->n_classes;
    named *names = hst_alloc(n, sizeof *names, err);
    const char **paths = names ? hst_alloc(n, sizeof *paths, err) : NULL;
    int rc = paths ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        names[i].label = (int)i;
        hst_class_key(d->classes[i], names[i].key);
    }
    if (rc == 0)
        qsort(names, n, sizeof *names, by_key);
    for (size_t i = 0, same; rc == 0 && i < n; i += same) {
        for (same = 1; i + same < n && strcmp(names[i].key, names[i + same].key) == 0; same++) {
        }
        for (size_t k = 0; k < same; k++)
            paths[k] = folder[names[i + k].label];
        if (same > 1)
            rc = hst_inspection_add(r, &(hst_find){HST_KIND_CLASS_NAMES, 0, paths, same}, err,
                                    "may be one class");
    }
    free(names);
    free(paths);
    return rc;
}

/* usable[n_classes][2]: photos to learn from, and on the validation side where it is a folder. */
static int look_at_sizes(const hst_inspected *in, const char *const *folder,
                         const size_t (*usable)[2], hst_inspection *r, hst_err *err)
{
    const hst_data *d = in->data;
    size_t most = 0, filled = 0;
    int rc = 0;
    for (int c = 0; c < d->n_classes; c++) {
        most = usable[c][0] > most ? usable[c][0] : most;
        filled += usable[c][0] > 0;
    }
    if (filled < 2)
        rc = hst_inspection_add(r, &(hst_find){HST_KIND_ONE_CLASS, 0, &d->root, 1}, err,
                                "%zu of %d classes with usable photos", filled, d->n_classes);
    for (int c = 0; rc == 0 && c < d->n_classes; c++) {
        const size_t n = usable[c][0];
        hst_find find = {.rank = -(double)n, .paths = &folder[c], .n = 1};
        find.kind = n == 0 ? HST_KIND_EMPTY_CLASS : HST_KIND_TINY_CLASS;
        if (n < FEW)
            rc = hst_inspection_add(r, &find, err, n == 0 ? "no usable photo" : "%zu photo%s", n,
                                    n == 1 ? "" : "s");
        find.kind = HST_KIND_IMBALANCE;
        if (rc == 0 && n >= FEW && n * TENTH < most)
            rc = hst_inspection_add(r, &find, err, "%zu photo%s, %zu in the largest class", n,
                                    n == 1 ? "" : "s", most);
        find.kind = HST_KIND_UNMEASURED;
        if (rc == 0 && d->split == HST_SPLIT_FOLDERS && n > 0 && usable[c][1] == 0)
            rc = hst_inspection_add(r, &find, err, "none in %s", d->val_root);
    }
    return rc;
}

int hst_look_at_classes(const hst_inspected *in, hst_inspection *r, hst_err *err)
{
    const hst_data *d = in->data;
    if (!d->root || d->target != HST_TARGET_CLASS)
        return 0;
    const size_t n = (size_t)d->n_classes;
    size_t(*usable)[2] = hst_alloc(n, sizeof *usable, err);
    const char **folder = usable ? hst_alloc(n, sizeof *folder, err) : NULL;
    int rc = folder ? 0 : HST_EMEM;
    for (int c = 0; rc == 0 && c < d->n_classes; c++)
        rc = (folder[c] = folder_of(d, d->root, c, r, err)) ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++)
        if (!in->why[i])
            usable[d->photos[i].label]
                  [d->split == HST_SPLIT_FOLDERS && in->side[i] == HST_VALIDATION]++;
    if (rc == 0)
        rc = look_at_names(d, folder, r, err);
    if (rc == 0)
        rc = look_at_sizes(in, folder, (const size_t(*)[2])usable, r, err);
    free(usable);
    free(folder);
    return rc;
}
