/* list_read.c - a file that is a list, and the second one that is for validation. */
#include "base/file.h"
#include "dataset/list.h"
#include "dataset/names.h"
#include "dataset/photo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hst_list_text(const hst_ctx *ctx, const char *path, hst_table_file *text, hst_err *err)
{
    uint8_t *bytes;
    *text = (hst_table_file){.name = path};
    int rc = hst_photo_read(ctx, path, HST_EDATA, &bytes, &text->n, err);
    if (rc) {
        hst_err_at(err, path);
        return rc;
    }
    uint8_t *more = hst_resize(bytes, text->n + 1, 1, err);
    if (!more) {
        free(bytes);
        return HST_EMEM;
    }
    more[text->n] = 0;
    text->bytes = more;
    return 0;
}

int hst_list_file(hst_list *l, const char *path, enum hst_part part, hst_err *err)
{
    hst_table_file text;
    hst_table t = {0};
    int is = 0, rc = hst_list_text(l->ctx, path, &text, err);
    if (rc)
        return rc;
    l->file = path;
    rc = hst_list_coco(l, &text, part, &is, err);
    if (rc == 0 && !is)
        rc = hst_table_parse(l->rows->arena, &text, &t, err);
    free((void *)text.bytes);
    if (rc == 0 && !is)
        rc = hst_list_table(l, &t, part, err);
    hst_table_clear(&t);
    return rc;
}

/* Where the photos of a list are: below the folder that was given, or beside it. */
static const char *base_of(const hst_rows *r, const char *list, hst_err *err)
{
    const char *name = hst_path_base(list);
    const size_t n = (size_t)(name - list);
    if (r->o->images)
        return hst_arena_strdup(r->arena, r->o->images, err);
    char *base = hst_arena_strdup(r->arena, n ? list : ".", err);
    if (base && n)
        base[n > 1 ? n - 1 : n] = 0; /* "/" stays */
    return base;
}

static int read_one(const hst_ctx *ctx, hst_rows *r, const char *path, enum hst_part part,
                    hst_err *err)
{
    hst_list l;
    const char *base = base_of(r, path, err);
    if (!base)
        return HST_EMEM;
    if (r->o->images && !hst_is_dir(base))
        return hst_fail(err, HST_EDATA, "%s: there is no such folder (--images)", base);
    hst_list_begin(&l, ctx, r, base, NULL);
    int rc = hst_list_file(&l, path, part, err);
    rc = rc ? rc : hst_list_end(&l, err);
    hst_list_clear(&l);
    return rc;
}

int hst_list_read(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    const char *val = r->o->val_dir;
    if (hst_names_photo(r->data->dir, strlen(r->data->dir)))
        return hst_fail(err, HST_EDATA,
                        "%s is a file; expected a folder with one sub-folder of photos per class, "
                        "or a list of photos",
                        r->data->dir);
    if (val && hst_is_dir(val))
        return hst_fail(err, HST_EDATA,
                        "%s is a list, so the photos for validation are named by a list too, not "
                        "by the folder %s",
                        r->data->dir, val);
    int rc = read_one(ctx, r, r->data->dir, val ? HST_PART_TRAIN : HST_PART_NONE, err);
    if (rc == 0 && val) {
        const char *copy = hst_arena_strdup(r->arena, val, err);
        rc = copy ? read_one(ctx, r, copy, HST_PART_VAL, err) : HST_EMEM;
    }
    return rc;
}
