/* tree_archive.c - the tree of an archive: its table of members, without the folder that archives
 * are often wrapped in. */
#include "archives/archives.h"
#include "base/file.h"
#include "base/str.h"
#include "dataset/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name below the wrapper, or NULL where it lies elsewhere; wrapper "": all of it. */
static const char *inside(const char *name, const char *wrapper)
{
    const size_t n = strlen(wrapper);
    if (n == 0)
        return name;
    return strncmp(name, wrapper, n) == 0 && name[n] == '/' ? name + n + 1 : NULL;
}

static int is_list(const char *name)
{
    static const char *const endings[] = {".csv", ".tsv", ".json", ".jsonl"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(name, endings[i]))
            return 1;
    return 0;
}

/* The one thing that lies below the wrapper, if that is a folder which has folders of its own or a
 * list of photos: its name's bytes in *n, and where it begins; else NULL. */
static const char *only_folder(const hst_member *m, size_t n_members, const char *wrapper,
                               size_t *n)
{
    const char *only = NULL;
    int holds = 0;
    for (size_t i = 0; i < n_members; i++) {
        const char *name = inside(m[i].name, wrapper);
        char first[256];
        if (!name)
            continue;
        const size_t length = strcspn(name, "/");
        snprintf(first, sizeof first, "%.*s", (int)length, name);
        if (hst_is_junk(first))
            continue;
        if ((!name[length] && !m[i].is_folder) ||
            (only && (length != *n || strncmp(name, only, length) != 0)))
            return NULL;
        only = name;
        *n = length;
        const char *rest = name[length] ? name + length + 1 : "";
        holds |= strchr(rest, '/') || (*rest && (m[i].is_folder || is_list(rest)));
    }
    return holds ? only : NULL;
}

/* The folders that everything lies in, "": none. */
static void find_wrapper(const hst_member *m, size_t n_members, char *wrapper, size_t cap)
{
    const char *only;
    size_t n = 0, at = 0;
    *wrapper = 0;
    while ((only = only_folder(m, n_members, wrapper, &n)) && at + n + 2 < cap)
        at += (size_t)snprintf(wrapper + at, cap - at, "%s%.*s", at ? "/" : "", (int)n, only);
}

/* A part of below that is a folder of junk: the bytes up to its end, or 0. */
static size_t junk_in(const char *below)
{
    char part[256];
    for (const char *s = below, *slash; (slash = strchr(s, '/')); s = slash + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - s), s);
        if (hst_is_junk(part))
            return (size_t)(slash - below);
    }
    return 0;
}

static int add(hst_tree *t, const hst_member *m, const char *below, hst_err *err)
{
    char folder[4096];
    const size_t closed = junk_in(below);
    if (closed) {
        snprintf(folder, sizeof folder, "%.*s", (int)closed, below);
        return hst_tree_add_folder(t, folder, HST_TREE_CLOSED, NULL, err);
    }
    if (!m->is_folder)
        return hst_tree_add_file(t, below, err);
    return hst_tree_add_folder(
        t, below, hst_is_junk(hst_path_base(below)) ? HST_TREE_CLOSED : HST_TREE_OPEN, NULL, err);
}

/* What a tree is made of. */
typedef struct source {
    const hst_archive *archive;
    size_t before; /* bytes of a path in the tree before the member's name */
} source;

static size_t read_head(const hst_tree *t, size_t i, uint8_t *head)
{
    const source *s = t->source;
    const hst_member *m = hst_archive_find(s->archive, t->file[i].path + s->before);
    const hst_member_read how = {.max = HST_FORMAT_MAGIC_BYTES, .part = 1, .code = HST_EDATA};
    uint8_t *bytes;
    size_t n;
    if (!m || hst_archive_read(s->archive, m, &how, &bytes, &n, NULL))
        return HST_TREE_NO_HEAD;
    memcpy(head, bytes, n);
    free(bytes);
    return n;
}

/* What lies in folder i and deeper, but for further folders of junk. */
static int enter(hst_tree *t, size_t i, hst_err *err)
{
    const source *s = t->source;
    size_t n;
    const hst_member *m = hst_archive_members(s->archive, &n);
    const char *name = t->folder[i].path + s->before, *below = t->folder[i].below;
    char full[4096];
    int rc = 0;
    t->folder[i].state = HST_TREE_OPEN;
    for (size_t k = 0; rc == 0 && k < n; k++) {
        const char *rest = inside(m[k].name, name);
        if (!rest)
            continue;
        const size_t closed = junk_in(rest);
        snprintf(full, sizeof full, "%s/%.*s", below, closed ? (int)closed : (int)strlen(rest),
                 rest);
        rc = closed || m[k].is_folder
                 ? hst_tree_add_folder(t, full, closed ? HST_TREE_CLOSED : HST_TREE_OPEN, NULL, err)
                 : hst_tree_add_file(t, full, err);
    }
    return rc ? rc : hst_tree_end(t, err);
}

int hst_tree_of_archive(const hst_ctx *ctx, hst_tree *t, hst_arena *arena, const char *path,
                        hst_err *err)
{
    source *s = hst_arena_alloc(arena, 1, sizeof *s, err);
    char wrapper[2048], root[4096];
    size_t n;
    int rc = s ? hst_archive_open(ctx, path, &s->archive, err) : HST_EMEM;
    if (rc)
        return rc;
    const hst_member *m = hst_archive_members(s->archive, &n);
    s->before = strlen(path) + 1;
    find_wrapper(m, n, wrapper, sizeof wrapper);
    const int length = snprintf(root, sizeof root, "%s%s%s", path, *wrapper ? "/" : "", wrapper);
    if (length < 0 || (size_t)length >= sizeof root)
        return hst_fail(err, HST_EDATA, "%s: the path is too long", path);
    rc = hst_tree_begin(t, arena, root, err);
    if (rc)
        return rc;
    t->head = read_head;
    t->enter = enter;
    t->source = s;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *below = inside(m[i].name, wrapper);
        if (below)
            rc = add(t, &m[i], below, err);
    }
    rc = rc ? rc : hst_tree_end(t, err);
    if (rc)
        hst_tree_clear(t);
    return rc;
}

int hst_tree_of(const hst_ctx *ctx, hst_tree *t, hst_arena *arena, const char *path, hst_err *err)
{
    if (ctx->archives && hst_archive_is(path))
        return hst_tree_of_archive(ctx, t, arena, path, err);
    return hst_tree_of_folder(t, arena, path, err);
}
