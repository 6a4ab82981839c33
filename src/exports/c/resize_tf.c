/* tf.image.resize, bilinear without antialiasing: between the two pixels around each position. */
struct tap {
    int low, high;
    float t;
};

static struct tap tap_at(int in, int out, int i)
{
    const float x = ((float)i + 0.5f) * ((float)in / (float)out) - 0.5f, whole = floorf(x);
    struct tap tap = {(int)whole, (int)ceilf(x), x - whole};
    tap.low = tap.low > 0 ? tap.low : 0;
    tap.high = tap.high < in - 1 ? tap.high : in - 1;
    return tap;
}

static float blend(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* out[HEIGHT][WIDTH][3] */
static int resize(const uint8_t *rgb, int w, int h, const struct place *p, float *out,
                  int32_t *room, int left)
{
    (void)room;
    (void)left;
    for (int row = 0; row < p->h; row++) {
        const struct tap y = tap_at(h, p->dh, p->y + row);
        const uint8_t *top = rgb + (size_t)y.low * (size_t)w * 3;
        const uint8_t *low = rgb + (size_t)y.high * (size_t)w * 3;
        float *to = out + ((p->top + row) * WIDTH + p->left) * 3;
        for (int column = 0; column < p->w; column++) {
            const struct tap x = tap_at(w, p->dw, p->x + column);
            for (int c = 0; c < 3; c++, to++)
                *to = blend(blend(top[x.low * 3 + c], top[x.high * 3 + c], x.t),
                            blend(low[x.low * 3 + c], low[x.high * 3 + c], x.t), y.t);
        }
    }
    return 0;
}
