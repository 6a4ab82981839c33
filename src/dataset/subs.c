/* subs.c - what the folders in a folder hold. */
#include "dataset/layout.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Files without an ending that says so are looked at until one is a picture, this many of a folder:
 * enough to know photos, and not all of what is none. */
enum { LOOKED_AT = 16 };

/* Whether a file may be a picture, also of a format that is not read; looks: how many more files
 * are looked into for it. */
static int is_picture(const hst_tree *t, size_t i, int *looks)
{
    uint8_t head[HST_FORMAT_MAGIC_BYTES];
    const enum hst_format named = hst_format_of_name(t->file[i].below);
    if (named != HST_FORMAT_UNKNOWN || !t->head || *looks == 0)
        return named != HST_FORMAT_UNKNOWN;
    --*looks;
    const size_t n = t->head(t, i, head);
    return n != HST_TREE_NO_HEAD && hst_format_is_read(hst_format_of(head, n));
}

/* Whether one of the folders on the way from a folder to a file is junk, or the file. */
static int is_in_junk(const char *rest)
{
    char name[256];
    for (const char *end; *rest; rest = *end ? end + 1 : end) {
        end = strchr(rest, '/');
        end = end ? end : rest + strlen(rest);
        const size_t n =
            (size_t)(end - rest) < sizeof name ? (size_t)(end - rest) : sizeof name - 1;
        memcpy(name, rest, n);
        name[n] = 0;
        if (hst_is_junk(name))
            return 1;
    }
    return 0;
}

static void look_inside(const hst_tree *t, hst_sub *s)
{
    size_t first, end, counted = 0;
    int looks = LOOKED_AT;
    const char *in = NULL; /* the sub-folder that was counted last */
    hst_tree_files(t, s->below, &first, &end);
    s->files = end - first;
    for (size_t i = first; i < end; i++) {
        const char *rest = hst_tree_under(t->file[i].below, s->below), *slash = strchr(rest, '/');
        if (!slash && s->direct)
            continue;
        const size_t n = slash ? (size_t)(slash - rest) : 0;
        if (slash && in && counted == n && memcmp(in, rest, n) == 0)
            continue;
        if (is_in_junk(rest) || !is_picture(t, i, &looks))
            continue;
        s->direct |= !slash;
        if (slash) {
            s->nested++;
            in = rest;
            counted = n;
        }
    }
}

static int is_right_in(const hst_tree *t, size_t i, const char *folder)
{
    return !strchr(hst_tree_under(t->folder[i].below, folder), '/');
}

/* ---- folders of our own ---- */

static int has_file(const hst_tree *t, const char *folder, const char *name)
{
    char below[4096];
    const int n = snprintf(below, sizeof below, "%s/%s", folder, name);
    return (size_t)n < sizeof below && hst_tree_find_file(t, below) < t->n_files;
}

static int is_same_folder(const char *a, const char *b)
{
    struct stat p, q;
    return b && stat(a, &p) == 0 && stat(b, &q) == 0 && p.st_dev == q.st_dev &&
           p.st_ino == q.st_ino;
}

static int is_run(const hst_rows *r, const hst_tree *t, const char *path, const char *below)
{
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors",
                                        "command.json", "sorted.csv"};
    if (is_same_folder(path, r->o->except))
        return 1;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (has_file(t, below, files[i]))
            return 1;
    return has_file(t, below, "report.html") && has_file(t, below, "predictions.csv");
}

/* A run, or a folder of nothing but runs ("runs"). */
static int is_ours(const hst_rows *r, const hst_tree *t, const hst_sub *s)
{
    size_t first, end, from, to, runs = 0;
    if (is_run(r, t, s->path, s->below))
        return 1;
    hst_tree_folders(t, s->below, &first, &end);
    for (size_t i = first; i < end; i++) {
        if (!is_right_in(t, i, s->below))
            continue;
        hst_tree_files(t, t->folder[i].below, &from, &to);
        if (is_run(r, t, t->folder[i].path, t->folder[i].below))
            runs++;
        else if (to > from) /* an empty one may be a run that was stopped */
            return 0;
    }
    return runs > 0;
}

/* ---- all of them ---- */

/* Opens links to folders that lie right in folder. */
static int enter_links(hst_tree *t, const char *folder, hst_err *err)
{
    size_t first, end;
    int rc = 0;
    hst_tree_folders(t, folder, &first, &end);
    for (size_t i = first; rc == 0 && i < end; i++)
        if (t->folder[i].state == HST_TREE_LINK && is_right_in(t, i, folder) &&
            !hst_is_junk(hst_tree_under(t->folder[i].below, folder))) {
            rc = hst_tree_enter(t, i, err);
            hst_tree_folders(t, folder, &first, &end);
        }
    return rc;
}

static int look_at_sub(const hst_rows *r, hst_tree *t, hst_sub *s, hst_err *err)
{
    if (hst_is_junk(s->name)) {
        s->skip = "";
        return 0;
    }
    if (is_ours(r, t, s)) {
        s->skip = "of headstart's own runs";
        return 0;
    }
    s->part = hst_part_of(s->name);
    int rc = s->part ? enter_links(t, s->below, err) : 0; /* where class folders may be links */
    if (rc == 0)
        look_inside(t, s);
    return rc;
}

int hst_layout_subs(const hst_rows *r, hst_tree *t, const char *folder, hst_sub **subs, size_t *n,
                    hst_err *err)
{
    size_t first, end;
    *n = 0;
    int rc = enter_links(t, folder, err);
    if (rc)
        return rc;
    hst_tree_folders(t, folder, &first, &end);
    for (size_t i = first; i < end; i++)
        *n += (size_t)is_right_in(t, i, folder);
    *subs = hst_arena_alloc(t->arena, *n, sizeof **subs, err);
    if (!*subs)
        return HST_EMEM;
    *n = 0;
    for (size_t i = first; i < end; i++)
        if (is_right_in(t, i, folder))
            (*subs)[(*n)++] = (hst_sub){.below = t->folder[i].below,
                                        .path = t->folder[i].path,
                                        .name = hst_tree_under(t->folder[i].below, folder)};
    for (size_t i = 0; rc == 0 && i < *n; i++)
        rc = look_at_sub(r, t, &(*subs)[i], err);
    return rc;
}
