/* gif.c - the first frame of a GIF through giflib, as Pillow and as TensorFlow show it.
 *
 * Pillow: the frame at its place on the logical screen, the rest in the transparent colour (or the
 * first one); a colour number beyond the palette is black.
 * TensorFlow: the frame on a black canvas as wide as the widest frame of the file and as high as
 * the highest, transparent pixels black; a colour number beyond the palette is an error. (It moves
 * the frame by its offset also where a part is lost by that, as always when there is one frame:
 * that fault is not copied.) Of the frames behind the first only their size is read. */
#include "images/decode.h"

#include "base/mem.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

/* What the file says before the pixels of the first frame. */
struct gif {
    GifFileType *file;
    const hst_encoded *in;
    size_t at; /* bytes of in already read */
    int transparent;
    uint8_t palette[256][3];
    int n_colors;
};

/* Behind the end of a file that was cut lies the empty block that ends a chain of blocks: giflib
 * asks for it once all pixels are there, and Pillow does not. */
static int on_read(GifFileType *file, GifByteType *to, int n)
{
    struct gif *g = file->UserData;
    size_t left = g->in->n - g->at, want = n > 0 ? (size_t)n : 0;
    if (left == 0 && n == 1) {
        *to = 0;
        return 1;
    }
    if (want > left)
        want = left;
    memcpy(to, g->in->bytes + g->at, want);
    g->at += want;
    return (int)want;
}

static int fail_gif(const struct gif *g, hst_err *err)
{
    if (g->at == g->in->n)
        return hst_image_truncated("GIF", err);
    const char *why = g->file ? GifErrorString(g->file->Error) : NULL;
    return hst_fail(err, HST_EIMAGE, "damaged GIF: %s", why ? why : "not a GIF file");
}

/* Extensions are a chain of blocks, each with its length in front; the graphic control extension
 * names the transparent colour. */
static int read_extension(struct gif *g)
{
    int code;
    GifByteType *block;
    if (DGifGetExtension(g->file, &code, &block) != GIF_OK)
        return -1;
    while (block) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && block[0] == 4 &&
            DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            g->transparent = control.TransparentColor;
        if (DGifGetExtensionNext(g->file, &block) != GIF_OK)
            return -1;
    }
    return 0;
}

/* Goes to the first frame and reads its description. */
static int find_frame(struct gif *g)
{
    GifRecordType type;
    do {
        if (DGifGetRecordType(g->file, &type) != GIF_OK)
            return -1;
        if (type == EXTENSION_RECORD_TYPE && read_extension(g))
            return -1;
    } while (type == EXTENSION_RECORD_TYPE);
    return type == IMAGE_DESC_RECORD_TYPE && DGifGetImageDesc(g->file) == GIF_OK ? 0 : -1;
}

/* The frame's palette or the file's. Pillow takes a palette that counts 0, 1, 2.. in gray, or none
 * at all, for a gray picture with all 256 values. */
static void read_palette(struct gif *g)
{
    const ColorMapObject *map =
        g->file->Image.ColorMap ? g->file->Image.ColorMap : g->file->SColorMap;
    int gray = 1;
    g->n_colors = map ? map->ColorCount < 256 ? map->ColorCount : 256 : 0;
    for (int i = 0; i < g->n_colors; i++) {
        const GifColorType *c = &map->Colors[i];
        uint8_t rgb[3] = {c->Red, c->Green, c->Blue};
        memcpy(g->palette[i], rgb, 3);
        gray &= rgb[0] == i && rgb[1] == i && rgb[2] == i;
    }
    for (int i = g->n_colors; i < 256 && gray; i++)
        memset(g->palette[i], i, 3);
}

/* One colour number a pixel, from the frame's lines in their order. */
static int read_lines(struct gif *g, uint8_t *index)
{
    static const int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    int w = g->file->Image.Width, h = g->file->Image.Height;
    int passes = g->file->Image.Interlace ? 4 : 1;
    for (int p = 0; p < passes; p++)
        for (int y = passes == 4 ? first[p] : 0; y < h; y += passes == 4 ? step[p] : 1)
            if (DGifGetLine(g->file, index + (size_t)y * (size_t)w, w) != GIF_OK)
                return -1;
    return 0;
}

/* The end of a chain of blocks, each with its length in front, the last one empty. */
static size_t after_blocks(const hst_encoded *in, size_t at)
{
    while (at < in->n && in->bytes[at])
        at += 1 + (size_t)in->bytes[at];
    return at < in->n ? at + 1 : in->n;
}

static int little_16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

/* Makes *w, *h as large as the largest of the frames from `at` on. Extensions are '!', a kind and
 * blocks; a frame is ',', left, top, width, height u16, packed u8, a palette, a byte and blocks. */
static void largest_frame(const hst_encoded *in, size_t at, int *w, int *h)
{
    while (at < in->n) {
        const uint8_t *p = in->bytes + at;
        if (*p == '!' && in->n - at >= 2) {
            at = after_blocks(in, at + 2);
        } else if (*p == ',' && in->n - at >= 11) {
            const int width = little_16(p + 5), height = little_16(p + 7);
            *w = width > *w ? width : *w;
            *h = height > *h ? height : *h;
            at = after_blocks(in, at + 11 + (p[9] & 0x80 ? 3u << ((p[9] & 7) + 1) : 0));
        } else {
            return;
        }
    }
}

static int draw_tf(const struct gif *g, const uint8_t *index, hst_image *out, hst_err *err)
{
    const GifImageDesc *d = &g->file->Image;
    const int left = d->Left < out->w - d->Width ? d->Left : out->w - d->Width;
    const int top = d->Top < out->h - d->Height ? d->Top : out->h - d->Height;
    if (g->n_colors == 0)
        return hst_fail(err, HST_EIMAGE, "damaged GIF: it has no palette");
    memset(out->rgb, 0, (size_t)out->w * (size_t)out->h * 3);
    for (int y = 0; y < d->Height; y++) {
        uint8_t *to = out->rgb + 3 * ((size_t)(top + y) * (size_t)out->w + (size_t)left);
        for (int x = 0; x < d->Width; x++, index++, to += 3) {
            if (*index == g->transparent)
                continue;
            if (*index >= g->n_colors)
                return hst_fail(err, HST_EIMAGE, "damaged GIF: colour %d of a palette of %d",
                                *index, g->n_colors);
            memcpy(to, g->palette[*index], 3);
        }
    }
    return 0;
}

static void draw_pil(const struct gif *g, const uint8_t *index, hst_image *out)
{
    const GifImageDesc *d = &g->file->Image;
    const uint8_t *ground = g->palette[g->transparent >= 0 ? g->transparent : 0];
    for (size_t i = 0, n = (size_t)out->w * (size_t)out->h; i < n; i++)
        memcpy(out->rgb + 3 * i, ground, 3);
    for (int y = 0; y < d->Height; y++) {
        uint8_t *to = out->rgb + 3 * ((size_t)(d->Top + y) * (size_t)out->w + (size_t)d->Left);
        for (int x = 0; x < d->Width; x++, to += 3)
            memcpy(to, g->palette[*index++], 3);
    }
}

static uint64_t larger(int a, int b)
{
    return (uint64_t)(a > b ? a : b);
}

/* The picture, once the frame's colour numbers are read. */
static int draw(struct gif *g, const uint8_t *index, hst_image *out, hst_err *err)
{
    const GifImageDesc *d = &g->file->Image;
    const int tf = g->in->resampler == HST_RESAMPLE_TF;
    int w = d->Width, h = d->Height;
    if (tf)
        largest_frame(g->in, g->at, &w, &h);
    int rc = tf ? hst_image_alloc(out, (uint64_t)w, (uint64_t)h, err)
                : hst_image_alloc(out, larger(g->file->SWidth, d->Left + w),
                                  larger(g->file->SHeight, d->Top + h), err);
    if (rc)
        return rc;
    if (tf)
        return draw_tf(g, index, out, err);
    draw_pil(g, index, out);
    return 0;
}

static int read_frame(struct gif *g, hst_image *out, hst_err *err)
{
    const GifImageDesc *d = &g->file->Image;
    if (hst_image_check((uint64_t)d->Width, (uint64_t)d->Height, err))
        return HST_EIMAGE;
    uint8_t *index = hst_alloc((size_t)d->Width * (size_t)d->Height, 1, err);
    if (!index)
        return HST_EMEM;
    int rc = read_lines(g, index) ? fail_gif(g, err) : draw(g, index, out, err);
    free(index);
    return rc;
}

int hst_gif_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    int code = 0;
    struct gif g = {.in = in, .transparent = NO_TRANSPARENT_COLOR};
    *orientation = 1;
    g.file = DGifOpen(&g, on_read, &code);
    if (!g.file)
        return fail_gif(&g, err);
    int rc = find_frame(&g) ? fail_gif(&g, err) : 0;
    if (rc == 0) {
        read_palette(&g);
        rc = read_frame(&g, out, err);
    }
    DGifCloseFile(g.file, &code);
    return rc;
}
