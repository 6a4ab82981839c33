#include "backbones/views.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_PX = 32, MOST_PX = 1024 };

/* The number that n characters are, or 0. */
static int read_px(const char *word, size_t n)
{
    int px = 0;
    if (n > 4)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (word[i] < '0' || word[i] > '9')
            return 0;
        px = 10 * px + (word[i] - '0');
    }
    return px;
}

static int is_word(const char *word, size_t n, const char *what)
{
    return n == strlen(what) && memcmp(word, what, n) == 0;
}

static int add_size(hst_views *v, int px, hst_err *err)
{
    if (px < LEAST_PX || px > MOST_PX)
        return hst_fail(err, HST_EARG, "views: a size of %d pixels, expected %d to %d", px,
                        LEAST_PX, MOST_PX);
    for (int i = 0; i < v->n_px; i++)
        if (v->px[i] == px)
            return hst_fail(err, HST_EARG, "views: %d is given twice", px);
    if (v->n_px == HST_VIEW_SIZES)
        return hst_fail(err, HST_EARG, "views: more than %d sizes", HST_VIEW_SIZES);
    v->px[v->n_px++] = px;
    return 0;
}

static int add_word(hst_views *v, const char *word, size_t n, hst_err *err)
{
    int *flag = is_word(word, n, "mirror") ? &v->mirror
                : is_word(word, n, "crop") ? &v->crop
                                           : NULL;
    int px = read_px(word, n);
    if (!flag && px)
        return add_size(v, px, err);
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

int hst_views_list(const hst_views *v, const hst_prep *base, hst_prep out[HST_MAX_VIEWS])
{
    int n = 0;
    out[n++] = *base;
    for (int i = 0; i < v->n_px; i++) {
        if (v->px[i] == base->px)
            continue;
        out[n] = *base;
        out[n].px = v->px[i];
        /* rounded up, so that what is cut out fits */
        if (hst_prep_crops(base))
            out[n].resize_px = (base->resize_px * v->px[i] + base->px - 1) / base->px;
        n++;
    }
    if (v->crop) {
        out[n] = *base;
        out[n].geometry = HST_CROP_HF;
        out[n++].resize_px = (base->px * 8 + 6) / 7;
    }
    for (int i = 0, plain = n; v->mirror && i < plain; i++) {
        out[n] = out[i];
        out[n++].mirror = 1;
    }
    return n;
}
