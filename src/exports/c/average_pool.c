/* What is outside does not count. */
static void average_pool(const float *x, float *y, const struct window *k)
{
    for (int oy = 0; oy < k->oh; oy++)
        for (int ox = 0; ox < k->ow; ox++) {
            const int y0 = oy * k->sh - k->top, x0 = ox * k->sw - k->left;
            float *restrict to = y + (oy * k->ow + ox) * k->c;
            int ky_first, ky_end, first, end;
            inside(y0, k->kh, k->h, &ky_first, &ky_end);
            inside(x0, k->kw, k->w, &first, &end);
            const float share = 1.0f / (float)((ky_end - ky_first) * (end - first));
            for (int c = 0; c < k->c; c++)
                to[c] = 0.0f;
            for (int ky = ky_first; ky < ky_end; ky++)
                for (int kx = first; kx < end; kx++) {
                    const float *restrict from = x + ((y0 + ky) * k->w + x0 + kx) * k->c;
                    for (int c = 0; c < k->c; c++)
                        to[c] += from[c] * share;
                }
        }
    activate(y, k->oh * k->ow * k->c, k->act);
}
