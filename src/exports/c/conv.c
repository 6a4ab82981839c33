/* One pixel of a convolution whose window begins at row y0, column x0: w[kh][kw][c / groups][n]. */
static void conv_pixel(const float *x, const float *w, float *restrict y, const struct window *k,
                       int y0, int x0)
{
    const int in = k->c / k->groups, out = k->n / k->groups;
    int ky, ky_end, kx_first, kx_end;
    inside(y0, k->kh, k->h, &ky, &ky_end);
    inside(x0, k->kw, k->w, &kx_first, &kx_end);
    for (; ky < ky_end; ky++)
        for (int kx = kx_first; kx < kx_end; kx++) {
            const float *from = x + ((y0 + ky) * k->w + x0 + kx) * k->c;
            const float *tap = w + (ky * k->kw + kx) * in * k->n;
            for (int g = 0; g < k->groups; g++)
                for (int i = 0; i < in; i++) {
                    const float *restrict row = tap + i * k->n + g * out;
                    const float v = from[g * in + i];
                    for (int o = 0; o < out; o++)
                        y[g * out + o] += v * row[o];
                }
        }
}

static void conv(const float *x, const float *w, const float *b, float *y, const struct window *k)
{
    for (int oy = 0; oy < k->oh; oy++)
        for (int ox = 0; ox < k->ow; ox++) {
            float *to = y + (oy * k->ow + ox) * k->n;
            for (int o = 0; o < k->n; o++)
                to[o] = b[o];
            conv_pixel(x, w, to, k, oy * k->sh - k->top, ox * k->sw - k->left);
        }
    activate(y, k->oh * k->ow * k->n, k->act);
}
