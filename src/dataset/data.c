#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "dataset/listing.h"
#include "hub/datasets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const hst_sized sized = HST_SIZED(hst_data_opts, val_dir);
static const hst_data_opts defaults = {
    .size = sizeof defaults, .split = "stable", .val_part = 0.2, .seed = 42};

void hst_data_opts_init(hst_data_opts *o, size_t size)
{
    hst_sized_init(&sized, &defaults, o, size);
}

static int read_opts(const hst_data_opts *given, hst_data_opts *o, enum hst_split *split,
                     hst_err *err)
{
    *o = defaults;
    if (hst_sized_read(&sized, o, given, err))
        return HST_EARG;
    *split = HST_SPLIT_STABLE;
    if (o->split && hst_split_parse(o->split, split, err))
        return HST_EARG;
    if (!(o->val_part > 0 && o->val_part < 1))
        return hst_fail(err, HST_EARG, "the validation part %g is not between 0 and 1",
                        o->val_part);
    return 0;
}

static hst_data *data_new(const char *dir, hst_err *err)
{
    hst_data *d = hst_alloc(1, sizeof *d, err);
    if (!d)
        return NULL;
    d->split = HST_SPLIT_NONE;
    d->arena = hst_arena_new(err);
    char *copy = d->arena ? hst_arena_strdup(d->arena, dir, err) : NULL;
    if (!copy) {
        hst_data_free(d);
        return NULL;
    }
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = 0;
    d->dir = copy;
    return d;
}

void hst_data_free(hst_data *d)
{
    if (!d)
        return;
    hst_arena_free(d->arena);
    free(d->photos);
    free(d);
}

/* dir + "/" + name in the arena. */
static const char *inside(hst_data *d, const char *dir, const char *name, hst_err *err)
{
    char *path = hst_path_join(dir, name, err);
    char *kept = path ? hst_arena_strdup(d->arena, path, err) : NULL;
    free(path);
    return kept;
}

static int photos_add(hst_data *d, const hst_names *paths, int label, int side, hst_err *err)
{
    size_t n = strlen(d->dir), skip = n && d->dir[n - 1] == '/' ? n : n + 1;
    if (paths->n == 0)
        return 0;
    hst_photo *more = hst_resize(d->photos, d->n_photos + paths->n, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    d->photos = more;
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = paths->at[i];
        int below = strncmp(path, d->dir, n) == 0 && strlen(path) > skip && path[skip - 1] == '/';
        d->photos[d->n_photos++] = (hst_photo){
            .path = path, .relative = below ? path + skip : path, .label = label, .side = side};
    }
    return 0;
}

/* The class of that name, or -1; classes are in byte order. */
static int find_class(const hst_data *d, const char *name)
{
    int low = 0, high = d->n_classes;
    while (low < high) {
        int middle = low + (high - low) / 2, order = strcmp(d->classes[middle], name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* Where the photos of a scan are: root/class/..., and the same below val_root when it is set. */
typedef struct layout {
    const char *root, *val_root;
    int webp;
} layout;

static int scan_class(const hst_ctx *ctx, hst_data *d, const layout *l, const char *name, int side,
                      hst_err *err)
{
    hst_names paths = {0};
    const char *dir = inside(d, side == HST_VALIDATION ? l->val_root : l->root, name, err);
    int label = find_class(d, name);
    int rc = dir ? hst_list_photos(ctx, d->arena, dir, l->webp, &paths, err) : HST_EMEM;
    if (rc == 0 && label < 0 && paths.n)
        rc = hst_fail(err, HST_EDATA,
                      "%s holds photos of a class that has no training folder in %s", dir, l->root);
    if (rc == 0)
        rc = photos_add(d, &paths, label, side, err);
    free(paths.at);
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

/* The classes of the training side, then its photos. */
static int scan_root(const hst_ctx *ctx, hst_data *d, const layout *l, hst_err *err)
{
    hst_names names = {0};
    size_t loose = 0;
    int side = l->val_root ? HST_TRAIN : HST_UNSPLIT;
    int rc = hst_list_classes(d->arena, l->root, &names, &loose, err);
    if (rc == 0 && names.n == 0)
        rc = no_class_folder(l->root, loose, err);
    if (rc == 0 && names.n > INT32_MAX)
        rc = hst_fail(err, HST_EDATA, "%s holds too many class folders", l->root);
    if (rc == 0) {
        d->classes = hst_arena_alloc(d->arena, names.n, sizeof *d->classes, err);
        rc = d->classes ? 0 : HST_EMEM;
    }
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        d->classes[d->n_classes++] = names.at[i];
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        rc = scan_class(ctx, d, l, names.at[i], side, err);
    if (rc == 0 && loose)
        hst_log(ctx, HST_LOG_WARN, "%s: %zu photo%s outside the class folders; left out", l->root,
                loose, loose == 1 ? "" : "s");
    free(names.at);
    return rc;
}

static int scan_val_root(const hst_ctx *ctx, hst_data *d, const layout *l, hst_err *err)
{
    hst_names names = {0};
    size_t loose = 0, before = d->n_photos;
    int rc = hst_list_classes(d->arena, l->val_root, &names, &loose, err);
    if (rc == 0 && names.n == 0)
        rc = no_class_folder(l->val_root, loose, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        rc = scan_class(ctx, d, l, names.at[i], HST_VALIDATION, err);
    if (rc == 0 && d->n_photos == before)
        rc = hst_fail(err, HST_EDATA, "%s: no photos in its class folders", l->val_root);
    free(names.at);
    return rc;
}

/* *found: dir + "/" + name when that is a folder with class folders in it, else NULL. */
static int side_folder(hst_data *d, const char *name, const char **found, hst_err *err)
{
    hst_names classes = {0};
    size_t loose;
    const char *path = inside(d, d->dir, name, err);
    *found = NULL;
    if (!path)
        return HST_EMEM;
    int rc = hst_is_dir(path) ? hst_list_classes(d->arena, path, &classes, &loose, err) : 0;
    if (rc == 0 && classes.n)
        *found = path;
    free(classes.at);
    return rc;
}

/* train/ beside val/, validation/ or test/ (the first of them that is there) are two sides; a
 * folder of the caller's own for validation takes the second's place. */
static int find_layout(hst_data *d, const hst_data_opts *o, layout *l, hst_err *err)
{
    static const char *const names[] = {"val", "validation", "test"};
    const char *train, *val = NULL;
    int rc = side_folder(d, "train", &train, err);
    for (size_t i = 0; rc == 0 && train && !val && i < sizeof names / sizeof *names; i++)
        rc = side_folder(d, names[i], &val, err);
    l->root = train && val ? train : d->dir;
    l->val_root = train && val ? val : NULL;
    l->webp = l->val_root || o->val_dir || d->split != HST_SPLIT_KERAS;
    if (rc == 0 && o->val_dir) {
        l->val_root = hst_arena_strdup(d->arena, o->val_dir, err);
        rc = l->val_root ? 0 : HST_EMEM;
    }
    return rc;
}

/* After the training side's scan. */
static int check_enough(const hst_data *d, const char *root, int to_split, hst_err *err)
{
    size_t filled = 0, n = d->n_photos;
    int last = -1;
    for (size_t i = 0; i < n; i++) { /* photos lie in class order */
        filled += d->photos[i].label != last;
        last = d->photos[i].label;
    }
    if (n == 0)
        return hst_fail(err, HST_EDATA,
                        "%s: no photos in its %d class folder%s (looked for names ending in .bmp "
                        ".gif .jpeg .jpg .png .webp)",
                        root, d->n_classes, d->n_classes == 1 ? "" : "s");
    if (to_split && filled < 2)
        return hst_fail(err, HST_EDATA,
                        "%s: photos of one class only (%s); a model needs at least two classes",
                        root, d->classes[last]);
    if (d->split == HST_SPLIT_KERAS && n < 2 * filled)
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

static int scan(const hst_ctx *ctx, hst_data *d, const hst_data_opts *o, hst_err *err)
{
    layout l;
    int to_split = d->split != HST_SPLIT_NONE;
    d->val_part = o->val_part;
    d->seed = o->seed;
    int rc = find_layout(d, o, &l, err);
    if (rc == 0 && l.val_root)
        d->split = HST_SPLIT_FOLDERS;
    if (rc == 0) {
        d->root = l.root;
        d->val_root = l.val_root;
        d->webp = l.webp;
    }
    if (rc == 0)
        rc = scan_root(ctx, d, &l, err);
    if (rc == 0)
        rc = check_enough(d, l.root, to_split, err);
    if (rc == 0 && l.val_root)
        rc = scan_val_root(ctx, d, &l, err);
    if (rc == 0 && d->split == HST_SPLIT_KERAS)
        rc = keras_sides(d, err);
    return rc;
}

/* The name of a data set that was pulled stands for its folder, unless there is one of that name
 * here. cap bytes at path. */
static const char *folder_of(const hst_ctx *ctx, const char *dir, char *path, size_t cap,
                             hst_err *err)
{
    if (access(dir, F_OK) == 0 || !hst_datasets_is_name(dir) ||
        hst_datasets_here(ctx, dir, path, cap))
        return path[0] ? path : dir;
    hst_fail(err, HST_EDATA, "%s is not here: headstart pull %s fetches it", dir, dir);
    return NULL;
}

hst_data *hst_data_open(hst_ctx *ctx, const char *dir, const hst_data_opts *opts, hst_err *err)
{
    hst_data_opts o;
    enum hst_split split;
    if (!ctx || !dir || !*dir) {
        hst_fail(err, HST_EARG, "hst_data_open: no context or no folder given");
        return NULL;
    }
    if (read_opts(opts, &o, &split, err) != 0)
        return NULL;
    char path[4096] = "";
    dir = folder_of(ctx, dir, path, sizeof path, err);
    hst_data *d = dir ? data_new(dir, err) : NULL;
    if (d)
        d->split = split;
    if (d && scan(ctx, d, &o, err) != 0) {
        hst_data_free(d);
        d = NULL;
    }
    return d;
}

hst_data *hst_data_from_files(const char *const *paths, size_t n, hst_err *err)
{
    hst_data *d = data_new("", err);
    if (!d)
        return NULL;
    d->photos = hst_alloc(n, sizeof *d->photos, err);
    if (!d->photos)
        goto fail;
    for (size_t i = 0; i < n; i++) {
        char *path = hst_arena_strdup(d->arena, paths[i], err);
        if (!path)
            goto fail;
        d->photos[d->n_photos++] =
            (hst_photo){.path = path, .relative = path, .label = -1, .side = HST_UNSPLIT};
    }
    return d;
fail:
    hst_data_free(d);
    return NULL;
}

size_t hst_data_count(const hst_data *d)
{
    return d->n_photos;
}

int hst_data_classes(const hst_data *d)
{
    return d->n_classes;
}

const char *hst_data_class(const hst_data *d, int label)
{
    return label >= 0 && label < d->n_classes ? d->classes[label] : NULL;
}

const char *hst_data_path(const hst_data *d, size_t i)
{
    return i < d->n_photos ? d->photos[i].path : NULL;
}

int hst_data_label(const hst_data *d, size_t i)
{
    return i < d->n_photos ? d->photos[i].label : -1;
}
