#include "target.h"

#include "headstart.h"
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CAP = 4096 };

static int no_file(const char *path, const char *why)
{
    cli_error("%s cannot be written: %s", path, why);
    return cli_exit_status(HST_EIO);
}

/* Whether a file can be made in a folder; asked by making one, as only that tells of all that may
 * be in the way. 0 or errno. */
static int try_folder(const char *folder)
{
    char path[PATH_CAP];
    if ((size_t)snprintf(path, sizeof path, "%s/.headstart-XXXXXX", folder) >= sizeof path)
        return ENAMETOOLONG;
    int fd = mkstemp(path);
    if (fd < 0)
        return errno;
    close(fd);
    return unlink(path) ? errno : 0;
}

/* The folder that a path lies in. 0: too long. */
static int folder_of(const char *path, char folder[PATH_CAP])
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= PATH_CAP)
        return 0;
    if (n == 0)
        return snprintf(folder, PATH_CAP, ".") > 0;
    memcpy(folder, path, n);
    folder[n] = 0;
    return 1;
}

int cli_target_file(const char *path)
{
    char folder[PATH_CAP];
    struct stat st;
    const size_t n = strlen(path);
    if (!folder_of(path, folder))
        return no_file(path, strerror(ENAMETOOLONG));
    if ((n && path[n - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return no_file(path, "it is a folder; a file is wanted");
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return no_file(path, "it is no regular file, and would be replaced by one");
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
        cli_error("%s cannot be written: there is no folder %s", path, folder);
        return cli_exit_status(HST_EIO);
    }
    int rc = try_folder(folder);
    return rc ? no_file(path, strerror(rc)) : CLI_OK;
}

/* ---- folders ---- */

static int is_in(const char *folder, const char *name)
{
    char path[PATH_CAP];
    struct stat st;
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path &&
           stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* 1: the page is one of ours, by its first bytes. */
static int is_our_page(const char *folder, const char *name)
{
    char path[PATH_CAP], head[2048];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return 0;
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head - 1, f) : 0;
    if (f)
        fclose(f);
    head[n] = 0;
    return strstr(head, " - headstart</title>") != NULL;
}

static int is_ours(const cli_target *t)
{
    for (const char *const *m = t->marks; m && *m; m++)
        if (is_in(t->path, *m))
            return 1;
    return t->page && is_our_page(t->path, t->page);
}

/* The first file of a folder by name, hidden ones and those that we left half written aside. 0:
 * there is none. */
static int first_file(const char *folder, char name[NAME_MAX + 1])
{
    struct dirent *e;
    DIR *d = opendir(folder);
    int found = 0;
    while (d && (e = readdir(d))) {
        const size_t n = strlen(e->d_name);
        const int left = n > 4 && strcmp(e->d_name + n - 4, ".tmp") == 0;
        if (e->d_name[0] == '.' || left || !is_in(folder, e->d_name) ||
            (found && strcmp(name, e->d_name) < 0))
            continue;
        snprintf(name, NAME_MAX + 1, "%s", e->d_name);
        found = 1;
    }
    if (d)
        closedir(d);
    return found;
}

/* 1: inner is outer, or lies in it. */
static int is_within(const char *outer, const char *inner)
{
    char *a = realpath(outer, NULL), *b = realpath(inner, NULL);
    const size_t n = a ? strlen(a) : 0;
    const int within =
        a && b && strncmp(a, b, n) == 0 && (b[n] == '/' || b[n] == 0 || (n == 1 && a[0] == '/'));
    free(a);
    free(b);
    return within;
}

/* The nearest folder above that is there. 0: none. */
static int nearest(const char *path, char folder[PATH_CAP])
{
    struct stat st;
    char above[PATH_CAP];
    if (!folder_of(path, folder))
        return 0;
    while (stat(folder, &st) != 0 && errno == ENOENT) {
        if (!folder_of(folder, above) || strcmp(above, folder) == 0)
            return 0;
        memcpy(folder, above, sizeof above);
    }
    return 1;
}

static int no_folder(const char *path, int e)
{
    cli_error("folder %s cannot be made: %s", path, strerror(e));
    return cli_exit_status(HST_EIO);
}

int cli_target_folder(const cli_target *t)
{
    char name[NAME_MAX + 1], above[PATH_CAP];
    struct stat st;
    const int there = stat(t->path, &st) == 0;
    if (there && !S_ISDIR(st.st_mode))
        return no_folder(t->path, EEXIST);
    for (const char *const *d = t->data; there && d && *d; d++) {
        if (!is_within(t->path, *d))
            continue;
        cli_error("%s %s the photos: name a folder of its own for the results", t->path,
                  is_within(*d, t->path) ? "is the folder of" : "holds");
        return CLI_USAGE;
    }
    if (there && t->other && is_in(t->path, t->other)) {
        cli_error("%s is the folder of a training run, whose files would be replaced: name another",
                  t->path);
        return CLI_USAGE;
    }
    if (there && !is_ours(t) && first_file(t->path, name)) {
        cli_error("%s holds files that are not of such a run (%s): name a new or empty folder",
                  t->path, name);
        return CLI_USAGE;
    }
    if (!there && !nearest(t->path, above))
        return no_folder(t->path, ENAMETOOLONG);
    int rc = try_folder(there ? t->path : above);
    if (rc && there)
        return no_file(t->path, strerror(rc));
    return rc ? no_folder(t->path, rc) : CLI_OK;
}
