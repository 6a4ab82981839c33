/* prepare.c - pixels -> the tensor a backbone wants. */
#include "images/prepare.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const contract_names[] = {
    [HST_RESAMPLE_PIL] = "pil", [HST_RESAMPLE_TF] = "tf", [HST_RESAMPLE_FAST] = "fast"};
static const char *const interpolation_names[] = {
    [HST_BILINEAR] = "bilinear",
    [HST_BICUBIC] = "bicubic",
    [HST_BILINEAR_ANTIALIAS] = "bilinear-antialias",
    [HST_BICUBIC_ANTIALIAS] = "bicubic-antialias",
};
static const char *const geometry_names[] = {[HST_SQUASH] = "squash",
                                             [HST_CROP_TORCHVISION] = "crop-torchvision",
                                             [HST_CROP_HF] = "crop-hf"};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Position of name in the list, or -1. */
static int find(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return (int)i;
    return -1;
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
                        "unknown image preparation \"%s\"; it is \"pil\", \"tf\", \"fast\" or "
                        "\"hub\"",
                        name);
    *out = (enum hst_resampler)i;
    return 0;
}

const char *hst_prep_name(const hst_prep *p)
{
    const int simple = p->geometry == HST_SQUASH && p->interpolation == HST_BILINEAR;
    return simple ? hst_resampler_name(p->resampler) : "hub";
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
                        "unknown geometry \"%s\"; it is \"squash\", \"crop-torchvision\" or "
                        "\"crop-hf\"",
                        name);
    *out = (enum hst_geometry)i;
    return 0;
}

int hst_prep_check(const hst_prep *p, hst_err *err)
{
    if (p->geometry == HST_SQUASH && p->resize_px != 0)
        return hst_fail(err, HST_EARG, "photos are squashed, but have a shortest edge of %d pixels",
                        p->resize_px);
    if (p->geometry != HST_SQUASH && p->resize_px < p->px)
        return hst_fail(err, HST_EARG,
                        "photos are resized to a shortest edge of %d pixels, less than the %d "
                        "that are cut out",
                        p->resize_px, p->px);
    return 0;
}

/* Where the middle n of all begin. */
static int middle(int all, int n, enum hst_geometry g)
{
    int rest = all - n, half = rest / 2;
    return rest % 2 && g == HST_CROP_TORCHVISION ? half + half % 2 : half;
}

/* The resized picture and the part of it that is wanted. */
static int plan_crop(const hst_prep *p, const hst_image *img, hst_resampling *r, hst_err *err)
{
    int shorter = img->w < img->h ? img->w : img->h, longer = img->w < img->h ? img->h : img->w;
    int64_t length = (int64_t)p->resize_px * longer / shorter;
    if (length > HST_IMAGE_MAX_PIXELS / p->resize_px)
        return hst_fail(err, HST_EIMAGE,
                        "%d x %d pixels are too narrow: resized to %d x %lld before the middle "
                        "is cut out, more than %d pixels",
                        img->w, img->h, p->resize_px, (long long)length, HST_IMAGE_MAX_PIXELS);
    r->dw = img->w < img->h ? p->resize_px : (int)length;
    r->dh = img->w < img->h ? (int)length : p->resize_px;
    r->x = middle(r->dw, p->px, p->geometry);
    r->y = middle(r->dh, p->px, p->geometry);
    r->w = r->h = p->px;
    return 0;
}

int hst_prep_part(const hst_prep *p, int w, int h, hst_image_part *out, hst_err *err)
{
    const hst_image img = {NULL, w, h};
    hst_resampling r = {0};
    *out = (hst_image_part){0, 0, 1, 1};
    if (p->geometry == HST_SQUASH)
        return 0;
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

/* Left and right of x[px][px][3] change places. */
static void mirror(float *x, size_t px)
{
    for (size_t row = 0; row < px; row++, x += 3 * px)
        for (size_t a = 0, b = px - 1; a < b; a++, b--)
            for (size_t c = 0; c < 3; c++) {
                float left = x[3 * a + c];
                x[3 * a + c] = x[3 * b + c];
                x[3 * b + c] = left;
            }
}

static int prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    size_t n = (size_t)p->px * (size_t)p->px;
    hst_resampling r = {img->rgb, img->w, img->h, 3, p->px, p->px, p->interpolation};
    int rc = p->geometry == HST_SQUASH ? 0 : plan_crop(p, img, &r, err);
    if (rc == 0 && p->resampler != HST_RESAMPLE_TF)
        return prepare_pil(&r, &p->norm, n, out, err);
    rc = rc ? rc : hst_resize_tf(&r, out, err);
    if (rc == 0)
        normalise(&p->norm, out, n);
    return rc;
}

int hst_prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    int rc = prepare(p, img, out, err);
    if (rc == 0 && p->mirror)
        mirror(out, (size_t)p->px);
    return rc;
}

int hst_prep_least_px(const hst_prep *p)
{
    if (p->resampler != HST_RESAMPLE_FAST)
        return 0;
    return p->geometry == HST_SQUASH ? p->px : p->resize_px;
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
