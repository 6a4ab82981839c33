#include "images/picture.h"
#include "base/mem.h"
#include "images/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    SMALL_PX = 256, /* the longer side of what is measured */
    TILES = 8,      /* along each side, where sharpness is looked for */
    SHARPEST = 8,   /* tiles: a flower in front of a blurred meadow is sharp */
    LEAST_SHARP =
        64, /* pixels along the shorter side, below which a tile at a quarter is nothing */
};

typedef struct plane {
    float *at; /* [h][w] */
    int w, h;
} plane;

/* Brightness of a pixel, as Pillow's mode "L". */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

static void measure_light(const hst_image *small, const uint8_t *light, hst_picture *out)
{
    const size_t n = (size_t)small->w * (size_t)small->h;
    size_t count[256] = {0}, below = 0, above = 0;
    uint64_t sum[4] = {0}, squares[4] = {0};
    double deviation[4];
    int low = 0, high = 255;
    for (size_t i = 0; i < n; i++) {
        const uint32_t v[4] = {small->rgb[3 * i], small->rgb[3 * i + 1], small->rgb[3 * i + 2],
                               light[i]};
        count[v[3]]++;
        for (int c = 0; c < 4; c++) {
            sum[c] += v[c];
            squares[c] += v[c] * v[c];
        }
    }
    for (int c = 0; c < 4; c++) {
        const double mean = (double)sum[c] / (double)n;
        const double variance = (double)squares[c] / (double)n - mean * mean;
        deviation[c] = variance > 0 ? sqrt(variance) : 0;
    }
    while ((below += count[low]) * 100 < n)
        low++;
    while ((above += count[high]) * 100 < n)
        high--;
    out->brightness = (float)((double)sum[3] / (double)n);
    out->contrast = (float)deviation[3];
    out->colors = (float)fmax(deviation[0], fmax(deviation[1], deviation[2]));
    out->dark = (float)low;
    out->bright = (float)high;
}

/* Mean square of the Laplacian in each of the tiles. */
static void measure_edges(const plane *p, double energy[TILES * TILES])
{
    const int w = p->w - 2, h = p->h - 2;
    for (int t = 0; t < TILES * TILES; t++) {
        const int x0 = t % TILES * w / TILES, x1 = (t % TILES + 1) * w / TILES;
        const int y0 = t / TILES * h / TILES, y1 = (t / TILES + 1) * h / TILES;
        double sum = 0;
        for (int y = y0; y < y1; y++) {
            const float *m = p->at + (size_t)(y + 1) * (size_t)p->w + 1;
            const float *up = m - p->w, *down = m + p->w;
            float row = 0;
            for (int x = x0; x < x1; x++) {
                const float l = 4 * m[x] - m[x - 1] - m[x + 1] - up[x] - down[x];
                row += l * l;
            }
            sum += row;
        }
        energy[t] = sum / ((double)(x1 - x0) * (y1 - y0));
    }
}

/* Energy of the tiles with most at half the size, against what they have there. */
static double compare_edges(const double fine[], const double half[], double noise)
{
    double sum_fine = 0, sum_half = 0;
    char taken[TILES * TILES] = {0};
    for (int k = 0; k < SHARPEST; k++) {
        int best = -1;
        for (int t = 0; t < TILES * TILES; t++)
            if (!taken[t] && (best < 0 || half[t] > half[best]))
                best = t;
        taken[best] = 1;
        sum_fine += fine[best] - noise;
        sum_half += half[best];
    }
    sum_fine = sum_fine > 0 ? sum_fine : 0;
    return sum_half > SHARPEST * noise ? sum_fine / sum_half : 1;
}

/* p at half its size, each pixel the mean of four, behind p in memory. */
static plane halve(const plane *p)
{
    const plane half = {p->at + (size_t)p->w * (size_t)p->h, p->w / 2, p->h / 2};
    for (int y = 0; y < half.h; y++) {
        const float *a = p->at + (size_t)(2 * y) * (size_t)p->w, *b = a + p->w;
        for (int x = 0; x < half.w; x++)
            half.at[(size_t)y * (size_t)half.w + (size_t)x] =
                (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]) / 4;
    }
    return half;
}

/* Natural pictures look alike at every size, so the two energies keep a proportion; blur takes from
 * the finer one. Neither contrast nor brightness changes it. At two sizes, as a strong blur leaves
 * nothing but noise at the finer. */
static int measure_sharpness(const uint8_t *light, int w, int h, hst_picture *out, hst_err *err)
{
    /* rounding to whole numbers (variance 1/12), times the squares of the Laplacian's weights */
    const double noise = 20.0 / 12;
    double energy[3][TILES * TILES];
    const size_t n = (size_t)w * (size_t)h;
    out->sharpness = 1;
    if (w < LEAST_SHARP || h < LEAST_SHARP)
        return 0;
    plane p[3] = {{hst_alloc_raw(2 * n, sizeof(float), err), w, h}};
    if (!p[0].at)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        p[0].at[i] = light[i];
    for (int k = 0; k < 3; k++) {
        if (k > 0)
            p[k] = halve(&p[k - 1]);
        measure_edges(&p[k], energy[k]);
    }
    out->sharpness = (float)fmin(compare_edges(energy[0], energy[1], noise),
                                 compare_edges(energy[1], energy[2], noise / 4));
    free(p[0].at);
    return 0;
}

/* Where a picture is made smaller: k x k pixels of c numbers become their mean, fewer at the right
 * and at the bottom. */
typedef struct blocks {
    int w, h, c, k;
} blocks;

/* m pixels of out[c], each from the sums of n x rows pixels. */
static inline void shrink_pixels(const uint32_t *sums, int c, int n, int rows, int m, uint8_t *out)
{
    const uint32_t count = (uint32_t)(n * rows);
    const uint64_t one = (UINT64_C(1) << 32) / count; /* cheaper than to divide each time */
    for (int p = 0; p < m; p++, sums += n * c, out += c)
        for (int i = 0; i < c; i++) {
            uint32_t sum = count / 2;
            for (int x = 0; x < n; x++)
                sum += sums[x * c + i];
            out[i] = (uint8_t)(sum * one >> 32);
        }
}

/* One row of out from the sums over `rows` rows; constants have what is usual unrolled. */
static void shrink_row(const blocks *b, const uint32_t *sums, int rows, uint8_t *out)
{
    const int whole = b->w / b->k, rest = b->w % b->k;
    if (b->c == 3 && b->k == 2)
        shrink_pixels(sums, 3, 2, rows, whole, out);
    else if (b->c == 1 && b->k == 2)
        shrink_pixels(sums, 1, 2, rows, whole, out);
    else
        shrink_pixels(sums, b->c, b->k, rows, whole, out);
    if (rest)
        shrink_pixels(sums + whole * b->k * b->c, b->c, rest, rows, 1, out + whole * b->c);
}

/* out[ceil(h / k)][ceil(w / k)][c]; sums[w * c] is work memory. */
static void shrink(const blocks *b, const uint8_t *in, uint32_t *sums, uint8_t *out)
{
    const size_t row = (size_t)b->w * (size_t)b->c, out_w = (size_t)((b->w + b->k - 1) / b->k);
    for (int y = 0; y < b->h; y += b->k, out += out_w * (size_t)b->c) {
        const int rows = b->h - y < b->k ? b->h - y : b->k;
        memset(sums, 0, row * sizeof *sums);
        for (int r = 0; r < rows; r++, in += row)
            for (size_t i = 0; i < row; i++)
                sums[i] += in[i];
        shrink_row(b, sums, rows, out);
    }
}

/* How many pixels of the longer side become one, so that about px are left. */
static int shrinking(int w, int h, int px)
{
    const int longer = w > h ? w : h, k = (longer + px / 2) / px;
    return k > 1 ? k : 1;
}

/* in, or a smaller picture with pixels of its own. */
static int make_small(const hst_image *in, hst_image *out, hst_err *err)
{
    const int k = shrinking(in->w, in->h, SMALL_PX);
    *out = *in;
    if (k == 1)
        return 0;
    *out = (hst_image){.w = (in->w + k - 1) / k, .h = (in->h + k - 1) / k};
    uint32_t *sums = hst_alloc_raw((size_t)in->w, 3 * sizeof *sums, err);
    out->rgb = sums ? hst_alloc_raw((size_t)out->w * (size_t)out->h, 3, err) : NULL;
    if (out->rgb)
        shrink(&(blocks){in->w, in->h, 3, k}, in->rgb, sums, out->rgb);
    free(sums);
    return out->rgb ? 0 : HST_EMEM;
}

/* light[h][w] as a square of HST_THUMB_PX: most of the way by means, the rest by a filter. */
static int make_thumb(const uint8_t *light, int w, int h, uint8_t *thumb, hst_err *err)
{
    const int k = shrinking(w, h, 4 * HST_THUMB_PX);
    const int small_w = (w + k - 1) / k, small_h = (h + k - 1) / k;
    uint8_t *small = hst_alloc_raw((size_t)small_w * (size_t)small_h, 1, err);
    uint32_t *sums = small ? hst_alloc_raw((size_t)w, sizeof *sums, err) : NULL;
    int rc = sums ? 0 : HST_EMEM;
    if (rc == 0) {
        shrink(&(blocks){w, h, 1, k}, light, sums, small);
        rc = hst_resize_pil(&(hst_resampling){.src = small,
                                              .sw = small_w,
                                              .sh = small_h,
                                              .c = 1,
                                              .dw = HST_THUMB_PX,
                                              .dh = HST_THUMB_PX,
                                              .interpolation = HST_BILINEAR},
                            thumb, err);
    }
    free(sums);
    free(small);
    return rc;
}

static int measure(const hst_image *small, hst_picture *out, hst_err *err)
{
    const size_t n = (size_t)small->w * (size_t)small->h;
    uint8_t *light = hst_alloc_raw(n, 1, err);
    if (!light)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        light[i] = luma(small->rgb + 3 * i);
    measure_light(small, light, out);
    int rc = make_thumb(light, small->w, small->h, out->thumb, err);
    if (rc == 0)
        rc = measure_sharpness(light, small->w, small->h, out, err);
    free(light);
    return rc;
}

int hst_picture_of(const hst_image *img, const uint8_t *bytes, size_t n, hst_picture *out,
                   hst_err *err)
{
    const size_t w = (size_t)img->w, h = (size_t)img->h;
    const uint64_t hash = XXH64(img->rgb, w * h * 3, (uint64_t)w << 32 | h);
    hst_image small = {0};
    *out = (hst_picture){.w = img->w, .h = img->h};
    if (n)
        out->file = hst_facts_of(bytes, n);
    int rc = make_small(img, &small, err);
    if (rc == 0)
        rc = measure(&small, out, err);
    if (rc == 0)
        out->pixels = hash ? hash : 1;
    if (small.rgb != img->rgb)
        hst_image_clear(&small);
    return rc;
}

/* ---- the same pixels ---- */

typedef struct known {
    uint64_t pixels;
    size_t photo;
} known;

/* Equal pixels next to each other, in the order of the photos. */
static int by_pixels(const void *pa, const void *pb)
{
    const known *a = pa, *b = pb;
    if (a->pixels != b->pixels)
        return a->pixels < b->pixels ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

int hst_pixels_first(const uint64_t *pixels, size_t stride, size_t n, size_t *first, hst_err *err)
{
    known *k = hst_alloc(n, sizeof *k, err);
    if (!k)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        memcpy(&k[i].pixels, (const char *)pixels + i * stride, sizeof k[i].pixels);
        k[i].photo = i;
    }
    if (n)
        qsort(k, n, sizeof *k, by_pixels);
    for (size_t i = 0, at = 0; i < n; i++) {
        if (k[i].pixels != k[at].pixels || !k[i].pixels)
            at = i;
        first[k[i].photo] = k[at].photo;
    }
    free(k);
    return 0;
}
