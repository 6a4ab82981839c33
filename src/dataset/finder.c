#include "dataset/finder.h"
#include "base/file.h"
#include "base/str.h"
#include "dataset/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATH_CAP = 4096 };

void hst_finder_begin(hst_finder *f, hst_arena *arena, const char *base, hst_tree *in)
{
    *f = (hst_finder){.arena = arena, .base = base, .tree = in, .given = in != NULL};
    f->in_archive = in && !hst_is_dir(in->root);
}

void hst_finder_end(hst_finder *f)
{
    free(f->by_stem);
    if (!f->given)
        hst_tree_clear(&f->own);
    *f = (hst_finder){0};
}

/* ---- names ---- */

/* Length of a name without its ending, where that is a photo's. */
static size_t stem_length(const char *name)
{
    const size_t n = strlen(name);
    const char *dot = strrchr(name, '.');
    return dot && dot > name && hst_names_photo(name, n) ? (size_t)(dot - name) : n;
}

/* Whether path is tail or ends with "/" + tail; how: strcmp or strcasecmp. n: bytes of path that
 * count. */
static int ends_so(const char *path, size_t n, const char *tail, size_t m,
                   int (*how)(const char *, const char *, size_t))
{
    return n >= m && how(path + n - m, tail, m) == 0 && (n == m || path[n - m - 1] == '/');
}

/* A path of a list in out: '/' between, no "./" in front. 0: it is too long. */
static int plain_path(const char *cell, int windows, char out[PATH_CAP])
{
    while (cell[0] == '.' && (cell[1] == '/' || (windows && cell[1] == '\\')))
        for (cell += 2; *cell == '/';)
            cell++;
    const size_t n = strlen(cell);
    if (n >= PATH_CAP - 16)
        return 0;
    for (size_t i = 0; i <= n; i++)
        out[i] = windows && cell[i] == '\\' ? '/' : cell[i];
    return 1;
}

/* ---- where it should be ---- */

static const char *const endings[] = {"",     ".jpg",  ".jpeg", ".png", ".JPG", ".JPEG",
                                      ".PNG", ".webp", ".bmp",  ".gif", ".tif", ".tiff"};
enum { N_ENDINGS = sizeof endings / sizeof *endings };

static int by_path(const void *path, const void *file)
{
    return strcmp(path, ((const hst_tree_file *)file)->path);
}

static int exists(const hst_finder *f, const char *file)
{
    if (!f->in_archive)
        return hst_is_file(file);
    return f->tree->n_files &&
           bsearch(file, f->tree->file, f->tree->n_files, sizeof *f->tree->file, by_path) != NULL;
}

/* The file at base/path, or with a photo's ending where it has none. */
static int find_at(hst_finder *f, const char *path, const char **found, hst_err *err)
{
    char file[2 * PATH_CAP];
    const int whole = hst_names_photo(path, strlen(path));
    const int bare = path[0] == '/' || strcmp(f->base, ".") == 0;
    const size_t n = strlen(f->base);
    const char *slash = bare || (n && f->base[n - 1] == '/') ? "" : "/";
    for (int e = 0; e < (whole ? 1 : N_ENDINGS) && n < PATH_CAP; e++) {
        snprintf(file, sizeof file, "%s%s%s%s", bare ? "" : f->base, slash, path, endings[e]);
        if (!exists(f, file))
            continue;
        *found = hst_arena_strdup(f->arena, file, err);
        return *found ? 0 : HST_EMEM;
    }
    return 0;
}

/* ---- anywhere below ---- */

typedef struct named {
    const char *name;
    size_t n, file;
} named;

static int by_name(const void *pa, const void *pb)
{
    const named *a = pa, *b = pb;
    const int order = strncasecmp(a->name, b->name, a->n < b->n ? a->n : b->n);
    return order          ? order
           : a->n != b->n ? (a->n < b->n ? -1 : 1)
                          : (a->file < b->file ? -1 : a->file > b->file);
}

static named name_of(const char *path, size_t file)
{
    const char *name = hst_path_base(path);
    return (named){name, stem_length(name), file};
}

/* What lies below the base, once. A base that cannot be looked through holds nothing. */
static int scan(hst_finder *f, hst_err *err)
{
    hst_err why = {0};
    if (f->scanned)
        return 0;
    f->scanned = 1;
    if (!f->given) {
        f->tree = &f->own;
        const int rc = hst_tree_of_folder(&f->own, f->arena, f->base, &why);
        if (rc == HST_EMEM)
            return hst_fail(err, HST_EMEM, "%s", why.msg);
    }
    const size_t n = f->tree->n_files;
    named *names = hst_alloc(n, sizeof *names, err);
    f->by_stem = names ? hst_alloc(n, sizeof *f->by_stem, err) : NULL;
    if (f->by_stem) {
        for (size_t i = 0; i < n; i++)
            names[i] = name_of(f->tree->file[i].below, i);
        qsort(names, n, sizeof *names, by_name);
        for (size_t i = 0; i < n; i++)
            f->by_stem[i] = names[i].file;
    }
    free(names);
    return f->by_stem ? 0 : HST_EMEM;
}

/* The first place in by_stem whose stem is no less than that one. */
static size_t lower_bound(const hst_finder *f, const named *stem)
{
    size_t low = 0, high = f->tree->n_files;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        named have = name_of(f->tree->file[f->by_stem[middle]].below, 0);
        if (by_name(&have, stem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A tree that was given may hold more than the base. */
static int is_below(const hst_finder *f, size_t file)
{
    const char *path = f->tree->file[file].path;
    return !f->given || hst_tree_under(path, f->base) != path;
}

/* The files whose paths end with path; its ending may be missing. *n: how many, in that case. */
static size_t matches(const hst_finder *f, const char *path, int any_case, size_t *n)
{
    const named stem = name_of(path, 0);
    const int whole = hst_names_photo(path, strlen(path));
    size_t only = 0;
    *n = 0;
    for (size_t at = lower_bound(f, &stem); at < f->tree->n_files; at++) {
        const char *below = f->tree->file[f->by_stem[at]].below;
        named have = name_of(below, 0);
        if (by_name(&have, &stem) != 0)
            break;
        const size_t bytes = whole ? strlen(below) : (size_t)(have.name - below) + have.n;
        if (!ends_so(below, bytes, path, strlen(path), any_case ? strncasecmp : strncmp) ||
            !hst_names_photo(below, strlen(below)) || !is_below(f, f->by_stem[at]))
            continue;
        only = f->by_stem[at];
        ++*n;
    }
    return only;
}

/* *several: more than one file could be meant. */
static const char *search(hst_finder *f, const char *path, int *several)
{
    size_t n = 0, at = matches(f, path, 0, &n);
    *several |= n > 1;
    if (n == 0) {
        at = matches(f, path, 1, &n);
        *several |= n > 1;
    }
    f->n_searched += n == 1;
    return n == 1 ? f->tree->file[at].path : NULL;
}

/* ---- without the list's own folders ---- */

/* Lists made elsewhere have paths like /content/data/cat/1.jpg: what the first such path has in
 * front of one below the base is what all of them have. */
static int find_prefix(hst_finder *f, const char *path, hst_err *err)
{
    const named stem = name_of(path, 0);
    const int whole = hst_names_photo(path, strlen(path));
    size_t longest = 0;
    for (size_t at = lower_bound(f, &stem); at < f->tree->n_files; at++) {
        const char *below = f->tree->file[f->by_stem[at]].below;
        named have = name_of(below, 0);
        if (by_name(&have, &stem) != 0)
            break;
        const size_t n = whole ? strlen(below) : (size_t)(have.name - below) + have.n;
        if (n < strlen(path) && ends_so(path, strlen(path), below, n, strncmp))
            longest = n > longest ? n : longest;
    }
    char *prefix = longest ? hst_arena_strdup(f->arena, path, err) : NULL;
    if (prefix) {
        prefix[strlen(path) - longest] = 0;
        f->prefix = prefix;
    }
    return longest && !prefix ? HST_EMEM : 0;
}

/* ---- all of it ---- */

static int find_plain(hst_finder *f, const char *path, const char **found, int *several,
                      hst_err *err)
{
    int rc = find_at(f, path, found, err);
    if (rc || *found)
        return rc;
    rc = scan(f, err);
    if (rc)
        return rc;
    if (path[0] != '/')
        *found = search(f, path, several);
    if (!*found && !*several && !f->prefix)
        rc = find_prefix(f, path, err);
    const size_t n = f->prefix ? strlen(f->prefix) : 0;
    if (rc == 0 && !*found && n && strncmp(path, f->prefix, n) == 0)
        *found = search(f, path + n, several);
    return rc;
}

int hst_finder_find(hst_finder *f, const char *cell, const char **path, const char **why,
                    hst_err *err)
{
    char plain[PATH_CAP];
    int several = 0, rc = 0;
    *path = NULL;
    *why = NULL;
    if (strstr(cell, "://")) {
        *why = "an address: download it first";
        return 0;
    }
    for (int windows = 0; rc == 0 && !*path && windows <= (strchr(cell, '\\') != NULL); windows++)
        if (plain_path(cell, windows, plain) && plain[0])
            rc = find_plain(f, plain, path, &several, err);
    if (several && !*path)
        *why = "in several folders";
    return rc;
}
