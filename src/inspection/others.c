/* others.c - what lies in the folder and is not read: pictures of other formats or names, photos
 * outside the classes, folders, other files. */
#include "base/file.h"
#include "base/str.h"
#include "dataset/listing.h"
#include "inspection/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One file that is not read, by what it is. */
typedef struct other {
    enum hst_kind kind;
    char what[64]; /* "HEIC", "JPEG named .jfif", ".txt" */
    const char *path;
} other;

enum { ENDING = 32 };

/* ".txt" in small letters; "": none. */
static void ending_of(const char *path, char out[ENDING])
{
    const char *base = hst_path_base(path), *dot = strrchr(base, '.');
    snprintf(out, ENDING, "%s", dot && dot != base ? dot : "");
    for (char *c = out; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
}

/* A name says enough where it is the ending of a picture format that is not read; else the content
 * is asked. */
static void tell(const char *path, int loose, other *o)
{
    uint8_t head[HST_FORMAT_MAGIC_BYTES];
    size_t n = 0;
    struct stat st;
    char ending[ENDING];
    ending_of(path, ending);
    o->path = path;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        o->kind = HST_KIND_UNREAD_FOLDER;
        snprintf(o->what, sizeof o->what, "a link to a folder");
        return;
    }
    FILE *f = S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    if (f) {
        n = fread(head, 1, sizeof head, f);
        fclose(f);
    }
    const enum hst_format content = hst_format_of(head, n), named = hst_format_of_name(path);
    const enum hst_format is = content ? content : named;
    o->kind = is == HST_FORMAT_UNKNOWN ? HST_KIND_OTHER_FILES : HST_KIND_UNREAD_PICTURES;
    if (loose && hst_format_is_read(is))
        o->kind = HST_KIND_LOOSE;
    if (is == HST_FORMAT_UNKNOWN)
        snprintf(o->what, sizeof o->what, "%s", *ending ? ending : "no ending");
    else if (*ending)
        snprintf(o->what, sizeof o->what, "%.12s named %s", hst_format_name(is), ending);
    else
        snprintf(o->what, sizeof o->what, "%.12s without an ending", hst_format_name(is));
}

static int by_what(const void *pa, const void *pb)
{
    const other *a = pa, *b = pb;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    const int order = strcmp(a->what, b->what);
    return order ? order : strcmp(a->path, b->path);
}

/* A finding for each thing that files are. */
static int add_all(other *o, size_t n, hst_inspection *r, hst_err *err)
{
    const char **paths = hst_alloc(n, sizeof *paths, err);
    int rc = paths ? 0 : HST_EMEM;
    if (rc == 0 && n)
        qsort(o, n, sizeof *o, by_what);
    for (size_t i = 0, same; rc == 0 && i < n; i += same) {
        for (same = 0; i + same < n && o[i + same].kind == o[i].kind &&
                       strcmp(o[i + same].what, o[i].what) == 0;
             same++)
            paths[same] = o[i + same].path;
        rc = hst_inspection_add(r, &(hst_find){o[i].kind, (double)same, paths, same}, err, "%s",
                                o[i].what);
    }
    free(paths);
    return rc;
}

/* The files of one root, of its classes, and what lies loose in it. */
static int list_root(const hst_data *d, const char *root, hst_inspection *r, hst_names *below,
                     hst_names *loose, hst_err *err)
{
    hst_names folders = {0};
    size_t photos;
    hst_err unread = {0};
    int rc = hst_list_classes(r->arena, root, &folders, &photos, &unread);
    rc = rc == HST_EMEM ? hst_fail(err, HST_EMEM, "%s", unread.msg) : 0;
    for (size_t i = 0; rc == 0 && i < folders.n; i++) {
        char *path = hst_path_join(root, folders.at[i], err);
        rc = path ? hst_list_others(r->arena, path, d->webp, 1, below, err) : HST_EMEM;
        free(path);
    }
    if (rc == 0)
        rc = hst_list_others(r->arena, root, d->webp, 0, loose, err);
    free(folders.at);
    return rc;
}

/* Where the sides are folders: those beside them are not read. */
static int look_beside(const hst_data *d, hst_inspection *r, hst_names *loose, hst_err *err)
{
    hst_names folders = {0};
    size_t photos;
    hst_err unread = {0};
    if (!d->val_root || strcmp(d->root, d->dir) == 0)
        return 0;
    int rc = hst_list_classes(r->arena, d->dir, &folders, &photos, &unread);
    rc = rc == HST_EMEM ? hst_fail(err, HST_EMEM, "%s", unread.msg) : 0;
    for (size_t i = 0; rc == 0 && i < folders.n; i++) {
        char *path = hst_path_join(d->dir, folders.at[i], err);
        const char *kept = path;
        rc = path ? 0 : HST_EMEM;
        if (path && strcmp(path, d->root) != 0 && strcmp(path, d->val_root) != 0)
            rc = hst_inspection_add(r, &(hst_find){HST_KIND_UNREAD_FOLDER, 0, &kept, 1}, err,
                                    "beside the two sides");
        free(path);
    }
    if (rc == 0)
        rc = hst_list_others(r->arena, d->dir, d->webp, 0, loose, err);
    free(folders.at);
    return rc;
}

int hst_look_at_others(const hst_inspected *in, hst_inspection *r, hst_err *err)
{
    const hst_data *d = in->data;
    hst_names below = {0}, loose = {0};
    if (!d->root)
        return 0;
    int rc = list_root(d, d->root, r, &below, &loose, err);
    if (rc == 0 && d->val_root)
        rc = list_root(d, d->val_root, r, &below, &loose, err);
    if (rc == 0)
        rc = look_beside(d, r, &loose, err);
    other *o = rc ? NULL : hst_alloc(below.n + loose.n, sizeof *o, err);
    rc = rc ? rc : o ? 0 : HST_EMEM;
    for (size_t i = 0; o && i < below.n; i++)
        tell(below.at[i], 0, &o[i]);
    for (size_t i = 0; o && i < loose.n; i++)
        tell(loose.at[i], 1, &o[below.n + i]);
    if (rc == 0)
        rc = add_all(o, below.n + loose.n, r, err);
    free(o);
    free(below.at);
    free(loose.at);
    return rc;
}
