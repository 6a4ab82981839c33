#include "backbones/views.h"
#include "backbones/arch.h"

#include <stdlib.h>
#include <string.h>

static int is_word(const char *word, size_t n, const char *what)
{
    return n == strlen(what) && memcmp(word, what, n) == 0;
}

static int add_size(hst_views *v, hst_size size, hst_err *err)
{
    char text[HST_SIZE_TEXT];
    hst_size_text(size, text);
    if (!hst_size_within(size, HST_LEAST_PX, HST_MOST_PX))
        return hst_fail(err, HST_EARG, "views: a size of %s pixels, expected %d to %d", text,
                        HST_LEAST_PX, HST_MOST_PX);
    for (int i = 0; i < v->n_sizes; i++)
        if (hst_size_equal(v->size[i], size))
            return hst_fail(err, HST_EARG, "views: %s is given twice", text);
    if (v->n_sizes == HST_VIEW_SIZES)
        return hst_fail(err, HST_EARG, "views: more than %d sizes", HST_VIEW_SIZES);
    v->size[v->n_sizes++] = size;
    return 0;
}

static int add_word(hst_views *v, const char *word, size_t n, hst_err *err)
{
    int *flag = is_word(word, n, "mirror") ? &v->mirror
                : is_word(word, n, "crop") ? &v->crop
                                           : NULL;
    hst_size size;
    if (!flag && hst_size_parse(word, n, &size))
        return add_size(v, size, err);
    if (!flag)
        return hst_fail(err, HST_EARG,
                        "unknown view '%.*s': mirror, crop or a size in pixels, with commas "
                        "between",
                        (int)(n < 64 ? n : 64), word);
    if (*flag)
        return hst_fail(err, HST_EARG, "views: %.*s is given twice", (int)n, word);
    *flag = 1;
    return 0;
}

int hst_views_parse(const char *text, hst_views *out, hst_err *err)
{
    hst_views v = {0};
    for (const char *at = text; at;) {
        const char *comma = strchr(at, ',');
        int rc = add_word(&v, at, comma ? (size_t)(comma - at) : strlen(at), err);
        if (rc)
            return rc;
        at = comma ? comma + 1 : NULL;
    }
    *out = v;
    return 0;
}

/* px * to / from, rounded up. */
static int scaled_up(int px, int to, int from)
{
    return (px * to + from - 1) / from;
}

void hst_view_crop(const hst_prep *base, hst_prep *out)
{
    out->geometry = HST_CROP_HF;
    out->resize.width = scaled_up(base->size.width, 8, 7);
    out->resize.height = scaled_up(base->size.height, 8, 7);
}

int hst_views_list(const hst_views *v, const hst_prep *base, hst_prep out[HST_MAX_VIEWS])
{
    int n = 0;
    out[n++] = *base;
    for (int i = 0; i < v->n_sizes; i++) {
        if (hst_size_equal(v->size[i], base->size))
            continue;
        out[n] = *base;
        out[n].size = v->size[i];
        /* rounded up, so that what is cut out fits */
        if (hst_prep_crops(base)) {
            out[n].resize.width = scaled_up(base->resize.width, v->size[i].width, base->size.width);
            out[n].resize.height =
                scaled_up(base->resize.height, v->size[i].height, base->size.height);
        }
        n++;
    }
    if (v->crop) {
        out[n] = *base;
        hst_view_crop(base, &out[n++]);
    }
    for (int i = 0, plain = n; v->mirror && i < plain; i++) {
        out[n] = out[i];
        out[n++].mirror = 1;
    }
    return n;
}
