/* prepare.c - pixels -> the tensor a backbone wants. */
#include "images/prepare.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const contract_names[] = {[HST_RESAMPLE_PIL] = "pil",
                                             [HST_RESAMPLE_TF] = "tf",
                                             [HST_RESAMPLE_FAST] = "fast",
                                             [HST_RESAMPLE_SCALED] = "scaled"};
static const char *const interpolation_names[] = {
    [HST_BILINEAR] = "bilinear",
    [HST_BICUBIC] = "bicubic",
    [HST_BILINEAR_ANTIALIAS] = "bilinear-antialias",
    [HST_BICUBIC_ANTIALIAS] = "bicubic-antialias",
};
static const char *const geometry_names[] = {[HST_SQUASH] = "squash",
                                             [HST_CROP_TORCHVISION] = "crop-torchvision",
                                             [HST_CROP_HF] = "crop-hf",
                                             [HST_PAD] = "letterbox"};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Position of name in the list, or -1. */
static int find(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return (int)i;
    return -1;
}

int hst_resampler_clips(enum hst_resampler c)
{
    return c == HST_RESAMPLE_PIL || c == HST_RESAMPLE_FAST;
}

const char *hst_resampler_name(enum hst_resampler c)
{
    return contract_names[c];
}

int hst_resampler_parse(const char *name, enum hst_resampler *out, hst_err *err)
{
    int i = find(name, contract_names, COUNT(contract_names));
    if (i < 0)
        return hst_fail(err, HST_EARG,
                        "unknown image preparation \"%s\"; it is \"pil\", \"tf\", \"fast\", "
                        "\"scaled\" or \"hub\"",
                        name);
    *out = (enum hst_resampler)i;
    return 0;
}

int hst_prep_crops(const hst_prep *p)
{
    return p->geometry == HST_CROP_TORCHVISION || p->geometry == HST_CROP_HF;
}

int hst_prep_fit(hst_prep *p, const char *fit, hst_err *err)
{
    static const char *const fits[] = {"squash", "crop", "pad"};
    static const enum hst_geometry geometries[] = {HST_SQUASH, HST_CROP_TORCHVISION, HST_PAD};
    const int i = find(fit, fits, COUNT(fits));
    if (i < 0)
        return hst_fail(err, HST_EARG,
                        "unknown way to fit a photo \"%s\"; it is \"squash\", \"crop\" or \"pad\"",
                        fit);
    p->geometry = geometries[i];
    p->resize = hst_prep_crops(p) ? p->size : (hst_size){0, 0};
    return 0;
}

const char *hst_prep_name(const hst_prep *p)
{
    const int ours = !hst_prep_crops(p) ||
                     (p->geometry == HST_CROP_TORCHVISION && hst_size_equal(p->resize, p->size));
    return ours && p->interpolation == HST_BILINEAR ? hst_resampler_name(p->resampler) : "hub";
}

const char *hst_interpolation_name(enum hst_interpolation i)
{
    return interpolation_names[i];
}

int hst_interpolation_parse(const char *name, enum hst_interpolation *out, hst_err *err)
{
    int i = find(name, interpolation_names, COUNT(interpolation_names));
    if (i < 0)
        return hst_fail(err, HST_EARG,
                        "unknown interpolation \"%s\"; it is \"bilinear\" or \"bicubic\", with "
                        "or without \"-antialias\" behind it",
                        name);
    *out = (enum hst_interpolation)i;
    return 0;
}

const char *hst_geometry_name(enum hst_geometry g)
{
    return geometry_names[g];
}

int hst_geometry_parse(const char *name, enum hst_geometry *out, hst_err *err)
{
    int i = find(name, geometry_names, COUNT(geometry_names));
    if (i < 0)
        return hst_fail(err, HST_EARG,
                        "unknown geometry \"%s\"; it is \"squash\", \"crop-torchvision\", "
                        "\"crop-hf\" or \"letterbox\"",
                        name);
    *out = (enum hst_geometry)i;
    return 0;
}

static int check_crop(hst_size size, hst_size resize, hst_err *err)
{
    if (resize.width >= size.width && resize.height >= size.height)
        return 0;
    if (hst_size_is_square(resize) && hst_size_is_square(size))
        return hst_fail(err, HST_EARG,
                        "photos are resized to a shortest edge of %d pixels, less than the %d "
                        "that are cut out",
                        resize.width, size.width);
    return hst_fail(err, HST_EARG,
                    "photos are resized to cover %d x %d pixels (width x height), less than the "
                    "%d x %d that are cut out",
                    resize.width, resize.height, size.width, size.height);
}

int hst_prep_check(const hst_prep *p, hst_err *err)
{
    if (hst_prep_crops(p))
        return check_crop(p->size, p->resize, err);
    if (p->resize.width || p->resize.height)
        return hst_fail(err, HST_EARG, "photos are %s, but have a shortest edge of %d pixels",
                        p->geometry == HST_PAD ? "padded" : "squashed", p->resize.width);
    return 0;
}

/* Where the middle n of all begin. */
static int middle(int all, int n, enum hst_geometry g)
{
    int rest = all - n, half = rest / 2;
    return rest % 2 && g == HST_CROP_TORCHVISION ? half + half % 2 : half;
}

/* What a photo of w x h pixels becomes in proportion, so that it covers what is asked for. */
static void cover(hst_size resize, int w, int h, int64_t *dw, int64_t *dh)
{
    if (hst_size_is_square(resize)) {
        const int64_t shorter = w < h ? w : h, edge = resize.width;
        *dw = w < h ? edge : edge * w / shorter;
        *dh = w < h ? edge * h / shorter : edge;
        return;
    }
    const double ratio = fmin((double)w / resize.width, (double)h / resize.height);
    *dw = (int64_t)nearbyint(w / ratio);
    *dh = (int64_t)nearbyint(h / ratio);
}

/* The resized picture and the part of it that is wanted. */
static int plan_crop(const hst_prep *p, const hst_image *img, hst_resampling *r, hst_err *err)
{
    int64_t w, h;
    cover(p->resize, img->w, img->h, &w, &h);
    const int64_t shorter = w < h ? w : h, longer = w < h ? h : w;
    if (longer > HST_IMAGE_MAX_PIXELS / shorter)
        return hst_fail(err, HST_EIMAGE,
                        "%d x %d pixels are too narrow: resized to %d x %lld before the middle "
                        "is cut out, more than %d pixels",
                        img->w, img->h, (int)shorter, (long long)longer, HST_IMAGE_MAX_PIXELS);
    r->dw = (int)w;
    r->dh = (int)h;
    r->x = middle(r->dw, p->size.width, p->geometry);
    r->y = middle(r->dh, p->size.height, p->geometry);
    r->w = p->size.width;
    r->h = p->size.height;
    return 0;
}

/* As large as fits in. Rounded half to even, as Pillow rounds, but not to nothing. */
static void plan_pad(const hst_prep *p, const hst_image *img, hst_resampling *r)
{
    const double w = img->w, h = img->h;
    const int wide = w / h > (double)p->size.width / p->size.height;
    r->dw = wide ? p->size.width : (int)fmax(1, nearbyint(w / h * p->size.height));
    r->dh = wide ? (int)fmax(1, nearbyint(h / w * p->size.width)) : p->size.height;
}

/* Where n of all begin, in the middle; half a pixel is rounded to even. */
static size_t margin(int all, int n)
{
    return (size_t)nearbyint((all - n) * 0.5);
}

int hst_prep_part(const hst_prep *p, int w, int h, hst_image_part *out, hst_err *err)
{
    const hst_image img = {NULL, w, h};
    hst_resampling r = {0};
    *out = (hst_image_part){0, 0, 1, 1};
    if (p->geometry == HST_SQUASH)
        return 0;
    if (p->geometry == HST_PAD) {
        plan_pad(p, &img, &r);
        *out = (hst_image_part){.left = -(double)margin(p->size.width, r.dw) / r.dw,
                                .top = -(double)margin(p->size.height, r.dh) / r.dh,
                                .width = (double)p->size.width / r.dw,
                                .height = (double)p->size.height / r.dh};
        return 0;
    }
    int rc = plan_crop(p, &img, &r, err);
    if (rc)
        return rc;
    *out = (hst_image_part){.left = (double)r.x / r.dw,
                            .top = (double)r.y / r.dh,
                            .width = (double)r.w / r.dw,
                            .height = (double)r.h / r.dh};
    return 0;
}

static float normalised(const hst_pixel_norm *norm, int c, float pixel)
{
    return (pixel - norm->mean[c]) / norm->std[c];
}

/* n pixels; four at a time, so that a compiler makes vectors of twelve numbers. */
static void normalise(const hst_pixel_norm *norm, float *pixel, size_t n)
{
    float mean[12], std[12];
    size_t i = 0;
    for (int c = 0; c < 12; c++) {
        mean[c] = norm->mean[c % 3];
        std[c] = norm->std[c % 3];
    }
    for (; i + 4 <= n; i += 4, pixel += 12)
        for (int c = 0; c < 12; c++)
            pixel[c] = (pixel[c] - mean[c]) / std[c];
    for (; i < n; i++, pixel += 3)
        for (int c = 0; c < 3; c++)
            pixel[c] = normalised(norm, c, pixel[c]);
}

static int prepare_pil(const hst_resampling *r, const hst_pixel_norm *norm, size_t n, float *out,
                       hst_err *err)
{
    float of[3][256];
    uint8_t *rgb = hst_alloc(n, 3, err);
    if (!rgb)
        return HST_EMEM;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            of[c][v] = normalised(norm, c, (float)v);
    int rc = hst_resize_pil(r, rgb, err);
    for (size_t i = 0; i < 3 * n && rc == 0; i += 3)
        for (size_t c = 0; c < 3; c++)
            out[i + c] = of[c][rgb[i + c]];
    free(rgb);
    return rc;
}

/* Left and right of x[h][w][3] change places. */
static void mirror(float *x, size_t w, size_t h)
{
    for (size_t row = 0; row < h; row++, x += 3 * w)
        for (size_t a = 0, b = w - 1; a < b; a++, b--)
            for (size_t c = 0; c < 3; c++) {
                float left = x[3 * a + c];
                x[3 * a + c] = x[3 * b + c];
                x[3 * b + c] = left;
            }
}

/* out[n] pixels of what r says. */
static int resample(const hst_prep *p, const hst_resampling *r, size_t n, float *out, hst_err *err)
{
    if (p->resampler != HST_RESAMPLE_TF)
        return prepare_pil(r, &p->norm, n, out, err);
    int rc = hst_resize_tf(r, out, err);
    if (rc == 0)
        normalise(&p->norm, out, n);
    return rc;
}

/* The number that stands for the plain ground's colour. */
static float ground(const hst_pixel_norm *norm, int c)
{
    const int is_black = norm->mean[0] == 0 && norm->mean[1] == 0 && norm->mean[2] == 0;
    return is_black ? normalised(norm, c, 127.5f) : 0;
}

/* All of a photo. */
static hst_resampling resampling_of(const hst_prep *p, const hst_image *img)
{
    return (hst_resampling){.src = img->rgb,
                            .sw = img->w,
                            .sh = img->h,
                            .c = 3,
                            .dw = p->size.width,
                            .dh = p->size.height,
                            .interpolation = p->interpolation};
}

static int prepare_padded(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    hst_resampling r = resampling_of(p, img);
    plan_pad(p, img, &r);
    const size_t width = (size_t)p->size.width, w = (size_t)r.dw, h = (size_t)r.dh;
    const size_t left = margin(p->size.width, r.dw), top = margin(p->size.height, r.dh);
    float *whole = hst_alloc_raw(w * h, 3 * sizeof *whole, err);
    int rc = whole ? resample(p, &r, w * h, whole, err) : HST_EMEM;
    for (size_t i = 0; i < hst_size_pixels(p->size) && rc == 0; i++)
        for (int c = 0; c < 3; c++)
            out[3 * i + (size_t)c] = ground(&p->norm, c);
    for (size_t y = 0; y < h && rc == 0; y++)
        memcpy(out + ((top + y) * width + left) * 3, whole + y * w * 3, w * 3 * sizeof *out);
    free(whole);
    return rc;
}

static int prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    hst_resampling r = resampling_of(p, img);
    if (p->geometry == HST_PAD)
        return prepare_padded(p, img, out, err);
    int rc = p->geometry == HST_SQUASH ? 0 : plan_crop(p, img, &r, err);
    return rc ? rc : resample(p, &r, hst_size_pixels(p->size), out, err);
}

int hst_prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    int rc = prepare(p, img, out, err);
    if (rc == 0 && p->mirror)
        mirror(out, (size_t)p->size.width, (size_t)p->size.height);
    return rc;
}

int hst_prep_least_px(const hst_prep *p)
{
    if (p->resampler != HST_RESAMPLE_FAST)
        return 0;
    return hst_size_longer(hst_prep_crops(p) ? p->resize : p->size);
}

int hst_prepare_bytes(const hst_prep *p, const uint8_t *bytes, size_t n, float *out, hst_err *err)
{
    hst_image img = {0};
    int rc = hst_image_decode(&(hst_decode){p->resampler, hst_prep_least_px(p), NULL}, bytes, n,
                              &img, err);
    if (rc == 0)
        rc = hst_prepare(p, &img, out, err);
    hst_image_clear(&img);
    return rc;
}
