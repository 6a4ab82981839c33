/* y[n][c] = act(x w[c] + b[c]) */
static void affine(const float *x, const float *w, const float *b, float *y, int n, int c,
                   enum act act)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            y[i * c + k] = x[i * c + k] * w[k] + b[k];
    activate(y, n * c, act);
}
