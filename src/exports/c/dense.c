/* y[rows][n] = act(x[rows][k] w[k][n] + b), four rows at a time. */
static void dense(const float *x, const float *w, const float *b, float *y, int rows, int k, int n,
                  enum act act)
{
    float *const first = y;
    int left = rows;
    for (; left >= 4; left -= 4, x += 4 * k, y += 4 * n) {
        const float *x0 = x, *x1 = x0 + k, *x2 = x1 + k, *x3 = x2 + k;
        float *restrict y0 = y, *restrict y1 = y0 + n, *restrict y2 = y1 + n, *restrict y3 = y2 + n;
        for (int o = 0; o < n; o++)
            y0[o] = y1[o] = y2[o] = y3[o] = b[o];
        for (int i = 0; i < k; i++) {
            const float *restrict row = w + i * n;
            const float a = x0[i], c = x1[i], d = x2[i], e = x3[i];
            for (int o = 0; o < n; o++) {
                y0[o] += a * row[o];
                y1[o] += c * row[o];
                y2[o] += d * row[o];
                y3[o] += e * row[o];
            }
        }
    }
    for (; left > 0; left--, x += k, y += n) {
        float *restrict to = y;
        for (int o = 0; o < n; o++)
            to[o] = b[o];
        for (int i = 0; i < k; i++)
            for (int o = 0; o < n; o++)
                to[o] += x[i] * w[i * n + o];
    }
    activate(first, rows * n, act);
}
