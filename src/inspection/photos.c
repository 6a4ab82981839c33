/* photos.c - one photo at a time: what its header says, and what was measured. The thresholds leave
 * 1,313 photos of flowers and of clothing alone, which are fit to learn from; how near these come
 * is said at each. */
#include "inspection/look.h"

/* Of 255. The darkest of those photos has one pixel in a hundred above 98, and the brightest one in
 * a hundred below 124; a quarter of the light, or three times as much, is beyond. */
static const float dark_below = 64, bright_above = 200;
/* Standard deviation of the channel that varies most, of 255; the plainest photo has 16. */
static const float uniform_below = 6;
/* hst_picture's measure; the softest photo has 0.217, a blur of 1.5 pixels in 256 leaves 0.158. */
static const float blurred_below = 0.16f;
enum {
    TINY_BELOW =
        64,      /* pixels along the shorter side: a network enlarges it more than three times */
    LONGEST = 3, /* longer side by shorter: squashed to a square, a circle is a third as wide */
};

static int add(hst_inspection *r, enum hst_kind kind, double rank, const char *path,
               const char *what, hst_err *err)
{
    return hst_inspection_add(r, &(hst_find){kind, rank, &path, 1}, err, "%s", what);
}

static int look_at_file(const hst_photo *photo, const hst_picture *p, hst_inspection *r,
                        hst_err *err)
{
    const hst_facts *f = &p->file;
    const enum hst_format named = hst_format_of_name(photo->path);
    const hst_find find = {.paths = &photo->path, .n = 1};
    hst_find now = find;
    int rc = 0;
    if (named != f->format && f->format != HST_FORMAT_UNKNOWN) {
        now.kind = HST_KIND_EXTENSION;
        rc = hst_inspection_add(r, &now, err, "the content is %s",
                                hst_format_name((enum hst_format)f->format));
    }
    if (rc == 0 && f->orientation != 1) {
        now.kind = HST_KIND_ROTATED;
        rc = hst_inspection_add(r, &now, err, "orientation %d", f->orientation);
    }
    if (rc == 0 && f->flags & HST_IS_CMYK)
        rc = add(r, HST_KIND_CMYK, 0, photo->path, "CMYK", err);
    if (rc == 0 && f->bits > 8) {
        now.kind = HST_KIND_DEEP;
        rc = hst_inspection_add(r, &now, err, "%d bits a channel", f->bits);
    }
    if (rc == 0 && f->flags & HST_HAS_ALPHA)
        rc = add(r, HST_KIND_ALPHA, 0, photo->path, "has transparency", err);
    if (rc == 0 && f->flags & HST_IS_ANIMATED)
        rc = add(r, HST_KIND_ANIMATED, 0, photo->path, "has several frames", err);
    return rc;
}

/* A uniform photo is not called dark or blurred as well. */
static int look_at_light(const hst_photo *photo, const hst_picture *p, hst_inspection *r,
                         hst_err *err)
{
    hst_find find = {.paths = &photo->path, .n = 1};
    if (p->colors < uniform_below) {
        find.kind = HST_KIND_UNIFORM;
        find.rank = -(double)p->colors;
        return hst_inspection_add(r, &find, err, "brightness %.0f of 255, which varies by %.1f",
                                  (double)p->brightness, (double)p->colors);
    }
    if (p->bright < dark_below) {
        find.kind = HST_KIND_DARK;
        find.rank = -(double)p->bright;
        return hst_inspection_add(r, &find, err, "brightness %.0f of 255, at most %.0f",
                                  (double)p->brightness, (double)p->bright);
    }
    if (p->dark > bright_above) {
        find.kind = HST_KIND_OVEREXPOSED;
        find.rank = (double)p->dark;
        return hst_inspection_add(r, &find, err, "brightness %.0f of 255, at least %.0f",
                                  (double)p->brightness, (double)p->dark);
    }
    if (p->sharpness < blurred_below) {
        find.kind = HST_KIND_BLURRED;
        find.rank = -(double)p->sharpness;
        return hst_inspection_add(r, &find, err, "sharpness %.2f, usually 0.2 to 1",
                                  (double)p->sharpness);
    }
    return 0;
}

static int look_at_shape(const hst_photo *photo, const hst_picture *p, hst_inspection *r,
                         hst_err *err)
{
    const int shorter = p->w < p->h ? p->w : p->h, longer = p->w < p->h ? p->h : p->w;
    hst_find find = {.paths = &photo->path, .n = 1};
    int rc = 0;
    if (shorter < TINY_BELOW) {
        find.kind = HST_KIND_TINY;
        find.rank = -shorter;
        rc = hst_inspection_add(r, &find, err, "%d x %d pixels", p->w, p->h);
    }
    if (rc == 0 && longer / shorter >= LONGEST) {
        find.kind = HST_KIND_ASPECT;
        find.rank = (double)longer / shorter;
        rc = hst_inspection_add(r, &find, err, "%d x %d pixels", p->w, p->h);
    }
    return rc;
}

int hst_look_at_photos(const hst_inspected *in, hst_inspection *r, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->data->n_photos; i++) {
        const hst_photo *photo = &in->data->photos[i];
        const hst_picture *p = &in->picture[i];
        hst_spill_passed(in->home, sizeof *p);
        if (in->why[i]) {
            const int cut = hst_image_is_truncated(in->why[i]);
            rc = add(r, cut ? HST_KIND_TRUNCATED : HST_KIND_UNDECODABLE, 0, photo->path, in->why[i],
                     err);
            continue;
        }
        if (!p->pixels)
            continue;
        rc = look_at_file(photo, p, r, err);
        rc = rc ? rc : look_at_light(photo, p, r, err);
        rc = rc ? rc : look_at_shape(photo, p, r, err);
    }
    return rc;
}
