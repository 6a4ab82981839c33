#include "dataset/listing.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Deeper trees are taken for an accident: a folder mounted inside itself has no end. */
enum { MAX_DEPTH = 64 };

static int names_add(hst_names *list, char *name, hst_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        char **more = hst_resize(list->at, cap, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        list->at = more;
        list->cap = cap;
    }
    list->at[list->n++] = name;
    return 0;
}

/* dir + "/" + name in the arena; no second slash where dir ends with one. */
static char *join(hst_arena *arena, const char *dir, const char *name, hst_err *err)
{
    size_t nd = strlen(dir), nn = strlen(name);
    int slash = nd > 0 && dir[nd - 1] != '/';
    char *p = hst_arena_alloc(arena, nd + nn + 2, 1, err);
    if (!p)
        return NULL;
    memcpy(p, dir, nd);
    if (slash)
        p[nd] = '/';
    memcpy(p + nd + slash, name, nn + 1);
    return p;
}

static int is_photo(const char *name, int webp)
{
    static const char *const endings[] = {".bmp", ".gif", ".jpeg", ".jpg", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(name, endings[i]))
            return 1;
    return webp && hst_ends_with_any_case(name, ".webp");
}

enum kind { OTHER, FOLDER, LINKED_FOLDER };

static enum kind entry_kind(DIR *dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type == DT_DIR)
        return FOLDER;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
        return OTHER;
    if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return OTHER;
    if (S_ISDIR(st.st_mode))
        return FOLDER;
    if (S_ISLNK(st.st_mode) && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode))
        return LINKED_FOLDER;
    return OTHER;
}

static int folder_failed(const char *dir, int e, hst_err *err)
{
    switch (e) {
    case ENOENT:
        return hst_fail(err, HST_EDATA, "%s: there is no such folder", dir);
    case ENOTDIR:
        return hst_fail(err, HST_EDATA,
                        "%s is a file; expected a folder with one sub-folder of photos per class",
                        dir);
    case EACCES:
    case EPERM:
        return hst_fail(err, HST_EDATA, "%s: no permission to read this folder", dir);
    case ENOMEM:
        return hst_fail(err, HST_EMEM, "%s: out of memory while reading this folder", dir);
    default:
        return hst_fail_errno(err, HST_EIO, e, "folder %s cannot be read", dir);
    }
}

/* The next entry but "." and ".."; NULL at the end (errno 0) or on failure (errno set). */
static struct dirent *next_entry(DIR *dir)
{
    struct dirent *e;
    do {
        errno = 0;
        e = readdir(dir);
    } while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
    return e;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int hst_list_classes(hst_arena *arena, const char *dir, hst_names *classes, size_t *n_photos,
                     hst_err *err)
{
    struct dirent *e;
    DIR *d = opendir(dir);
    if (!d)
        return folder_failed(dir, errno, err);
    int rc = 0;
    *n_photos = 0;
    while (rc == 0 && (e = next_entry(d))) {
        if (entry_kind(d, e) == OTHER) {
            *n_photos += (size_t)is_photo(e->d_name, 1);
        } else if (e->d_name[0] != '.') {
            char *name = hst_arena_strdup(arena, e->d_name, err);
            rc = name ? names_add(classes, name, err) : HST_EMEM;
        }
    }
    if (rc == 0 && errno != 0)
        rc = folder_failed(dir, errno, err);
    closedir(d);
    if (rc == 0 && classes->n)
        qsort(classes->at, classes->n, sizeof *classes->at, by_bytes);
    return rc;
}

/* One walk through a class: folders is a queue, so that one folder is open at a time. */
typedef struct walk {
    hst_arena *arena;
    int webp;
    int others; /* what is left out is wanted, not the photos */
    hst_names folders, *photos;
} walk;

static int is_wanted(const walk *w, enum kind kind, const char *name)
{
    if (kind == FOLDER)
        return 1;
    const int photo = kind == OTHER && is_photo(name, w->webp);
    return w->others ? !photo && name[0] != '.' : photo;
}

static int visit_entry(walk *w, const char *folder, DIR *d, const struct dirent *e, hst_err *err)
{
    enum kind kind = entry_kind(d, e);
    if (!is_wanted(w, kind, e->d_name))
        return 0;
    char *path = join(w->arena, folder, e->d_name, err);
    if (!path)
        return HST_EMEM;
    return names_add(kind == FOLDER ? &w->folders : w->photos, path, err);
}

static int visit_folder(walk *w, const char *folder, hst_err *err)
{
    struct dirent *e;
    DIR *d = opendir(folder);
    if (!d)
        return folder_failed(folder, errno, err);
    int rc = 0;
    while (rc == 0 && (e = next_entry(d)))
        rc = visit_entry(w, folder, d, e, err);
    if (rc == 0 && errno != 0)
        rc = folder_failed(folder, errno, err);
    closedir(d);
    return rc;
}

static int too_deep(const char *below)
{
    int depth = 0;
    for (; *below; below++)
        depth += *below == '/';
    return depth > MAX_DEPTH;
}

/* First the folder's whole path ("sub" < "sub-a" < "sub/deep" < "sub2"), then the name. */
static int by_folder_then_name(const void *a, const void *b)
{
    const char *p = *(char *const *)a, *q = *(char *const *)b;
    size_t np = (size_t)(strrchr(p, '/') - p), nq = (size_t)(strrchr(q, '/') - q);
    int order = memcmp(p, q, np < nq ? np : nq);
    if (order != 0)
        return order;
    return np == nq ? strcmp(p + np, q + nq) : np < nq ? -1 : 1;
}

int hst_list_photos(const hst_ctx *ctx, hst_arena *arena, const char *dir, int webp,
                    hst_names *photos, hst_err *err)
{
    walk w = {.arena = arena, .webp = webp, .photos = photos};
    size_t first = photos->n, n_dir = strlen(dir);
    int rc = visit_folder(&w, dir, err);
    for (size_t i = 0; rc == 0 && i < w.folders.n; i++) {
        hst_err below = {0};
        if (too_deep(w.folders.at[i] + n_dir)) {
            rc = hst_fail(err, HST_EDATA, "%s: folders inside it are more than %d deep", dir,
                          MAX_DEPTH);
            break;
        }
        rc = visit_folder(&w, w.folders.at[i], &below);
        if (rc == HST_EDATA || rc == HST_EIO) {
            hst_log(ctx, HST_LOG_WARN, "%s; left out", below.msg);
            rc = 0;
        } else if (rc != 0 && err) {
            *err = below;
        }
    }
    if (rc == 0 && photos->n > first)
        qsort(photos->at + first, photos->n - first, sizeof *photos->at, by_folder_then_name);
    free(w.folders.at);
    return rc;
}

/* What lies in one folder, but for folders. */
static int list_loose(hst_arena *arena, const char *dir, hst_names *others, hst_err *err)
{
    struct dirent *e;
    int rc = 0;
    DIR *d = opendir(dir);
    while (d && rc == 0 && (e = next_entry(d))) {
        if (e->d_name[0] == '.' || entry_kind(d, e) != OTHER)
            continue;
        char *path = join(arena, dir, e->d_name, err);
        rc = path ? names_add(others, path, err) : HST_EMEM;
    }
    if (d)
        closedir(d);
    return rc;
}

int hst_list_others(hst_arena *arena, const char *dir, int webp, int below, hst_names *others,
                    hst_err *err)
{
    walk w = {.arena = arena, .webp = webp, .others = 1, .photos = others};
    const size_t first = others->n, n_dir = strlen(dir);
    hst_err unread = {0};
    int rc = below ? visit_folder(&w, dir, &unread) : list_loose(arena, dir, others, err);
    for (size_t i = 0; rc != HST_EMEM && i < w.folders.n; i++)
        if (!too_deep(w.folders.at[i] + n_dir))
            rc = visit_folder(&w, w.folders.at[i], &unread);
    if (others->n > first)
        qsort(others->at + first, others->n - first, sizeof *others->at, by_folder_then_name);
    free(w.folders.at);
    if (rc == HST_EMEM && below)
        hst_fail(err, HST_EMEM, "%s", unread.msg);
    return rc == HST_EMEM ? rc : 0;
}
