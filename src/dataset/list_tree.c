/* list_tree.c - folders and archives in which lists say what photos show: known by the names that
 * programs give such lists, or by none where labels are in the photos' own paths. */
#include "base/file.h"
#include "base/str.h"
#include "dataset/list.h"
#include "dataset/pattern.h"
#include "dataset/voc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct search {
    const hst_ctx *ctx;
    hst_rows *r;
    hst_tree *t;
    char *top; /* the folder that holds all files, below the root; "" */
    size_t n_photos;
    int class_folders; /* 0, 1, or 2 for more */
} search;

static int is_photo(const char *path)
{
    return hst_format_of_name(path) != HST_FORMAT_UNKNOWN && !hst_is_junk(hst_path_base(path));
}

/* ---- what the tree is like ---- */

/* The longest folder that every file lies in. */
static int find_top(search *s, hst_err *err)
{
    const hst_tree *t = s->t;
    const char *first = t->n_files ? t->file[0].below : "";
    const char *last = t->n_files ? t->file[t->n_files - 1].below : "";
    size_t n = 0, slash = 0;
    while (first[n] && first[n] == last[n]) { /* they are in order */
        slash = first[n] == '/' ? n : slash;
        n++;
    }
    s->top = hst_arena_strdup(s->r->arena, first, err);
    if (s->top)
        s->top[slash] = 0;
    return s->top ? 0 : HST_EMEM;
}

/* Folders that hold the photos of all classes. */
static int is_general(const char *name)
{
    static const char *const names[] = {"images", "image", "imgs",       "img",
                                        "photos", "data",  "JPEGImages", "pictures"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return 1;
    return hst_part_of(name) != HST_PART_NONE;
}

/* The first folder on the way to a file that may be a class, into name[cap]; 0: there is none. */
static int class_folder(const char *under, char *name, size_t cap)
{
    for (const char *slash; (slash = strchr(under, '/')); under = slash + 1) {
        const size_t n = (size_t)(slash - under);
        snprintf(name, cap, "%.*s", (int)(n < cap ? n : cap - 1), under);
        if (!is_general(name))
            return 1;
    }
    return 0;
}

static void look_over(search *s)
{
    char first[256] = "", name[256];
    for (size_t i = 0; i < s->t->n_files; i++) {
        const char *under = hst_tree_under(s->t->file[i].below, s->top);
        if (!is_photo(under))
            continue;
        s->n_photos++;
        if (!class_folder(under, name, sizeof name))
            continue;
        if (s->class_folders == 0)
            snprintf(first, sizeof first, "%s", name);
        s->class_folders = s->class_folders == 0      ? 1
                           : strcmp(first, name) != 0 ? 2
                                                      : s->class_folders;
    }
}

/* ---- lists by their names ---- */

enum kind { NO_LIST, METADATA, CLASSES, COCO, OTHER };

static int is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp(name, *names) == 0)
            return 1;
    return 0;
}

/* The part that a folder or a file's name speaks of: "train/metadata.csv",
 * "instances_val2017.json". */
static enum hst_part part_in(const char *under)
{
    char word[64];
    for (const char *s = under; *s;) {
        size_t n = 0;
        while (n < sizeof word - 1 && s[n] && !strchr("/_-. 0123456789", s[n]))
            n++;
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        const enum hst_part part = n ? hst_part_of(word) : HST_PART_NONE;
        if (part != HST_PART_NONE)
            return part;
        s += n + (s[n] != 0);
    }
    return HST_PART_NONE;
}

/* In the top folder, or in one of a part, or with it in "annotations". */
static enum kind kind_of(const char *under)
{
    static const char *const metadata[] = {"metadata.csv", "metadata.jsonl", NULL};
    static const char *const classes[] = {"_classes.csv", NULL};
    static const char *const coco[] = {"_annotations.coco.json", "annotations.coco.json", NULL};
    const char *name = hst_path_base(under), *slash = strchr(under, '/');
    char folder[64] = "";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - under < 63 ? slash - under : 63),
                 under);
    if (slash && strchr(slash + 1, '/'))
        return NO_LIST;
    if (slash && strcasecmp(folder, "annotations") == 0)
        return hst_ends_with_any_case(name, ".json") && strncmp(name, "instances", 9) == 0
                   ? COCO
                   : NO_LIST;
    if (slash && hst_part_of(folder) == HST_PART_NONE)
        return NO_LIST;
    if (is_one_of(name, metadata))
        return METADATA;
    if (is_one_of(name, classes))
        return CLASSES;
    if (is_one_of(name, coco) ||
        (!slash && strncmp(name, "instances", 9) == 0 && hst_ends_with_any_case(name, ".json")))
        return COCO;
    return !slash &&
                   (hst_ends_with_any_case(name, ".csv") || hst_ends_with_any_case(name, ".tsv") ||
                    hst_ends_with_any_case(name, ".jsonl") || hst_ends_with_any_case(name, ".json"))
               ? OTHER
               : NO_LIST;
}

static enum kind kind_at(const search *s, size_t i)
{
    return kind_of(hst_tree_under(s->t->file[i].below, s->top));
}

/* Lists of Hugging Face may lie beside class folders and say something else: they count there only
 * where they say what every photo shows. */
static int metadata_counts(search *s, size_t file, int *counts, hst_err *err)
{
    hst_list l;
    hst_table_file text;
    hst_table t = {0};
    hst_err why = {0};
    *counts = s->class_folders < 2;
    if (*counts)
        return 0;
    int rc = hst_list_text(s->ctx, s->t->file[file].path, &text, err);
    if (rc)
        return rc;
    hst_list_begin(&l, s->ctx, s->r, s->t->root, s->t);
    rc = hst_table_parse(s->r->arena, &text, &t, &why);
    *counts = rc == 0 && hst_list_is_labelled(&l, &t) && t.n_rows >= s->n_photos;
    hst_table_clear(&t);
    hst_list_clear(&l);
    free((void *)text.bytes);
    return rc == HST_EMEM ? hst_fail(err, rc, "%s", why.msg) : 0;
}

static int choose_kind(search *s, enum kind *kind, hst_err *err)
{
    int counts = 0, rc = 0;
    *kind = NO_LIST;
    for (size_t i = 0; rc == 0 && i < s->t->n_files; i++) {
        const enum kind k = kind_at(s, i);
        if (k == NO_LIST || k == OTHER || (*kind != NO_LIST && *kind <= k))
            continue;
        counts = k != COCO || s->class_folders < 2;
        if (k == METADATA)
            rc = metadata_counts(s, i, &counts, err);
        *kind = counts ? k : *kind;
    }
    return rc;
}

/* ---- to read them ---- */

/* Photos that no list names. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int leave_unnamed(search *s, const hst_list *l, const char *what, hst_err *err)
{
    const char **named = hst_alloc(l->n, sizeof *named, err);
    int rc = named ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        named[i] = l->entry[i].path;
    if (rc == 0 && l->n)
        qsort(named, l->n, sizeof *named, by_text);
    for (size_t i = 0; rc == 0 && i < s->t->n_files; i++) {
        const char *path = s->t->file[i].path;
        if (is_photo(path) && !bsearch(&path, named, l->n, sizeof *named, by_text))
            rc = hst_rows_leave_out(s->r, path, HST_LEFT_UNLISTED, what, err);
    }
    free(named);
    return rc;
}

/* The folder of file i, in the arena. */
static const char *folder_of(const search *s, size_t i, hst_err *err)
{
    const char *path = s->t->file[i].path;
    char *folder = hst_arena_strdup(s->r->arena, path, err);
    if (folder)
        folder[hst_path_base(path) - path - 1] = 0;
    return folder;
}

static int read_lists(search *s, enum kind kind, hst_list *l, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->t->n_files; i++) {
        if (kind_at(s, i) != kind)
            continue;
        const char *under = hst_tree_under(s->t->file[i].below, s->top);
        const char *base = folder_of(s, i, err);
        if (!base)
            return HST_EMEM;
        if (strncasecmp(under, "annotations/", 12) == 0) /* photos are beside that folder */
            base = hst_arena_strdup(s->r->arena, s->t->root, err);
        if (!base)
            return HST_EMEM;
        l->finder.base = base;
        rc = hst_list_file(l, s->t->file[i].path, part_in(under), err);
    }
    return rc;
}

/* The part that the first folder of a path stands for. */
static enum hst_part part_above(const char *under)
{
    char folder[64] = "";
    const char *slash = strchr(under, '/');
    if (slash && (size_t)(slash - under) < sizeof folder)
        memcpy(folder, under, (size_t)(slash - under));
    return hst_part_of(folder);
}

/* Labels out of the photos' own paths. */
static int read_paths(search *s, hst_list *l, hst_err *err)
{
    hst_pattern p;
    const char *regex = s->r->o->label_from;
    size_t matched = 0;
    const char *example = NULL;
    int rc = hst_pattern_make(&p, regex, err);
    if (rc)
        return rc;
    for (size_t i = 0; rc == 0 && i < s->t->n_files; i++) {
        const char *below = s->t->file[i].below, *under = hst_tree_under(below, s->top), *label;
        if (!is_photo(below))
            continue;
        example = example ? example : below;
        rc = hst_pattern_label(&p, s->r->arena, below, &label, err);
        const char **one = rc ? NULL : hst_arena_alloc(s->r->arena, 1, sizeof *one, err);
        if (!one)
            rc = HST_EMEM;
        if (rc)
            break;
        *one = label;
        matched += label != NULL;
        const hst_entry e = {.path = s->t->file[i].path,
                             .label = one,
                             .n_labels = label != NULL,
                             .number = NAN,
                             .part = part_above(under),
                             .wrong = label ? NULL : "a path that --label-from does not match"};
        rc = hst_list_put(l, &e, err);
    }
    if (rc == 0 && matched == 0)
        rc = hst_fail(err, HST_EDATA,
                      example ? "%s: --label-from '%s' matches none of its %zu photos (%s)"
                              : "%s: --label-from '%s', but there are no photos",
                      s->r->data->dir, regex, s->n_photos, example);
    hst_pattern_clear(&p);
    return rc;
}

/* The list in the top folder that is most likely that of labels, by its name; n_files: none. */
static size_t likely_list(const search *s)
{
    size_t found = s->t->n_files;
    for (size_t i = 0; i < s->t->n_files; i++) {
        const char *name = hst_path_base(s->t->file[i].below);
        if (kind_at(s, i) != OTHER)
            continue;
        if (strcasestr(name, "label") || strcasestr(name, "train"))
            return i;
        found = found < s->t->n_files ? found : i;
    }
    return found;
}

/* Photos without class folders, and a list that may be theirs. */
static int ask_for_list(const search *s, hst_err *err)
{
    const size_t i = s->class_folders == 0 && s->n_photos ? likely_list(s) : s->t->n_files;
    if (i == s->t->n_files)
        return 0;
    return hst_fail(err, HST_EDATA,
                    "%s holds %zu photo%s without class folders; where their labels are in %s, "
                    "give that in its place",
                    s->r->data->dir, s->n_photos, s->n_photos == 1 ? "" : "s", s->t->file[i].path);
}

int hst_list_read_tree(const hst_ctx *ctx, hst_rows *r, hst_tree *tree, int *taken, hst_err *err)
{
    search s = {.ctx = ctx, .r = r, .t = tree};
    hst_list l;
    enum kind kind = NO_LIST;
    *taken = 0;
    int rc = find_top(&s, err);
    if (rc)
        return rc;
    look_over(&s);
    hst_list_begin(&l, ctx, r, tree->root, tree);
    if (r->o->label_from) {
        *taken = 1;
        rc = read_paths(&s, &l, err);
    } else {
        rc = choose_kind(&s, &kind, err);
        *taken = rc == 0 && kind != NO_LIST;
        if (*taken)
            rc = read_lists(&s, kind, &l, err);
        else if (rc == 0)
            rc = hst_list_voc(&l, tree, taken, err);
    }
    if (rc == 0 && *taken)
        rc = hst_list_end(&l, err);
    if (rc == 0 && *taken)
        rc = leave_unnamed(&s, &l, NULL, err);
    if (rc == 0 && !*taken)
        rc = ask_for_list(&s, err);
    hst_list_clear(&l);
    return rc;
}
