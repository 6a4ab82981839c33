/* y[n][c] = act(x z), z [n][c] or, where it has one row, [c] */
static void multiply(const float *x, const float *z, float *y, int n, int c, int z_rows,
                     enum act act)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            y[i * c + k] = x[i * c + k] * z[(z_rows == 1 ? 0 : i * c) + k];
    activate(y, n * c, act);
}
