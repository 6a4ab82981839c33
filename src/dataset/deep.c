#include "dataset/deep.h"

#include "base/file.h"
#include "dataset/photo.h"
#include "images/facts.h"
#include "images/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file's first bytes say it, of a TIFF its directory, which may lie anywhere; a member of an
 * archive is read whole, so only so many are. */
enum { HEAD_BYTES = 256, DIRECTORY_AT = 8, DIRECTORY_BYTES = 1024, MOST_MEMBERS = 64 };

static int may_be_deep(const char *path)
{
    const enum hst_format f = hst_format_of_name(path);
    return f == HST_FORMAT_PNG || f == HST_FORMAT_PNM || f == HST_FORMAT_TIFF ||
           f == HST_FORMAT_JP2 || f == HST_FORMAT_UNKNOWN;
}

static int says_deep(const uint8_t *bytes, size_t n)
{
    const hst_facts f = hst_facts_of(bytes, n);
    return f.bits > 8 && f.flags & HST_IS_GRAY;
}

/* bytes[n] are the first of f: of a TIFF the header, and then, for the facts, its directory as if
 * it lay behind that. Returns how many bytes that makes. */
static size_t bring_directory(FILE *f, uint8_t bytes[DIRECTORY_AT + DIRECTORY_BYTES], size_t n)
{
    uint32_t at = 0;
    const int big = bytes[0] == 'M';
    if (n < DIRECTORY_AT || hst_format_of(bytes, n) != HST_FORMAT_TIFF)
        return n;
    for (int i = 0; i < 4; i++)
        at = at << 8 | bytes[big ? 4 + i : 7 - i];
    if (fseeko(f, (off_t)at, SEEK_SET) != 0)
        return n;
    memset(bytes + 4, 0, 4);
    bytes[big ? 7 : 4] = DIRECTORY_AT;
    return DIRECTORY_AT + fread(bytes + DIRECTORY_AT, 1, DIRECTORY_BYTES, f);
}

int hst_deep_is(const hst_ctx *ctx, const char *path, int *members)
{
    uint8_t head[DIRECTORY_AT + DIRECTORY_BYTES], *bytes = NULL;
    hst_err unread = {0}; /* what cannot be read is told when it is to be used */
    size_t n = 0;
    if (!may_be_deep(path))
        return 0;
    FILE *f = hst_is_file(path) ? fopen(path, "rb") : NULL; /* a pipe would wait */
    if (f) {
        setvbuf(f, NULL, _IONBF, 0); /* no more than these are wanted */
        n = fread(head, 1, HEAD_BYTES, f);
        n = bring_directory(f, head, n);
        fclose(f);
        return says_deep(head, n);
    }
    if (++*members > MOST_MEMBERS ||
        hst_photo_read(ctx, path, HST_EIMAGE, &bytes, &n, &unread) != 0)
        return 0;
    const int deep = says_deep(bytes, n);
    free(bytes);
    return deep;
}

void hst_deep_clipped(const hst_ctx *ctx, const char *prepare, size_t n, const char *first,
                      const char *advice)
{
    if (n)
        hst_log(ctx, HST_LOG_WARN,
                "%zu photo%s 16-bit gray (%s), which '%s' clips to white as Pillow does; %s", n,
                n == 1 ? " is" : "s are", first, prepare, advice);
}

/* What stands for `given`, in which no word for pixels is. */
static const char *scaled(const char *given)
{
    static const char *const words[] = {"scaled", "scaled,squash", "scaled,crop", "scaled,pad"};
    size_t i = 0;
    for (size_t k = 1; given && k < sizeof words / sizeof *words; k++)
        if (!strcmp(given, strchr(words[k], ',')))
            i = k;
    return given && i == 0 ? given : words[i];
}

const char *hst_deep_resolve(hst_ctx *ctx, const hst_data *d, const char *prepare)
{
    const char *first = NULL;
    size_t n = 0;
    int members = 0;
    if (prepare && (!strncmp(prepare, "tf", 2) || !strncmp(prepare, "scaled", 6)))
        return prepare;
    for (size_t i = 0; i < d->n_photos; i++)
        if (hst_deep_is(ctx, d->photos[i].path, &members)) {
            first = first ? first : d->photos[i].path;
            n++;
        }
    if (n == 0)
        return prepare;
    if (!prepare || *prepare == ',') {
        hst_log(ctx, HST_LOG_WARN,
                "%zu photo%s 16-bit gray (%s): each is stretched over 8 bits ('scaled')", n,
                n == 1 ? " is" : "s are", first);
        return scaled(prepare);
    }
    hst_deep_clipped(ctx, prepare, n, first, "prepare them as 'scaled'");
    return prepare;
}
