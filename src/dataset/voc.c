#include "dataset/voc.h"
#include "base/file.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum set { NO_SET, TRAIN, VAL, TRAINVAL, TEST };
static const struct {
    const char *ending;
    enum hst_part part;
} sets[] = {[TRAIN] = {"_train.txt", HST_PART_TRAIN},
            [VAL] = {"_val.txt", HST_PART_VAL},
            [TRAINVAL] = {"_trainval.txt", HST_PART_NONE},
            [TEST] = {"_test.txt", HST_PART_TEST}};

/* Which list a file below the tree's root is; *label and *n: the class in its name. */
static enum set set_of(const char *below, const char **label, size_t *n)
{
    static const char main_folder[] = "ImageSets/Main/";
    const char *name = hst_path_base(below);
    const size_t folder = (size_t)(name - below), m = sizeof main_folder - 1;
    if (folder < m || memcmp(name - m, main_folder, m) != 0 ||
        (folder > m && name[-(ptrdiff_t)m - 1] != '/'))
        return NO_SET;
    for (enum set s = TRAIN; s <= TEST; s++)
        if (hst_ends_with(name, sets[s].ending) && strlen(name) > strlen(sets[s].ending)) {
            *label = name;
            *n = strlen(name) - strlen(sets[s].ending);
            return s;
        }
    return NO_SET;
}

/* 1: both sides have lists of their own. */
static int has_sides(const hst_tree *t)
{
    const char *label;
    size_t n;
    int train = 0, val = 0;
    for (size_t i = 0; i < t->n_files; i++) {
        const enum set s = set_of(t->file[i].below, &label, &n);
        train |= s == TRAIN;
        val |= s == VAL;
    }
    return train && val;
}

/* Where the photos of that list are: "JPEGImages" beside "ImageSets". */
static const char *photos_of(const hst_list *l, const char *path, hst_err *err)
{
    static const char photos[] = "JPEGImages";
    const size_t lists = sizeof "ImageSets/Main/" - 1;
    const size_t n = (size_t)(hst_path_base(path) - path) - lists;
    char *base = hst_arena_alloc(l->rows->arena, n + sizeof photos, 1, err);
    if (base) {
        memcpy(base, path, n);
        memcpy(base + n, photos, sizeof photos);
    }
    return base;
}

/* The rows of one list. none: those of -1 as well, which say that the photo belongs to the set. */
static int add_rows(hst_list *l, const hst_table *t, const char *const *label, enum hst_part part,
                    int none, hst_err *err)
{
    int rc = 0;
    for (size_t r = 0; rc == 0 && r < t->n_rows; r++) {
        const char *id = hst_table_text(t, r, 0), *flag = hst_table_text(t, r, 1);
        const int shows = flag && (strcmp(flag, "1") == 0 || strcmp(flag, "0") == 0);
        if (!id || !flag || (!shows && strcmp(flag, "-1") != 0))
            return hst_fail(err, HST_EDATA, "%s, line %zu: expected an id and 1, 0 or -1", l->file,
                            t->line[r]);
        const hst_entry e = {.label = (const char **)label,
                             .n_labels = (size_t)shows,
                             .part = part,
                             .number = NAN,
                             .line = t->line[r]};
        if (shows || none)
            rc = hst_list_add(l, id, &e, err);
    }
    return rc;
}

static int read_list(hst_list *l, const char *path, enum set set, int none, hst_err *err)
{
    const char *label;
    size_t n;
    hst_table_file text;
    hst_table t = {0};
    hst_arena *arena = l->rows->arena;
    (void)set_of(path, &label, &n);
    const char **one = hst_arena_alloc(arena, 1, sizeof *one, err);
    char *name = one ? hst_arena_strdup(arena, label, err) : NULL;
    const char *base = name ? photos_of(l, path, err) : NULL;
    if (!base)
        return HST_EMEM;
    name[n] = 0;
    *one = name;
    l->file = path;
    l->finder.base = base;
    int rc = hst_list_text(l->ctx, path, &text, err);
    if (rc)
        return rc;
    if (text.n) /* a class without a photo */
        rc = hst_table_parse(arena, &text, &t, err);
    if (rc == 0)
        rc = add_rows(l, &t, one, sets[set].part, none, err);
    hst_table_clear(&t);
    free((void *)text.bytes);
    return rc;
}

int hst_list_voc(hst_list *l, const hst_tree *tree, int *is, hst_err *err)
{
    const int sides = has_sides(tree);
    int seen[TEST + 1] = {0}, rc = 0;
    const char *label;
    size_t n, lists = 0;
    for (size_t i = 0; rc == 0 && i < tree->n_files; i++) {
        const enum set s = set_of(tree->file[i].below, &label, &n);
        if (s == NO_SET || (sides && s == TRAINVAL))
            continue;
        rc = read_list(l, tree->file[i].path, s, !seen[s], err);
        seen[s] = 1;
        lists++;
    }
    *is = lists > 0;
    l->repeats = 1;
    if (rc == 0 && lists)
        rc = hst_rows_understood(l->rows, err, "%zu lists of Pascal VOC", lists);
    return rc;
}
