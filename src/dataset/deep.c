#include "dataset/deep.h"

#include "base/file.h"
#include "dataset/photo.h"
#include "images/facts.h"
#include "images/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file's first bytes say it; a member of an archive is read whole, so only so many are. */
enum { HEAD_BYTES = 256, MOST_MEMBERS = 64 };

static int may_be_deep(const char *path)
{
    const enum hst_format f = hst_format_of_name(path);
    return f == HST_FORMAT_PNG || f == HST_FORMAT_PNM || f == HST_FORMAT_UNKNOWN;
}

static int says_deep(const uint8_t *bytes, size_t n)
{
    const hst_facts f = hst_facts_of(bytes, n);
    return f.bits > 8 && f.flags & HST_IS_GRAY;
}

static int is_deep(const hst_ctx *ctx, const char *path, int *members)
{
    uint8_t head[HEAD_BYTES], *bytes = NULL;
    hst_err unread = {0}; /* what cannot be read is told when it is to be used */
    size_t n = 0;
    FILE *f = hst_is_file(path) ? fopen(path, "rb") : NULL; /* a pipe would wait */
    if (f) {
        n = fread(head, 1, sizeof head, f);
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
        if (may_be_deep(d->photos[i].path) && is_deep(ctx, d->photos[i].path, &members)) {
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
    hst_log(ctx, HST_LOG_WARN,
            "%zu photo%s 16-bit gray (%s), which '%s' clips to white as Pillow does; prepare them "
            "as 'scaled'",
            n, n == 1 ? " is" : "s are", first, prepare);
    return prepare;
}
