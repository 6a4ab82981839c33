#include "photos.h"

#include "headstart.h"
#include "signals.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

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
    free(p->root);
    free(p->other);
    free(p->hollow_one);
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
    if (c == EOF && (cli_signals_caught() || ferror(stdin)))
        return -1;
    return cli_photos_kind(in->head, in->n) != NULL;
}

int cli_stdin_fail(void)
{
    /* errno may be of something later: a second try tells it again */
    const char *why = read(STDIN_FILENO, &(char){0}, 1) < 0 ? strerror(errno) : "an error";
    cli_error("standard input cannot be read: %s", why);
    return cli_exit_status(HST_EIO);
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

/* Last first, so that the first lies on top of the stack. */
static int by_name_reversed(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

enum found { FOUND_NOTHING, FOUND_OTHER, FOUND_PHOTO, FOUND_FOLDER };

/* What an entry of a folder is, as training takes it; a picture of a format that is not read is one
 * too, so that its row says why. Links to folders are not followed: they may lead in a circle. */
static enum found look_at(const char *path)
{
    struct stat st;
    enum hst_left why = HST_LEFTS;
    if (lstat(path, &st) != 0)
        return FOUND_NOTHING;
    const int photo = hst_is_photo(path, &why, NULL, 0);
    if (!photo && why == HST_LEFT_JUNK)
        return FOUND_NOTHING;
    if (S_ISDIR(st.st_mode))
        return FOUND_FOLDER;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return FOUND_NOTHING;
    return photo || why == HST_LEFT_FORMAT ? FOUND_PHOTO : FOUND_OTHER;
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
        found = look_at(path) >= FOUND_PHOTO;
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

static void tell(cli_photos *p, const char *what, const char *why)
{
    if (p->display)
        cli_display_error(p->display, "%s: %s", what, why);
    p->bad++;
}

/* One more of a kind, of which the first is remembered by name. */
static void note(size_t *n, char **first, const char *path)
{
    if ((*n)++ == 0)
        *first = strdup(path); /* NULL: it stays without a name */
}

/* Pushes what is in the folder, where it is wanted. 0, or -1 without memory. */
static int push_entry(cli_photos *p, const char *dir, const char *name)
{
    char *path = NULL;
    const size_t n = strlen(dir);
    if (asprintf(&path, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name) < 0)
        return -1;
    const enum found found = look_at(path);
    if (found >= FOUND_PHOTO && !is_excepted(p, path))
        return push(p, path);
    if (found == FOUND_OTHER)
        note(&p->others, &p->other, path);
    free(path);
    return 0;
}

/* Pushes what is in dir. 0, or -1 without memory. */
static int enter(cli_photos *p, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t before = p->n;
    int rc = 0;
    if (!d) {
        tell(p, dir, errno == EACCES ? "no permission to read the folder" : "cannot be opened");
        return 0;
    }
    while (rc == 0 && (entry = readdir(d)))
        rc = push_entry(p, dir, entry->d_name);
    closedir(d);
    if (rc == 0 && p->n == before && strcmp(dir, p->root) != 0) /* of that one leave() tells */
        note(&p->hollow, &p->hollow_one, dir);
    else if (rc == 0)
        qsort(p->stack + before, p->n - before, sizeof *p->stack, by_name_reversed);
    return rc;
}

/* The same of a folder that may have been named. */
static int visit(cli_photos *p, const char *dir)
{
    if (!p->root) {
        p->root = strdup(dir);
        p->root_at = p->n;
        p->root_given = p->given + p->bad;
        if (!p->root)
            return -1;
    }
    return enter(p, dir);
}

/* Where all of a folder that was named has been visited: whether there was a photo. */
static void leave(cli_photos *p)
{
    if (!p->root || p->n > p->root_at)
        return;
    if (p->given + p->bad == p->root_given)
        tell(p, p->root, "the folder holds no photos");
    free(p->root);
    p->root = NULL;
}

/* ---- archives ---- */

/* An archive by its name, or what a path through a file leads to, unless that is a photo's name. */
static int may_be_archive(const char *path)
{
    static const char *const endings[] = {".zip", ".tar", ".tgz", ".gz",  ".zst",
                                          ".xz",  ".txz", ".bz2", ".tbz2"};
    struct stat st;
    const size_t n = strlen(path);
    if (stat(path, &st) != 0)
        return errno == ENOTDIR && !hst_is_photo(path, NULL, NULL, 0);
    for (size_t i = 0; S_ISREG(st.st_mode) && i < sizeof endings / sizeof *endings; i++) {
        const size_t e = strlen(endings[i]);
        if (n > e && strcasecmp(path + n - e, endings[i]) == 0)
            return 1;
    }
    return 0;
}

/* Pushes the photos of an archive, or of a folder in one. 1; 0: path is a photo there; -1 without
 * memory. */
static int unfold(cli_photos *p, const char *path)
{
    hst_err err = {0};
    hst_data *d = hst_data_from_archive(p->ctx, path, &err);
    if (!d) {
        tell(p, path, err.msg);
        return err.code == HST_EMEM ? -1 : 1;
    }
    const size_t n = hst_data_count(d);
    int rc = n == 1 && strcmp(hst_data_path(d, 0), path) == 0 ? 0 : 1;
    for (size_t i = n; rc == 1 && i-- > 0;) {
        char *copy = strdup(hst_data_path(d, i));
        rc = copy && push(p, copy) == 0 ? 1 : -1;
    }
    hst_data_free(d);
    return rc;
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int cli_photos_are_in(const char *path)
{
    return is_folder(path) || may_be_archive(path);
}

/* ---- the next one ---- */

static int exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* Takes away what other programs put around a path: the return of a line from Windows, the mark at
 * the beginning of a file; not where a file has just that name. */
static void strip(const cli_photos *p, char *line, size_t n)
{
    if (p->by_nul || exists(line))
        return;
    if (n && line[n - 1] == '\r')
        line[n - 1] = 0;
    if (!p->listed && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        memmove(line, line + 3, strlen(line + 3) + 1);
}

/* It ends here, which was told. */
static char *no_list(cli_photos *p, int status)
{
    p->status = status;
    return NULL;
}

static char *no_memory(cli_photos *p)
{
    cli_error("out of memory");
    return no_list(p, cli_exit_status(HST_EMEM));
}

/* n bytes are one path, of which a text has room for all. */
static char *as_path(cli_photos *p, char *line, size_t n)
{
    const int wide = n >= 2 && ((line[0] == '\xff' && line[1] == '\xfe') ||
                                (line[0] == '\xfe' && line[1] == '\xff'));
    line[n] = 0;
    if (wide || (!p->by_nul && memchr(line, 0, n))) {
        cli_display_error(p->display, "the list on standard input %s",
                          wide ? "is UTF-16: save it as UTF-8"
                               : "has NUL between its names: predict -0 reads such a list");
        free(line);
        return no_list(p, CLI_USAGE);
    }
    strip(p, line, n);
    p->listed = 1;
    return line;
}

/* A path of standard input, without its end, to be freed; NULL at the end, or with p->status. */
static char *read_line(cli_photos *p)
{
    const int end = p->by_nul ? 0 : '\n';
    size_t head = p->list->n, n = 0;
    const int ended = head && p->list->head[head - 1] == end;
    errno = 0;
    if (!ended) {
        ssize_t got = getdelim(&p->line, &p->line_cap, end, stdin);
        if (got < 0 && cli_signals_caught())
            return NULL;
        if (got < 0 && !feof(stdin))
            return ferror(stdin) ? no_list(p, cli_stdin_fail()) : no_memory(p);
        if (got < 0 && !head)
            return NULL;
        n = got < 0 ? 0 : (size_t)got;
    }
    char *line = malloc(head + n + 1);
    if (!line)
        return no_memory(p);
    memcpy(line, p->list->head, head);
    if (n)
        memcpy(line + head, p->line, n);
    p->list->n = 0;
    n += head;
    if (n && line[n - 1] == end)
        n--;
    return as_path(p, line, n);
}

/* The next line that is not empty onto the stack: 1, 0 at the end, -1. */
static int push_line(cli_photos *p)
{
    char *line = read_line(p);
    while (line && !*line) {
        free(line);
        line = read_line(p);
    }
    if (line && push(p, line) == 0)
        return 1;
    if (line)
        (void)no_memory(p);
    p->list = NULL;
    return p->status || cli_signals_caught() ? -1 : 0;
}

int cli_photos_next(cli_photos *p, char *path, size_t cap)
{
    for (;;) {
        leave(p);
        if (cli_signals_caught())
            return -1;
        if (p->n == 0) {
            int rc = p->list ? push_line(p) : 0;
            if (rc <= 0)
                return rc;
        }
        char *top = p->stack[--p->n];
        int rc = 1;
        const int unfolded = p->ctx && may_be_archive(top) ? unfold(p, top) : 0;
        if (unfolded) {
            rc = unfolded < 0 ? -1 : 0;
        } else if (is_folder(top)) {
            rc = visit(p, top) ? -1 : 0;
        } else if (strlen(top) < cap) {
            memcpy(path, top, strlen(top) + 1);
        } else {
            tell(p, top, "the path is too long");
            rc = 0;
        }
        free(top);
        if (rc < 0)
            (void)no_memory(p);
        p->given += rc > 0;
        if (rc != 0)
            return rc;
    }
}

size_t cli_photos_count(hst_ctx *ctx, const char *const *words, int n, const char *except)
{
    char path[4096];
    cli_photos p;
    int rc = cli_photos_open(&p, words, n, NULL) ? -1 : 1;
    p.ctx = ctx;
    p.except = except;
    while (rc > 0)
        rc = cli_photos_next(&p, path, sizeof path);
    const size_t given = rc == 0 ? p.given : 0;
    cli_photos_close(&p);
    return given;
}

static void tell_number(const cli_photos *p, size_t n, const char *first, const char *const what[2])
{
    if (n == 1 && first)
        cli_display_say(p->display, "%s: %s", first, what[0]);
    else if (n)
        cli_display_say(p->display, "%zu %s, %s the first", n, what[1], first ? first : "?");
}

void cli_photos_tell_others(const cli_photos *p)
{
    if (!p->display)
        return;
    tell_number(p, p->others, p->other,
                (const char *const[2]){"is no photo and was left out",
                                       "files are no photos and were left out"});
    tell_number(p, p->hollow, p->hollow_one,
                (const char *const[2]){"no photo in this folder", "folders hold no photos"});
}
