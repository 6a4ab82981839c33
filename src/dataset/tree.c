#include "dataset/tree.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int hst_tree_begin(hst_tree *t, hst_arena *arena, const char *root, hst_err *err)
{
    char *copy = hst_arena_strdup(arena, root, err);
    if (!copy)
        return HST_EMEM;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = 0;
    *t = (hst_tree){.arena = arena, .root = copy};
    return 0;
}

/* root + "/" + the n bytes of below in the arena; no second slash behind the root "/". */
static const char *join(const hst_tree *t, const char *below, size_t n, hst_err *err)
{
    const size_t root = strlen(t->root), slash = t->root[root - 1] != '/';
    char *p = hst_arena_text(t->arena, root + slash + n + 1, err);
    if (!p)
        return NULL;
    memcpy(p, t->root, root);
    if (slash)
        p[root] = '/';
    memcpy(p + root + slash, below, n);
    return p;
}

int hst_tree_add_file(hst_tree *t, const char *below, hst_err *err)
{
    const size_t n = strlen(below);
    void *list = t->file;
    int rc = hst_make_room(&list, t->n_files, &t->files_cap, sizeof *t->file, err);
    t->file = list;
    const char *path = rc ? NULL : join(t, below, n, err);
    if (!path)
        return HST_EMEM;
    t->file[t->n_files++] = (hst_tree_file){path, path + strlen(path) - n};
    return 0;
}

/* As hst_tree_add_folder, of the first n bytes of below. */
static int add_folder(hst_tree *t, const char *below, size_t n, hst_err *err)
{
    void *list = t->folder;
    int rc = hst_make_room(&list, t->n_folders, &t->folders_cap, sizeof *t->folder, err);
    t->folder = list;
    const char *path = rc ? NULL : join(t, below, n, err);
    if (!path)
        return HST_EMEM;
    t->folder[t->n_folders++] =
        (hst_tree_folder){.path = path, .below = path + strlen(path) - n, .state = HST_TREE_OPEN};
    return 0;
}

int hst_tree_add_folder(hst_tree *t, const char *below, enum hst_tree_state state, const char *why,
                        hst_err *err)
{
    const char *kept = why ? hst_arena_strdup(t->arena, why, err) : NULL;
    if ((why && !kept) || add_folder(t, below, strlen(below), err))
        return HST_EMEM;
    t->folder[t->n_folders - 1].state = state;
    t->folder[t->n_folders - 1].why = kept;
    return 0;
}

static int files_in_order(const void *a, const void *b)
{
    return strcmp(((const hst_tree_file *)a)->below, ((const hst_tree_file *)b)->below);
}

/* Of equal names the one that says most of its state comes first. */
static int folders_in_order(const void *pa, const void *pb)
{
    const hst_tree_folder *a = pa, *b = pb;
    const int order = strcmp(a->below, b->below);
    return order ? order : (int)b->state - (int)a->state;
}

static void sort_folders(hst_tree *t)
{
    size_t n = 0;
    if (t->n_folders)
        qsort(t->folder, t->n_folders, sizeof *t->folder, folders_in_order);
    for (size_t i = 0; i < t->n_folders; i++)
        if (i == 0 || strcmp(t->folder[i].below, t->folder[n - 1].below) != 0)
            t->folder[n++] = t->folder[i];
    t->n_folders = n;
}

/* The folders above below[] that above[], the name before it in order, does not lie in. */
static int add_folders_of(hst_tree *t, const char *below, const char *above, hst_err *err)
{
    int rc = 0, same = 1;
    for (size_t i = 0; rc == 0 && below[i]; i++) {
        same = same && above[i] == below[i];
        if (below[i] == '/' && !same)
            rc = add_folder(t, below, i, err);
    }
    return rc;
}

int hst_tree_end(hst_tree *t, hst_err *err)
{
    size_t n = 0;
    if (t->n_files)
        qsort(t->file, t->n_files, sizeof *t->file, files_in_order);
    for (size_t i = 0; i < t->n_files; i++)
        if (i == 0 || strcmp(t->file[i].below, t->file[n - 1].below) != 0)
            t->file[n++] = t->file[i];
    t->n_files = n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_folders_of(t, t->file[i].below, i ? t->file[i - 1].below : "", err);
    for (size_t i = 0, told = t->n_folders; rc == 0 && i < told; i++)
        rc = add_folders_of(t, t->folder[i].below, "", err);
    sort_folders(t);
    return rc;
}

void hst_tree_clear(hst_tree *t)
{
    free(t->file);
    free(t->folder);
    *t = (hst_tree){0};
}

int hst_is_junk(const char *name)
{
    static const char *const junk[] = {"Thumbs.db", "ehthumbs.db",  "desktop.ini",
                                       "__MACOSX",  "$RECYCLE.BIN", "lost+found",
                                       "Icon\r",    "__pycache__",  "System Volume Information"};
    if (name[0] == '.' || strncmp(name, "@ea", 3) == 0)
        return 1;
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++)
        if (strcmp(name, junk[i]) == 0)
            return 1;
    return 0;
}

static int folder_is(const void *key, const void *folder)
{
    return strcmp(key, ((const hst_tree_folder *)folder)->below);
}

size_t hst_tree_find(const hst_tree *t, const char *below)
{
    const hst_tree_folder *f =
        t->n_folders ? bsearch(below, t->folder, t->n_folders, sizeof *f, folder_is) : NULL;
    return f ? (size_t)(f - t->folder) : t->n_folders;
}

static int file_is(const void *key, const void *file)
{
    return strcmp(key, ((const hst_tree_file *)file)->below);
}

size_t hst_tree_find_file(const hst_tree *t, const char *below)
{
    const hst_tree_file *f =
        t->n_files ? bsearch(below, t->file, t->n_files, sizeof *f, file_is) : NULL;
    return f ? (size_t)(f - t->file) : t->n_files;
}

/* below against the names in folder: less, in it, more. A '/' follows the folder's name there. */
static int against(const char *below, const char *folder, size_t n)
{
    const int order = strncmp(below, folder, n);
    return order ? order : (int)(uint8_t)below[n] - '/';
}

/* The run of names in folder among n, whose i-th is at list + i * size + offset. */
static void find_run(const void *list, size_t n, size_t size, size_t offset, const char *folder,
                     size_t run[2])
{
    const size_t length = strlen(folder);
    for (int end = 0; end < 2; end++) {
        size_t low = 0, high = n;
        while (length && low < high) {
            const size_t middle = low + (high - low) / 2;
            const char *below;
            memcpy(&below, (const char *)list + middle * size + offset, sizeof below);
            const int order = against(below, folder, length);
            if (order < 0 || (order == 0 && end))
                low = middle + 1;
            else
                high = middle;
        }
        run[end] = length ? low : end ? n : 0;
    }
}

void hst_tree_files(const hst_tree *t, const char *below, size_t *first, size_t *end)
{
    size_t run[2];
    find_run(t->file, t->n_files, sizeof *t->file, offsetof(hst_tree_file, below), below, run);
    *first = run[0];
    *end = run[1];
}

void hst_tree_folders(const hst_tree *t, const char *below, size_t *first, size_t *end)
{
    size_t run[2];
    find_run(t->folder, t->n_folders, sizeof *t->folder, offsetof(hst_tree_folder, below), below,
             run);
    *first = run[0];
    *end = run[1];
}

const char *hst_tree_under(const char *below, const char *folder)
{
    const size_t n = strlen(folder);
    return n && strncmp(below, folder, n) == 0 && below[n] == '/' ? below + n + 1 : below;
}

int hst_tree_enter(hst_tree *t, size_t i, hst_err *err)
{
    const enum hst_tree_state state = t->folder[i].state;
    if (!t->enter || (state != HST_TREE_CLOSED && state != HST_TREE_LINK))
        return 0;
    return t->enter(t, i, err);
}
