/* augment_auto.c - an augmentation for small sets: a random part of the photo, tilted and mirrored,
 * in other light.
 *
 *   photo -> the smallest upright window around the part, its pixels averaged in blocks where it
 *            would shrink -> one bilinear pass -> one colour transform, which normalises too
 *
 * Block and interpolation together weigh pixels much like Pillow's widened bilinear filter. */
#include "base/mem.h"
#include "base/random.h"
#include "images/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIP = 256,     /* pixels of a row that are worked out together */
    BLOCK_MAX = 1024 /* pixels along an axis that become one: their bytes add up in 32 bits */
};

/* ---- draws ---- */

static double draw_between(hst_rng *r, double from, double to)
{
    return from + (to - from) * hst_rng_uniform(r);
}

hst_auto_draw hst_auto_draw_new(const hst_augment_key *key)
{
    const double stretch = 0.28768207245178093; /* ln 4/3 */
    hst_rng r = hst_rng_new(key->seed, HST_RNG_AUGMENT, key->photo, key->epoch);
    hst_auto_draw d;
    d.area = (float)draw_between(&r, 0.35, 1);
    d.aspect = (float)exp(draw_between(&r, -stretch, stretch));
    d.x = (float)hst_rng_uniform(&r);
    d.y = (float)hst_rng_uniform(&r);
    d.angle = (float)draw_between(&r, -0.15, 0.15);
    d.flip = hst_rng_uniform(&r) < 0.5;
    d.brightness = (float)draw_between(&r, 0.8, 1.2);
    d.contrast = (float)draw_between(&r, 0.8, 1.2);
    d.saturation = (float)draw_between(&r, 0.8, 1.2);
    return d;
}

/* ---- geometry ---- */

/* Where output coordinates u, v = -1/2 .. 1/2 come from, in pixels of the photo whose first one
 * reaches from 0 to 1: (x + ux u + vx v, y + uy u + vy v). */
struct place {
    double x, y, ux, uy, vx, vy;
};

/* A squashed photo keeps its part's proportions to the whole; of a cut one they are those of what
 * the network sees. */
static struct place place_part(const hst_auto_draw *d, const hst_prep *p, const hst_image *img)
{
    double all_w = img->w, all_h = img->h, w = all_w, h = all_h;
    if (p->geometry != HST_SQUASH) {
        const double shape = (double)p->size.width / p->size.height;
        w = sqrt(all_w * all_h * shape);
        h = sqrt(all_w * all_h / shape);
    }
    w *= sqrt((double)d->area * (double)d->aspect);
    h *= sqrt((double)d->area / (double)d->aspect);
    double fit_w = fmin(1, all_w / w), fit_h = fmin(1, all_h / h);
    if (p->geometry != HST_SQUASH)
        fit_w = fit_h = fmin(fit_w, fit_h);
    w *= fit_w;
    h *= fit_h;
    double c = cos((double)d->angle), s = sin((double)d->angle);
    double side = d->flip != p->mirror ? -w : w;
    return (struct place){w / 2 + (double)d->x * (all_w - w),
                          h / 2 + (double)d->y * (all_h - h),
                          c * side,
                          s * side,
                          -s * h,
                          c * h};
}

/* Pixels of the photo, from first on, `block` averaged into one. */
struct span {
    int first, n, block, blocks;
};

/* What lies within `reach` of the middle, and a pixel more; blocks where `shrink` pixels become
 * one. */
static struct span span_around(double middle, double reach, int all, double shrink)
{
    double from = floor(middle - reach) - 1, to = ceil(middle + reach) + 1;
    struct span s = {.block = 1};
    s.first = from > 0 ? (int)fmin(from, all - 1) : 0;
    s.n = (int)fmin(to, all) - s.first;
    if (s.n < 1)
        s.n = 1;
    if (shrink >= 1.5)
        s.block = shrink < BLOCK_MAX ? (int)(shrink + 0.5) : BLOCK_MAX;
    s.blocks = (s.n + s.block - 1) / s.block;
    return s;
}

/* ---- fewer pixels ---- */

struct window {
    struct span x, y;
    uint8_t *px; /* [y.blocks + 1][x.blocks + 1][4]; the last row, column and byte are padding */
};

static size_t row_bytes(const struct window *win)
{
    return ((size_t)win->x.blocks + 1) * 4;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Blocks from..to-1 of a row of blocks, whose pixels fit into STRIP or are one block. rows: those
 * of the photo that become this one; the last blocks may be smaller. */
static void average_strip(const struct window *win, const hst_image *img, int row, int from, int to)
{
    uint32_t sum[3 * BLOCK_MAX];
    const struct span *sx = &win->x, *sy = &win->y;
    int x = from * sx->block, w = least(to * sx->block, sx->n) - x, y = row * sy->block;
    int h = least(sy->block, sy->n - y);
    memset(sum, 0, (size_t)w * 3 * sizeof *sum);
    for (int i = 0; i < h; i++) {
        size_t at = (size_t)(sy->first + y + i) * (size_t)img->w + (size_t)(sx->first + x);
        const uint8_t *in = img->rgb + at * 3;
        for (int k = 0; k < 3 * w; k++)
            sum[k] += in[k];
    }
    uint8_t *out = win->px + (size_t)row * row_bytes(win) + (size_t)from * 4;
    for (int i = 0; i < w; i += sx->block, out += 4) {
        int n = least(sx->block, w - i);
        uint32_t total[3] = {0};
        for (int k = i; k < i + n; k++)
            for (int c = 0; c < 3; c++)
                total[c] += sum[3 * k + c];
        float share = 1 / ((float)n * (float)h);
        for (int c = 0; c < 3; c++)
            out[c] = (uint8_t)((float)total[c] * share + 0.5f);
    }
}

static void average_blocks(const struct window *win, const hst_image *img)
{
    int strip = BLOCK_MAX / win->x.block;
    for (int y = 0; y < win->y.blocks; y++)
        for (int x = 0; x < win->x.blocks; x += strip)
            average_strip(win, img, y, x, least(x + strip, win->x.blocks));
}

/* ---- colours ---- */

/* out = clip(m rgb + offset, 0, 255) * scale + shift for each channel */
struct colours {
    float m[3][3], offset, scale[3], shift[3];
};

/* Saturation blends with the luminance of ITU-R BT.601, brightness multiplies, contrast is about
 * the middle of the range. */
static struct colours colours_of(const hst_auto_draw *d, const hst_pixel_norm *norm)
{
    static const float luminance[3] = {.299f, .587f, .114f};
    struct colours k = {.offset = 127.5f * (1 - d->contrast)};
    float gain = d->brightness * d->contrast;
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < 3; i++)
            k.m[c][i] = gain * ((1 - d->saturation) * luminance[i] + (i == c ? d->saturation : 0));
        k.scale[c] = 1 / norm->std[c];
        k.shift[c] = -norm->mean[c] / norm->std[c];
    }
    return k;
}

static void colour_strip(const struct colours *k, float rgb[3][STRIP], int n, float *out)
{
    for (int c = 0; c < 3; c++) {
        const float r = k->m[c][0], g = k->m[c][1], b = k->m[c][2], offset = k->offset;
        for (int i = 0; i < n; i++) {
            float v = r * rgb[0][i] + g * rgb[1][i] + b * rgb[2][i] + offset;
            v = v < 255 ? v : 255;
            v = v > 0 ? v : 0;
            out[3 * i + c] = v * k->scale[c] + k->shift[c];
        }
    }
}

/* ---- the pass ---- */

/* n pixels of the window at x, y, which lie inside; a neighbour beyond the edge has no weight. Sums
 * of four channels, of which three are wanted, are one vector. */
static void sample_strip(const struct window *win, const float *x, const float *y, int n,
                         float rgb[3][STRIP])
{
    size_t stride = row_bytes(win);
    for (int i = 0; i < n; i++) {
        int ix = (int)x[i], iy = (int)y[i];
        float right = x[i] - (float)ix, low = y[i] - (float)iy, left = 1 - right, high = 1 - low;
        float aa = high * left, ab = high * right, ba = low * left, bb = low * right, v[4];
        const uint8_t *a = win->px + (size_t)iy * stride + (size_t)ix * 4, *b = a + stride;
        for (int c = 0; c < 4; c++)
            v[c] = aa * a[c] + ab * a[c + 4] + (ba * b[c] + bb * b[c + 4]);
        for (int c = 0; c < 3; c++)
            rgb[c][i] = v[c];
    }
}

/* From the part's middle to that of the first output pixel; u, v: an axis' share of the way from
 * edge to edge. Of squares, whose bits models depend on, it is one product. */
static double first_from_middle(double u, double v, hst_size size)
{
    const double across = 0.5 / size.width - 0.5, down = 0.5 / size.height - 0.5;
    return hst_size_is_square(size) ? (u + v) * across : u * across + v * down;
}

/* From output pixels to positions in the window, whose first block has its middle at 0, 0. */
static hst_warp warp_into(const struct place *at, const struct window *win, hst_size size)
{
    const double w = size.width, h = size.height, bx = win->x.block, by = win->y.block;
    const double x = at->x + first_from_middle(at->ux, at->vx, size);
    const double y = at->y + first_from_middle(at->uy, at->vy, size);
    return (hst_warp){{(float)(at->ux / w / bx), (float)(at->vx / h / bx),
                       (float)((x - win->x.first) / bx - 0.5), (float)(at->uy / w / by),
                       (float)(at->vy / h / by), (float)((y - win->y.first) / by - 0.5)}};
}

static void warp_rows(const hst_warp *t, const struct window *win, const struct colours *k,
                      hst_size size, float *out)
{
    float x[STRIP], y[STRIP], rgb[3][STRIP];
    const float *m = t->m;
    for (int row = 0; row < size.height; row++) {
        for (int from = 0; from < size.width; from += STRIP) {
            int n = least(STRIP, size.width - from);
            for (int i = 0; i < n; i++) {
                x[i] = m[0] * (float)(from + i) + m[1] * (float)row + m[2];
                y[i] = m[3] * (float)(from + i) + m[4] * (float)row + m[5];
            }
            hst_reflect(x, n, win->x.blocks);
            hst_reflect(y, n, win->y.blocks);
            sample_strip(win, x, y, n, rgb);
            colour_strip(k, rgb, n, out);
            out += 3 * (size_t)n;
        }
    }
}

/* TensorFlow's resizing looks at single pixels unless told otherwise. */
static int antialiased(const hst_prep *p)
{
    return p->resampler != HST_RESAMPLE_TF || p->interpolation == HST_BILINEAR_ANTIALIAS ||
           p->interpolation == HST_BICUBIC_ANTIALIAS;
}

int hst_auto_apply(const hst_auto_draw *d, const hst_prep *p, const hst_image *img, float *out,
                   hst_err *err)
{
    struct place at = place_part(d, p, img);
    struct colours k = colours_of(d, &p->norm);
    const double across = antialiased(p) ? 1.0 / p->size.width : 0;
    const double down = antialiased(p) ? 1.0 / p->size.height : 0;
    struct window win = {
        .x = span_around(at.x, (fabs(at.ux) + fabs(at.vx)) / 2, img->w, fabs(at.ux) * across),
        .y = span_around(at.y, (fabs(at.uy) + fabs(at.vy)) / 2, img->h, fabs(at.vy) * down)};
    win.px = hst_alloc((size_t)win.y.blocks + 1, row_bytes(&win), err);
    if (!win.px)
        return HST_EMEM;
    average_blocks(&win, img);
    hst_warp t = warp_into(&at, &win, p->size);
    warp_rows(&t, &win, &k, p->size, out);
    free(win.px);
    return 0;
}
