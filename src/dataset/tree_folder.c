/* tree_folder.c - the tree of a folder on disk. */
#include "base/file.h"
#include "dataset/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    /* Deeper trees are taken for an accident: a folder mounted inside itself has no end. */
    MAX_DEPTH = 64,
    /* So is a tree of this many files (and ten times as many, ...) of which hardly any is a photo:
     * a home, a system. SAMPLE of them are looked at; fewer than LEAST photos are too few: one in
     * eight leaves room for a few files of notes beside each photo. */
    MANY = 100000,
    SAMPLE = 64,
    LEAST = 8,
};

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

/* Whether the last part of a path has an ending, as lists and archives have, and folders rarely. */
static int has_ending(const char *path)
{
    const char *name = hst_path_base(path), *dot = strrchr(name, '.');
    return dot && dot > name && dot[1];
}

static int folder_failed(const char *dir, int e, hst_err *err)
{
    switch (e) {
    case ENOENT:
        return hst_fail(err, HST_EDATA, "%s: there is no such %s", dir,
                        has_ending(dir) ? "file or folder" : "folder");
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

static int add_entry(hst_tree *t, const char *folder, DIR *d, const struct dirent *e, hst_err *err)
{
    char below[4096];
    const int length =
        snprintf(below, sizeof below, "%s%s%s", folder, *folder ? "/" : "", e->d_name);
    if ((size_t)length >= sizeof below)
        return hst_fail(err, HST_EDATA, "%s/%.60s...: the path is too long", t->root, below);
    switch (entry_kind(d, e)) {
    case FOLDER:
        return hst_tree_add_folder(
            t, below, hst_is_junk(e->d_name) ? HST_TREE_CLOSED : HST_TREE_OPEN, NULL, err);
    case LINKED_FOLDER:
        return hst_tree_add_folder(t, below, HST_TREE_LINK, NULL, err);
    default:
        return hst_tree_add_file(t, below, err);
    }
}

/* Adds what lies in the folder at path; below: its path below the root, "" for that. */
static int read_folder(hst_tree *t, const char *path, const char *below, hst_err *err)
{
    struct dirent *e;
    DIR *d = opendir(path);
    if (!d)
        return folder_failed(path, errno, err);
    int rc = 0;
    while (rc == 0 && (e = next_entry(d)))
        rc = add_entry(t, below, d, e, err);
    if (rc == 0 && errno != 0)
        rc = folder_failed(path, errno, err);
    closedir(d);
    return rc;
}

/* Every n-th file is looked at, as a photo may have any name. */
static int check_sample(const hst_tree *t, hst_err *err)
{
    uint8_t head[HST_FORMAT_MAGIC_BYTES];
    int photos = 0;
    for (size_t i = 0; i < SAMPLE; i++) {
        const char *path = t->file[t->n_files / SAMPLE * i].path;
        enum hst_format f = hst_format_of_name(path);
        if (f == HST_FORMAT_UNKNOWN) {
            const size_t n = hst_tree_read_head(path, head);
            f = n == HST_TREE_NO_HEAD ? f : hst_format_of(head, n);
        }
        photos += f != HST_FORMAT_UNKNOWN;
    }
    if (photos >= LEAST)
        return 0;
    return hst_fail(err, HST_EDATA,
                    "%s: few of the first %zu files in it are photos; name the folder that "
                    "holds the class folders",
                    t->root, t->n_files);
}

static int too_deep(const char *below)
{
    int depth = 0;
    for (; *below; below++)
        depth += *below == '/';
    return depth > MAX_DEPTH;
}

/* Reads the open folders from the i-th on, and those that are found in them: the list is a queue,
 * so that one folder is open at a time. */
static int read_folders(hst_tree *t, size_t i, hst_err *err)
{
    int rc = 0;
    size_t many = MANY;
    while (many <= t->n_files)
        many *= 10;
    for (; rc == 0 && i < t->n_folders; i++) {
        const hst_tree_folder f = t->folder[i];
        hst_err why = {0};
        if (f.state != HST_TREE_OPEN)
            continue;
        if (too_deep(f.below))
            return hst_fail(err, HST_EDATA, "%s: folders inside it are more than %d deep", t->root,
                            MAX_DEPTH);
        rc = read_folder(t, f.path, f.below, &why);
        if (rc == HST_EDATA || rc == HST_EIO) {
            t->folder[i].state = HST_TREE_UNREAD;
            t->folder[i].why = hst_arena_strdup(t->arena, why.msg, err);
            rc = t->folder[i].why ? 0 : HST_EMEM;
        } else if (rc && err) {
            *err = why;
        }
        if (rc == 0 && t->n_files >= many) {
            rc = check_sample(t, err);
            many *= 10;
        }
    }
    return rc;
}

size_t hst_tree_read_head(const char *path, uint8_t *head)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) /* a pipe would wait for one that writes */
        return HST_TREE_NO_HEAD;
    if (st.st_size == 0) /* so are files of /proc, of which some wait too */
        return 0;
    FILE *f = fopen(path, "rb");
    if (!f)
        return HST_TREE_NO_HEAD;
    const size_t n = fread(head, 1, HST_FORMAT_MAGIC_BYTES, f);
    const int failed = ferror(f);
    fclose(f);
    return failed ? HST_TREE_NO_HEAD : n;
}

static size_t read_head(const hst_tree *t, size_t i, uint8_t *head)
{
    return hst_tree_read_head(t->file[i].path, head);
}

static int enter(hst_tree *t, size_t i, hst_err *err)
{
    const size_t first = t->n_folders;
    hst_err why = {0};
    t->folder[i].state = HST_TREE_OPEN;
    int rc = read_folder(t, t->folder[i].path, t->folder[i].below, &why);
    if (rc == HST_EDATA || rc == HST_EIO) {
        t->folder[i].state = HST_TREE_UNREAD;
        t->folder[i].why = hst_arena_strdup(t->arena, why.msg, err);
        rc = t->folder[i].why ? 0 : HST_EMEM;
    } else if (rc && err) {
        *err = why;
    }
    if (rc == 0)
        rc = read_folders(t, first, err);
    return rc ? rc : hst_tree_end(t, err);
}

int hst_tree_of_folder(hst_tree *t, hst_arena *arena, const char *dir, hst_err *err)
{
    int rc = hst_tree_begin(t, arena, dir, err);
    if (rc)
        return rc;
    if (strcmp(t->root, "/") == 0)
        return hst_fail(err, HST_EDATA,
                        "/ is all there is on this machine; name the folder that holds the class "
                        "folders");
    t->head = read_head;
    t->enter = enter;
    rc = read_folder(t, t->root, "", err);
    if (rc == 0)
        rc = read_folders(t, 0, err);
    if (rc == 0)
        rc = hst_tree_end(t, err);
    if (rc)
        hst_tree_clear(t);
    return rc;
}
