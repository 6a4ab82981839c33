/* folders.c - the photos of class folders. */
#include "dataset/folders.h"

#include "base/file.h"
#include "dataset/admit.h"
#include "dataset/layout.h"

#include <stdio.h>
#include <string.h>

/* One scan. */
typedef struct scan {
    const hst_ctx *ctx;
    hst_rows *rows;
    hst_tree *tree;
    int keras; /* exactly what Keras lists */
} scan;

/* Whether there is junk on the way from folder to a file; its name is put in what[cap]. */
static int find_junk(const char *below, const char *folder, char *what, size_t cap)
{
    const char *end = hst_tree_under(below, folder);
    for (const char *name = end; *end; name = end + (*end == '/')) {
        end = strchr(name, '/');
        end = end ? end : name + strlen(name);
        snprintf(what, cap, "%.*s", (int)(end - name), name);
        if (hst_is_junk(what))
            return 1;
    }
    return 0;
}

/* Junk by its name where many have it, else as hidden. */
static const char *junk_kind(const char *name)
{
    static const char *const known[] = {".DS_Store", ".ipynb_checkpoints", ".git", ".cache"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return known[i];
    return strncmp(name, "._", 2) == 0 ? "._*" : name[0] == '.' ? "hidden" : name;
}

static int leave_out_junk(const scan *s, const char *path, const char *name, hst_err *err)
{
    return hst_rows_leave_out(s->rows, path, HST_LEFT_JUNK, junk_kind(name), err);
}

static int take(const scan *s, size_t i, const hst_layout_side *side, const char *class_name,
                hst_err *err)
{
    const char *path = s->tree->file[i].path;
    return hst_rows_add(s->rows,
                        &(hst_row){.path = path,
                                   .relative = hst_data_relative(s->rows->data, path),
                                   .class_name = class_name,
                                   .part = side->part},
                        err);
}

/* A file below a class. */
static int read_file(const scan *s, size_t i, const hst_layout_side *side, const char *class_name,
                     hst_err *err)
{
    char junk[256];
    hst_admission a;
    const hst_tree_file *f = &s->tree->file[i];
    if (s->keras && hst_keras_lists(f->below, 0))
        return take(s, i, side, class_name, err);
    if (find_junk(f->below, side->folder, junk, sizeof junk))
        return leave_out_junk(s, f->path, junk, err);
    hst_admit(s->tree, i, &a);
    if (a.taken && !s->keras)
        return take(s, i, side, class_name, err);
    if (!a.taken)
        return hst_rows_leave_out(s->rows, f->path, a.why, a.what, err);
    const char *dot = strrchr(hst_path_base(f->below), '.');
    snprintf(junk, sizeof junk, "%.20s", dot ? dot : "without an ending");
    return hst_rows_leave_out(s->rows, f->path, HST_LEFT_KERAS, junk, err);
}

/* With the reason, of the message that begins with the path. */
static int leave_out_unread(const scan *s, const hst_tree_folder *f, hst_err *err)
{
    const size_t n = strlen(f->path);
    const int named = strncmp(f->why, f->path, n) == 0 && strncmp(f->why + n, ": ", 2) == 0;
    return hst_rows_leave_out(s->rows, f->path, HST_LEFT_UNREAD, named ? f->why + n + 2 : f->why,
                              err);
}

/* The folders in a class: Keras looks into hidden ones; links, and those that cannot be read, are
 * told. */
static int read_folders(const scan *s, const char *class_folder, hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_folders(s->tree, class_folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++) {
        const hst_tree_folder f = s->tree->folder[i];
        if (f.state == HST_TREE_CLOSED && s->keras) {
            rc = hst_tree_enter(s->tree, i, err);
            hst_tree_folders(s->tree, class_folder, &first, &end);
        } else if (f.state == HST_TREE_CLOSED) {
            rc = leave_out_junk(s, f.path, hst_path_base(f.path), err);
        } else if (f.state == HST_TREE_LINK) {
            rc = hst_rows_leave_out(s->rows, f.path, HST_LEFT_FOLDER, "a link to a folder", err);
        } else if (f.state == HST_TREE_UNREAD) {
            rc = leave_out_unread(s, &f, err);
        }
    }
    return rc;
}

/* Sets direct of a class to whether it has photos, in folders below it too. */
static int read_class(const scan *s, hst_sub *class, const hst_layout_side *side, hst_err *err)
{
    size_t first, end, before = s->rows->n;
    const size_t self = hst_tree_find(s->tree, class->below);
    if (self < s->tree->n_folders && s->tree->folder[self].state == HST_TREE_UNREAD)
        return hst_fail(err, HST_EDATA, "%s", s->tree->folder[self].why);
    int rc = read_folders(s, class->below, err);
    hst_tree_files(s->tree, class->below, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        rc = read_file(s, i, side, class->name, err);
    class->direct = s->rows->n > before;
    return rc;
}

/* ---- what lies beside the classes ---- */

/* A file that lies right in a folder of folders. */
static int leave_out_file(const scan *s, size_t i, hst_err *err)
{
    hst_admission a;
    const hst_tree_file *f = &s->tree->file[i];
    const char *name = hst_path_base(f->below);
    if (hst_is_junk(name))
        return leave_out_junk(s, f->path, name, err);
    hst_admit(s->tree, i, &a);
    if (a.taken)
        return hst_rows_leave_out(s->rows, f->path, HST_LEFT_OUTSIDE, NULL, err);
    a.why = a.why == HST_LEFT_NO_PHOTO || a.why == HST_LEFT_EMPTY ? HST_LEFT_BESIDE : a.why;
    return hst_rows_leave_out(s->rows, f->path, a.why, a.what, err);
}

static int leave_out_files(const scan *s, const char *folder, hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_files(s->tree, folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        if (!strchr(hst_tree_under(s->tree->file[i].below, folder), '/'))
            rc = leave_out_file(s, i, err);
    return rc;
}

static int leave_out_sub(const scan *s, const hst_sub *sub, hst_err *err)
{
    char what[64] = "";
    size_t first, end, photos = 0;
    if (sub->skip && !*sub->skip)
        return leave_out_junk(s, sub->path, sub->name, err);
    if (sub->skip)
        return hst_rows_leave_out(s->rows, sub->path, HST_LEFT_FOLDER, sub->skip, err);
    hst_tree_files(s->tree, sub->below, &first, &end);
    for (size_t i = first; i < end; i++)
        photos += (size_t)hst_admit_by_name(s->tree->file[i].below);
    if (photos)
        snprintf(what, sizeof what, "%zu photo%s", photos, photos == 1 ? "" : "s");
    return hst_rows_leave_out(s->rows, sub->path, photos ? HST_LEFT_FOLDER : HST_LEFT_BESIDE,
                              photos ? what : "folder without photos", err);
}

/* Whether below is folder, or a folder above it. */
static int leads_to(const char *below, const char *folder)
{
    return strcmp(below, folder) == 0 || hst_tree_under(folder, below) != folder;
}

/* All but what leads to the sides. */
static int leave_out_level(const scan *s, const hst_layout *l, const char *level, hst_err *err)
{
    hst_sub *sub;
    size_t n;
    int rc = hst_layout_subs(s->rows, s->tree, level, &sub, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        int used = 0;
        for (size_t k = 0; k < l->n; k++)
            used |= leads_to(sub[i].below, l->side[k].folder);
        rc = used ? 0 : leave_out_sub(s, &sub[i], err);
    }
    return rc ? rc : leave_out_files(s, level, err);
}

/* ---- sides ---- */

static int no_class_folder(const scan *s, const hst_layout_side *side, hst_err *err)
{
    size_t first, end, photos = 0;
    hst_admission a;
    hst_tree_files(s->tree, side->folder, &first, &end);
    for (size_t i = first; i < end; i++) {
        hst_admit(s->tree, i, &a);
        photos += (size_t)a.taken;
    }
    if (photos)
        return hst_fail(err, HST_EDATA,
                        "%s holds %zu photo%s but no class folders; put the photos of each class "
                        "in a sub-folder of its own",
                        side->path, photos, photos == 1 ? "" : "s");
    return hst_fail(err, HST_EDATA, "%s is empty; expected one sub-folder of photos per class",
                    side->path);
}

static int no_photos(const scan *s, const hst_layout_side *side, size_t classes, hst_err *err)
{
    hst_buf b = HST_BUF(1 << 16);
    hst_left_tell(&s->rows->data->left, s->rows->data->dir, &b);
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_fail(err, HST_EDATA, "%s: no photos in its %zu class folder%s%s%s", side->path,
                      classes, classes == 1 ? "" : "s", b.n ? ": " : "", b.n ? b.p : "");
    hst_buf_free(&b);
    return rc;
}

static int leave_out_class(const scan *s, const hst_sub *class, hst_err *err)
{
    int rc = hst_rows_leave_out(s->rows, class->path, HST_LEFT_CLASS, NULL, err);
    return rc || !s->keras ? rc
                           : hst_rows_add_class(s->rows, class->name, err); /* it counts them */
}

/* Every class of one side. */
static int read_side(const scan *s, const hst_layout_side *side, hst_err *err)
{
    hst_sub *sub;
    size_t n, classes = 0;
    const size_t before = s->rows->n;
    int rc = hst_layout_subs(s->rows, s->tree, side->folder, &sub, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        classes += !sub[i].skip;
        rc = sub[i].skip ? leave_out_sub(s, &sub[i], err) : read_class(s, &sub[i], side, err);
    }
    if (rc == 0 && classes == 0)
        rc = no_class_folder(s, side, err);
    if (rc == 0)
        rc = leave_out_files(s, side->folder, err);
    if (rc == 0 && s->rows->n == before)
        rc = no_photos(s, side, classes, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!sub[i].skip && !sub[i].direct)
            rc = leave_out_class(s, &sub[i], err);
    return rc;
}

static int read_layout(const scan *s, const hst_layout *l, hst_err *err)
{
    hst_rows *r = s->rows;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->n_levels; i++)
        rc = leave_out_level(s, l, l->level[i], err);
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        const hst_layout_side *side = &l->side[i];
        r->part_name[side->part] = side->name;
        r->part_path[side->part] = side->path;
        rc = read_side(s, side, err);
    }
    if (rc == 0 && l->n == 1 && *l->side[0].folder)
        rc = hst_rows_understood(r, err, "the classes are the folders in %s", l->side[0].path);
    return rc;
}

/* The folder of the caller's own for validation: class folders, or one folder of them. */
static int read_val_dir(const scan *of, hst_err *err)
{
    hst_tree tree = {0};
    hst_layout l;
    scan s = *of;
    s.tree = &tree;
    s.keras = 0;
    int rc = hst_tree_of(s.ctx, &tree, s.rows->arena, s.rows->o->val_dir, err);
    rc = rc ? rc : hst_layout_find(s.rows, &tree, &l, err);
    if (rc == 0 && l.n > 1)
        rc = hst_fail(err, HST_EDATA, "%s holds %s and %s; name the one to validate on", tree.root,
                      l.side[0].name, l.side[1].name);
    if (rc == 0) {
        l.side[0].part = HST_PART_VAL;
        rc = read_layout(&s, &l, err);
    }
    hst_tree_clear(&tree);
    return rc;
}

/* With a folder for validation of the caller's own, only what is there to train on counts. */
static void keep_training(hst_layout *l)
{
    l->n = 1;
    l->side[0].part = HST_PART_TRAIN;
}

int hst_folders_read_tree(const hst_ctx *ctx, hst_rows *r, hst_tree *tree, hst_err *err)
{
    hst_layout l;
    scan s = {ctx, r, tree, 0};
    int rc = hst_layout_find(r, tree, &l, err);
    if (rc)
        return rc;
    if (r->o->val_dir)
        keep_training(&l);
    s.keras = r->data->split == HST_SPLIT_KERAS && l.n == 1 && !r->o->val_dir;
    rc = read_layout(&s, &l, err);
    if (rc == 0 && r->o->val_dir)
        rc = read_val_dir(&s, err);
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
