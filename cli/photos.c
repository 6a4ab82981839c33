#include "photos.h"

#include "signals.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int push(cli_photos *p, char *path)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        char **stack = reallocarray(p->stack, cap, sizeof *stack);
        if (!stack) {
            free(path);
            return -1;
        }
        p->stack = stack;
        p->cap = cap;
    }
    p->stack[p->n++] = path;
    return 0;
}

int cli_photos_open(cli_photos *p, const char *const *words, int n, cli_stdin *list)
{
    *p = (cli_photos){.list = list};
    for (int i = n - 1; i >= 0; i--) {
        char *copy = strdup(words[i]);
        if (!copy || push(p, copy))
            return -1;
    }
    return 0;
}

void cli_photos_close(cli_photos *p)
{
    while (p->n)
        free(p->stack[--p->n]);
    free(p->stack);
    free(p->line);
    *p = (cli_photos){0};
}

/* ---- standard input ---- */

typedef struct opening {
    const char *head;
    size_t n;
} opening;

static int begins(opening b, size_t at, const char *magic, size_t n)
{
    return b.n >= at + n && memcmp(b.head + at, magic, n) == 0;
}

const char *cli_photos_kind(const char *head, size_t n)
{
    opening b = {head, n};
    if (begins(b, 0, "\xff\xd8\xff", 3))
        return "JPEG";
    if (begins(b, 0, "\x89PNG", 4))
        return "PNG";
    if (begins(b, 0, "GIF87a", 6) || begins(b, 0, "GIF89a", 6))
        return "GIF";
    if (begins(b, 0, "RIFF", 4) && begins(b, 8, "WEBP", 4))
        return "WebP";
    if (begins(b, 0, "BM", 2) && begins(b, 6, "\0\0\0\0", 4)) /* two reserved fields */
        return "BMP";
    return NULL;
}

int cli_stdin_peek(cli_stdin *in)
{
    int c = 0;
    in->n = 0;
    while (in->n < sizeof in->head && (c = getc(stdin)) != EOF) {
        in->head[in->n++] = (char)c;
        opening b = {in->head, in->n};
        if (c == '\n' && !begins(b, 0, "RIFF", 4) && !begins(b, 0, "\x89PNG", 4))
            break;
    }
    if (c == EOF && cli_signals_caught())
        return -1;
    return cli_photos_kind(in->head, in->n) != NULL;
}

void *cli_stdin_read(const cli_stdin *in, size_t max, size_t *n)
{
    size_t cap = 1 << 16, at = in->n;
    char *bytes = malloc(cap);
    if (bytes)
        memcpy(bytes, in->head, at);
    while (bytes && at <= max) {
        size_t got = fread(bytes + at, 1, cap - at, stdin);
        at += got;
        if (got == 0)
            break;
        char *more = at == cap ? realloc(bytes, cap * 2) : bytes;
        if (!more)
            free(bytes);
        cap = at == cap ? cap * 2 : cap;
        bytes = more;
    }
    *n = at;
    if (bytes && at <= max && !ferror(stdin))
        return bytes;
    if (!cli_signals_caught())
        cli_error("standard input %s", !bytes     ? "does not fit into memory"
                                       : at > max ? "is too large for an image"
                                                  : "cannot be read");
    free(bytes);
    return NULL;
}

/* ---- folders ---- */

static int has_image_name(const char *name)
{
    static const char *const endings[] = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t e = strlen(endings[i]);
        if (n > e && strcasecmp(name + n - e, endings[i]) == 0)
            return 1;
    }
    return 0;
}

/* Last first, so that the first lies on top of the stack. */
static int by_name_reversed(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

/* 1: goes onto the stack. Links to folders are not followed: they may lead in a circle. */
static int is_wanted(const char *path, const char *name)
{
    struct stat st;
    if (name[0] == '.' || lstat(path, &st) != 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return 1;
    return has_image_name(name) && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int cli_photos_in(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int found = 0;
    while (d && !found && (entry = readdir(d))) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0)
            break;
        found = is_wanted(path, entry->d_name);
        free(path);
    }
    if (d)
        closedir(d);
    return found;
}

static int is_excepted(const cli_photos *p, const char *path)
{
    struct stat a, b;
    return p->except && stat(p->except, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static void tell(cli_photos *p, const char *dir, const char *why)
{
    cli_error("%s: %s", dir, why);
    p->bad++;
}

/* Pushes what is in dir. 0, or -1 without memory. */
static int enter(cli_photos *p, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t before = p->n, n = strlen(dir);
    int rc = 0;
    if (!d) {
        tell(p, dir, errno == EACCES ? "no permission to read the folder" : "cannot be opened");
        return 0;
    }
    while (rc == 0 && (entry = readdir(d))) {
        char *path = NULL;
        if (asprintf(&path, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", entry->d_name) < 0)
            rc = -1;
        else if (is_wanted(path, entry->d_name) && !is_excepted(p, path))
            rc = push(p, path);
        else
            free(path);
    }
    closedir(d);
    if (rc == 0 && p->n == before)
        tell(p, dir, "the folder holds no photos");
    else if (rc == 0)
        qsort(p->stack + before, p->n - before, sizeof *p->stack, by_name_reversed);
    return rc;
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- the next one ---- */

/* A line of standard input, without its newline, to be freed; NULL at the end. */
static char *read_line(cli_photos *p)
{
    char *line = NULL, *head = p->list->head;
    int n_head = (int)p->list->n;
    p->list->n = 0;
    if (n_head && head[n_head - 1] == '\n')
        return strndup(head, (size_t)n_head - 1);
    ssize_t n = getline(&p->line, &p->line_cap, stdin);
    if (n < 0 && !n_head)
        return NULL;
    if (n > 0 && p->line[n - 1] == '\n')
        n--;
    if (asprintf(&line, "%.*s%.*s", n_head, head, n > 0 ? (int)n : 0, n > 0 ? p->line : "") < 0)
        return NULL;
    return line;
}

/* The next line that is not empty onto the stack: 1, 0 at the end, -1. */
static int push_line(cli_photos *p)
{
    char *line = read_line(p);
    while (line && !*line) {
        free(line);
        line = read_line(p);
    }
    if (line)
        return push(p, line) ? -1 : 1;
    p->list = NULL;
    return cli_signals_caught() || !feof(stdin) ? -1 : 0;
}

int cli_photos_next(cli_photos *p, char *path, size_t cap)
{
    for (;;) {
        if (cli_signals_caught())
            return -1;
        if (p->n == 0) {
            int rc = p->list ? push_line(p) : 0;
            if (rc <= 0)
                return rc;
        }
        char *top = p->stack[--p->n];
        int rc = 1;
        if (is_folder(top))
            rc = enter(p, top) ? -1 : 0;
        else if (strlen(top) < cap)
            memcpy(path, top, strlen(top) + 1);
        else
            tell(p, top, "the path is too long");
        free(top);
        if (rc != 0)
            return rc;
    }
}
