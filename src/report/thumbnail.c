#include "report/thumbnail.h"

#include "base/mem.h"
#include "dataset/photo.h"
#include "images/facts.h"
#include "images/resize.h"
#include "report/base64.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* after stdio.h, which it needs */

/* side * box / longest, rounded, at least 1. */
static int fitted(int side, int longest, int box)
{
    long long v = ((long long)side * box + longest / 2) / longest;
    return v < 1 ? 1 : (int)v;
}

int hst_thumbnail_of(const hst_decode *how, const uint8_t *bytes, size_t n, hst_image *out,
                     hst_err *err)
{
    hst_image img = {0}, fit = {0};
    hst_decode fast = *how;
    const int box = how->least;
    if (fast.resampler != HST_RESAMPLE_TF)
        fast.resampler =
            hst_facts_of(bytes, n).flags & HST_IS_GRAY ? HST_RESAMPLE_SCALED : HST_RESAMPLE_FAST;
    int rc = hst_image_decode(&fast, bytes, n, &img, err);
    if (rc)
        return rc;
    int longest = img.w > img.h ? img.w : img.h;
    fit.w = fitted(img.w, longest, box);
    fit.h = fitted(img.h, longest, box);
    fit.rgb = hst_alloc((size_t)fit.w * (size_t)fit.h, 3, err);
    hst_resampling r = {img.rgb, img.w, img.h, 3, fit.w, fit.h};
    rc = fit.rgb ? hst_resize_pil(&r, fit.rgb, err) : HST_EMEM;
    if (rc == 0) {
        *out = fit;
        fit.rgb = NULL;
    }
    hst_image_clear(&fit);
    hst_image_clear(&img);
    return rc;
}

int hst_thumbnail_read(const hst_ctx *ctx, const char *path, int box, hst_image *out, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = hst_photo_read(ctx, path, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_thumbnail_of(&(hst_decode){HST_RESAMPLE_FAST, box, ctx->decoders}, bytes, n, out,
                              err);
    free(bytes);
    return rc;
}

/* ---- JPEG ---- */

/* libjpeg leaves on an error by longjmp; everything it needs lies here, so that nothing is lost. */
struct encoder {
    struct jpeg_error_mgr errors; /* first, so that libjpeg's pointer to it is one to this */
    struct jpeg_compress_struct c;
    unsigned char *bytes; /* libjpeg's, to be freed */
    unsigned long n;
    jmp_buf failed;
};

_Noreturn static void on_error(j_common_ptr c)
{
    longjmp(((struct encoder *)c->err)->failed, 1);
}

static void on_message(j_common_ptr c, int level)
{
    (void)c;
    (void)level;
}

static void encode(struct encoder *e, const hst_image *img)
{
    jpeg_create_compress(&e->c);
    jpeg_mem_dest(&e->c, &e->bytes, &e->n);
    e->c.image_width = (JDIMENSION)img->w;
    e->c.image_height = (JDIMENSION)img->h;
    e->c.input_components = 3;
    e->c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&e->c);
    jpeg_set_quality(&e->c, 80, TRUE);
    jpeg_start_compress(&e->c, TRUE);
    while (e->c.next_scanline < e->c.image_height) {
        JSAMPROW row = img->rgb + (size_t)e->c.next_scanline * (size_t)img->w * 3;
        jpeg_write_scanlines(&e->c, &row, 1);
    }
    jpeg_finish_compress(&e->c);
}

/* The only errors left for an image of our own making are those of memory. */
static int try_encode(struct encoder *e, const hst_image *img)
{
    if (setjmp(e->failed))
        return HST_EMEM;
    encode(e, img);
    return 0;
}

int hst_thumbnail_uri(const hst_image *img, hst_buf *b, hst_err *err)
{
    struct encoder *e = hst_alloc(1, sizeof *e, err);
    if (!e)
        return HST_EMEM;
    e->c.err = jpeg_std_error(&e->errors);
    e->errors.error_exit = on_error;
    e->errors.emit_message = on_message;
    int rc = try_encode(e, img);
    if (rc == 0) {
        hst_buf_puts(b, "data:image/jpeg;base64,");
        hst_base64_add(b, e->bytes, e->n);
    } else {
        hst_fail(err, rc, "out of memory: a small picture cannot be made");
    }
    jpeg_destroy_compress(&e->c);
    free(e->bytes);
    free(e);
    return rc;
}
