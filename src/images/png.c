/* png.c - PNG through libpng, as Pillow and as TensorFlow use it.
 *
 * libpng's errors come to on_error(), which jumps to guarded(), the only place with a setjmp; steps
 * run below it and keep all their state in struct png. */
#include "images/decode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/* Deflate never packs more than this many bytes into one. */
#define MAX_DEFLATE_RATIO 1032

struct png {
    png_structp png;
    png_infop info;
    jmp_buf on_error;
    const hst_encoded *in;
    size_t at; /* bytes of in already read */
    hst_image *out;
    int is_deep_gray; /* 16 bits, of which Pillow does not keep the high byte */
    int rc;           /* of the failure; its message is in err */
    hst_err *err;
};

_Noreturn static void on_error(png_structp png, png_const_charp why)
{
    struct png *p = png_get_error_ptr(png);
    p->rc = hst_fail(p->err, HST_EIMAGE, "damaged PNG: %s", why);
    longjmp(p->on_error, 1);
}

static void on_warning(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

_Noreturn static void truncated(struct png *p)
{
    p->rc = hst_image_truncated("PNG", p->err);
    longjmp(p->on_error, 1);
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct png *p = png_get_io_ptr(png);
    if (n > p->in->n - p->at)
        truncated(p);
    memcpy(to, p->in->bytes + p->at, n);
    p->at += n;
}

/* Both libraries drop alpha without blending and show palettes as colours. Of 16 bits they keep the
 * high byte, but Pillow clips 16-bit gray at 255 (gray16.c). */
static void set_transforms(struct png *p)
{
    int type = png_get_color_type(p->png, p->info), depth = png_get_bit_depth(p->png, p->info);
    p->is_deep_gray =
        p->in->resampler == HST_RESAMPLE_PIL && type == PNG_COLOR_TYPE_GRAY && depth == 16;
    if (p->is_deep_gray) {
        png_set_interlace_handling(p->png);
        png_read_update_info(p->png, p->info);
        return;
    }
    png_set_strip_16(p->png);
    png_set_packing(p->png);
    png_set_palette_to_rgb(p->png);
    if (!(type & PNG_COLOR_MASK_COLOR)) {
        if (depth < 8)
            png_set_expand_gray_1_2_4_to_8(p->png);
        png_set_gray_to_rgb(p->png);
    }
    png_set_strip_alpha(p->png);
    png_set_interlace_handling(p->png);
    png_read_update_info(p->png, p->info);
}

static void read_header(struct png *p)
{
    png_set_read_fn(p->png, p, on_read);
    png_set_user_limits(p->png, HST_IMAGE_MAX_PIXELS, HST_IMAGE_MAX_PIXELS);
    png_read_info(p->png, p->info);
    uint64_t w = png_get_image_width(p->png, p->info), h = png_get_image_height(p->png, p->info);
    unsigned depth = png_get_bit_depth(p->png, p->info) * png_get_channels(p->png, p->info);
    if (h <= HST_IMAGE_MAX_PIXELS / w && w * h * depth / 8 > (uint64_t)p->in->n * MAX_DEFLATE_RATIO)
        truncated(p);
    p->rc = hst_image_alloc(p->out, w, h, p->err);
    if (p->rc)
        longjmp(p->on_error, 1);
    set_transforms(p);
}

static void read_pixels(struct png *p)
{
    size_t row_bytes = (size_t)p->out->w * 3, got = png_get_rowbytes(p->png, p->info);
    if (got != (p->is_deep_gray ? (size_t)p->out->w * 2 : row_bytes))
        png_error(p->png, "unexpected length of a row");
    int passes = png_get_interlace_type(p->png, p->info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < p->out->h; y++)
            png_read_row(p->png, p->out->rgb + (size_t)y * row_bytes, NULL);
    if (p->is_deep_gray)
        hst_gray16_to_rgb(p->out, p->in->scales_gray ? HST_GRAY16_SCALE : HST_GRAY16_CLIP);
    /* Pillow does without what follows the pixels, the end marker too. */
    if (p->in->resampler == HST_RESAMPLE_TF)
        png_read_end(p->png, p->info);
}

static int guarded(struct png *p, void (*step)(struct png *))
{
    if (setjmp(p->on_error))
        return p->rc;
    step(p);
    return 0;
}

int hst_png_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    struct png p = {.in = in, .out = out, .err = err};
    p.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &p, on_error, on_warning);
    if (p.png)
        p.info = png_create_info_struct(p.png);
    int rc = p.info ? 0 : hst_fail(err, HST_EMEM, "out of memory while decoding a PNG");
    if (rc == 0)
        rc = guarded(&p, read_header);
    if (rc == 0)
        rc = guarded(&p, read_pixels);
    png_destroy_read_struct(&p.png, &p.info, NULL);
    return rc ? rc : hst_png_orientation(in->bytes, in->n, orientation, err);
}
