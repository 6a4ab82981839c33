/* heif.c - HEIC and HEIF by libheif, which also crops, turns and mirrors as the file says;
 * the orientation in its EXIF block says the same once more and is no part of it. */
#include "codec.h"

#include <libheif/heif.h>
#include <stdio.h>
#include <string.h>

static void version(char *out, size_t cap)
{
    snprintf(out, cap, "libheif %s", heif_get_version());
}

/* Decoders may be files that are loaded at first use. */
static void prepare(void)
{
    const struct heif_error e = heif_init(NULL);
    (void)e; /* without plugins there are the decoders that are built in */
}

static int refuse(const struct heif_error *e, hst_err *err)
{
    if (e->code == heif_error_Unsupported_filetype || e->code == heif_error_Unsupported_feature)
        return hst_fail(err, HST_EIMAGE, "libheif does not read this kind of it: %s",
                        e->message ? e->message : "unsupported");
    return hst_fail(err, HST_EIMAGE, "damaged HEIF: %s", e->message ? e->message : "not read");
}

/* The size is asked again: some files say before they are decoded how it lies, and not how it
 * stands. */
static int copy(const struct heif_image *img, canvas *out, hst_err *err)
{
    int stride = 0;
    const uint8_t *from = heif_image_get_plane_readonly(img, heif_channel_interleaved, &stride);
    const int w = heif_image_get_width(img, heif_channel_interleaved),
              h = heif_image_get_height(img, heif_channel_interleaved);
    if (!from || w < 1 || h < 1 || stride / 3 < w)
        return hst_fail(err, HST_EIMAGE, "damaged HEIF: no pixels");
    const int rc = canvas_begin(out, (uint64_t)w, (uint64_t)h, err);
    for (int y = 0; rc == 0 && y < h; y++)
        memcpy(out->rgb + (size_t)y * 3 * (size_t)w, from + (size_t)y * (size_t)stride,
               3 * (size_t)w);
    return rc;
}

static int decode(struct heif_image_handle *handle, canvas *out, hst_err *err)
{
    struct heif_image *img = NULL;
    const int w = heif_image_handle_get_width(handle), h = heif_image_handle_get_height(handle);
    int rc = canvas_begin(out, w > 0 ? (uint64_t)w : 0, h > 0 ? (uint64_t)h : 0, err);
    if (rc)
        return rc;
    struct heif_decoding_options *how = heif_decoding_options_alloc();
    if (!how)
        return hst_fail(err, HST_EMEM, "out of memory");
    how->convert_hdr_to_8bit = 1;
    const struct heif_error e =
        heif_decode_image(handle, &img, heif_colorspace_RGB, heif_chroma_interleaved_RGB, how);
    heif_decoding_options_free(how);
    rc = e.code ? refuse(&e, err) : copy(img, out, err);
    if (img)
        heif_image_release(img);
    return rc;
}

static int read_heif(const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    struct heif_image_handle *handle = NULL;
    struct heif_context *ctx = heif_context_alloc();
    if (!ctx)
        return hst_fail(err, HST_EMEM, "out of memory");
    heif_context_set_max_decoding_threads(ctx, 0); /* photos are what goes side by side */
    struct heif_error e = heif_context_read_from_memory_without_copy(ctx, bytes, n, NULL);
    if (!e.code)
        e = heif_context_get_primary_image_handle(ctx, &handle);
    const int rc = e.code ? refuse(&e, err) : decode(handle, out, err);
    if (handle)
        heif_image_handle_release(handle);
    heif_context_free(ctx);
    return rc;
}

const codec codec_heif = {version, prepare, read_heif};
