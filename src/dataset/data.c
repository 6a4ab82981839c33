#include "archives/archives.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "dataset/folders.h"
#include "dataset/list.h"
#include "dataset/webdataset.h"
#include "hub/datasets.h"
#include "hub/url.h"

#include <math.h>
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

int hst_data_opts_read(const hst_data_opts *given, hst_data_opts *o, enum hst_split *split,
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
    return hst_part_check(o->part, err);
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
    d->left.arena = d->arena;
    return d;
}

void hst_data_free(hst_data *d)
{
    if (!d)
        return;
    hst_arena_free(d->arena);
    free(d->photos);
    hst_left_clear(&d->left);
    free(d);
}

/* A folder or an archive whose lists say what its photos show, else class folders. */
static int read_folder(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    hst_tree tree = {0};
    int taken = 0;
    int rc = hst_tree_of(ctx, &tree, r->arena, r->data->dir, err);
    if (rc == 0 && !r->o->val_dir)
        rc = hst_list_read_tree(ctx, r, &tree, &taken, err);
    if (rc == 0 && !taken)
        rc = hst_folders_read_tree(ctx, r, &tree, err);
    hst_tree_clear(&tree);
    return rc;
}

static int read_source(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    if (hst_webdataset_is(ctx, r->data->dir))
        return hst_webdataset_read(ctx, r, err);
    if (hst_is_file(r->data->dir) && !hst_archive_is(r->data->dir))
        return hst_list_read(ctx, r, err);
    return read_folder(ctx, r, err);
}

/* What is only of use with lists, or of lists that are none. */
static int check_lists(hst_data *d, const hst_data_opts *o, hst_err *err)
{
    const char *column = o->path_column    ? "path-column"
                         : o->label_column ? "label-column"
                         : o->split_column ? "split-column"
                         : o->target       ? "target"
                         : o->images       ? "images"
                                           : NULL;
    d->target = o->target        ? HST_TARGET_NUMBER
                : o->multi_label ? HST_TARGET_LABELS
                                 : HST_TARGET_CLASS;
    if (o->target && o->multi_label)
        return hst_fail(err, HST_EARG,
                        "numbers (target) or several labels (multi-label), not both");
    if (o->target && (o->label_column || o->label_from))
        return hst_fail(err, HST_EARG, "numbers (target) and labels (%s) do not go together",
                        o->label_from ? "label-from" : "label-column");
    if (o->label_from && o->label_column)
        return hst_fail(err, HST_EARG,
                        "labels are in a column or in paths (label-from), not in both");
    if (column && hst_is_dir(d->dir))
        return hst_fail(err, HST_EARG,
                        "%s is a folder; %s is for lists: give the list in its place", d->dir,
                        column);
    return 0;
}

/* Every source of photos that a word may name. */
static int scan(const hst_ctx *ctx, hst_data *d, const hst_data_opts *o, hst_err *err)
{
    hst_rows rows = {.data = d, .arena = d->arena, .o = o};
    int rc = check_lists(d, o, err);
    if (rc == 0)
        rc = read_source(ctx, &rows, err);
    if (rc == 0)
        rc = hst_rows_finish(ctx, &rows, err);
    hst_rows_clear(&rows);
    return rc;
}

/* The name of a data set that was pulled stands for its folder, unless there is one of that name
 * here. cap bytes at path. */
static const char *folder_of(const hst_ctx *ctx, const char *dir, char *path, size_t cap,
                             hst_err *err)
{
    if (hst_url_local(dir, path, cap))
        return path;
    path[0] = 0;
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
    if (hst_data_opts_read(opts, &o, &split, err) != 0)
        return NULL;
    char path[4096] = "";
    dir = folder_of(ctx, dir, path, sizeof path, err);
    hst_data *d = dir ? data_new(dir, err) : NULL;
    if (d) {
        d->split = split;
        d->val_part = o.val_part;
        d->seed = o.seed;
    }
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
        d->photos[d->n_photos++] = (hst_photo){
            .path = path, .relative = path, .label = -1, .side = HST_UNSPLIT, .number = NAN};
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

const char *hst_data_relative(const hst_data *d, const char *path)
{
    return strcmp(d->dir, "/") == 0 ? path + (*path == '/') : hst_tree_under(path, d->dir);
}

const char *hst_data_left_out(const hst_data *d, size_t i, enum hst_left *why, const char **reason)
{
    if (i >= d->left.n)
        return NULL;
    const hst_left_group *group = &d->left.group[d->left.file[i].group];
    if (why)
        *why = group->why;
    if (reason)
        *reason = group->reason;
    return d->left.file[i].path;
}

const char *hst_data_left_summary(const hst_data *d)
{
    return d->left_summary;
}

const char *hst_data_understood(const hst_data *d)
{
    return d->understood;
}
