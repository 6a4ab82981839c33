/* copies.c - files that hold the same picture. */
#include "base/mem.h"
#include "features/features.h"

#include <stdlib.h>

typedef struct same {
    uint64_t pixels;
    size_t photo;
} same;

/* Equal pictures next to each other, in the order of the photos. */
static int by_pixels(const void *pa, const void *pb)
{
    const same *a = pa, *b = pb;
    if (a->pixels != b->pixels)
        return a->pixels < b->pixels ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

int hst_copies_warn(const hst_ctx *ctx, const hst_data *d, const hst_features *f, hst_err *err)
{
    enum { NAMED = 5 };
    size_t n = 0, found = 0;
    same *s = hst_alloc(d->n_photos, sizeof *s, err);
    if (!s)
        return HST_EMEM;
    for (size_t i = 0; i < d->n_photos; i++)
        if (f->picture[i].pixels && d->photos[i].label >= 0)
            s[n++] = (same){f->picture[i].pixels, i};
    qsort(s, n, sizeof *s, by_pixels);
    for (size_t i = 1, first = 0; i < n; i++) {
        const hst_photo *a = &d->photos[s[first].photo], *b = &d->photos[s[i].photo];
        if (s[i].pixels != s[first].pixels)
            first = i;
        else if (a->label != b->label && ++found <= NAMED)
            hst_log(ctx, HST_LOG_WARN, "the same picture is in two classes: %s and %s", a->relative,
                    b->relative);
    }
    if (found > NAMED)
        hst_log(ctx, HST_LOG_WARN, "and %zu more pictures are in two classes", found - NAMED);
    free(s);
    return 0;
}
