/* archived.c - the photos of an archive, one by one. */
#include "archives/archives.h"
#include "dataset/admit.h"

#include <stdlib.h>
#include <string.h>

/* Whether below lies in folder, or is it; "": all. */
static int is_in(const char *below, const char *folder)
{
    const size_t n = strlen(folder);
    return n == 0 || (strncmp(below, folder, n) == 0 && (below[n] == '/' || !below[n]));
}

/* The member's name of the tree's i-th file: behind the n bytes of the archive's own path. */
static const char *name_of(const hst_tree *t, size_t i, size_t n)
{
    return t->file[i].path + n + 1;
}

static hst_data *photos_in(const hst_tree *t, const char *folder, size_t before, hst_err *err)
{
    const char **paths = hst_alloc(t->n_files, sizeof *paths, err);
    size_t n = 0;
    for (size_t i = 0; paths && i < t->n_files; i++) {
        hst_admission a;
        const char *name = strrchr(t->file[i].below, '/');
        if (!is_in(name_of(t, i, before), folder) ||
            hst_is_junk(name ? name + 1 : t->file[i].below))
            continue;
        hst_admit(t, i, &a);
        if (a.taken)
            paths[n++] = t->file[i].path;
    }
    hst_data *d = paths && n ? hst_data_from_files(paths, n, err) : NULL;
    if (paths && !n)
        hst_fail(err, HST_EDATA, "%s%s%s holds no photos", t->root, *folder ? ": " : "", folder);
    free(paths);
    return d;
}

hst_data *hst_data_from_archive(hst_ctx *ctx, const char *path, hst_err *err)
{
    const hst_archive *a;
    const char *name;
    hst_tree tree = {0};
    hst_data *d = NULL;
    char *file = NULL;
    hst_arena *arena = hst_arena_new(err);
    int rc = arena ? hst_archive_within(ctx, path, &a, &name, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_fail(err, HST_EDATA, "%s is no archive, nor in one", path);
    if (rc == 1) {
        file = hst_strdup(path, err);
        rc = file ? 0 : HST_EMEM;
    }
    if (rc == 0) {
        size_t n = (size_t)(name - path);
        while (n > 1 && file[n - 1] == '/')
            n--;
        file[n] = 0;
        rc = hst_tree_of_archive(ctx, &tree, arena, file, err);
        if (rc == 0)
            d = photos_in(&tree, name, n, err);
    }
    hst_tree_clear(&tree);
    hst_arena_free(arena);
    free(file);
    return d;
}
