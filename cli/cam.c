#include "cam.h"

#include "headstart.h"
#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { STEM_BYTES = 200 }; /* with number and ending below the 255 that file systems take */

/* ---- the folder ---- */

static int make_folder(char *path)
{
    struct stat st;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)!mkdir(path, 0777); /* the last one tells */
        *slash = '/';
    }
    if (mkdir(path, 0777) == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    cli_error("%s cannot be made: %s", path, strerror(errno));
    return cli_exit_status(HST_EIO);
}

int cli_cam_open(cli_cam *c, const char *dir)
{
    char *path = strdup(dir);
    *c = (cli_cam){.dir = dir};
    if (!path)
        cli_error("out of memory");
    int status = path ? make_folder(path) : cli_exit_status(HST_EMEM);
    free(path);
    return status;
}

/* ---- names ---- */

struct cli_cam_name {
    size_t next; /* number to try for the next photo of this name */
    char text[];
};

void cli_cam_close(cli_cam *c)
{
    for (size_t i = 0; i < c->cap; i++)
        free(c->name[i]);
    free(c->name);
    *c = (cli_cam){0};
}

/* Where the name is, or would be. Some file systems do not tell capital letters apart (FNV-1a). */
static size_t place(cli_cam_name *const *table, size_t cap, const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *s = text; *s; s++)
        hash = (hash ^ (uint64_t)tolower((unsigned char)*s)) * 1099511628211u;
    size_t at = (size_t)hash % cap;
    while (table[at] && strcasecmp(table[at]->text, text) != 0)
        at = (at + 1) % cap;
    return at;
}

static int grow(cli_cam *c)
{
    const size_t cap = c->cap ? c->cap * 2 : 256;
    cli_cam_name **table = calloc(cap, sizeof(*table));
    if (!table)
        return -1;
    for (size_t i = 0; i < c->cap; i++)
        if (c->name[i])
            table[place(table, cap, c->name[i]->text)] = c->name[i];
    free(c->name);
    c->name = table;
    c->cap = cap;
    return 0;
}

/* The name in the table; put there where it is not, with next 0. NULL: no memory. */
static cli_cam_name *find(cli_cam *c, const char *text)
{
    if (2 * c->n >= c->cap && grow(c))
        return NULL;
    const size_t at = place(c->name, c->cap, text), n = strlen(text) + 1;
    if (!c->name[at]) {
        c->name[at] = calloc(1, sizeof(cli_cam_name) + n);
        if (!c->name[at])
            return NULL;
        memcpy(c->name[at]->text, text, n);
        c->n++;
    }
    return c->name[at];
}

/* daisy of a/daisy.jpg; of a long name its beginning, whole characters. */
static void stem_of(const char *photo, char stem[STEM_BYTES + 1])
{
    const char *slash = strrchr(photo, '/'), *base = slash ? slash + 1 : photo;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    if (n > STEM_BYTES)
        for (n = STEM_BYTES; n > 0 && ((unsigned char)base[n] & 0xc0) == 0x80;)
            n--;
    memcpy(stem, base, n);
    stem[n] = 0;
}

/* The first of daisy, daisy-2, daisy-3... that is free, into name. */
static int choose(cli_cam *c, const char *stem, char *name, size_t cap)
{
    cli_cam_name *first = find(c, stem), *own = first;
    snprintf(name, cap, "%s", stem);
    while (own && own->next) {
        snprintf(name, cap, "%s-%zu", stem, ++first->next);
        own = find(c, name);
    }
    if (own)
        own->next = 1;
    return own ? 0 : -1;
}

int cli_cam_path(cli_cam *c, const char *photo, char *path, size_t cap)
{
    char stem[STEM_BYTES + 1], name[STEM_BYTES + 32];
    stem_of(strcmp(photo, "-") == 0 ? "stdin" : photo, stem);
    if (choose(c, stem, name, sizeof name)) {
        cli_error("out of memory");
        return -1;
    }
    const size_t n = strlen(c->dir);
    const char *slash = n && c->dir[n - 1] == '/' ? "" : "/";
    if ((size_t)snprintf(path, cap, "%s%s%s.cam.png", c->dir, slash, name) < cap)
        return 1;
    cli_error("%s: the path is too long", c->dir);
    return -1;
}
