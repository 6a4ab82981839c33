/* jp2.c - JPEG 2000 by OpenJPEG: a .jp2 file or the codestream alone. */
#include "codec.h"
#include "colour.h"

#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

static void version(char *out, size_t cap)
{
    snprintf(out, cap, "openjpeg %s", opj_version());
}

/* ---- memory as a stream ---- */

typedef struct memory {
    const uint8_t *bytes;
    size_t n, at;
} memory;

static OPJ_SIZE_T on_read(void *to, OPJ_SIZE_T n, void *arg)
{
    memory *m = arg;
    const size_t left = m->n - m->at, take = n < left ? n : left;
    if (take == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(to, m->bytes + m->at, take);
    m->at += take;
    return take;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T n, void *arg)
{
    memory *m = arg;
    if (n < 0)
        return -1;
    const size_t left = m->n - m->at, take = (uint64_t)n < left ? (size_t)n : left;
    m->at += take;
    return (OPJ_OFF_T)take;
}

static OPJ_BOOL on_seek(OPJ_OFF_T to, void *arg)
{
    memory *m = arg;
    if (to < 0 || (uint64_t)to > m->n)
        return OPJ_FALSE;
    m->at = (size_t)to;
    return OPJ_TRUE;
}

static opj_stream_t *stream_of(memory *m)
{
    opj_stream_t *s = opj_stream_default_create(OPJ_TRUE);
    if (!s)
        return NULL;
    opj_stream_set_user_data(s, m, NULL);
    opj_stream_set_user_data_length(s, m->n);
    opj_stream_set_read_function(s, on_read);
    opj_stream_set_skip_function(s, on_skip);
    opj_stream_set_seek_function(s, on_seek);
    return s;
}

/* ---- components to RGB ---- */

/* Of one component: where row y begins, how far values are apart, and how to 8 bits. */
typedef struct channel {
    const OPJ_INT32 *data;
    OPJ_UINT32 w, dx, dy;
    int offset, shift; /* to add, and then to shift to the right by; below 0: to the left */
} channel;

/* bits: what the value is to have. */
static channel channel_of(const opj_image_comp_t *c, int bits)
{
    return (channel){.data = c->data,
                     .w = c->w,
                     .dx = c->dx,
                     .dy = c->dy,
                     .offset = c->sgnd ? 1 << (c->prec - 1) : 0,
                     .shift = (int)c->prec - bits};
}

static int value(const channel *c, OPJ_UINT32 x, OPJ_UINT32 y)
{
    const int64_t v = (int64_t)c->data[(size_t)(y / c->dy) * c->w + x / c->dx] + c->offset;
    const int64_t shifted = c->shift < 0 ? v * (1 << -c->shift) : v >> c->shift;
    return shifted < INT32_MIN ? INT32_MIN : shifted > INT32_MAX ? INT32_MAX : (int)shifted;
}

/* Every component has data and a value for each pixel. */
static int check(const opj_image_t *img, uint32_t w, uint32_t h, hst_err *err)
{
    for (OPJ_UINT32 i = 0; i < img->numcomps; i++) {
        const opj_image_comp_t *c = &img->comps[i];
        if (!c->data || c->prec < 1 || c->prec > 31 || !c->dx || !c->dy || !c->w || !c->h ||
            (w - 1) / c->dx >= c->w || (h - 1) / c->dy >= c->h)
            return hst_fail(err, HST_EIMAGE, "damaged JPEG 2000: a component has no data");
    }
    return 0;
}

static int is_full(const opj_image_t *img)
{
    for (OPJ_UINT32 i = 0; i < img->numcomps; i++)
        if (img->comps[i].dx != 1 || img->comps[i].dy != 1)
            return 0;
    return 1;
}

/* What the components mean. */
enum colours { GRAY, RGB, YCC, INKS, NONE };

static enum colours colours_of(const opj_image_t *img)
{
    const OPJ_UINT32 n = img->numcomps;
    switch (img->color_space) {
    case OPJ_CLRSPC_UNSPECIFIED:
    case OPJ_CLRSPC_UNKNOWN: /* a colour profile */
        return n <= 2 ? GRAY : n <= 4 && is_full(img) ? RGB : NONE;
    case OPJ_CLRSPC_GRAY:
        return n <= 2 ? GRAY : NONE;
    case OPJ_CLRSPC_SRGB:
        return n <= 2 ? GRAY : n <= 4 && is_full(img) ? RGB : NONE;
    case OPJ_CLRSPC_SYCC:
        return n >= 3 && n <= 4 ? YCC : NONE;
    case OPJ_CLRSPC_CMYK:
        return n == 4 ? INKS : NONE;
    default:
        return NONE;
    }
}

static void pixel(const channel *c, enum colours how, OPJ_UINT32 x, OPJ_UINT32 y, uint8_t *rgb)
{
    const int first = value(&c[0], x, y);
    if (how == GRAY) {
        memset(rgb, colour_clip(first), 3);
        return;
    }
    const int second = colour_clip(value(&c[1], x, y)), third = colour_clip(value(&c[2], x, y));
    if (how == YCC) {
        colour_of_ycc(colour_clip(first), second, third, rgb);
    } else if (how == INKS) {
        colour_of_inks(colour_clip(first), second, third, colour_clip(value(&c[3], x, y)), rgb);
    } else {
        rgb[0] = colour_clip(first);
        rgb[1] = (uint8_t)second;
        rgb[2] = (uint8_t)third;
    }
}

/* To be stretched. Values of more than 16 bits lose their lowest. */
static void write_wide(const opj_image_t *img, canvas *out)
{
    const int prec = (int)img->comps[0].prec;
    const channel c = channel_of(&img->comps[0], prec < 16 ? prec : 16);
    for (OPJ_UINT32 y = 0; y < (OPJ_UINT32)out->h; y++) {
        uint8_t *to = out->rgb + 3 * (size_t)y * (size_t)out->w;
        for (OPJ_UINT32 x = 0; x < (OPJ_UINT32)out->w; x++, to += 2) {
            const int v = value(&c, x, y), most = v > 65535 ? 65535 : v < 0 ? 0 : v;
            to[0] = (uint8_t)(most >> 8);
            to[1] = (uint8_t)most;
        }
    }
    canvas_scale_gray(out);
}

static int convert(const opj_image_t *img, canvas *out, hst_err *err)
{
    const enum colours how = colours_of(img);
    channel c[4];
    int rc = check(img, (uint32_t)out->w, (uint32_t)out->h, err);
    if (rc)
        return rc;
    if (how == NONE)
        return hst_fail(err, HST_EIMAGE,
                        "a JPEG 2000 of %u components in colours that are not read", img->numcomps);
    const int is_deep = how == GRAY && img->numcomps == 1 && img->comps[0].prec > 8;
    if (is_deep && out->scales_gray) {
        write_wide(img, out);
        return 0;
    }
    for (OPJ_UINT32 i = 0; i < img->numcomps; i++) /* Pillow clips gray of more than 8 bits */
        c[i] = channel_of(&img->comps[i], is_deep ? 16 : 8);
    uint8_t *rgb = out->rgb;
    for (OPJ_UINT32 y = 0; y < (OPJ_UINT32)out->h; y++)
        for (OPJ_UINT32 x = 0; x < (OPJ_UINT32)out->w; x++, rgb += 3)
            pixel(c, how, x, y, rgb);
    return 0;
}

/* ---- the file ---- */

static int decode(opj_codec_t *reader, opj_stream_t *stream, canvas *out, opj_image_t **img,
                  hst_err *err)
{
    opj_dparameters_t how;
    opj_set_default_decoder_parameters(&how);
    if (!opj_setup_decoder(reader, &how) || !opj_read_header(stream, reader, img))
        return hst_fail(err, HST_EIMAGE, "damaged JPEG 2000: its header");
    if ((*img)->x1 <= (*img)->x0 || (*img)->y1 <= (*img)->y0 || (*img)->numcomps < 1 ||
        (*img)->numcomps > 4)
        return hst_fail(err, HST_EIMAGE, "a JPEG 2000 of %u components", (*img)->numcomps);
    int rc = canvas_begin(out, (*img)->x1 - (*img)->x0, (*img)->y1 - (*img)->y0, err);
    if (rc)
        return rc;
    if (!opj_decode(reader, stream, *img) || !opj_end_decompress(reader, stream))
        return hst_fail(err, HST_EIMAGE, "damaged or truncated JPEG 2000");
    return convert(*img, out, err);
}

static int read_jp2(const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    memory m = {bytes, n, 0};
    opj_image_t *img = NULL;
    opj_stream_t *stream = stream_of(&m);
    opj_codec_t *reader =
        opj_create_decompress(n && bytes[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    int rc = stream && reader ? decode(reader, stream, out, &img, err)
                              : hst_fail(err, HST_EMEM, "out of memory");
    opj_image_destroy(img);
    opj_destroy_codec(reader);
    if (stream)
        opj_stream_destroy(stream);
    return rc;
}

const codec codec_jp2 = {version, NULL, read_jp2};
