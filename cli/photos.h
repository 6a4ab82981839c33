/* photos.h - the photos named on a command line, one after the other: files, folders, and a list
 * on standard input. */
#ifndef HST_CLI_PHOTOS_H
#define HST_CLI_PHOTOS_H
#include "output.h"
#include "progress.h"

#include <stddef.h>

enum { CLI_HEAD = 12 }; /* bytes at the beginning of a file that say what it is */

/* "JPEG", of a photo whose first n bytes (CLI_HEAD, or the whole file) these are; else NULL. */
const char *cli_photos_kind(const char *head, size_t n);
/* 1: the folder holds a photo or another folder. */
int cli_photos_in(const char *dir);

/* 1: a folder, or by its name an archive: what is predicted lies in it. */
int cli_photos_are_in(const char *path);

/* The beginning of standard input, read to see what it is. */
typedef struct cli_stdin {
    char head[CLI_HEAD];
    size_t n;
} cli_stdin;

/* 1: an image (its first bytes say so); 0: anything else, taken as a list of paths, one a line;
 * -1: interrupted, or it cannot be read. Reads no further than the end of the first line. */
int cli_stdin_peek(cli_stdin *in);
/* Says why standard input cannot be read; the exit status. */
int cli_stdin_fail(void);
/* All of standard input, at most max bytes, to be freed; NULL with a line on standard error. */
void *cli_stdin_read(const cli_stdin *in, size_t max, size_t *n);

/* A stack of paths still to be visited: a folder is replaced by what is in it. Memory grows with
 * the largest folder on the way, not with the number of all photos. */
typedef struct cli_photos {
    char **stack; /* the next one on top */
    size_t n, cap;
    cli_stdin *list; /* NULL, or behind the stack: paths from standard input */
    int by_nul;      /* its paths end with NUL, not with a newline */
    int listed;      /* its first path has been read */
    char *line;      /* getdelim's */
    size_t line_cap;
    cli_display *display;  /* NULL: nothing is told */
    hst_ctx *ctx;          /* NULL: archives are not looked into */
    const char *except;    /* NULL, or a folder in which nothing is looked for, borrowed */
    char *root;            /* the folder being visited that was named, not found; NULL: none */
    size_t root_at;        /* what the stack held below it */
    size_t root_given;     /* given or told before it */
    size_t given;          /* photos so far */
    size_t bad;            /* what was named, or in folders, and could not be used: each was told */
    int status;            /* exit status, where cli_photos_next has told why it ended */
    size_t others, hollow; /* in folders: files that are no photos, sub-folders without photos */
    char *other, *hollow_one; /* the first of each */
} cli_photos;

/* words[n] in this order, then those of list (may be NULL, else kept until close). 0, or -1 without
 * memory. */
int cli_photos_open(cli_photos *p, const char *const *words, int n, cli_stdin *list);
/* Copies the next path into path[cap]: 1, 0 at the end, or -1 (no memory, interrupted, a list that
 * cannot be read). */
int cli_photos_next(cli_photos *p, char *path, size_t cap);
void cli_photos_close(cli_photos *p);
/* How many photos words[n] name; 0 where that is not known (or there are none). */
size_t cli_photos_count(hst_ctx *ctx, const char *const *words, int n, const char *except);
/* Says, unless quiet, what in the folders was no photo. */
void cli_photos_tell_others(const cli_photos *p);
#endif
