/* folders.c - a folder of class folders, and its two sides where it has them. */
#include "dataset/folders.h"

#include "base/str.h"

#include <string.h>

/* Where the class folders of one side are: in folder of tree. */
typedef struct side {
    hst_tree *tree;
    const char *folder; /* below the tree's root; "": the root itself */
    const char *path;
    enum hst_part part;
} side;

static int is_photo(const char *name, int webp)
{
    static const char *const endings[] = {".bmp", ".gif", ".jpeg", ".jpg", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(name, endings[i]))
            return 1;
    return webp && hst_ends_with_any_case(name, ".webp");
}

/* Whether folder i lies right in folder and is no hidden one. */
static int is_class(const hst_tree *t, size_t i, const char *folder)
{
    const char *name = hst_tree_under(t->folder[i].below, folder);
    return name[0] != '.' && !strchr(name, '/');
}

/* Opens links that stand where a class folder does. */
static int enter_links(hst_tree *t, const char *folder, hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_folders(t, folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        if (t->folder[i].state == HST_TREE_LINK && is_class(t, i, folder)) {
            rc = hst_tree_enter(t, i, err);
            hst_tree_folders(t, folder, &first, &end);
        }
    return rc;
}

/* Opens what Keras looks into: hidden folders in a class. */
static int enter_hidden(hst_tree *t, const char *class_folder, hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_folders(t, class_folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        if (t->folder[i].state == HST_TREE_CLOSED) {
            rc = hst_tree_enter(t, i, err);
            hst_tree_folders(t, class_folder, &first, &end);
        }
    return rc;
}

static size_t count_classes(const hst_tree *t, const char *folder)
{
    size_t first, end, n = 0;
    hst_tree_folders(t, folder, &first, &end);
    for (size_t i = first; i < end; i++)
        n += (size_t)is_class(t, i, folder);
    return n;
}

/* Photos that lie in folder itself. */
static size_t count_loose(const hst_tree *t, const char *folder)
{
    size_t first, end, n = 0;
    hst_tree_files(t, folder, &first, &end);
    for (size_t i = first; i < end; i++) {
        const char *name = hst_tree_under(t->file[i].below, folder);
        n += !strchr(name, '/') && is_photo(name, 1);
    }
    return n;
}

/* Folders in a class that could not be read are told and left out. */
static int tell_unread(const hst_ctx *ctx, hst_rows *r, const hst_tree *t, const char *class_folder,
                       hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_folders(t, class_folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++) {
        const hst_tree_folder *f = &t->folder[i];
        if (f->state != HST_TREE_UNREAD)
            continue;
        hst_log(ctx, HST_LOG_WARN, "%s; left out", f->why);
        rc = hst_rows_leave_out(r, f->path, HST_LEFT_UNREAD, f->why, err);
    }
    return rc;
}

/* The path of a photo below the data's folder, all of it where it lies elsewhere. */
static const char *relative_of(const hst_rows *r, const char *path)
{
    const char *below = hst_tree_under(path, strcmp(r->data->dir, "/") ? r->data->dir : "");
    return below == path && path[0] == '/' && strcmp(r->data->dir, "/") == 0 ? path + 1 : below;
}

static int read_class(const hst_ctx *ctx, hst_rows *r, const side *s, size_t folder, hst_err *err)
{
    const hst_tree_folder class = s->tree->folder[folder];
    size_t first, end;
    if (class.state == HST_TREE_UNREAD)
        return hst_fail(err, HST_EDATA, "%s", class.why);
    int rc = enter_hidden(s->tree, class.below, err);
    if (rc == 0)
        rc = tell_unread(ctx, r, s->tree, class.below, err);
    if (rc == 0)
        rc = hst_rows_add_class(r, hst_tree_under(class.below, s->folder), err);
    hst_tree_files(s->tree, class.below, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++) {
        const char *path = s->tree->file[i].path;
        if (is_photo(path, r->data->webp))
            rc = hst_rows_add(r,
                              &(hst_row){.path = path,
                                         .relative = relative_of(r, path),
                                         .class_name = hst_tree_under(class.below, s->folder),
                                         .part = s->part},
                              err);
    }
    return rc;
}

static int no_class_folder(const char *dir, size_t n_photos, hst_err *err)
{
    if (n_photos)
        return hst_fail(err, HST_EDATA,
                        "%s holds %zu photo%s but no class folders; put the photos of each class "
                        "in a sub-folder of its own",
                        dir, n_photos, n_photos == 1 ? "" : "s");
    return hst_fail(err, HST_EDATA, "%s is empty; expected one sub-folder of photos per class",
                    dir);
}

static int no_photos(const side *s, size_t n_classes, hst_err *err)
{
    return hst_fail(err, HST_EDATA,
                    "%s: no photos in its %zu class folder%s (looked for names ending in .bmp "
                    ".gif .jpeg .jpg .png .webp)",
                    s->path, n_classes, n_classes == 1 ? "" : "s");
}

/* Every class of one side. */
static int read_side(const hst_ctx *ctx, hst_rows *r, const side *s, hst_err *err)
{
    size_t first, end;
    const size_t before = r->n;
    int rc = enter_links(s->tree, s->folder, err);
    const size_t loose = count_loose(s->tree, s->folder);
    const size_t classes = count_classes(s->tree, s->folder);
    if (rc == 0 && classes == 0)
        rc = no_class_folder(s->path, loose, err);
    hst_tree_folders(s->tree, s->folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        if (is_class(s->tree, i, s->folder)) {
            rc = read_class(ctx, r, s, i, err);
            hst_tree_folders(s->tree, s->folder, &first, &end);
        }
    if (rc == 0 && r->n == before)
        rc = no_photos(s, classes, err);
    if (rc == 0 && loose && s->part != HST_PART_VAL)
        hst_log(ctx, HST_LOG_WARN, "%s: %zu photo%s outside the class folders; left out", s->path,
                loose, loose == 1 ? "" : "s");
    return rc;
}

/* *found: the folder of that name in the root when it has class folders, else NULL. */
static int side_folder(hst_tree *t, const char *name, const hst_tree_folder **found, hst_err *err)
{
    size_t i = hst_tree_find(t, name);
    *found = NULL;
    int rc = i < t->n_folders ? hst_tree_enter(t, i, err) : 0;
    i = hst_tree_find(t, name);
    if (rc == 0 && i < t->n_folders && count_classes(t, name))
        *found = &t->folder[i];
    return rc;
}

/* train/ beside val/, validation/ or test/ (the first of them that is there) are two sides. */
static int find_sides(hst_tree *t, side *train, side *val, hst_err *err)
{
    static const char *const names[] = {"val", "validation", "test"};
    const hst_tree_folder *a, *b = NULL;
    int rc = side_folder(t, "train", &a, err);
    const char *train_path = a ? a->path : NULL;
    for (size_t i = 0; rc == 0 && train_path && !b && i < sizeof names / sizeof *names; i++)
        rc = side_folder(t, names[i], &b, err);
    *train = (side){t, "", t->root, HST_PART_NONE};
    *val = (side){0};
    if (train_path && b) {
        *train = (side){t, "train", train_path, HST_PART_TRAIN};
        *val = (side){t, b->below, b->path, HST_PART_VAL};
    }
    return rc;
}

int hst_folders_read_tree(const hst_ctx *ctx, hst_rows *r, hst_tree *tree, hst_err *err)
{
    hst_data *d = r->data;
    hst_tree other = {0};
    side train, val;
    int rc = find_sides(tree, &train, &val, err);
    if (rc == 0 && r->o->val_dir) {
        rc = hst_tree_of(ctx, &other, r->arena, r->o->val_dir, err);
        train.part = HST_PART_TRAIN;
        val = (side){&other, "", other.root, HST_PART_VAL};
    }
    d->root = train.path;
    d->val_root = val.path;
    d->webp = val.tree || d->split != HST_SPLIT_KERAS;
    if (rc == 0)
        rc = read_side(ctx, r, &train, err);
    if (rc == 0 && val.tree)
        rc = read_side(ctx, r, &val, err);
    hst_tree_clear(&other);
    return rc;
}

int hst_folders_read(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    hst_tree tree = {0};
    int rc = hst_tree_of(ctx, &tree, r->arena, r->data->dir, err);
    if (rc == 0)
        rc = hst_folders_read_tree(ctx, r, &tree, err);
    hst_tree_clear(&tree);
    return rc;
}
