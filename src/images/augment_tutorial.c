/* augment_tutorial.c - the augmentation layers of Keras 2, as the TF Hub retraining tutorial has
 * them (keras/layers/preprocessing/image_preprocessing.py, and TensorFlow's image_ops.h below it).
 *
 * Each layer is a pass of its own over the prepared photo. Interpolation weights add up to one and
 * nothing is filled in, so it makes no difference that the numbers are already normalised. */
#include "base/mem.h"
#include "base/random.h"
#include "images/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP = 256 }; /* pixels whose positions are worked out together */

/* ---- draws ---- */

/* Uniform in [-most, most). */
static double draw_around_0(hst_rng *r, double most)
{
    return (2 * hst_rng_uniform(r) - 1) * most;
}

hst_tutorial_draw hst_tutorial_draw_new(const hst_augment_key *key, int w, int h)
{
    hst_rng r = hst_rng_new(key->seed, HST_RNG_AUGMENT, key->photo, key->epoch);
    hst_tutorial_draw d;
    d.angle = (float)draw_around_0(&r, 40 * 2 * 3.14159265358979323846);
    d.dx = (float)(draw_around_0(&r, 0.2) * w);
    d.dy = (float)(draw_around_0(&r, 0.2) * h);
    d.zx = (float)(1 + draw_around_0(&r, 0.2));
    d.zy = (float)(1 + draw_around_0(&r, 0.2));
    d.flip = hst_rng_uniform(&r) > 0.5;
    return d;
}

/* ---- transforms ---- */

/* About the middle of the picture: m[2] and m[5] keep it where it is. */
hst_warp hst_warp_rotation(float angle, int w, int h)
{
    float c = (float)cos((double)angle), s = (float)sin((double)angle);
    float right = (float)(w - 1), bottom = (float)(h - 1);
    return (hst_warp){{c, -s, (right - (c * right - s * bottom)) / 2, s, c,
                       (bottom - (s * right + c * bottom)) / 2}};
}

hst_warp hst_warp_translation(float dx, float dy)
{
    return (hst_warp){{1, 0, -dx, 0, 1, -dy}};
}

hst_warp hst_warp_zoom(float zx, float zy, int w, int h)
{
    return (hst_warp){{zx, 0, (float)(w - 1) / 2 * (1 - zx), 0, zy, (float)(h - 1) / 2 * (1 - zy)}};
}

/* ---- a pass ---- */

void hst_reflect(float *at, int n, int length)
{
    float len = (float)length, period = 2 * len;
    int outside = 0;
    for (int i = 0; i < n; i++)
        outside |= (at[i] < 0) | (at[i] > len - 1);
    for (int i = 0; outside && i < n; i++) {
        float v = at[i];
        float before = period * (float)(int)(-v / period) + v;
        before = before < -len ? before + period : -before - 1;
        float behind = v - period * (float)(int)(v / period);
        behind = behind >= len ? period - behind - 1 : behind;
        v = v < 0 ? before : v > len - 1 ? behind : v;
        v = v > len - 1 ? len - 1 : v;
        at[i] = v > 0 ? v : 0;
    }
}

struct picture {
    const float *px; /* [h][w][3] */
    int w, h;
};

/* The pixel at x, y, which lie inside. A neighbour beyond the edge has no weight. */
static void sample(const struct picture *p, float x, float y, float *out)
{
    int ix = (int)x, iy = (int)y;
    float right = x - (float)ix, left = (float)(ix + 1) - x;
    float low = y - (float)iy, high = (float)(iy + 1) - y;
    const float *a = p->px + ((size_t)iy * (size_t)p->w + (size_t)ix) * 3;
    const float *b = iy + 1 < p->h ? a + (size_t)p->w * 3 : a;
    size_t next = ix + 1 < p->w ? 3 : 0;
    for (size_t c = 0; c < 3; c++) {
        float above = left * a[c] + right * a[c + next];
        float below = left * b[c] + right * b[c + next];
        out[c] = high * above + low * below;
    }
}

/* n pixels of row y from column x. */
static void warp_strip(const hst_warp *t, const struct picture *in, int x, int y, int n, float *out)
{
    float across[STRIP], down[STRIP];
    const float *m = t->m, row = (float)y;
    for (int i = 0; i < n; i++) {
        float column = (float)(x + i);
        across[i] = m[0] * column + m[1] * row + m[2];
        down[i] = m[3] * column + m[4] * row + m[5];
    }
    hst_reflect(across, n, in->w);
    hst_reflect(down, n, in->h);
    for (int i = 0; i < n; i++)
        sample(in, across[i], down[i], out + 3 * (size_t)i);
}

void hst_warp_apply(const hst_warp *t, const float *in, int w, int h, float *out)
{
    struct picture p = {in, w, h};
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x += STRIP)
            warp_strip(t, &p, x, y, w - x < STRIP ? w - x : STRIP,
                       out + ((size_t)y * (size_t)w + (size_t)x) * 3);
}

/* Left becomes right. */
static void mirror(const float *in, int w, int h, float *out)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(out + ((size_t)y * (size_t)w + (size_t)x) * 3,
                   in + ((size_t)y * (size_t)w + (size_t)(w - 1 - x)) * 3, 3 * sizeof *out);
}

int hst_tutorial_apply(const hst_tutorial_draw *d, float *x, int w, int h, hst_err *err)
{
    size_t n = (size_t)w * (size_t)h;
    float *other = hst_alloc(n, 3 * sizeof *other, err);
    if (!other)
        return HST_EMEM;
    hst_warp rotation = hst_warp_rotation(d->angle, w, h);
    hst_warp across = hst_warp_translation(d->dx, 0), down = hst_warp_translation(0, d->dy);
    hst_warp zoom = hst_warp_zoom(d->zx, d->zy, w, h);
    hst_warp_apply(&rotation, x, w, h, other);
    hst_warp_apply(&across, other, w, h, x);
    hst_warp_apply(&down, x, w, h, other);
    hst_warp_apply(&zoom, other, w, h, x);
    if (d->flip) {
        memcpy(other, x, n * 3 * sizeof *x);
        mirror(other, w, h, x);
    }
    free(other);
    return 0;
}
