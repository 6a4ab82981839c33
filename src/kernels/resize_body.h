/* resize_body.h - weighted sums of 8-bit values, as resizing a picture needs them. A body: included
 * by each isa_<isa>.c behind its vec_<isa>.h.
 *
 * Sums are of 32-bit integers: the same bytes in any order and on any instruction set. Loops are
 * plain; the compiler makes vectors of them. */
#include <stdint.h>
#include <string.h>

enum { RESIZE_HALF = 1 << (HST_RESIZE_BITS - 1), RESIZE_STRIP = 256 };

static inline uint8_t resize_clip(int32_t sum)
{
    int32_t v = sum >> HST_RESIZE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* A strip of n columns, whose sums stay in the cache; two rows at a time. */
static void resize_strip(const hst_resize_rows *r, size_t from, size_t n)
{
    int32_t sum[RESIZE_STRIP];
    const uint8_t *in = r->in + from;
    uint8_t *out = r->out + from;
    int t = 0;
    for (size_t i = 0; i < n; i++)
        sum[i] = RESIZE_HALF;
    for (; t + 2 <= r->count; t += 2, in += 2 * r->stride) {
        const uint8_t *next = in + r->stride;
        const int32_t a = r->weight[t], b = r->weight[t + 1];
        for (size_t i = 0; i < n; i++)
            sum[i] += in[i] * a + next[i] * b;
    }
    for (size_t i = 0; t < r->count && i < n; i++)
        sum[i] += in[i] * r->weight[t];
    for (size_t i = 0; i < n; i++)
        out[i] = resize_clip(sum[i]);
}

static void resize_rows(const hst_resize_rows *r)
{
    for (size_t i = 0; i < r->n; i += RESIZE_STRIP)
        resize_strip(r, i, r->n - i < RESIZE_STRIP ? r->n - i : RESIZE_STRIP);
}

/* A pixel of which no byte behind it may be touched. */
static void resize_pixel(const uint8_t *in, const int32_t *weight, int count, uint8_t *out)
{
    int32_t r = RESIZE_HALF, g = RESIZE_HALF, b = RESIZE_HALF;
    for (int t = 0; t < count; t++, in += 3) {
        r += in[0] * weight[t];
        g += in[1] * weight[t];
        b += in[2] * weight[t];
    }
    out[0] = resize_clip(r);
    out[1] = resize_clip(g);
    out[2] = resize_clip(b);
}

/* Vectors read and write a pixel as four bytes, one too many: what is written is overwritten by the
 * next pixel, and pixels at the end go another way. */
static void resize_pixels(const hst_resize_pixels *r)
{
    for (int i = 0; i < r->n; i++) {
        const uint8_t *in = r->in + (size_t)r->first[i] * 3;
        const int32_t *weight = r->weight + (size_t)i * (size_t)r->stride;
        uint8_t *out = r->out + (size_t)i * 3;
        if (r->first[i] + r->count[i] >= r->width || i == r->n - 1)
            resize_pixel(in, weight, r->count[i], out);
        else
            v_pixel_sum(in, weight, r->count[i], out);
    }
}
