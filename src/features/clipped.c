/* clipped.c - photos of more bits than the preparation keeps. */
#include "dataset/deep.h"
#include "features/features.h"

void hst_features_warn_clipped(const hst_ctx *ctx, const hst_data *d, const hst_features *f)
{
    const char *first = NULL;
    size_t n = 0;
    if (!hst_resampler_clips(f->prep.resampler))
        return;
    for (size_t i = 0; i < f->n; i++) {
        const hst_facts *file = &f->picture[i].file;
        hst_spill_passed(f->pictures, sizeof *f->picture);
        if (f->why[i] || file->bits <= 8 || !(file->flags & HST_IS_GRAY))
            continue;
        first = first ? first : d->photos[i].path;
        n++;
    }
    hst_deep_clipped(ctx, hst_resampler_name(f->prep.resampler), n, first, HST_DEEP_OF_MODEL);
}
