/* y[c] = act(mean of the n rows of x[n][c]) */
static void mean(const float *x, float *restrict y, int n, int c, enum act act)
{
    for (int k = 0; k < c; k++)
        y[k] = 0.0f;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            y[k] += x[i * c + k];
    for (int k = 0; k < c; k++)
        y[k] /= (float)n;
    activate(y, c, act);
}
