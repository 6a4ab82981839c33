/* align.c - Lucas and Kanade's alignment, inverse compositional (Baker and Matthews 2004), with a
 * scale and a shift along each axis, of pictures with mean 0 and length 1, so that neither
 * brightness nor contrast matters. First at half the size, where more is within its reach. */
#include "inspection/align.h"

#include <math.h>
#include <string.h>

enum {
    FULL = HST_THUMB_PX,
    HALF = HST_THUMB_PX / 2,
    STEPS = 4, /* at each size; further ones changed no pair */
    LANES = 4, /* of a sum: the order of additions is the same on every processor */
};

/* A fifth of half a picture: more than any crop that is looked for; what goes further got lost. */
static const float most_moved = 0.2f;
/* Correlations at half the size, and of the detail as placed there, below which two pictures never
 * became alike at the full size (changed copies of 200 photos: 0.86 and 0.43 at least). */
static const float least_alike = 0.8f, least_detail = 0.35f;

/* Where a point of the template is in the other picture: (1 + scale) * at + shift along each axis,
 * both reaching from -1 to 1. */
typedef struct placement {
    float scale[2], shift[2]; /* across, down */
} placement;

static float dot(const float *a, const float *b, int n)
{
    float sum[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += a[i + k] * b[i + k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Mean 0 and length 1; all 0 where it is uniform. Returns the length there was. */
static float normalise(float *x, int n)
{
    float sum[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += x[i + k];
    const float mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)n;
    for (int i = 0; i < n; i++)
        x[i] -= mean;
    const float length = sqrtf(dot(x, x, n));
    const float scale = length > 1e-3f ? 1 / length : 0;
    for (int i = 0; i < n; i++)
        x[i] *= scale;
    return length;
}

/* out[HALF][HALF], each pixel the sum of four. */
static void halve(const float *x, float *out)
{
    for (int y = 0; y < HALF; y++)
        for (int i = 0; i < HALF; i++) {
            const float *p = x + 2 * y * FULL + 2 * i;
            out[y * HALF + i] = p[0] + p[1] + p[FULL] + p[FULL + 1];
        }
}

/* out = x less a copy blurred by (1 4 6 4 1) / 16 along each axis, edges repeated; FULL x FULL. */
static void detail_of(const float *x, float *out)
{
    static const float weight[5] = {1 / 16.f, 4 / 16.f, 6 / 16.f, 4 / 16.f, 1 / 16.f};
    float row[FULL + 4], between[FULL * FULL] = {0};
    for (int y = 0; y < FULL; y++)
        for (int k = 0; k < 5; k++) {
            const int at = y + k - 2, from = at < 0 ? 0 : at < FULL ? at : FULL - 1;
            for (int i = 0; i < FULL; i++)
                between[y * FULL + i] += weight[k] * x[from * FULL + i];
        }
    for (int y = 0; y < FULL; y++) {
        const float *b = between + y * FULL;
        memcpy(row + 2, b, FULL * sizeof *b);
        row[0] = row[1] = b[0];
        row[FULL + 2] = row[FULL + 3] = b[FULL - 1];
        for (int i = 0; i < FULL; i++) {
            float blurred = 0;
            for (int k = 0; k < 5; k++)
                blurred += weight[k] * row[i + k];
            out[y * FULL + i] = x[y * FULL + i] - blurred;
        }
    }
}

/* The middle between a centre of pixel i and the edges, -1 to 1. */
static float position(int px, int i)
{
    return ((float)i + 0.5f - (float)px / 2) / ((float)px / 2);
}

/* Inverse of a symmetric matrix by Gauss and Jordan; a small multiple of the diagonal is added, so
 * that a picture that tells nothing along an axis moves nothing there. */
static void invert(float m[4][4], float out[4][4])
{
    float trace = 0;
    for (int i = 0; i < 4; i++)
        trace += m[i][i];
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++)
            out[i][k] = i == k;
        m[i][i] += 1e-3f * trace + 1e-12f;
    }
    for (int i = 0; i < 4; i++) {
        const float pivot = 1 / m[i][i]; /* positive definite: no exchange of rows is needed */
        for (int k = 0; k < 4; k++) {
            m[i][k] *= pivot;
            out[i][k] *= pivot;
        }
        for (int r = 0; r < 4; r++) {
            const float f = r == i ? 0 : m[r][i];
            for (int k = 0; k < 4; k++) {
                m[r][k] -= f * m[i][k];
                out[r][k] -= f * out[i][k];
            }
        }
    }
}

/* whole[px][px] */
static void level_make(const float *whole, int px, hst_level *l)
{
    const int inner = px * HST_INNER_PX / FULL, margin = (px - inner) / 2, n = inner * inner;
    float products[4][4];
    l->px = px;
    l->inner = inner;
    for (int y = 0; y < inner; y++)
        for (int x = 0; x < inner; x++) {
            const float *p = whole + (y + margin) * px + x + margin;
            const float across = (p[1] - p[-1]) / 2 * ((float)px / 2);
            const float down = (p[px] - p[-px]) / 2 * ((float)px / 2);
            const int i = y * inner + x;
            l->x[i] = p[0];
            l->slope[0][i] = across * position(px, x + margin);
            l->slope[1][i] = across;
            l->slope[2][i] = down * position(px, y + margin);
            l->slope[3][i] = down;
        }
    const float length = normalise(l->x, n);
    for (int k = 0; k < 4; k++) { /* what changes brightness or contrast alone is no movement */
        float *s = l->slope[k], sum = 0;
        for (int i = 0; i < n; i++)
            sum += s[i];
        for (int i = 0; i < n; i++)
            s[i] = (s[i] - sum / (float)n) / (length > 1e-3f ? length : 1);
        const float along = dot(s, l->x, n);
        for (int i = 0; i < n; i++)
            s[i] -= along * l->x[i];
    }
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++)
            products[a][b] = dot(l->slope[a], l->slope[b], n);
    invert(products, l->inverse);
}

void hst_template_make(const uint8_t *thumb, int mirrored, hst_template *t)
{
    float whole[FULL * FULL], other[FULL * FULL];
    for (int i = 0; i < FULL * FULL; i++)
        whole[i] = thumb[mirrored ? i / FULL * FULL + FULL - 1 - i % FULL : i];
    level_make(whole, FULL, &t->fine);
    halve(whole, other);
    level_make(other, HALF, &t->coarse);
    detail_of(whole, other);
    const int inner = t->fine.inner, margin = (FULL - inner) / 2;
    for (int y = 0; y < inner; y++)
        memcpy(t->detail + y * inner, other + (y + margin) * FULL + margin,
               (size_t)inner * sizeof *other);
    normalise(t->detail, inner * inner);
}

/* Of the inner pixels along one axis: the pixel of the other picture before each, and how far
 * behind it. */
static void positions(const hst_level *l, float scale, float shift, int *at, float *part)
{
    const int margin = (l->px - l->inner) / 2;
    for (int i = 0; i < l->inner; i++) {
        float p = ((1 + scale) * position(l->px, i + margin) + shift + 1) * (float)l->px / 2 - 0.5f;
        p = p > 0 ? p : 0;
        p = p < (float)(l->px - 1) ? p : (float)(l->px - 1);
        at[i] = p < (float)(l->px - 2) ? (int)p : l->px - 2;
        part[i] = p - (float)at[i];
    }
}

/* out[inner][inner]: what lies under the template, bilinear, mean 0, length 1. */
static void look_up(const hst_level *l, const float *whole, const placement *p, float *out)
{
    int across[HST_INNER_PX], down[HST_INNER_PX];
    float part_across[HST_INNER_PX], part_down[HST_INNER_PX], row[FULL];
    positions(l, p->scale[0], p->shift[0], across, part_across);
    positions(l, p->scale[1], p->shift[1], down, part_down);
    for (int y = 0; y < l->inner; y++) {
        const float *a = whole + down[y] * l->px, *b = a + l->px;
        for (int x = 0; x < l->px; x++)
            row[x] = a[x] + (b[x] - a[x]) * part_down[y];
        for (int x = 0; x < l->inner; x++) {
            const float *r = row + across[x];
            out[y * l->inner + x] = r[0] + (r[1] - r[0]) * part_across[x];
        }
    }
    normalise(out, l->inner * l->inner);
}

/* One axis of p after the inverse of a step: at -> (at - shift) / (1 + scale), then p. */
static int compose(placement *p, int axis, float scale, float shift)
{
    p->shift[axis] -= (1 + p->scale[axis]) * shift / (1 + scale);
    p->scale[axis] = (1 + p->scale[axis]) / (1 + scale) - 1;
    return fabsf(p->scale[axis]) <= most_moved && fabsf(p->shift[axis]) <= most_moved;
}

/* Moves *p to where the other picture, whole[px][px], fits best. 0: it got lost. */
static int settle(const hst_level *l, const float *whole, placement *p)
{
    const int n = l->inner * l->inner;
    float under[HST_INNER_PX * HST_INNER_PX], b[4], step[4];
    for (int k = 0; k < STEPS; k++) {
        look_up(l, whole, p, under);
        for (int i = 0; i < n; i++)
            under[i] -= l->x[i];
        for (int i = 0; i < 4; i++)
            b[i] = dot(l->slope[i], under, n);
        for (int i = 0; i < 4; i++)
            step[i] = dot(l->inverse[i], b, 4);
        for (int i = 0; i < 4; i++)
            if (!(fabsf(step[i]) <= most_moved))
                return 0;
        if (!compose(p, 0, step[0], step[1]) || !compose(p, 1, step[2], step[3]))
            return 0;
    }
    return 1;
}

/* Another thumbnail, made ready to be looked up in. Most are lost before their detail is. */
typedef struct other {
    float whole[FULL * FULL], half[HALF * HALF], detail[FULL * FULL];
    int has_detail;
} other;

/* From both axes scaled so at first. */
static float compare_from(const hst_template *t, other *o, float scale)
{
    const int n = t->coarse.inner * t->coarse.inner, m = t->fine.inner * t->fine.inner;
    float under[HST_INNER_PX * HST_INNER_PX];
    placement p = {{scale, scale}, {0, 0}};
    if (!settle(&t->coarse, o->half, &p))
        return 0;
    look_up(&t->coarse, o->half, &p, under);
    if (dot(under, t->coarse.x, n) < least_alike)
        return 0;
    if (!o->has_detail)
        detail_of(o->whole, o->detail);
    o->has_detail = 1;
    look_up(&t->fine, o->detail, &p, under);
    const float so_far = dot(under, t->detail, m);
    if (so_far < least_detail || !settle(&t->fine, o->whole, &p))
        return so_far < least_detail ? so_far : 0;
    look_up(&t->fine, o->detail, &p, under);
    return dot(under, t->detail, m);
}

float hst_template_compare(const hst_template *t, const uint8_t *thumb, float enough)
{
    static const float starts[] = {0, 0.08f, -0.08f}; /* half of the largest crop, either way */
    other o;
    float best = 0;
    for (int i = 0; i < FULL * FULL; i++)
        o.whole[i] = thumb[i];
    halve(o.whole, o.half);
    o.has_detail = 0;
    for (size_t i = 0; i < sizeof starts / sizeof *starts && best < enough; i++) {
        const float alike = compare_from(t, &o, starts[i]);
        best = alike > best ? alike : best;
    }
    return best;
}
