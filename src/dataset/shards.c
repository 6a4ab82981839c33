#include "dataset/shards.h"

#include "base/file.h"
#include "base/str.h"
#include "dataset/tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 100000, MAX_PATH = 4096, MAX_DIGITS = 9 };

int hst_shards_add(hst_shards *s, const char *path, hst_err *err)
{
    if (s->n == MAX_SHARDS)
        return hst_fail(err, HST_EDATA, "more than %d shards", MAX_SHARDS);
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 16;
        const char **more = hst_resize(s->path, cap, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        s->path = more;
        s->cap = cap;
    }
    char *copy = hst_arena_strdup(s->arena, path, err);
    if (!copy)
        return HST_EMEM;
    s->path[s->n++] = copy;
    return 0;
}

void hst_shards_clear(hst_shards *s)
{
    free(s->path);
    *s = (hst_shards){0};
}

/* A number of n digits at s, or -1. */
static long number(const char *s, size_t n)
{
    long value = 0;
    if (n == 0 || n > MAX_DIGITS)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        value = value * 10 + (s[i] - '0');
    }
    return value;
}

int hst_shards_of_pattern(const char *word, hst_shards *s, hst_err *err)
{
    const char *open = strchr(word, '{'), *dots = open ? strstr(open, "..") : NULL;
    const char *close = dots ? strchr(dots, '}') : NULL;
    if (!close || strlen(word) >= MAX_PATH)
        return 0;
    const int digits = (int)(dots - open - 1);
    const long first = number(open + 1, (size_t)digits);
    const long last = number(dots + 2, (size_t)(close - dots - 2));
    if (first < 0 || last < first)
        return 0;
    if (!s)
        return 1;
    if (last - first >= MAX_SHARDS)
        return hst_fail(err, HST_EDATA, "%s: more than %d shards", word, MAX_SHARDS);
    s->before = (size_t)(hst_path_base(word) - word);
    int rc = 0;
    for (long i = first; rc == 0 && i <= last; i++) {
        char path[MAX_PATH + 32];
        snprintf(path, sizeof path, "%.*s%0*ld%s", (int)(open - word), word, digits, i, close + 1);
        rc = hst_shards_add(s, path, err);
    }
    return rc ? rc : 1;
}

/* What lies beside shards without being one. */
static int is_text(const char *name)
{
    static const char *const endings[] = {".txt", ".json", ".md", ".idx", ".csv", ".yaml"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(name, endings[i]))
            return 1;
    return hst_is_junk(name);
}

/* The tars of a folder and of those in it; 0 where there is anything else, 1, or an error. */
static int walk(const char *dir, int depth, hst_shards *s, size_t *n, hst_err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = d != NULL;
    while (rc == 1 && (e = readdir(d))) {
        char path[MAX_PATH];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || is_text(e->d_name))
            continue;
        const int length = snprintf(path, sizeof path, "%s%s%s", dir,
                                    dir[strlen(dir) - 1] == '/' ? "" : "/", e->d_name);
        if ((size_t)length >= sizeof path) {
            rc = 0;
        } else if (hst_ends_with_any_case(e->d_name, ".tar")) {
            if (s && hst_shards_add(s, path, err))
                rc = HST_EMEM;
            ++*n;
        } else {
            rc = depth && hst_is_dir(path) ? walk(path, depth - 1, s, n, err) : 0;
        }
    }
    if (d)
        closedir(d);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int hst_shards_of_folder(const char *dir, hst_shards *s, hst_err *err)
{
    size_t n = 0;
    const int rc = hst_is_dir(dir) ? walk(dir, 1, s, &n, err) : 0;
    if (rc != 1 || n == 0)
        return rc < 0 ? rc : 0;
    if (s) {
        qsort(s->path, s->n, sizeof *s->path, by_text);
        s->before = strlen(dir) + (dir[strlen(dir) - 1] != '/');
    }
    return 1;
}
