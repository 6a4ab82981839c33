/* photos.h - the photos named on a command line, one after the other: files, folders, and a list
 * on standard input. */
#ifndef HST_CLI_PHOTOS_H
#define HST_CLI_PHOTOS_H
#include "output.h"

#include <stddef.h>

enum { CLI_HEAD = 12 }; /* bytes at the beginning of a file that say what it is */

/* "JPEG", of a photo whose first n bytes (CLI_HEAD, or the whole file) these are; else NULL. */
const char *cli_photos_kind(const char *head, size_t n);
/* 1: the folder holds a photo or another folder. */
int cli_photos_in(const char *dir);

/* The beginning of standard input, read to see what it is. */
typedef struct cli_stdin {
    char head[CLI_HEAD];
    size_t n;
} cli_stdin;

/* 1: an image (its first bytes say so); 0: anything else, taken as a list of paths, one a line;
 * -1: interrupted. Reads no further than the end of the first line. */
int cli_stdin_peek(cli_stdin *in);
/* All of standard input, at most max bytes, to be freed; NULL with a line on standard error. */
void *cli_stdin_read(const cli_stdin *in, size_t max, size_t *n);

/* A stack of paths still to be visited: a folder is replaced by what is in it. Memory grows with
 * the largest folder on the way, not with the number of all photos. */
typedef struct cli_photos {
    char **stack; /* the next one on top */
    size_t n, cap;
    cli_stdin *list; /* NULL, or behind the stack: paths from standard input */
    char *line;      /* getline's */
    size_t line_cap;
    size_t bad;         /* folders that could not be used, each told on standard error */
    const char *except; /* NULL, or a folder in which nothing is looked for, borrowed */
} cli_photos;

/* words[n] in this order, then those of list (may be NULL, else kept until close). 0, or -1 without
 * memory. */
int cli_photos_open(cli_photos *p, const char *const *words, int n, cli_stdin *list);
/* Copies the next path into path[cap]: 1, 0 at the end, or -1 (no memory, interrupted). */
int cli_photos_next(cli_photos *p, char *path, size_t cap);
void cli_photos_close(cli_photos *p);
#endif
