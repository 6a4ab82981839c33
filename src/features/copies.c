/* copies.c - files that hold the same picture. */
#include "base/mem.h"
#include "features/features.h"

#include <stdlib.h>

int hst_copies_warn(const hst_ctx *ctx, const hst_data *d, const hst_features *f, hst_err *err)
{
    enum { NAMED = 5 };
    size_t found = 0, *first = hst_alloc(f->n, sizeof *first, err);
    int rc = first ? hst_pixels_first(f->pixels, sizeof *f->pixels, f->n, first, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        const hst_photo *a = &d->photos[first[i]], *b = &d->photos[i];
        if (a->label >= 0 && b->label >= 0 && a->label != b->label && ++found <= NAMED)
            hst_log(ctx, HST_LOG_WARN, "the same picture is in two classes: %s and %s", a->relative,
                    b->relative);
    }
    if (found > NAMED)
        hst_log(ctx, HST_LOG_WARN, "and %zu more pictures are in two classes", found - NAMED);
    free(first);
    return rc;
}
