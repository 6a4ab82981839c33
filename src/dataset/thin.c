#include "dataset/thin.h"
#include "base/mem.h"

int hst_data_thin(const hst_data *d, size_t wanted, hst_data *out, hst_err *err)
{
    const double part = d->split == HST_SPLIT_STABLE ? 1 - d->val_part : 1;
    const size_t most = (size_t)((double)wanted / part * 1.1) + 1;
    size_t n = 0, k = 0;
    *out = *d;
    out->photos = hst_alloc(d->n_photos, sizeof *out->photos, err);
    if (!out->photos)
        return HST_EMEM;
    for (size_t i = 0; i < d->n_photos; i++)
        if (d->photos[i].side != HST_VALIDATION)
            out->photos[n++] = d->photos[i];
    for (; n > most && k < most; k++)
        out->photos[k] = out->photos[k * n / most];
    out->n_photos = n > most ? most : n;
    return 0;
}

size_t hst_data_choose(const uint8_t *side, char *const *why, size_t n, size_t wanted,
                       size_t *chosen)
{
    size_t usable = 0, seen = 0, k = 0;
    for (size_t i = 0; i < n; i++)
        usable += !why[i] && side[i] != HST_VALIDATION;
    const size_t most = usable < wanted ? usable : wanted;
    for (size_t i = 0; i < n && k < most; i++) {
        if (why[i] || side[i] == HST_VALIDATION)
            continue;
        if (seen * most >= k * usable)
            chosen[k++] = i;
        seen++;
    }
    return k;
}
